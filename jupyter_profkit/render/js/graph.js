// A graph: each node can be reached by Tab and chosen by a click, Enter or the space bar.
//
// A node of the picture is a <g data-node="3"> with a <title> that says what it is.

function liveGraph(svgText, label, choose) {
  const picture = livePicture(svgText, label);
  const status = document.createElement("output");
  picture.bar.append(status);
  for (const group of picture.svg.querySelectorAll("g[data-node]")) {
    group.setAttribute("role", "button");
    group.setAttribute("tabindex", "0");
    group.setAttribute("aria-label", group.querySelector("title")?.textContent ?? "");
    onActivate(group, () => choose(Number(group.dataset.node)));
  }
  return { ...picture, tell: (text) => (status.textContent = text) };
}
