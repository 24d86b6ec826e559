// What is said beside the tree: its marks, the selected node, and the decision.

const LEGEND = ["open", "solved", "pruned", "terminated", "truncated", "cached", "life_lost", "reward", "chosen"];

function showLegend() {
  const every = Array.from({length: count}, (_, k) => k);
  // of a learned model most marks say nothing
  const marks = LEGEND.filter((what) => !counted || every.some(has[what]));
  byId("legend").replaceChildren(...marks.map((what) => {
    const number = every.filter(has[what]).length;
    return make("li", {}, make("button", {
      type: "button", "aria-pressed": String(state.alone.has(what)), disabled: number === 0,
      "data-mark": what, onclick: () => {
        if (!state.alone.delete(what)) state.alone.add(what);
        showLegend();
        byId("legend").querySelector(`[data-mark=${what}]`).focus();
        repaint();
      },
    }, icon(what), SAID[what].split(":")[0], make("b", {}, String(number))));
  }));
}

function icon(what) {
  const found = make("canvas", {width: 36, height: 36, "aria-hidden": "true"});
  const to = found.getContext("2d");
  to.scale(2, 2);
  if (what === "chosen") {
    Object.assign(to, {strokeStyle: colours.chosen, lineWidth: 4});
    to.beginPath();
    to.moveTo(2, 3);
    to.bezierCurveTo(4, 14, 12, 4, 16, 15);
    to.stroke();
  } else if (what === "reward") rewardMark(to, 9, 9, 1, 17);
  else if (what === "life_lost") lostMark(to, 9, 9, 6);
  else {
    const basic = what === "cached" ? "open" : what, line = new Path2D();
    shape(line, basic, 9, 9, what === "cached" ? 3.5 : 5);
    fillShape(to, line, basic, colours[basic], 5);
    if (what === "cached") cachedRing(to, 9, 9, 4.5, false);
  }
  return found;
}

function showNode() {
  const k = state.selected;
  byId("node-title").textContent = heading(k);
  const steps = [];
  for (let p = k; p > 0; p = nodes.parent[p]) steps.unshift(name(p));
  const image = nodes.image[k] < 0 ? null : make("img", {src: record.images[nodes.image[k]], alt: "the state here"});
  const list = make("dl", image ? {} : {class: "wide"}, facts(k).map(([what, value]) => [make("dt", {}, what), make("dd", {}, value)]));
  const canClose = children[k].length > 0 && nodes.depth[k] < state.depth;
  byId("node").replaceChildren(...[
    image, list,
    steps.length ? make("p", {class: "wide note"}, steps.join(" → ")) : null,
    canClose ? make("button", {type: "button", class: "wide", onclick: () => {
      toggle(k);
      byId("node").querySelector("button").focus();
    }}, isClosed(k) ? "Expand" : "Collapse") : null,
  ].filter(Boolean));
}

function showDecision() {
  const of = new Map(children[0].map((k) => [nodes.action[k], k]));
  const known = (values) => values.some((value) => value !== null);
  const columns = [[word("guide"), root.prior, true], ["Q", root.q, false], [word("policy"), root.policy, true]].filter((each) => known(each[1]));
  const head = make("tr", {}, make("th", {scope: "col"}, "action"),
    columns.map(([title]) => make("th", {scope: "col"}, title)), make("th", {scope: "col"}, counted ? "visits" : "nodes"));
  const lines = actions.map((action, a) => {
    const k = of.get(a), taken = a === record.chosen;
    const label = (taken ? "→ " : "") + action;
    return make("tr", {class: taken ? "chosen" : null},
      make("td", {}, k === undefined ? label : make("button", {
        type: "button", class: "plain", "aria-label": `${action}${taken ? ", chosen" : ""}: select its node`,
        onclick: () => go(k),
      }, label)),
      columns.map(([, values, share]) => make("td", share && values[a] !== null
        ? {class: "bar-cell", style: `--share: ${(100 * values[a]).toFixed(1)}%`} : {},
      !counted || values[a] === null ? number(values[a]) : share ? number(Number(values[a].toFixed(3))) : brief(values[a]))),
      make("td", {}, k === undefined ? "–" : String(counted ? nodes.visits[k] : below[k] + 1)));
  });
  byId("decision").replaceChildren(make("table", {}, make("thead", {}, head), make("tbody", {}, lines)));
}
