// In a notebook, with a kernel: a chosen node is told to it, and it answers with a new picture and words.

function render({ model, el }) {
  let picture;
  let chosen = null;
  const tell = () => picture.tell(model.get("words"));
  const draw = () => {
    picture = liveGraph(model.get("svg"), model.get("label"), (node) => {
      chosen = node;
      model.send({ choose: node });
    });
    el.classList.add("jpk");
    el.replaceChildren(picture.host);
    tell();
    refocus();
  };
  const refocus = () => {
    if (chosen !== null) picture.svg.querySelector(`g[data-node="${model.get("focus")}"]`)?.focus();
  };
  draw();
  model.on("change:svg", draw);
  model.on("change:words", tell);
  model.on("change:focus", refocus);
}

export default { render };
