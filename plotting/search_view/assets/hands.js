// Pointer and keyboard.

const WHEEL = 0.0016, STEP = 0.35;
let drag = null;

// Shows a node wherever it is, and selects it.
function go(k) {
  let opened = false;
  for (let p = nodes.parent[k]; p >= 0; p = nodes.parent[p]) opened = state.collapsed.delete(p) || opened;
  if (nodes.depth[k] > state.depth) {
    state.depth = nodes.depth[k];
    opened = true;
  }
  if (k >= state.order) setOrder(count);
  if (opened) rearrange();
  showRanges();
  select(k);
  reveal(k);
}

const inTree = (event) => {
  const box = tree.getBoundingClientRect();
  return [event.clientX - box.left - tree.clientLeft, event.clientY - box.top - tree.clientTop];
};

tree.addEventListener("pointerdown", (event) => {
  drag = {x: event.clientX, y: event.clientY, far: false};
  tree.setPointerCapture(event.pointerId);
});
tree.addEventListener("pointermove", (event) => {
  if (drag) {
    const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
    if (drag.far || Math.hypot(dx, dy) > 4) {
      pan(dx, dy);
      drag = {x: event.clientX, y: event.clientY, far: true};
    }
  }
  hover(drag?.far ? -1 : nodeAt(...inTree(event)));
});
tree.addEventListener("pointerup", (event) => {
  const k = drag && !drag.far ? nodeAt(...inTree(event)) : -1;
  drag = null;
  if (k >= 0) select(k);
});
tree.addEventListener("pointercancel", () => { drag = null; });
tree.addEventListener("pointerleave", () => hover(-1));
tree.addEventListener("dblclick", (event) => {
  const k = nodeAt(...inTree(event));
  if (k >= 0) toggle(k);
});
tree.addEventListener("wheel", (event) => {
  event.preventDefault();
  const lines = event.deltaMode === 1 ? 30 : 1;
  zoomBy(-WHEEL * lines * event.deltaY, ...inTree(event));
}, {passive: false});

function hover(k) {
  if (k === state.hovered) return;
  state.hovered = k;
  tree.classList.toggle("over", k >= 0);
  if (k >= 0) tree.dataset.tip = inWords(k, "\n");
  else delete tree.dataset.tip;
  repaint();
}

// After what is said beside the pointer, the picture.
document.addEventListener("pointermove", (event) => {
  const index = state.hovered < 0 ? -1 : nodes.image[state.hovered];
  if (index < 0) return;
  byId("tip").prepend(make("img", {src: record.images[index], alt: ""}));
  placeTip(event.clientX, event.clientY);
});

// -- keys: as the tree lies

function step(forward, sideways) {
  const k = state.selected;
  if (forward > 0) {
    if (isClosed(k) && nodes.depth[k] < state.depth) toggle(k);
    const open = isClosed(k) ? [] : children[k].filter((child) => child < state.order);
    return open.find((child) => onPath[child]) ?? open[0] ?? k;
  }
  if (forward < 0) return Math.max(0, nodes.parent[k]);
  const row = rows[nodes.depth[k]].filter((each) => each < state.order);
  return row[row.indexOf(k) + sideways] ?? k;
}

function lastOnPath() {
  const open = path.filter((k) => isShown[k] && k < state.order);
  return open.at(-1) ?? 0;
}

const byOrder = (by) => {
  const open = shown.filter((k) => k < state.order);
  return open[open.indexOf(state.selected) + by] ?? state.selected;
};

const KEYS = {
  ArrowDown: () => (state.right ? step(0, 1) : step(1, 0)),
  ArrowUp: () => (state.right ? step(0, -1) : step(-1, 0)),
  ArrowRight: () => (state.right ? step(1, 0) : step(0, 1)),
  ArrowLeft: () => (state.right ? step(-1, 0) : step(0, -1)),
  Home: () => 0, End: lastOnPath, PageDown: () => byOrder(1), PageUp: () => byOrder(-1),
};
const DO = {
  Enter: () => toggle(state.selected), " ": () => toggle(state.selected),
  "+": () => zoomBy(STEP, ...where(state.selected)), "=": () => zoomBy(STEP, ...where(state.selected)),
  "-": () => zoomBy(-STEP, ...where(state.selected)), 0: fit,
};

tree.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const next = KEYS[event.key]?.();
  if (next !== undefined) {
    select(next);
    reveal(next);
  } else if (DO[event.key]) DO[event.key]();
  else return;
  event.preventDefault();
});
