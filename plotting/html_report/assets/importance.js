// What share of the differences between settings each hyperparameter makes, as
// plotting/importance.py draws it: a bar, its interval over seeds, and what seeds alone would make.

const percent = (share) => (share === null ? "–" : `${(100 * share).toFixed(1)}%`);

function importancePanel() {
  const {importance} = metric() ?? {};
  byId("importance").hidden = !importance;
  if (!importance) return;
  const {effects, note} = importance;
  const most = Math.max(...effects.flatMap(([, , share, , high, chance]) => [share, high, chance]), 0.01);
  const rows = effects.map((effect) => importanceRow(effect, (share) => `${(100 * share) / most}%`));
  const heads = ["hyperparameter", "share of the variance", "95% interval", "by chance"];
  byId("importance-table").replaceChildren(make("table", {class: "importance"},
    make("thead", {}, make("tr", {}, ...heads.map((head, k) =>
      make("th", {scope: "col", colspan: k === 1 ? 2 : null, class: k > 1 ? "number" : null}, head)))),
    make("tbody", {}, ...rows)));
  const legend = [["one", "one hyperparameter"], ["spread", "95% interval over seeds"],
    ["chance", "what seeds alone would make"]];
  if (effects.some(([, names]) => names !== 1)) legend.splice(1, 0, ["several", "together, beyond each alone"]);
  byId("importance-legend").replaceChildren(...legend.map(([look, text]) =>
    make("li", {}, make("span", {class: "share-bar swatch"}, make("i", {class: look})), text)));
  byId("importance-note").textContent = note;
}

function importanceRow([name, names, share, low, high, chance], at) {
  const known = low !== null && low < high;
  return make("tr", {},
    make("th", {scope: "row"}, name),
    make("td", {class: "share-cell", "aria-hidden": "true"}, make("div", {class: "share-bar"},
      make("i", {class: names === 1 ? "one" : "several", style: `width: ${at(share)}`}),
      known ? make("i", {class: "spread", style: `left: ${at(low)}; width: ${at(high - low)}`}) : "",
      chance === null ? "" : make("i", {class: "chance", style: `left: ${at(chance)}`}))),
    make("td", {class: "number"}, percent(share)),
    make("td", {class: "number"}, known ? `${percent(low)} to ${percent(high)}` : "–"),
    make("td", {class: "number"}, percent(chance)));
}

onScore(importancePanel);
