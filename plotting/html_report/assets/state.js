// What is looked at: the experiment, the score, the settings that are kept, those that are shown.

let content = JSON.parse(byId("data").textContent);
const PALETTE_SIZE = content.palette.length;

const state = {
  experiment: 0,
  metric: "",
  kept: new Map(), // axis -> positions of the values that are kept
  range: null, // [low, high] of the score
  words: "", // of the table's filter
  pinned: new Set(), // positions of settings that are shown whatever their rank
  count: 3, // of settings that are shown if none is pinned
  seeds: false, // whether each seed is drawn
  sort: {by: "rank", down: false},
  all: false, // whether the table has all its rows
  heat: {x: 0, y: 1, how: "best"},
};

const experiment = () => content.experiments[state.experiment];
const metric = () => experiment().metrics[state.metric];
const kinds = () => Object.keys(experiment().metrics);

// Another experiment has other hyperparameters.
function chooseExperiment(number) {
  state.experiment = number;
  const scores = kinds();
  if (!scores.includes(state.metric)) {
    state.metric = scores.includes(content.metric) ? content.metric : scores[0] ?? "";
  }
  state.kept.clear();
  state.pinned.clear();
  state.range = null;
  state.words = "";
  state.all = false;
  state.sort = {by: "rank", down: false};
  state.heat = {x: 0, y: 1, how: "best"};
}

// -- settings, by their position in the file

const valueOf = (position, axis) => axis.texts[axis.position[position]];

function describe(position) {
  const {axes, settings} = experiment();
  const values = axes.map((axis) => `${axis.name} ${valueOf(position, axis)}`);
  return `setting ${settings[position]}${values.length ? ` (${values.join(", ")})` : ""}`;
}

// Scores of an experiment have as many decimals as the middle one needs for four digits.
function score(value, of = metric()) {
  if (value === null || !Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 1e6) return short(value);
  of.decimals ??= decimalsOf(of.mean);
  return value.toFixed(of.decimals).replace("-", MINUS);
}

function decimalsOf(means) {
  const sizes = means.filter((mean) => mean !== null).map(Math.abs).sort((a, b) => a - b);
  const middle = sizes[Math.floor(sizes.length / 2)] || 1;
  return Math.min(Math.max(3 - Math.floor(Math.log10(middle)), 0), 8);
}

function interval(position) {
  const {mean, low, high} = metric();
  if (mean[position] === null) return "no score";
  if (low[position] === null) return score(mean[position]);
  return `${score(mean[position])} [${score(low[position])}, ${score(high[position])}]`;
}

function tipOf(position) {
  const {diverged, missing} = experiment();
  const lines = [describe(position), `${metric().label}: ${interval(position)}`];
  lines.push(counted(metric().n[position], "seed"));
  if (diverged[position]) lines.push(counted(diverged[position], "diverged run"));
  if (missing[position]) lines.push(counted(missing[position], "missing run"));
  return lines.join("\n");
}

// "actor_lr=0.1 score>-300": each word must hold; other words are looked for in the values.
function test(word) {
  const {axes, settings, diverged, missing} = experiment();
  const [, name, sign, wanted] = word.match(/^([^=<>]+)(=|<=|>=|<|>)(.+)$/) ?? [];
  const number = Number(wanted?.replace(MINUS, "-"));
  const columns = {
    setting: (k) => settings[k], score: (k) => metric().mean[k], n: (k) => metric().n[k],
    diverged: (k) => diverged[k], missing: (k) => missing[k],
  };
  const axis = axes.find((each) => each.name === name);
  if (axis) columns[name] = (k) => valueOf(k, axis);
  if (sign && columns[name]) {
    const compare = {
      "=": (a) => String(a) === wanted || (wanted !== "" && Number(a) === number),
      "<": (a) => a !== null && Number(a) < number, ">": (a) => a !== null && Number(a) > number,
      "<=": (a) => a !== null && Number(a) <= number,
      ">=": (a) => a !== null && Number(a) >= number,
    }[sign];
    return (k) => compare(columns[name](k));
  }
  return (k) => axes.some((each) => valueOf(k, each).toLowerCase().includes(word.toLowerCase()))
    || String(settings[k]) === word;
}

function passing() {
  const {axes, settings} = experiment();
  const tests = state.words.split(/\s+/).filter(Boolean).map(test);
  return settings.map((_, k) => {
    for (const [axis, kept] of state.kept) if (!kept.has(axes[axis].position[k])) return false;
    if (state.range) {
      const mean = metric().mean[k];
      if (mean === null || mean < state.range[0] || mean > state.range[1]) return false;
    }
    return tests.every((holds) => holds(k));
  });
}

const filtered = () => state.kept.size > 0 || state.range !== null || state.words.trim() !== "";

// The settings in the curves and the distribution, best first.
function shown(passes) {
  const ranked = metric().rank.filter((k) => metric().mean[k] !== null);
  if (state.pinned.size) return ranked.filter((k) => state.pinned.has(k)).slice(0, 12);
  return ranked.filter((k) => passes[k]).slice(0, state.count);
}

// -- what happens when something changes: every panel is drawn from the state

const panels = [], fixtures = [];
const onChange = (panel) => panels.push(panel);
// ... and those that no filter changes only with the experiment and the score
const onScore = (fixture) => fixtures.push(fixture);

function updateAll() {
  for (const fixture of fixtures) fixture();
  update();
}

function update() {
  const passes = metric() ? passing() : experiment().settings.map(() => true);
  const best = metric() ? shown(passes) : [];
  for (const panel of panels) panel(passes, best);
}

function pin(position, on = !state.pinned.has(position)) {
  if (on) state.pinned.add(position);
  else state.pinned.delete(position);
  update();
}
