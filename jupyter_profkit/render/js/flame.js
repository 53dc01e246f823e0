// A flame graph: click a frame to zoom, search, Esc shows all again; arrow keys go from frame to frame.
//
// Each frame of the picture is a <g> with a <title> of three lines: name, place, figure.

const FLAME = { width: 978, left: 1, letter: 7.13, padding: 4, row: 20 };

function liveFlame(svgText, label) {
  const picture = livePicture(svgText, label);
  const frames = [...picture.svg.querySelectorAll("g")].filter((g) => g.querySelector(":scope > title")).map(flameFrame);
  if (!frames.length) throw new Error("no frames");
  const search = document.createElement("input");
  search.type = "search";
  search.placeholder = "Find a frame";
  search.setAttribute("aria-label", "Find a frame");
  const reset = document.createElement("button");
  reset.type = "button";
  reset.textContent = "Show all";
  const status = document.createElement("output");
  picture.bar.append(search, reset, status);

  const whole = frames[0];
  let zoomed = whole;
  let current = whole;

  const zoom = (frame) => {
    zoomed = frame;
    for (const each of frames) placeFrame(each, frame);
    reset.disabled = frame === whole;
    tell();
    focusOn(frame, false);
  };
  const tell = () => {
    const words = search.value.trim().toLowerCase();
    const found = words ? frames.filter((frame) => frame.text.toLowerCase().includes(words)) : [];
    for (const frame of frames) {
      frame.group.classList.toggle("found", found.includes(frame));
      frame.group.classList.toggle("faint", Boolean(words) && !found.includes(frame));
    }
    if (words) {
      const outer = found.filter((frame) => !found.some((other) => other !== frame && contains(other, frame)));
      const share = outer.reduce((sum, frame) => sum + frame.width, 0) / whole.width;
      status.textContent = found.length
        ? `${found.length} found, ${(share * 100).toFixed(share < 0.1 ? 1 : 0)} % of all`
        : "nothing found";
    } else {
      status.textContent = zoomed === whole ? "Click a frame to zoom" : zoomed.text.replaceAll("\n", "  ");
    }
  };
  const focusOn = (frame, grab = true) => {
    current.group.setAttribute("tabindex", "-1");
    current = frame;
    frame.group.setAttribute("tabindex", "0");
    if (grab) frame.group.focus();
  };
  const onKey = (event) => {
    const next = neighbour(frames.filter((frame) => frame.shown), current, event.key);
    if (event.key === "Escape") zoom(whole);
    if (next) focusOn(next);
    if (next || event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation(); // the notebook has its own arrow keys
    }
  };

  for (const frame of frames) {
    frame.group.setAttribute("role", "button");
    frame.group.setAttribute("aria-label", frame.text.replaceAll("\n", ", "));
    frame.group.setAttribute("tabindex", "-1");
    onActivate(frame.group, () => (zoom(frame), frame.group.focus()));
    frame.group.addEventListener("keydown", onKey);
  }
  reset.addEventListener("click", () => (zoom(whole), (search.value = ""), tell()));
  search.addEventListener("input", tell);
  for (const type of ["keydown", "keyup", "keypress"]) search.addEventListener(type, (event) => event.stopPropagation());
  zoom(whole);
  return picture;
}

function flameFrame(group) {
  const rect = group.querySelector("rect");
  const text = group.querySelector(":scope > title").textContent;
  const [left, width, top] = ["x", "width", "y"].map((name) => Number(rect.getAttribute(name)));
  const words = group.querySelector("text") ?? document.createElementNS(rect.namespaceURI, "text");
  if (!words.isConnected) words.setAttribute("y", top + 13);
  group.append(words);
  return { group, rect, words, text, left, width, level: Math.round((top - 1) / FLAME.row), shown: true };
}

function contains(outer, inner) {
  const middle = inner.left + inner.width / 2;
  return outer.level < inner.level && outer.left <= middle && middle <= outer.left + outer.width;
}

// Where `frame` is when `zoomed` is as wide as the picture; its callers are as wide then.
function placeFrame(frame, zoomed) {
  const isCaller = frame !== zoomed && contains(frame, zoomed);
  frame.shown = frame === zoomed || isCaller || contains(zoomed, frame);
  frame.group.style.display = frame.shown ? "" : "none";
  if (!frame.shown) return;
  const scale = FLAME.width / (zoomed.width + 1);
  const left = isCaller ? FLAME.left : FLAME.left + (frame.left - zoomed.left) * scale;
  const width = isCaller ? FLAME.width - 1 : Math.max((frame.width + 1) * scale - 1, 0.6);
  frame.rect.setAttribute("x", left);
  frame.rect.setAttribute("width", width);
  frame.words.setAttribute("x", left + FLAME.padding);
  frame.words.textContent = fittedWords(frame.text.split("\n"), Math.floor((width - 2 * FLAME.padding) / FLAME.letter));
}

// The name with place and figure, with one or none of them, or what of it has room.
function fittedWords([name, place, figure], room) {
  for (const parts of [[name, place, figure], [name, figure], [name]]) {
    const text = parts.filter(Boolean).join("  ");
    if (text.length <= room) return text;
  }
  return room >= 3 ? `${name.slice(0, room - 1)}…` : "";
}

function neighbour(frames, from, key) {
  const at = (level) => frames.filter((frame) => frame.level === level).sort((a, b) => a.left - b.left);
  if (key === "ArrowUp") return frames.find((frame) => frame.level === from.level - 1 && contains(frame, from));
  if (key === "ArrowDown") return at(from.level + 1).find((frame) => contains(from, frame));
  const row = at(from.level);
  if (key === "ArrowRight") return row[row.indexOf(from) + 1];
  if (key === "ArrowLeft") return row[row.indexOf(from) - 1];
  return undefined;
}
