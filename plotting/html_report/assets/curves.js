// Learning curves of the best settings that are kept, or of the pinned ones.

const unpacked = new WeakMap();

// The curve of a setting by the kind of the score; null where it has none.
function lineOf(of, kind, position, order, name) {
  const curves = of.curves[kind];
  const packed = curves?.lines[position];
  if (!packed) return null;
  if (!unpacked.has(packed)) {
    unpacked.set(packed, {
      xs: packed.seeds ? curves.fine : curves.coarse,
      mean: unpack(packed.mean),
      low: packed.low && unpack(packed.low),
      high: packed.high && unpack(packed.high),
      seeds: packed.seeds?.map(unpack),
    });
  }
  return {...unpacked.get(packed), name, order, note: packed.note ?? ""};
}

function curvesPanel(passes, best) {
  byId("curves").hidden = !metric();
  if (!metric()) return;
  const of = experiment();
  const lines = best
    .map((position, order) =>
      lineOf(of, metric().kind, position, order, `setting ${of.settings[position]}`))
    .filter(Boolean);
  const what = state.seeds ? "every seed" : "mean and interval";
  lineChart(byId("curves-figure"), lines, {
    height: 330, yTitle: yTitle(), seeds: state.seeds, timesteps: of.timesteps,
    label: `Learning curves, ${what}, of ${best.map(describe).join("; ")}. `
      + "Arrow keys read the values.",
    say: (text) => { byId("curves-readout").textContent = text; },
  });
  byId("curves-legend").replaceChildren(...best.map((position, order) => make("li", {},
    swatch(order), make("b", {}, `setting ${of.settings[position]}`), " ",
    of.axes.map((axis) => `${axis.name} ${valueOf(position, axis)}`).join(", "))));
  byId("curves-note").textContent = curvesNote(lines, best);
  byId("show-interval").setAttribute("aria-pressed", String(!state.seeds));
  byId("show-seeds").setAttribute("aria-pressed", String(state.seeds));
  byId("shown").disabled = state.pinned.size > 0;
}

const yTitle = () => metric().label.replace(/^(mean|final) /, "");

function curvesNote(lines, best) {
  if (!best.length) return "No setting with a score is kept.";
  const curves = experiment().curves[metric().kind];
  const notes = [sentence(metric().interval), curves.note];
  const [low, high] = rangeOf(lines, state.seeds);
  const cut = (line) => line.low?.some((value, k) => value < low || line.high[k] > high);
  if (!state.seeds && lines.some(cut)) notes.push("Bands that leave the chart are cut off.");
  if (state.pinned.size) notes.push("Shown are the settings that are pinned in the table.");
  const bare = lines.filter((line) => !line.seeds).map((line) => line.name);
  if (bare.length) {
    notes.push(`Of ${bare.join(", ")} only the mean is kept in this file; `
      + "the interval and the seeds are of the best settings.");
  }
  for (const line of lines) if (line.note) notes.push(`${sentence(line.name).slice(0, -1)}: ${line.note}`);
  return notes.join(" ");
}

const swatch = (order) => draw("svg", {class: "swatch", viewBox: "0 0 22 10", "aria-hidden": "true"},
  draw("line", {x1: 0, x2: 22, y1: 5, y2: 5, stroke: strokeOf(order), class: "mean",
    "stroke-dasharray": dashOf(order)}));

// The best setting of each experiment in one chart, where they have a kind of curve in common.
function comparedPanel() {
  const several = content.experiments.length > 1;
  byId("compared").hidden = !several;
  if (!several) return;
  const kind = metric()?.kind;
  const having = content.experiments.filter((each) => each.metrics[state.metric]);
  const lines = having.map((each, order) =>
    lineOf(each, kind, each.metrics[state.metric].rank[0], order, each.label)).filter(Boolean);
  const same = new Set(having.map((each) => each.environment)).size === 1;
  byId("compared-curves").hidden = !same || lines.length < 2;
  if (!byId("compared-curves").hidden) {
    lineChart(byId("compared-curves"), lines, {
      height: 300, yTitle: yTitle(), seeds: false,
      timesteps: Math.max(...having.map((each) => each.timesteps)),
      label: "Learning curves of the best setting of each experiment, mean and interval",
    });
  }
  byId("compared-table").replaceChildren(comparedTable(having));
}

function comparedTable(having) {
  const head = ["experiment", "best setting", state.metric, "95% interval", "seeds", "runs done"];
  const rows = content.experiments.map((each, number) => {
    const of = each.metrics[state.metric];
    const best = of?.rank[0];
    const {counts, wanted} = each.standing;
    const choose = () => { chooseExperiment(number); refresh(); };
    return make("tr", {"aria-current": number === state.experiment ? "true" : null},
      make("th", {scope: "row"}, of ? swatch(having.indexOf(each)) : "", " ", make("button", {type: "button", class: "plain", onclick: choose}, each.label)),
      make("td", {}, of ? `${each.settings[best]}` : "–"),
      make("td", {class: "number"}, of ? score(of.mean[best], of) : "–"),
      make("td", {class: "number"}, of && of.low[best] !== null
        ? `${score(of.low[best], of)} to ${score(of.high[best], of)}` : "–"),
      make("td", {class: "number"}, of ? of.n[best] : "–"),
      make("td", {class: "number"}, `${counts.completed + counts.diverged} of ${wanted}`));
  });
  return make("table", {},
    make("thead", {}, make("tr", {}, ...head.map((name, k) =>
      make("th", {scope: "col", class: k > 1 ? "number" : null}, name)))),
    make("tbody", {}, ...rows));
}

onScore(comparedPanel);
onChange(curvesPanel);
