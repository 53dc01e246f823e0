// In a report: where scripts run, flame graphs take the place of their <img>; where it fails, the <img> stays.

for (const image of document.querySelectorAll("img.jpk-flame:not([data-live])")) {
  image.dataset.live = "";
  try {
    const text = new TextDecoder().decode(Uint8Array.from(atob(image.src.split(",")[1]), (letter) => letter.charCodeAt(0)));
    const picture = liveFlame(text, image.alt);
    image.before(picture.host);
    image.style.display = "none";
    image.parentElement.style.maxHeight = "none"; // the picture has a box of its own
  } catch (error) {
    console.debug("jupyter_profkit: the flame graph stays a picture", error);
  }
}
