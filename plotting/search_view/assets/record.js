// The record of the search, what follows from it, and how a node is put into words.

const record = JSON.parse(byId("data").textContent);
const {nodes, actions, root} = record;
const count = nodes.parent.length;
const FLAGS = ["terminated", "truncated", "solved", "pruned", "cached", "life_lost"];
const SAID = {
  open: "open", solved: "solved", pruned: "pruned: nothing novel", terminated: "terminal",
  truncated: "truncated", cached: "cached: from the tree before", life_lost: "life lost",
  reward: "reward", chosen: "chosen path",
};

const children = Array.from({length: count}, () => []);
for (let k = 1; k < count; k += 1) children[nodes.parent[k]].push(k);
for (const below of children) below.sort((a, b) => nodes.action[a] - nodes.action[b] || a - b);
const below = new Int32Array(count); // nodes under a node
for (let k = count - 1; k > 0; k -= 1) below[nodes.parent[k]] += below[k] + 1;
const deepest = nodes.depth.reduce((a, b) => Math.max(a, b), 0);

// What this search calls it.
const word = (what) => record.words?.[what] ?? what;
const counted = nodes.visits.length > 0; // a search that counts visits
const rewarded = (k) => Math.abs(nodes.reward[k]) >= (counted ? 0.1 : Number.MIN_VALUE);

// From the root along the action taken, then the best line as far as one is the best: by visits,
// where there are some, and returns.
const better = (k, than) => (counted && nodes.visits[k] - nodes.visits[than]) || nodes.return[k] - nodes.return[than];
function chosenPath() {
  const path = [0];
  let next = children[0].filter((k) => nodes.action[k] === record.chosen);
  while (next.length === 1) {
    path.push(next[0]);
    const found = children[next[0]];
    const best = found.reduce((a, k) => (better(k, a) > 0 ? k : a), found[0]);
    next = found.filter((k) => better(k, best) === 0);
  }
  return path.length > 1 ? path : [];
}
const path = chosenPath();
const onPath = new Uint8Array(count);
for (const k of path) onPath[k] = 1;

// What a node is drawn as: one of these, and beside it whether it is cached or a life was lost.
const kind = (k) => ["terminated", "truncated", "pruned", "solved"].find((flag) => nodes[flag][k]) ?? "open";
const has = {
  open: (k) => kind(k) === "open",
  solved: (k) => nodes.solved[k], pruned: (k) => nodes.pruned[k],
  terminated: (k) => nodes.terminated[k], truncated: (k) => nodes.truncated[k],
  cached: (k) => nodes.cached[k], life_lost: (k) => nodes.life_lost[k],
  reward: rewarded, chosen: (k) => onPath[k] === 1,
};

function number(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
  return text.replaceAll("-", "−");
}
// A return to three digits of the range of all.
const bounds = nodes.return.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
const digits = bounds[1] > bounds[0] ? 2 - Math.floor(Math.log10(bounds[1] - bounds[0])) : 3;
const brief = (value) => value.toFixed(Math.max(0, Math.min(6, digits))).replace("-", "−");
const signed = (value) => (value > 0 ? "+" : "") + number(value);
const some = (n, one) => `${n} ${one}${n === 1 ? "" : "s"}`;
const name = (k) => (k === 0 ? "root" : actions[nodes.action[k]]);

function states(k) {
  const found = FLAGS.filter((flag) => nodes[flag][k]).map((flag) => SAID[flag]);
  if (onPath[k]) found.push(SAID.chosen);
  return found;
}

// [what, value] of a node, as the tip and the panel say it.
function facts(k) {
  const said = [["depth", String(nodes.depth[k])]];
  if (k > 0) {
    said.push(["reward", signed(nodes.reward[k])]);
    if (nodes.prior[k] !== null) said.push([word("guide"), number(nodes.prior[k])]);
  }
  said.push([k === 0 && counted ? "value" : word("return"), number(nodes.return[k])]);
  if (nodes.value[k] !== null) said.push([word("value"), number(nodes.value[k])]);
  if (nodes.visits.length) said.push(["visits", String(nodes.visits[k])]);
  if (nodes.parent[k] === 0) {
    const a = nodes.action[k];
    if (root.q[a] !== null && word("return") !== "Q") said.push(["Q", number(root.q[a])]);
    if (root.policy[a] !== null) said.push([word("policy"), number(root.policy[a])]);
  }
  said.push(["below", some(below[k], "node")]);
  if (nodes.new_atoms.length) {
    const names = nodes.novel_atoms[k], all = nodes.new_atoms[k];
    const text = names.length ? `: ${names.join(", ")}${all > names.length ? ", …" : ""}` : "";
    said.push(["new atoms", `${all}${text}`]);
  }
  if (states(k).length) said.push(["state", states(k).join(", ")]);
  return said;
}

const heading = (k) => (k === 0 ? "Root" : `Node ${k}: ${name(k)}`);
const inWords = (k, between) => [heading(k), ...facts(k).map((pair) => pair.join(" "))].join(between);
