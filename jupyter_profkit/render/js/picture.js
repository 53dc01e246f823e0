// A picture that can be clicked: the very SVG that a report shows in an <img>, made part of the page.
//
//   const picture = livePicture(svgText, "what it shows");
//   parent.append(picture.host);
//
// It lives in a shadow root, so that neither its styles nor the page's reach the other. What it
// holds was drawn by this package; all the same, whatever could run or lead away is taken out.

function livePicture(svgText, label) {
  const svg = new DOMParser().parseFromString(svgText, "image/svg+xml").documentElement;
  if (svg.nodeName !== "svg") throw new Error("not a picture");
  makeInert(svg);
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", label);
  svg.querySelector(":scope > title")?.remove(); // else the whole picture has a tooltip
  svg.style.cssText = "display:block;max-width:100%;height:auto";
  const host = document.createElement("div");
  const root = host.attachShadow({ mode: "open" });
  const style = document.createElement("style");
  style.textContent = PICTURE_STYLE;
  const bar = document.createElement("div");
  bar.className = "bar";
  const box = document.createElement("div");
  box.className = "box";
  box.append(document.importNode(svg, true));
  root.append(style, bar, box);
  followTheme(host, root);
  return { host, root, bar, svg: root.querySelector("svg") };
}

const PICTURE_STYLE = `
:host{display:block;margin:4px 0;color:inherit;font-size:13px}
.bar{display:flex;flex-wrap:wrap;align-items:center;gap:4px 10px;margin:0 0 4px;min-height:28px}
.bar output{flex:1 1 12em;min-width:0;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;opacity:.85}
.bar input,.bar button{font:inherit;color:inherit;background:transparent;border:1px solid rgba(127,127,127,.6);
border-radius:2px;padding:2px 8px;height:26px;box-sizing:border-box}
.bar input{width:14em}
.bar button{cursor:pointer}
.bar button:disabled{opacity:.5;cursor:default}
.bar :focus-visible{outline:2px solid #1976d2;outline-offset:1px}
.box{overflow:auto;max-height:640px}
svg [tabindex]{cursor:pointer;outline:none}
svg [tabindex]:hover rect{filter:brightness(.93)}
svg [tabindex]:focus-visible rect{stroke:#1976d2;stroke-width:3}
svg .faint{opacity:.28}
svg .found rect{stroke-width:2.5}
@media print{.bar{display:none}.box{max-height:none}}
`;

function makeInert(svg) {
  for (const node of svg.querySelectorAll("script, a, foreignObject, iframe, image, use")) node.remove();
  for (const node of [svg, ...svg.querySelectorAll("*")]) {
    for (const { name } of [...node.attributes]) {
      if (/^on|href$/i.test(name)) node.removeAttribute(name);
    }
  }
}

// In an <img> the picture's own media query follows the page's theme; in the page itself it would
// follow the system's. So the rules in it that are about colours are switched by hand.
function followTheme(host, root) {
  const switched = new WeakSet();
  const apply = () => {
    const dark = /^dark$/.test(getComputedStyle(host).colorScheme.trim());
    for (const sheet of root.styleSheets) {
      for (const rule of sheet.cssRules) {
        if (!(rule instanceof CSSMediaRule)) continue;
        if (rule.media.mediaText.includes("prefers-color-scheme")) switched.add(rule);
        if (switched.has(rule)) rule.media.mediaText = dark ? "all" : "not all";
      }
    }
  };
  requestAnimationFrame(apply); // when it is part of the page
  const attributes = ["class", "theme", "data-theme", "data-jp-theme-light"];
  const observer = new MutationObserver(() => (host.isConnected ? apply() : undefined));
  for (const node of [document.documentElement, document.body]) {
    observer.observe(node, { attributes: true, attributeFilter: attributes });
  }
}

// Enter and the space bar do what a click does.
function onActivate(node, act) {
  node.addEventListener("click", act);
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    act(event);
  });
}
