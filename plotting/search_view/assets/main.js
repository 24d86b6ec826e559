// Controls of the page, the animation, and the beginning.

const SECONDS = 12, SLOWEST = 6; // of the whole animation; nodes a second
let playing = null;

function showRanges() {
  byId("depth").value = state.depth;
  byId("depth-said").textContent = `${state.depth}/${deepest}`;
  byId("order").value = state.order;
  byId("order-said").textContent = `${state.order}/${count}`;
}

byId("depth").addEventListener("input", (event) => {
  state.depth = Number(event.target.value);
  rearrange();
  showRanges();
});

function setOrder(order) {
  state.order = order;
  showRanges();
  while (state.selected >= order) state.selected = nodes.parent[state.selected];
  select(state.selected);
}

byId("order").addEventListener("input", (event) => {
  stop();
  setOrder(Number(event.target.value));
});

function stop() {
  cancelAnimationFrame(playing);
  playing = null;
  byId("play").textContent = "▶";
  byId("play").setAttribute("aria-pressed", "false");
}

byId("play").addEventListener("click", () => {
  if (playing !== null) {
    stop();
    return;
  }
  const first = state.order >= count ? 1 : state.order, began = performance.now();
  const rate = Math.max(SLOWEST, count / SECONDS) / 1000;
  const next = (now) => {
    setOrder(Math.min(count, first + Math.floor(Math.max(0, now - began) * rate)));
    if (state.order < count) playing = requestAnimationFrame(next);
    else stop();
  };
  byId("play").textContent = "❚❚";
  byId("play").setAttribute("aria-pressed", "true");
  playing = requestAnimationFrame(next);
});

byId("expand").addEventListener("click", () => {
  state.collapsed.clear();
  state.depth = deepest;
  rearrange();
  showRanges();
  fit();
});
byId("collapse").addEventListener("click", () => {
  for (let k = 1; k < count; k += 1) if (children[k].length) state.collapsed.add(k);
  rearrange(0);
  fit();
});
byId("turn").addEventListener("click", () => {
  state.right = !state.right;
  fit();
});
byId("in").addEventListener("click", () => zoomBy(STEP));
byId("out").addEventListener("click", () => zoomBy(-STEP));
byId("fit").addEventListener("click", fit);
byId("json").addEventListener("click", () => download("search.json", byId("data").textContent, "application/json"));

const COLOURS = {
  return: word("return"), value: word("value"), visits: "visits",
  prior: word("guide") === "guide" ? "guide's probability" : word("guide"), new_atoms: "new atoms",
};
const varies = (values) => new Set(values.filter((value) => value !== null)).size > 1;
options(byId("colour"), [["state", "state"],
  ...Object.entries(COLOURS).filter(([key]) => varies(nodes[key]))], "state");
byId("colour-control").hidden = byId("colour").length < 2;
byId("colour").addEventListener("change", (event) => {
  state.colour = event.target.value;
  readShades();
  showHint();
  repaint();
});

function showHint() {
  byId("legend-hint").textContent = [
    "A click shows them alone.",
    counted && `In a box: visits, and below them ${word("return")}. Edges are as wide as they were visited.`,
    shadesSaid && `Colour: ${shadesSaid}.`,
  ].filter(Boolean).join(" ");
}

document.addEventListener("theme", () => {
  readColours();
  showLegend();
  repaint();
});
let fitted = "";
new ResizeObserver(() => {
  const now = size().join();
  if (now !== fitted) fit();
  fitted = now;
}).observe(tree);

// -- begin

const limits = Object.entries(record.budget).filter(([, value]) => value !== null);
byId("title").textContent = record.title || record.environment || "A search";
byId("subtitle").textContent = [
  record.title && record.environment, record.planner, record.gamma === null ? "" : `γ ${number(record.gamma)}`,
  limits.length ? `budget ${limits.map(([what, value]) => `${number(value)} ${what}`).join(", ")}` : "",
  some(count, "node"), `${deepest} deep`,
].filter(Boolean).join(" · ");
byId("depth").max = deepest;
byId("order").max = count;
readColours();
arrange();
chooseDirection();
showLegend();
showHint();
showDecision();
showRanges();
select(0);
fit();
