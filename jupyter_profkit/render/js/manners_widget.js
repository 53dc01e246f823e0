// While controls live, the static report above them is folded to a line: the same twice helps nobody.
// It stays in the notebook as it is, and unfolds by a click, or when the controls go; so does the line
// that says how to have them back. When the kernel ends or begins anew the controls are hidden: they
// are dead, and ipywidgets puts a broken chain beside each of them.
// Sliders, which ipywidgets leaves without a name, get one for those who do not see them.

function render({ model, el }) {
  let unfold = () => {};
  const begin = (tries) => {
    if (!el.isConnected) return tries > 0 ? setTimeout(begin, 100, tries - 1) : undefined;
    nameSliders(el.parentElement);
    const report = reportAbove(el);
    const note = el.closest(".jp-OutputArea-child")?.previousElementSibling?.querySelector(".jpk-note");
    if (note) note.style.display = "none";
    const show = report ? folded(report) : () => {};
    unfold = () => {
      show();
      if (note) note.style.display = "";
    };
  };
  const follow = () => {
    const controls = el.parentElement;
    const dead = Boolean(controls?.classList.contains("jupyter-widgets-disconnected"));
    if (!controls || dead === (controls.style.display === "none")) return;
    controls.style.display = dead ? "none" : "";
    dead ? unfold() : begin(50);
  };
  model.on("comm_live_update", () => setTimeout(follow)); // each view has said so itself by then
  setTimeout(begin, 0, 50);
  return () => unfold();
}

function nameSliders(controls) {
  for (const slider of controls.querySelectorAll(".widget-slider")) {
    const name = slider.querySelector(".widget-label")?.textContent ?? "";
    const handles = [...slider.querySelectorAll(".noUi-handle")];
    handles.forEach((handle, n) => handle.setAttribute("aria-label", `${name} ${n ? "to" : "from"}`));
  }
}

function reportAbove(el) {
  let output = el.closest(".jp-OutputArea-child")?.previousElementSibling;
  while (output && !output.querySelector(".jpk")) output = output.previousElementSibling;
  const report = output?.querySelector(".jpk");
  return report?.closest("details.jpk-static") ? null : report;
}

function folded(report) {
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  details.className = "jpk-static";
  summary.textContent = "The report, as it stays in the notebook";
  summary.style.cssText = "cursor:pointer;opacity:.75;font-size:12px;padding:4px 0";
  report.before(details);
  details.append(summary, report);
  return () => details.replaceWith(report);
}

export default { render };
