// While controls live, the static report above them is folded to a line: the same twice helps nobody.
// It stays in the notebook as it is, and unfolds by a click, or when the controls go.

function render({ el }) {
  let unfold = () => {};
  const fold = (tries) => {
    const report = el.isConnected ? reportAbove(el) : null;
    if (report) unfold = folded(report);
    else if (tries > 0 && !el.isConnected) setTimeout(fold, 100, tries - 1);
  };
  setTimeout(fold, 0, 50);
  return () => unfold();
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
