// The head of the page: what was run, how it stands, and which setting is best.

const PARTS = ["completed", "diverged", "running", "queued", "failed", "missing"];

function clock(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 2e5) return `${(seconds / 3600).toFixed(1)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

const day = (moment) => (moment ? moment.slice(0, 16).replace("T", " ") : "");
const several = (counts) =>
  counts.map(([name, n]) => (counts.length > 1 ? `${name || "unknown"} (${n} runs)` : name))
    .join(", ");

function summaryPanel() {
  const {environment, agent, path} = experiment();
  byId("title").textContent = `${agent} on ${environment}`;
  byId("subtitle").textContent = path;
  showStanding();
  showAbout();
}

function showStanding() {
  const {counts, wanted} = experiment().standing;
  const done = (counts.completed ?? 0) + counts.diverged;
  const present = PARTS.filter((part) => counts[part]);
  const bar = present.map((part) =>
    make("span", {
      class: `part ${part}`, style: `flex-grow: ${counts[part]}`,
      "data-tip": `${counts[part]} ${part}`,
    }));
  const words = present.map((part) =>
    make("li", {class: part}, make("b", {}, counts[part].toLocaleString("en")), ` ${part}`));
  const head = make("p", {class: "figure-number"},
    make("b", {}, done.toLocaleString("en")), ` of ${counted(wanted, "run")} done`);
  const troubled = counts.failed || counts.missing || counts.diverged;
  const link = troubled ? make("a", {href: "#problems"}, "What is missing, and why") : null;
  byId("standing").replaceChildren(
    head,
    make("div", {class: "parts", role: "img",
      "aria-label": present.map((part) => `${counts[part]} ${part}`).join(", ")}, ...bar),
    make("ul", {class: "parts-words"}, ...words), link ?? "",
  );
}

function bestPanel() {
  const place = byId("best");
  if (!metric()) {
    place.replaceChildren(make("p", {class: "figure-number"}, "No run has a score yet."));
    return;
  }
  const best = metric().rank[0];
  const {axes, settings} = experiment();
  const low = metric().low[best];
  place.replaceChildren(
    make("p", {class: "kicker"}, `Best by ${metric().label}: setting ${settings[best]}`),
    make("p", {class: "figure-number"},
      make("b", {}, score(metric().mean[best])), " ",
      low === null ? "" : make("span", {class: "interval"},
        `95% interval ${score(low)} to ${score(metric().high[best])}`)),
    make("ul", {class: "values"}, ...axes.map((axis) =>
      make("li", {}, make("span", {}, axis.name), " ", make("b", {}, valueOf(best, axis))))),
    make("p", {class: "note"}, `${sentence(metric().interval)} ${metric().chosen}`),
  );
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

function showAbout() {
  const {about, axes, fixed, timesteps} = experiment();
  const grid = about.grid && about.grid !== about.begun
    ? `${about.begun.toLocaleString("en")} of the grid's ${counted(about.grid, "setting")}`
    : counted(about.begun, "setting");
  const [first, last] = about.seedRange;
  const rows = [
    ["Swept", `${grid} × ${counted(about.runs, "run")}, seeds ${first} to ${last}`],
    ["Length", `${timesteps.toLocaleString("en")} timesteps`],
    ["Values", axes.map((axis) => `${axis.name} ${listed(axis.texts)}`).join("; ") || "one setting"],
    ["Fixed", Object.entries(fixed).map(([name, value]) => `${name} ${value}`).join(", ")],
    ["Ran", [day(about.started), day(about.ended)].filter(Boolean).join(" to ")
      + (about.started ? " UTC" : "")],
    ["Took", about.seconds ? `${clock(about.seconds)} in all runs together` : ""],
    ["Where", [several(about.hosts), several(about.devices)].filter(Boolean).join("; ")],
    ["Code", several(about.commits.map(([commit, n]) => [commitName(commit), n]))],
    ["Packages", several(about.software)],
    ["Resumed", about.resumed ? `${counted(about.resumed, "run")} went on after an interruption` : ""],
  ];
  byId("about").replaceChildren(...rows.filter(([, text]) => text).map(([term, text]) =>
    make("div", {}, make("dt", {}, term), make("dd", {}, text))));
}

const listed = (texts) =>
  texts.length <= 8 ? texts.join(", ") : `${texts[0]} … ${texts.at(-1)} (${texts.length} values)`;

function commitName(commit) {
  if (!commit) return "";
  return commit.endsWith("+") ? `commit ${commit.slice(0, -1)}, with changes` : `commit ${commit}`;
}

onScore(summaryPanel);
onScore(bestPanel);
