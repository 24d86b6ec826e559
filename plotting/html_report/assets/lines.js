// A chart of curves over timesteps: lines with bands, thin lines of seeds, a cursor with values.

const MARGIN = {left: 58, top: 10, bottom: 40};

function axesOf(svg, width, height, right, x, y, xTitle, yTitle) {
  const bottom = height - MARGIN.bottom;
  const [left, end] = [MARGIN.left, width - right];
  const yTicks = niceTicks(y.inverse(bottom), y.inverse(MARGIN.top), Math.max(3, height / 60));
  const xTicks = niceTicks(x.inverse(left), x.inverse(end), Math.max(3, (end - left) / 90));
  svg.append(draw("g", {class: "axes"},
    yTicks.map((tick) => [
      draw("line", {x1: left, x2: end, y1: y(tick), y2: y(tick), class: "grid"}),
      draw("text", {x: left - 8, y: y(tick), class: "tick end"}, short(tick)),
    ]),
    xTicks.map((tick) => [
      draw("line", {x1: x(tick), x2: x(tick), y1: bottom, y2: bottom + 4, class: "rule"}),
      draw("text", {x: x(tick), y: bottom + 17, class: "tick middle"}, short(tick, 1e3)),
    ]),
    draw("line", {x1: left, x2: end, y1: bottom, y2: bottom, class: "rule"}),
    draw("text", {x: (left + end) / 2, y: height - 4, class: "axis-title middle"}, xTitle),
    draw("text", {
      transform: `translate(12 ${(MARGIN.top + bottom) / 2}) rotate(-90)`,
      class: "axis-title middle",
    }, yTitle)));
}

// Moves to where values begin again after a gap.
function pathOf(xs, ys, x, y) {
  let path = "", pen = "M";
  ys.forEach((value, k) => {
    if (Number.isFinite(value)) {
      path += `${pen}${x(xs[k]).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
    } else pen = "M";
  });
  return path;
}

function bandOf(xs, low, high, x, y) {
  const known = xs.map((_, k) => k)
    .filter((k) => Number.isFinite(low[k]) && Number.isFinite(high[k]));
  const there = known.map((k) => `${x(xs[k]).toFixed(1)} ${y(high[k]).toFixed(1)}`);
  const back = known.reverse().map((k) => `${x(xs[k]).toFixed(1)} ${y(low[k]).toFixed(1)}`);
  return there.length > 1 ? `M${there.join("L")}L${back.join("L")}Z` : "";
}

// Labels at the ends of lines, moved apart where they would cover one another.
function spread(places, gap, low, high) {
  const order = places.map((_, k) => k).sort((a, b) => places[a] - places[b]);
  const moved = [...places];
  let free = low;
  for (const k of order) free = (moved[k] = Math.max(moved[k], free)) + gap;
  let most = high;
  for (const k of order.reverse()) most = (moved[k] = Math.min(moved[k], most)) - gap;
  return moved;
}

// lines: {name, order, xs, mean, low, high, seeds}; low, high and seeds may be absent.
function lineChart(place, lines, {height, yTitle, label, seeds, timesteps, say}) {
  const [low, high] = rangeOf(lines, seeds);
  return drawing(place, height, label, (svg, width) => {
    const longest = Math.max(...lines.map((line) => line.name.length), 1);
    const right = Math.min(0.3 * width, 16 + 7.4 * longest);
    const x = scale(0, timesteps, MARGIN.left, width - right);
    const y = scale(low, high, height - MARGIN.bottom, MARGIN.top);
    axesOf(svg, width, height, right, x, y, "timesteps", yTitle);
    const clip = `clip-${place.id}`;
    svg.append(draw("clipPath", {id: clip}, draw("rect", {
      x: MARGIN.left, y: MARGIN.top - 2, width: Math.max(1, width - right - MARGIN.left + 2),
      height: height - MARGIN.bottom - MARGIN.top + 4,
    })));
    svg.append(draw("g", {"clip-path": `url(#${clip})`},
      [...lines].reverse().map((line) => lineMarks(line, x, y, seeds))));
    endLabels(svg, lines, x, y, width - right, height, Math.floor((right - 10) / 7.4));
    cursor(svg, lines, x, y, height, say);
  }, {tabindex: 0, class: "chart"});
}

