// Making elements, and what appears beside the pointer.

const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

// Attributes that begin with "on" are listeners; null and false leave an attribute out.
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

const make = (tag, attributes, ...children) =>
  fill(document.createElement(tag), attributes, children);
const draw = (tag, attributes, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

// A drawing as wide as its place; its text keeps its size, since a unit is a pixel.
function drawing(place, height, label, paint, attributes = {}) {
  const width = Math.max(240, Math.floor(place.clientWidth || 640));
  const svg = draw("svg", {
    viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, ...attributes,
  });
  paint(svg, width, height);
  place.replaceChildren(svg);
  return svg;
}

function options(select, choices, chosen) {
  select.replaceChildren(
    ...choices.map(([value, text]) => make("option", {value, selected: value === chosen}, text)),
  );
}

function download(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], {type}));
  make("a", {href: url, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// Whatever has data-tip says it beside the pointer.
function showTip(event) {
  const tip = byId("tip");
  const of = event.target.closest?.("[data-tip]");
  tip.hidden = !of;
  if (!of) return;
  tip.textContent = of.dataset.tip;
  placeTip(event.clientX, event.clientY);
}

function placeTip(x, y) {
  const tip = byId("tip");
  tip.hidden = false;
  const {width, height} = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 8))}px`;
  tip.style.top = `${y + 16 + height > innerHeight ? y - height - 10 : y + 16}px`;
}

document.addEventListener("pointermove", showTip);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") byId("tip").hidden = true;
});
