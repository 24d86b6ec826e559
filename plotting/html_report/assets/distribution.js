// The scores of the runs: a strip for each setting that is shown, and below what share reaches what.

const STRIP = 30;
const ROOM = {left: 92, right: 14, top: 8, ecdf: 150, bottom: 42, diverged: 26};

function distributionPanel(passes, best) {
  byId("distribution").hidden = !metric();
  if (!metric()) return;
  const of = experiment();
  const rows = best.map((position, order) => ({
    position, order, runs: unpack(metric().runs[position]), diverged: of.diverged[position],
  }));
  const rest = of.settings.map((_, k) => k).filter((k) => passes[k]);
  const every = rest.flatMap((k) => unpack(metric().runs[k]));
  const divergedRuns = rest.reduce((sum, k) => sum + of.diverged[k], 0);
  const values = rows.flatMap((row) => row.runs);
  const [low, high] = robustRange([...values, ...every]);
  const height = ROOM.top + Math.max(rows.length, 1) * STRIP + 14 + ROOM.ecdf + ROOM.bottom;
  const label = `Scores of the runs: ${rows.map(({position, runs, diverged}) =>
    `setting ${of.settings[position]} ${interval(position)}, runs from ${score(Math.min(...runs))} to `
    + `${score(Math.max(...runs))}${diverged ? `, ${diverged} diverged` : ""}`).join("; ")}.`;
  drawing(byId("distribution-figure"), height, label, (svg, width) => {
    const some = rows.some((row) => row.diverged) || divergedRuns > 0;
    const from = ROOM.left + (some ? ROOM.diverged : 0);
    const x = scale(low, high, from, width - ROOM.right);
    const clamp = (value) => Math.max(x(value), from - 6);
    rows.forEach((row, k) => strip(svg, row, ROOM.top + (k + 0.5) * STRIP, x, clamp, from, width));
    const top = ROOM.top + Math.max(rows.length, 1) * STRIP + 14;
    ecdf(svg, rows, every, divergedRuns, {x, clamp, from, top, width, height});
  });
  byId("distribution-note").textContent = distributionNote(every.length, divergedRuns);
}

function strip(svg, {position, order, runs, diverged}, y, x, clamp, from, width) {
  const {settings, seeds} = experiment();
  const colour = strokeOf(order);
  const {mean, low, high} = metric();
  svg.append(
    draw("text", {x: 4, y, class: "tick strip-label", fill: colour}, `setting ${settings[position]}`),
    draw("line", {x1: from, x2: width - ROOM.right, y1: y, y2: y, class: "grid"}),
    low[position] === null ? "" : draw("rect", {
      x: clamp(low[position]), y: y - 7, height: 14, fill: colour, class: "band", rx: 3,
      width: Math.max(1, Math.min(x(high[position]), width - ROOM.right) - clamp(low[position])),
    }),
    ...runs.map((run, k) => (Number.isNaN(run) ? "" : draw("circle", {
      cx: clamp(run), cy: y + 4 * Math.sin(2.4 * k), r: 3, fill: colour, class: "run",
      "data-tip": `setting ${settings[position]}, seed ${seeds[position][k]}: ${score(run)}`,
    }))),
    draw("line", {
      x1: clamp(mean[position]), x2: clamp(mean[position]), y1: y - 10, y2: y + 10,
      stroke: colour, class: "mean-tick",
    }),
  );
  if (diverged) {
    svg.append(draw("path", {d: cross(ROOM.left + 4, y, 3.5), class: "mark look-x"}),
      draw("text", {x: ROOM.left + 11, y, class: "tick"}, String(diverged)));
  }
}

// The share of the runs that reach a score; a diverged run reaches none.
function ecdf(svg, rows, every, diverged, {x, clamp, from, top, width, height}) {
  const floor = height - ROOM.bottom;
  const y = scale(0, 1, floor, top);
  const [low, high] = [x.inverse(from), x.inverse(width - ROOM.right)];
  for (const share of [0, 0.5, 1]) {
    svg.append(draw("line", {x1: from, x2: width - ROOM.right, y1: y(share), y2: y(share), class: "grid"}),
      draw("text", {x: from - 8, y: y(share), class: "tick end"}, `${100 * share}%`));
  }
  for (const tick of niceTicks(low, high, Math.max(2, (width - from) / 80))) {
    svg.append(draw("line", {x1: x(tick), x2: x(tick), y1: floor, y2: floor + 4, class: "rule"}),
      draw("text", {x: x(tick), y: floor + 17, class: "tick middle"}, short(tick)));
  }
  const steps = (runs, lost) => {
    const known = runs.filter(Number.isFinite).sort((a, b) => a - b);
    const all = known.length + lost;
    let path = `M${from} ${y(all ? known.length / all : 0).toFixed(1)}`;
    known.forEach((run, k) => {
      path += `H${Math.max(clamp(run), from).toFixed(1)}V${y((known.length - k - 1) / all).toFixed(1)}`;
    });
    return path;
  };
  svg.append(
    draw("line", {x1: from, x2: width - ROOM.right, y1: floor, y2: floor, class: "rule"}),
    draw("path", {d: steps(every, diverged), class: "ecdf every"}),
    ...[...rows].reverse().map((row) => draw("path", {
      d: steps(row.runs, row.diverged), stroke: strokeOf(row.order), class: "ecdf",
      "stroke-dasharray": dashOf(row.order),
    })),
    draw("text", {
      transform: `translate(${from - 48} ${(top + floor) / 2}) rotate(-90)`,
      class: "axis-title middle",
    }, "runs that reach it"),
    draw("text", {x: (from + width - ROOM.right) / 2, y: height - 4, class: "axis-title middle"}, metric().label),
  );
}

function distributionNote(runs, diverged) {
  const which = filtered() ? "the settings that are kept" : "all settings";
  const notes = [`Dot: a seed; line and bar: mean and 95% interval. Below, how many runs reach a `
    + `score; grey: the ${runs.toLocaleString("en")} runs of ${which}.`];
  if (diverged) notes.push(`Cross: diverged runs, which reach none (${diverged} in ${which}).`);
  return notes.join(" ");
}

onChange(distributionPanel);
