// Two hyperparameters against one another, over whatever the others are.

const MOST_CELLS = 10;

// Values of an axis, in groups where they are too many.
function groupsOf(axis) {
  const count = axis.texts.length;
  if (count <= MOST_CELLS + 2) return axis.texts.map((text, k) => ({text, of: [k]}));
  return Array.from({length: MOST_CELLS}, (_, group) => {
    const of = axis.texts.map((_, k) => k)
      .filter((k) => Math.floor((k * MOST_CELLS) / count) === group);
    return {text: `${axis.short[of[0]]} to ${axis.short[of.at(-1)]}`, of};
  });
}

function heatPanel(passes) {
  const {axes, settings} = experiment();
  const has = Boolean(metric()) && axes.length > 1;
  byId("interaction").hidden = !has;
  if (!has) return;
  const names = axes.map((axis, k) => [String(k), axis.name]);
  options(byId("heat-x"), names, String(state.heat.x));
  options(byId("heat-y"), names, String(state.heat.y));
  byId("heat-how").value = state.heat.how;
  const [across, down] = [axes[state.heat.x], axes[state.heat.y]];
  const columns = groupsOf(across), rows = groupsOf(down);
  const kept = settings.map((_, k) => k).filter((k) => passes[k]);
  const cells = rows.map((row) => columns.map((column) => {
    const here = (k) => column.of.includes(across.position[k]) && row.of.includes(down.position[k]);
    return cellOf(kept.filter(here), settings.some((_, k) => here(k)));
  }));
  const range = robustRange(cells.flat().map((cell) => cell.value ?? NaN));
  byId("heat").replaceChildren(make("table", {class: "heat"},
    make("caption", {}, `${metric().label}, ${across.name} across, ${down.name} down`),
    make("thead", {}, make("tr", {}, make("td", {}),
      ...columns.map(({text}) => make("th", {scope: "col"}, text)))),
    make("tbody", {}, ...rows.map(({text}, k) => make("tr", {},
      make("th", {scope: "row"}, text), ...cells[k].map((cell) => cellElement(cell, range)))))));
  byId("heat-note").textContent = heatNote(cells.flat());
}

// The best by the ranking, so that settings with diverged runs do not win.
function cellOf(members, tried) {
  const {mean, rank} = metric();
  const scored = members.filter((k) => mean[k] !== null);
  if (!scored.length) {
    return {value: null, why: members.length ? "no score" : tried ? "not kept" : "not tried"};
  }
  const best = rank.find((k) => scored.includes(k));
  const value = state.heat.how === "best" ? mean[best]
    : scored.reduce((sum, k) => sum + mean[k], 0) / scored.length;
  return {value, members: scored, best};
}

function cellElement({value, why, members, best}, [low, high]) {
  if (value === null) return make("td", {class: "empty"}, make("span", {class: "quiet"}, why));
  const share = (value - low) / (high - low);
  const what = state.heat.how === "best" ? `best: ${tipOf(best)}\nof ${counted(members.length, "setting")}`
    : `mean over ${counted(members.length, "setting")}: ${score(value)}`;
  return make("td", {
    style: `background: ${ramp(share)}; color: var(--on-${share > 0.45 ? "best" : "worst"})`,
    "data-tip": what,
  }, score(value), make("small", {}, `n ${members.length}`));
}

function heatNote(cells) {
  const how = state.heat.how === "best"
    ? "Each cell is the best setting with both values, chosen on the same seeds: optimistic."
    : "Each cell is the mean over the settings with both values.";
  const empty = cells.filter((cell) => cell.value === null).length;
  return `${how} n: settings.${empty ? ` Hatched: ${counted(empty, "cell")} without a score.` : ""}`;
}

// Choosing what the other has swaps the two.
function chooseAxis(which, other, value) {
  if (state.heat[other] === value) state.heat[other] = state.heat[which];
  state.heat[which] = value;
  update();
}

byId("heat-x").addEventListener("change", (event) => chooseAxis("x", "y", Number(event.target.value)));
byId("heat-y").addEventListener("change", (event) => chooseAxis("y", "x", Number(event.target.value)));
byId("heat-how").addEventListener("change", (event) => {
  state.heat.how = event.target.value;
  update();
});
onChange(heatPanel);
