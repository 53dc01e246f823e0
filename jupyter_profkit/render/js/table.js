// In a report: where scripts run, tables are sorted by their headings and filtered by words. Nothing is lost without.
// It takes every report that no script has taken yet, so it needs no identity, and equal results are equal texts.

const units = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, µs: 1e-6, ms: 1e-3, min: 60 };

const figure = (text) => {
  // "8.0 → 18.1 MiB" sorts by what it became, "6004/2" by its first number
  const last = text.split("→").pop();
  const number = last.replace(/,/g, "").match(/[-+]?\d+(\.\d+)?(e[-+]?\d+)?/i);
  return number ? number[0] * (units[last.trim().split(" ").pop()] || 1) : NaN;
};

const sortable = (rows, heads, body) =>
  heads.forEach((head, n) => {
    const numeric = rows.some((row) => row.cells[n].classList.contains("jpk-n"));
    const value = (row) => (numeric ? figure(row.cells[n].textContent) : row.cells[n].textContent);
    const compare = (a, b) => (numeric ? a - b : a.localeCompare(b, undefined, { numeric: true }));
    const orders = numeric ? ["descending", "ascending", null] : ["ascending", "descending", null];
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.onclick = () => {
      const order = orders[(orders.indexOf(head.getAttribute("aria-sort")) + 1) % 3];
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      if (order) head.setAttribute("aria-sort", order);
      const sign = order === "descending" ? -1 : 1;
      const [known, unknown] = [[], []];
      rows.forEach((row) => (order && Number.isNaN(value(row)) ? unknown : known).push(row));
      if (order) known.sort((a, b) => sign * compare(value(a), value(b)));
      body.append(...known, ...unknown);
    };
  });

const filtered = (rows, table) => {
  const tools = document.createElement("div");
  tools.className = "jpk-tools";
  if (table.caption?.textContent) {
    // the caption moves into the line of the controls; it still names the table for a screen reader
    const title = document.createElement("b");
    title.textContent = table.caption.textContent;
    title.setAttribute("aria-hidden", "true");
    tools.append(title);
    table.caption.className = "jpk-said";
  }
  const add = (text, type) => {
    const [label, input] = [document.createElement("label"), document.createElement("input")];
    input.type = type;
    label.append(...(type === "search" ? [text, input] : [input, text]));
    input.oninput = show;
    tools.append(label);
    return input;
  };
  const show = () => {
    const word = words.value.toLowerCase();
    const seen = rows.filter((row) => row.textContent.toLowerCase().includes(word) && !(hides?.checked && row.dataset.library));
    rows.forEach((row) => (row.style.display = seen.includes(row) ? "" : "none"));
    said.textContent = seen.length < rows.length ? `${seen.length} of ${rows.length} rows` : "";
  };
  const words = add("Filter", "search");
  const n = rows.filter((row) => row.dataset.library).length;
  const hides = n && n < rows.length ? add("hide library code", "checkbox") : null;
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  tools.append(said);
  table.parentNode.before(tools);
};

for (const report of document.querySelectorAll(".jpk:not([data-on])")) {
  if (report.closest(".jupyter-widgets")) continue; // it has controls of its own
  report.dataset.on = "";
  for (const table of report.querySelectorAll("table.jpk-t")) {
    const rows = [...table.tBodies[0].rows];
    if (rows.length > 2) sortable(rows, [...table.tHead.rows[0].cells], table.tBodies[0]);
    if (rows.length > 9 || rows.some((row) => row.dataset.library)) filtered(rows, table);
  }
}
