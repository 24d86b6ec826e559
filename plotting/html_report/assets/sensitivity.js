// A panel for each hyperparameter, as plotting/sensitivity.py draws it; settings can be pinned.

const PANEL = {height: 210, left: 46, right: 12, top: 10, bottom: 42};
const EDGE_ROOM = 0.08; // of the axis, for each kind of mark at its bottom edge
const LOOK_NAMES = {d: "a setting", h: "some runs without a score", b: "below the axis", x: "no score"};

function sensitivityPanel(passes) {
  const {axes} = experiment();
  const has = Boolean(metric()?.panels);
  byId("sensitivity").hidden = !has;
  if (!has) return;
  const place = byId("sensitivity-panels");
  const figures = axes.map((axis, number) => {
    const figure = make("div", {class: "figure"});
    return [figure, axis, number];
  });
  place.replaceChildren(...figures.map(([figure]) => figure));
  for (const [figure, axis, number] of figures) onePanel(figure, axis, number, passes);
  byId("sensitivity-legend").replaceChildren(...sensitivityLegend());
  byId("sensitivity-note").textContent = metric().note;
}

function onePanel(place, axis, number, passes) {
  const [bottom, top] = metric().view;
  const [atBest, tuned] = metric().panels[number];
  const label = `${metric().label} by ${axis.name}. ${bestValues(axis, tuned ?? atBest)}`;
  drawing(place, PANEL.height, label, (svg, width, height) => {
    const end = width - PANEL.right, floor = height - PANEL.bottom;
    const y = scale(bottom, top, floor, PANEL.top);
    const spot = shares(axis).map((share) => PANEL.left + 18 + share * (end - PANEL.left - 36));
    for (const tick of niceTicks(bottom, top, 4)) {
      svg.append(draw("line", {x1: PANEL.left, x2: end, y1: y(tick), y2: y(tick), class: "grid"}),
        draw("text", {x: PANEL.left - 6, y: y(tick), class: "tick end"}, short(tick)));
    }
    svg.append(draw("line", {x1: PANEL.left, x2: end, y1: floor, y2: floor, class: "rule"}),
      ...valueLabels(axis, spot, floor),
      draw("text", {x: (PANEL.left + end) / 2, y: height - 5, class: "axis-title middle"}, axis.name));
    svg.append(draw("g", {}, ...settingMarks(axis, spot, y, floor, passes)));
    const inside = (value) => Math.min(Math.max(y(value), PANEL.top - 4), floor);
    if (tuned) svg.append(lineOfValues(tuned, spot.map((x) => x + 3), inside, 1, ""));
    svg.append(lineOfValues(atBest, spot.map((x) => x - (tuned ? 3 : 0)), inside, 0, "5 3"));
    const best = metric().rank[0];
    svg.append(draw("path", {
      d: star(spot[axis.position[best]], y(metric().mean[best]), 8), class: "star",
      "data-tip": `best: ${tipOf(best)}`, onclick: () => pin(best),
    }));
  });
}

// Some of the labels, where not all fit; the outermost first.
function valueLabels(axis, spot, floor) {
  const order = axis.short.map((_, k) => k);
  order.sort((a, b) => (b === 0 || b === order.length - 1) - (a === 0 || a === order.length - 1));
  const taken = [];
  const labels = [];
  for (const k of order) {
    const half = 3.4 * axis.short[k].length + 3;
    if (taken.some(([from, to]) => spot[k] + half > from && spot[k] - half < to)) continue;
    taken.push([spot[k] - half, spot[k] + half]);
    labels.push(draw("text", {x: spot[k], y: floor + 16, class: "tick middle"}, axis.short[k]));
  }
  return labels;
}

function settingMarks(axis, spot, y, floor, passes) {
  const {looks, edge, mean} = metric();
  const size = passes.length > 150 ? 2.4 : 3.4;
  return [...looks].map((look, k) => {
    const at = edge.indexOf(look);
    const place = at >= 0 ? floor - (at + 0.5) * EDGE_ROOM * (floor - PANEL.top) : y(mean[k]);
    const x = spot[axis.position[k]];
    const of = {
      class: `mark look-${look}${passes[k] ? "" : " out"}${state.pinned.has(k) ? " pinned" : ""}`,
      "data-tip": tipOf(k), onclick: () => pin(k),
    };
    if (look === "x") return draw("path", {...of, d: cross(x, place, 3.5)});
    if (look === "b") return draw("path", {...of, d: `M${x - 4} ${place - 3}h8l-4 7z`});
    return draw("circle", {...of, cx: x, cy: place, r: size});
  });
}

function lineOfValues(line, spot, y, order, dashes) {
  const {mean, low, high} = metric();
  const ys = line.map((k) => (k === null || mean[k] === null ? NaN : mean[k]));
  const colour = strokeOf(order);
  const points = line.flatMap((k, value) => (Number.isFinite(ys[value]) ? [
    low[k] === null ? null
      : draw("line", {x1: spot[value], x2: spot[value], y1: y(low[k]), y2: y(high[k]), stroke: colour, class: "whisker"}),
    draw("circle", {
      cx: spot[value], cy: y(ys[value]), r: 3.4, fill: colour, class: "on-line",
      "data-tip": tipOf(k), onclick: () => pin(k),
    }),
  ] : []));
  return draw("g", {class: "line-of-values"},
    draw("path", {
      d: pathOf(spot, ys, (x) => x, y), stroke: colour, class: "mean", "stroke-dasharray": dashes,
    }), points);
}

const cross = (x, y, r) => `M${x - r} ${y - r}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}`;

function star(x, y, r) {
  const corners = Array.from({length: 10}, (_, k) => {
    const radius = k % 2 ? 0.42 * r : r, angle = (k * Math.PI) / 5;
    return `${(x + radius * Math.sin(angle)).toFixed(1)} ${(y - radius * Math.cos(angle)).toFixed(1)}`;
  });
  return `M${corners.join("L")}Z`;
}

function bestValues(axis, line) {
  const known = line.map((k, value) => (k === null ? null : `${axis.texts[value]}: ${interval(k)}`));
  return known.filter(Boolean).join("; ");
}

function sensitivityLegend() {
  const {panels: lines, looks} = metric();
  const sample = (mark, text) => make("li", {},
    draw("svg", {class: "swatch", viewBox: "0 0 22 10", "aria-hidden": "true"}, mark), text);
  const line = (order, dashes) => draw("line", {
    x1: 0, x2: 22, y1: 5, y2: 5, stroke: strokeOf(order), class: "mean", "stroke-dasharray": dashes,
  });
  const marks = {
    d: () => draw("circle", {cx: 11, cy: 5, r: 3.4, class: "mark look-d"}),
    h: () => draw("circle", {cx: 11, cy: 5, r: 3.4, class: "mark look-h"}),
    b: () => draw("path", {d: "M7 2h8l-4 7z", class: "mark look-b"}),
    x: () => draw("path", {d: cross(11, 5, 3.5), class: "mark look-x"}),
  };
  return [
    sample(draw("path", {d: star(11, 5, 5.5), class: "star"}), "best setting"),
    sample(line(0, "5 3"), "others at the best setting's values"),
    lines.some(([, tuned]) => tuned) ? sample(line(1, ""), "others re-tuned for each value") : null,
    ...[...new Set(looks)].map((look) => sample(marks[look](), LOOK_NAMES[look])),
  ].filter(Boolean);
}

onChange(sensitivityPanel);
