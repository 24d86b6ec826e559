// The table of settings: sorted, filtered, and as CSV just what is on the page.

const FIRST_ROWS = 200;

function columns() {
  const {axes, settings, diverged, missing, seedsKind} = experiment();
  const {mean, low, high, n, rank} = metric();
  const places = new Map(rank.map((position, place) => [position, place + 1]));
  const number = (name, of, text = (value) => value, title = name) =>
    ({name, title, of, text, number: true});
  return [
    number("rank", (k) => places.get(k)),
    number("setting", (k) => settings[k]),
    ...axes.map((axis) => ({
      name: axis.name, title: axis.name, number: axis.scale !== "category" || axis.places.length > 0,
      of: (k) => axis.position[k], text: (_, k) => valueOf(k, axis), csv: (k) => valueOf(k, axis),
    })),
    number("mean", (k) => mean[k], (value) => score(value)),
    {name: "low", title: "95% interval", of: (k) => low[k], number: true, text: (_, k) => range(k)},
    {...number("high", (k) => high[k]), hidden: true},
    number("n", (k) => n[k], (value) => value, "n"),
    {name: "seeds", title: "seeds", of: () => seedsKind, text: (value) => value},
    number("diverged", (k) => diverged[k]),
    number("missing", (k) => missing[k]),
  ];
}

// The interval as text, and where it lies among all of them.
function range(position) {
  const {low, high, mean} = metric();
  if (low[position] === null) return "–";
  const [from, to] = robustRange(mean.filter((value) => value !== null));
  const share = (value) => Math.min(Math.max((100 * (value - from)) / (to - from), 0), 100);
  const [left, right] = [share(low[position]), share(high[position])];
  return make("span", {class: "range"},
    make("span", {class: "range-text"}, `${score(low[position])} to ${score(high[position])}`),
    make("span", {class: "range-bar", "aria-hidden": "true"},
      make("i", {style: `left: ${left}%; width: ${Math.max(right - left, 1)}%`}),
      make("b", {style: `left: ${share(mean[position])}%`})));
}

// Positions of the settings that are kept, in the order of the table.
function rowsOf(passes) {
  const {by, down} = state.sort;
  const of = columns().find((column) => column.name === by)?.of ?? ((k) => k);
  const ranks = new Map(metric().rank.map((position, place) => [position, place]));
  const kept = experiment().settings.map((_, k) => k).filter((k) => passes[k]);
  const compare = (a, b) => {
    const [left, right] = [of(a), of(b)];
    if (left === right) return ranks.get(a) - ranks.get(b);
    if (left === null || right === null) return left === null ? 1 : -1; // no score is last
    return (left < right ? -1 : 1) * (down ? -1 : 1);
  };
  return kept.sort(compare);
}

function tablePanel(passes) {
  byId("settings").hidden = !metric();
  if (!metric()) return;
  const every = columns();
  const rows = rowsOf(passes);
  const drawn = state.all ? rows : rows.slice(0, FIRST_ROWS);
  const focused = document.activeElement?.closest?.("#table")
    ? document.activeElement.getAttribute("data-key") : null;
  const caption = `${counted(rows.length, "setting")}${filtered() ? " kept by the filter" : ""}. `
    + `Mean and 95% interval of the ${metric().label} over n seeds.`;
  byId("table").replaceChildren(make("table", {class: "settings"},
    make("caption", {role: "status"}, caption),
    make("thead", {}, make("tr", {}, make("th", {scope: "col"}, "pin"),
      ...every.filter((column) => !column.hidden).map(headCell))),
    make("tbody", {}, ...drawn.map((position) => row(position, every)))));
  if (focused) byId("table").querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  byId("table-more").replaceChildren(drawn.length < rows.length
    ? make("button", {type: "button", onclick: () => { state.all = true; update(); }},
      `Show all ${rows.length} rows`) : "");
  byId("search-help").textContent = searchHelp();
}

function headCell(column) {
  const sorted = state.sort.by === column.name;
  const sort = () => {
    state.sort = {by: column.name, down: sorted ? !state.sort.down : column.name === "mean"};
    update();
  };
  return make("th", {
    scope: "col", class: column.number ? "number" : null,
    "aria-sort": sorted ? (state.sort.down ? "descending" : "ascending") : "none",
  }, make("button", {type: "button", "data-key": `sort-${column.name}`, onclick: sort},
    column.title, make("span", {"aria-hidden": "true", class: "arrow"},
      sorted ? (state.sort.down ? " ↓" : " ↑") : " ↕")));
}

function row(position, every) {
  const {settings} = experiment();
  const pinned = state.pinned.has(position);
  return make("tr", {class: metric().rank[0] === position ? "best-row" : null},
    make("td", {}, make("input", {
      type: "checkbox", checked: pinned, "data-key": `pin-${position}`,
      "aria-label": `pin setting ${settings[position]}`,
      onchange: (event) => pin(position, event.target.checked),
    })),
    ...every.filter((column) => !column.hidden).map((column) =>
      make("td", {class: column.number ? "number" : null}, column.text(column.of(position), position))));
}

const searchHelp = () => {
  const axis = experiment().axes[0];
  const example = axis ? `${axis.name}=${axis.texts[0]}, ` : "";
  return `Words that must all hold: ${example}score>${short(metric().mean[metric().rank[0]] ?? 0)}, `
    + "n<5, or part of a value.";
};

// -- as CSV: the rows of the filter in the order of the table, numbers with all their digits

function csv(passes) {
  const every = columns();
  const cell = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const named = (column) => (["mean", "low", "high"].includes(column.name)
    ? `${column.name} ${state.metric}` : column.name);
  const lines = rowsOf(passes).map((k) =>
    every.map((column) => cell(column.csv ? column.csv(k) : column.of(k))).join(","));
  return `${[every.map((column) => cell(named(column))).join(","), ...lines].join("\n")}\n`;
}

function searchFor(words) {
  byId("search").value = words;
  state.words = words;
  update();
}

byId("csv").addEventListener("click", () => {
  const {environment, agent} = experiment();
  download(`${environment}_${agent}_settings.csv`.replaceAll("/", "-"), csv(passing()), "text/csv");
});
byId("search").addEventListener("input", (event) => {
  state.words = event.target.value;
  update();
});
onChange(tablePanel);
