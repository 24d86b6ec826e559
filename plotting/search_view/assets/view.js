// What is shown, where it lies, and the camera over it.

// Pixels between siblings and between levels where a tree is shown at its full size.
const FULL = {down: [86, 118], right: [88, 132]};
const MARGIN = 46;
const state = {
  selected: 0, hovered: -1, collapsed: new Set(), depth: deepest, order: count, right: false,
  alone: new Set(), colour: "state",
};
const camera = {across: 0, along: 0, zoom: 0, base: [1, 1], limit: 1};
let shown = []; // nodes, parents first
let rows = []; // the same by depth, from left to right
const across = new Float64Array(count), isShown = new Uint8Array(count);
let breadth = 0, levels = 0;
let heights = [1], length = 0; // of the levels above each depth, and of all

const isClosed = (k) => children[k].length > 0 && (state.collapsed.has(k) || nodes.depth[k] >= state.depth);

function arrange() {
  isShown.fill(0);
  rows = [];
  const stack = [0];
  while (stack.length) {
    const k = stack.pop();
    isShown[k] = 1;
    (rows[nodes.depth[k]] ??= []).push(k);
    if (!isClosed(k)) for (let i = children[k].length - 1; i >= 0; i -= 1) stack.push(children[k][i]);
  }
  shown = [];
  const place = new Int32Array(count);
  for (let k = 0; k < count; k += 1) if (isShown[k]) place[k] = shown.push(k) - 1;
  const found = tidy(shown.map((k) => (isClosed(k) ? [] : children[k].map((child) => place[child]))));
  breadth = 0;
  shown.forEach((k, i) => {
    across[k] = found[i];
    breadth = Math.max(breadth, found[i]);
  });
  levels = rows.length - 1;
  heights = levelHeights(rows.map((row) => row.length));
  length = heights.slice(1).reduce((a, b) => a + b, 0);
}

// -- camera: zooming goes from where all is seen, each direction on its own scale, to the full size

const nearness = () => Math.min(Math.max(camera.zoom, 0) / camera.limit, 1);

function spacing() {
  const full = state.right ? FULL.right : FULL.down;
  const {zoom, base, limit} = camera;
  const share = nearness();
  const beyond = Math.exp(Math.min(zoom, 0) + Math.max(zoom - limit, 0));
  return base.map((from, i) => from ** (1 - share) * Math.max(full[i], from) ** share * beyond);
}

// Where each depth is, in levels of full height: sparse levels are low until one looks closely.
function ladder() {
  const share = nearness();
  let at = 0;
  return heights.map((height, depth) => (depth ? at += height ** (1 - share) : 0));
}

// The depth at a place of the ladder, with its fraction; the inverse between its rungs.
function depthAt(rungs, place) {
  let low = 0;
  while (low < rungs.length - 2 && rungs[low + 1] <= place) low += 1;
  const step = (rungs[low + 1] ?? rungs[low] + 1) - rungs[low];
  return low + (place - rungs[low]) / step;
}

function placeAt(rungs, depth) {
  const low = Math.max(0, Math.min(Math.floor(depth), rungs.length - 2));
  return rungs[low] + (depth - low) * ((rungs[low + 1] ?? rungs[low] + 1) - rungs[low]);
}

const size = () => [tree.clientWidth, tree.clientHeight];

function bestSpacing(right) {
  const [width, height] = size();
  const [room, far] = right ? [height, width] : [width, height];
  const full = right ? FULL.right : FULL.down;
  return [
    Math.min((room - 2 * MARGIN) / Math.max(breadth, 1), 1.3 * full[0]),
    Math.min((far - 2 * MARGIN) / Math.max(length, 1), 1.3 * full[1]),
  ].map((pixels) => Math.max(pixels, 0.05));
}

function fit() {
  const full = state.right ? FULL.right : FULL.down;
  camera.base = bestSpacing(state.right);
  camera.zoom = 0;
  camera.limit = Math.max(0.01, ...camera.base.map((pixels, i) => Math.log(full[i] / pixels)));
  const [width, height] = size();
  const [room, far] = state.right ? [height, width] : [width, height];
  const [a, b] = camera.base;
  camera.across = (room - a * breadth) / 2;
  camera.along = Math.max(MARGIN, (far - b * length) / 2);
  repaint();
}

// The direction in which more room is left to each node.
function chooseDirection() {
  const least = (right) => Math.min(...bestSpacing(right));
  state.right = least(true) > 1.15 * least(false);
}

function zoomBy(amount, x = size()[0] / 2, y = size()[1] / 2) {
  const [u, v] = state.right ? [y, x] : [x, y];
  const before = spacing();
  const at = [(u - camera.across) / before[0], depthAt(ladder(), (v - camera.along) / before[1])];
  camera.zoom = Math.max(-2, Math.min(camera.limit + 1.1, camera.zoom + amount));
  const after = spacing();
  camera.across = u - at[0] * after[0];
  camera.along = v - placeAt(ladder(), at[1]) * after[1];
  repaint();
}

function where(k) {
  const [a, b] = spacing();
  const u = across[k] * a + camera.across, v = ladder()[nodes.depth[k]] * b + camera.along;
  return state.right ? [v, u] : [u, v];
}

// Moves as little as shows the node.
function reveal(k) {
  const [x, y] = where(k), [width, height] = size();
  const over = (at, room) => Math.max(MARGIN, Math.min(room - MARGIN, at)) - at;
  pan(over(x, width), over(y, height));
}

function pan(dx, dy) {
  camera.across += state.right ? dy : dx;
  camera.along += state.right ? dx : dy;
  repaint();
}

// The shown node nearest to a point, within its mark.
function nodeAt(x, y) {
  const [u, v] = state.right ? [y, x] : [x, y];
  const [a, b] = spacing();
  const rungs = ladder();
  const depth = Math.round(depthAt(rungs, (v - camera.along) / b));
  const row = (rows[depth] ?? []).filter((k) => k < state.order);
  if (!row.length) return -1;
  const target = (u - camera.across) / a;
  let low = 0, high = row.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (across[row[middle]] < target) low = middle + 1;
    else high = middle;
  }
  const near = [row[low - 1], row[low]].filter((k) => k !== undefined);
  const best = near.reduce((p, q) => (Math.abs(across[p] - target) <= Math.abs(across[q] - target) ? p : q));
  const reach = Math.max(markSize(a, b).radius + 4, 7);
  const far = Math.max(Math.abs(across[best] - target) * a, Math.abs(rungs[depth] * b + camera.along - v));
  return far <= reach ? best : -1;
}

// -- changes of what is shown

// Keeps the node where it is on the screen while others come or go.
function rearrange(around = state.selected) {
  const before = isShown[around] ? where(around) : null;
  arrange();
  while (!isShown[state.selected]) state.selected = nodes.parent[state.selected];
  if (before && isShown[around]) {
    const after = where(around);
    pan(before[0] - after[0], before[1] - after[1]);
  }
  select(state.selected);
}

function select(k) {
  state.selected = k;
  showNode();
  showItems();
  repaint();
}

function toggle(k) {
  if (!children[k].length || nodes.depth[k] >= state.depth) return;
  if (!state.collapsed.delete(k)) state.collapsed.add(k);
  rearrange(k);
}
