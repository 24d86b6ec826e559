// Parallel coordinates: a line a setting, the best on top; dragging along an axis keeps a range.

const LANES = {top: 26, bottom: 46, side: 46, height: 360, bundle: 0.62};

function parallelPanel(passes) {
  const {axes, settings} = experiment();
  if (byId("parallel").hidden) return;
  const scored = metric().rank.filter((k) => metric().mean[k] !== null);
  const label = `A line for each of ${counted(scored.length, "setting")}, through its values of `
    + `${axes.map((axis) => axis.name).join(", ")} to its score; coloured by score. `
    + "The form below does the same as dragging.";
  drawing(byId("parallel-figure"), LANES.height, label, (svg, width) => {
    const lanes = [...axes.map(valueLane), scoreLane()];
    const x = (k) => LANES.side + (k * (width - 2 * LANES.side)) / Math.max(lanes.length - 1, 1);
    const [low, high] = robustRange(scored.map((k) => metric().mean[k]));
    const places = lanes.map((lane) => lane.places(scored));
    const line = (k) => draw("path", {
      d: smooth(lanes.map((_, lane) => [x(lane), places[lane].get(k)])),
      class: `lane-line${passes[k] ? "" : " out"}${state.pinned.has(k) ? " pinned" : ""}`,
      stroke: passes[k] ? ramp((metric().mean[k] - low) / (high - low)) : null,
      "data-tip": tipOf(k), onclick: () => pin(k),
    });
    const worstFirst = [...scored].reverse();
    svg.append(draw("g", {}, worstFirst.filter((k) => !passes[k]).map(line)),
      draw("g", {class: settings.length > 150 ? "many" : ""}, worstFirst.filter((k) => passes[k]).map(line)));
    const crowded = lanes.some((lane) => 7.5 * lane.name.length > x(1) - x(0));
    lanes.forEach((lane, k) => {
      const nameAt = LANES.height - (crowded && k % 2 ? 6 : 22);
      laneMarks(svg, lane, x(k), k === lanes.length - 1 ? "end" : "start", nameAt);
    });
  });
}

const laneY = scale(0, 1, LANES.height - LANES.bottom, LANES.top);

// Settings with the same value lie side by side, the better ones higher.
function valueLane(axis, number) {
  const at = shares(axis).map((share) => 0.06 + 0.88 * share);
  const sorted = [...at].sort((a, b) => a - b);
  const gaps = sorted.slice(1).map((place, k) => place - sorted[k]);
  const room = LANES.bundle * Math.min(0.12, ...(gaps.length ? gaps : [0.12]));
  return {
    name: axis.name,
    ticks: axis.short.map((text, k) => [text, laneY(at[k])]),
    kept: state.kept.get(number),
    spots: at.map(laneY),
    places: (scored) => {
      const members = at.map(() => 0), seen = at.map(() => 0);
      for (const k of scored) members[axis.position[k]]++;
      return new Map(scored.map((k) => {
        const value = axis.position[k];
        const share = members[value] > 1 ? 0.5 - seen[value]++ / (members[value] - 1) : 0;
        return [k, laneY(at[value] + room * share)];
      }));
    },
    brush: (top, bottom) => {
      const spots = at.map(laneY);
      const inside = new Set([...spots.keys()].filter((k) => spots[k] >= top && spots[k] <= bottom));
      keep(number, inside.size ? inside : null);
    },
    release: () => keep(number, null),
  };
}

function scoreLane() {
  const means = metric().mean.filter((mean) => mean !== null);
  const [low, high] = robustRange(means);
  const y = scale(low, high, LANES.height - LANES.bottom, LANES.top);
  const floor = LANES.height - LANES.bottom;
  return {
    name: state.metric,
    ticks: niceTicks(low, high, 5).map((tick) => [short(tick), y(tick)]),
    range: state.range && [
      Math.max(LANES.top, y(Math.min(state.range[1], high))),
      Math.min(floor, y(Math.max(state.range[0], low))),
    ],
    places: (scored) => new Map(scored.map((k) => [k, Math.min(y(metric().mean[k]), floor)])),
    // what reaches the bottom keeps also what lies below it
    brush: (top, bottom) => keepRange(bottom >= floor - 1 ? -Infinity : y.inverse(bottom),
      top <= LANES.top + 1 ? Infinity : y.inverse(top)),
    release: () => keepRange(-Infinity, Infinity),
  };
}

function smooth(points) {
  const place = ([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`;
  return points.slice(1).reduce((path, [x, y], k) => {
    const [x0, y0] = points[k], half = (x - x0) * 0.42;
    return `${path}C${place([x0 + half, y0])} ${place([x - half, y])} ${place([x, y])}`;
  }, `M${place(points[0])}`);
}

function laneMarks(svg, lane, x, side, nameAt) {
  const floor = LANES.height - LANES.bottom;
  svg.append(draw("line", {x1: x, x2: x, y1: LANES.top, y2: floor, class: "lane"}),
    draw("text", {x, y: nameAt, class: "axis-title lane-name middle"}, lane.name));
  const out = side === "end" ? 6 : -6;
  let last = Infinity;
  for (const [text, y] of [...lane.ticks].sort((a, b) => b[1] - a[1])) {
    if (last - y < 12) continue;
    last = y;
    svg.append(draw("text", {x: x + out, y, class: `tick halo ${side === "end" ? "" : "end"}`}, text));
  }
  for (const [top, bottom] of brushes(lane)) {
    svg.append(draw("rect", {x: x - 8, width: 16, y: top, height: bottom - top, class: "brush"}));
  }
  svg.append(brushArea(svg, lane, x));
}

// Each run of neighbouring values that are kept.
function brushes(lane) {
  if (lane.range) return [lane.range];
  if (!lane.kept) return [];
  return [...lane.kept].map((k) => [lane.spots[k] - 9, lane.spots[k] + 9]);
}

function brushArea(svg, lane, x) {
  const area = draw("rect", {
    x: x - 14, width: 28, y: LANES.top - 10, height: LANES.height - LANES.bottom - LANES.top + 20,
    class: "brush-area",
  });
  const mark = draw("rect", {x: x - 8, width: 16, class: "brush", visibility: "hidden"});
  const y = (event) => {
    const box = svg.getBoundingClientRect();
    const place = (event.clientY - box.top) * (LANES.height / box.height);
    return Math.min(Math.max(place, LANES.top), LANES.height - LANES.bottom);
  };
  let from = null;
  area.addEventListener("pointerdown", (event) => {
    from = y(event);
    area.setPointerCapture(event.pointerId);
    area.after(mark);
    event.preventDefault();
  });
  area.addEventListener("pointermove", (event) => {
    if (from === null) return;
    const to = y(event);
    fill(mark, {y: Math.min(from, to), height: Math.abs(to - from), visibility: "visible"}, []);
  });
  area.addEventListener("pointerup", (event) => {
    const to = y(event), start = from;
    from = null;
    if (Math.abs(to - start) < 4) lane.release();
    else lane.brush(Math.min(start, to), Math.max(start, to));
  });
  return area;
}

onChange(parallelPanel);