function lineMarks(line, x, y, seeds) {
  const colour = strokeOf(line.order);
  const band = !seeds && line.low
    ? draw("path", {d: bandOf(line.xs, line.low, line.high, x, y), fill: colour, class: "band"})
    : null;
  const thin = seeds && line.seeds
    ? line.seeds.map((ys) => draw("path", {d: pathOf(line.xs, ys, x, y), stroke: colour, class: "seed"}))
    : [];
  return [band, ...thin, draw("path", {
    d: pathOf(line.xs, line.mean, x, y), stroke: colour, class: "mean",
    "stroke-dasharray": dashOf(line.order),
  })];
}

// All means and seeds; of the intervals as much as the same again above and below, since those of
// two seeds can be ten times as long as all else.
function rangeOf(lines, seeds) {
  const [low, high] = robustRange(
    lines.flatMap((line) => [line.mean, ...(seeds ? line.seeds ?? [] : [])]).flat());
  if (seeds) return [low, high];
  const known = (name) => lines.flatMap((line) => line[name] ?? []).filter(Number.isFinite);
  const room = high - low;
  return [
    Math.max(Math.min(low, ...known("low")), low - room),
    Math.min(Math.max(high, ...known("high")), high + room),
  ];
}

function endLabels(svg, lines, x, y, left, height, most) {
  const ends = lines.map((line) => line.mean.findLast(Number.isFinite) ?? NaN);
  const bottom = height - MARGIN.bottom;
  const places = spread(ends.map((end) => Math.min(bottom, Math.max(MARGIN.top, y(end) || bottom))),
    14, MARGIN.top + 4, bottom);
  lines.forEach((line, k) => svg.append(draw("text", {
    x: left + 7, y: places[k], class: "end-label", fill: strokeOf(line.order),
  }, line.name.length > most ? `${line.name.slice(0, most - 1)}…` : line.name)));
}

// Follows the pointer, and the arrow keys while the chart has the focus.
function cursor(svg, lines, x, y, height, say) {
  if (!lines.length) return;
  const xs = lines[0].xs;
  const rule = draw("line", {y1: MARGIN.top, y2: height - MARGIN.bottom, class: "cursor", visibility: "hidden"});
  const dots = lines.map((line) =>
    draw("circle", {r: 3.5, fill: strokeOf(line.order), class: "cursor-dot", visibility: "hidden"}));
  svg.append(rule, ...dots);
  let at = -1;
  const text = () => [`timestep ${xs[at].toLocaleString("en")}`, ...lines.map((line) => {
    const k = nearest(line.xs, xs[at]);
    const range = line.low && Number.isFinite(line.low[k])
      ? ` [${score(line.low[k])}, ${score(line.high[k])}]` : "";
    return `${line.name}: ${score(line.mean[k])}${range}`;
  })];
  const move = (k) => {
    at = Math.min(Math.max(k, 0), xs.length - 1);
    fill(rule, {x1: x(xs[at]), x2: x(xs[at]), visibility: "visible"}, []);
    lines.forEach((line, number) => {
      const value = line.mean[nearest(line.xs, xs[at])];
      fill(dots[number], Number.isFinite(value)
        ? {cx: x(xs[at]), cy: y(value), visibility: "visible"} : {visibility: "hidden"}, []);
    });
  };
  const hide = () => {
    for (const mark of [rule, ...dots]) mark.setAttribute("visibility", "hidden");
    byId("tip").hidden = true;
  };
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const place = (event.clientX - box.left) * (svg.viewBox.baseVal.width / box.width);
    move(nearest(xs, x.inverse(place)));
    byId("tip").textContent = text().join("\n");
    placeTip(event.clientX, event.clientY);
    event.stopPropagation();
  });
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("blur", hide);
  svg.addEventListener("keydown", (event) => {
    const to = {ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: xs.length - 1}[event.key];
    if (to === undefined) return;
    event.preventDefault();
    move(to);
    say?.(text().join("; "));
  });
}

function nearest(xs, wanted) {
  let best = 0;
  xs.forEach((x, k) => { if (Math.abs(x - wanted) < Math.abs(xs[best] - wanted)) best = k; });
  return best;
}
