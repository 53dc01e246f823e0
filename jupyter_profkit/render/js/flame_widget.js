// In a notebook, with a kernel: the same, and it follows what the controls ask for.

function render({ model, el }) {
  const draw = () => {
    const picture = liveFlame(model.get("svg"), model.get("label"));
    el.classList.add("jpk");
    el.replaceChildren(picture.host);
  };
  draw();
  model.on("change:svg", draw);
}

export default { render };
