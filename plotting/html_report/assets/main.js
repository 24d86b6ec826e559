// Controls of the whole page, and asking the server for what is new.

const POLL_SECONDS = 3;
const SHOWN = [1, 2, 3, 5, 8, 12];

function refresh() {
  const {experiments} = content;
  byId("experiment-control").hidden = experiments.length < 2;
  options(byId("experiment"), experiments.map((each, k) => [String(k), each.label]), String(state.experiment));
  options(byId("metric"), kinds().map((name) => [name, experiment().metrics[name].label]), state.metric);
  options(byId("shown"), SHOWN.map((n) => [String(n), n === 1 ? "the best" : `best ${n}`]), String(state.count));
  byId("footer").textContent = `Made ${content.made} with plotting/report.py. Everything is in this file.`;
  byId("search").value = state.words;
  updateAll();
  listSections();
}

function listSections() {
  const sections = [...document.querySelectorAll("main section")].filter((section) => !section.hidden);
  byId("sections").replaceChildren(...sections.map((section) => make("li", {},
    make("a", {href: `#${section.id}`}, section.querySelector("h2").textContent))));
}

byId("experiment").addEventListener("change", (event) => {
  chooseExperiment(Number(event.target.value));
  refresh();
});
byId("metric").addEventListener("change", (event) => {
  state.metric = event.target.value;
  state.range = null; // another score has another range
  updateAll();
});
byId("shown").addEventListener("change", (event) => {
  state.count = Number(event.target.value);
  update();
});
for (const [id, seeds] of [["show-interval", false], ["show-seeds", true]]) {
  byId(id).addEventListener("click", () => {
    state.seeds = seeds;
    update();
  });
}

// -- while runs finish

async function poll() {
  const live = byId("live");
  try {
    const answer = await fetch("data", {headers: {"If-None-Match": state.version ?? ""}});
    if (answer.status === 200) {
      const newer = await answer.json();
      state.version = answer.headers.get("ETag");
      if (newer.experiments) show(newer);
    }
    live.textContent = `following the runs, ${content.made}`;
    live.className = "on";
  } catch {
    live.textContent = "the server has ended";
    live.className = "off";
  }
  setTimeout(poll, 1000 * POLL_SECONDS);
}

// Positions of settings may have moved: what is kept and pinned goes by their numbers and values.
function show(newer) {
  const before = experiment();
  const same = newer.experiments.findIndex((each) => each.path === before.path);
  const pinned = [...state.pinned].map((k) => before.settings[k]);
  const kept = [...state.kept].map(([number, positions]) => {
    const axis = before.axes[number];
    return [axis.name, new Set([...positions].map((k) => axis.texts[k]))];
  });
  content = newer;
  state.experiment = Math.max(same, 0);
  if (!metric()) state.metric = kinds().includes(content.metric) ? content.metric : kinds()[0] ?? "";
  const {axes, settings} = experiment();
  state.pinned = new Set(pinned.map((number) => settings.indexOf(number)).filter((k) => k >= 0));
  state.kept = new Map(kept.flatMap(([name, texts]) => {
    const number = axes.findIndex((axis) => axis.name === name);
    if (number < 0) return [];
    const positions = axes[number].texts.map((_, k) => k).filter((k) => texts.has(axes[number].texts[k]));
    return [[number, new Set(positions)]];
  }));
  refresh();
}

// -- begin

let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) updateAll();
  width = innerWidth;
});
chooseExperiment(0);
refresh();
if (document.documentElement.dataset.source === "live") poll();
