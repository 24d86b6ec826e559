// Which settings are kept: by checkboxes and numbers, and what the filter says at the top.

const FEW_VALUES = 12;

// Keeps these positions of an axis; all of them is no filter.
function keep(axis, positions) {
  const all = experiment().axes[axis].texts.length;
  if (positions === null || positions.size === all) state.kept.delete(axis);
  else state.kept.set(axis, positions);
  update();
}

function keepRange(low, high) {
  state.range = low === -Infinity && high === Infinity ? null : [low, high];
  update();
}

function fieldsPanel() {
  byId("parallel").hidden = !metric() || !experiment().axes.length;
  if (byId("parallel").hidden) return;
  const place = byId("filter-fields");
  const focused = place.contains(document.activeElement) ? document.activeElement.name : null;
  place.replaceChildren(
    ...experiment().axes.map((axis, number) =>
      make("fieldset", {}, make("legend", {}, axis.name),
        ...(axis.texts.length <= FEW_VALUES || axis.scale === "category"
          ? checkboxes(axis, number) : bounds(axis, number)))),
    make("fieldset", {}, make("legend", {}, metric().label), ...scoreBounds()),
  );
  if (focused) place.querySelector(`[name="${CSS.escape(focused)}"]`)?.focus();
}

function checkboxes(axis, number) {
  const kept = state.kept.get(number);
  return axis.texts.map((text, k) => {
    const change = (event) => {
      const now = new Set(kept ?? axis.texts.keys());
      if (event.target.checked) now.add(k);
      else now.delete(k);
      keep(number, now);
    };
    return make("label", {}, make("input", {
      type: "checkbox", name: `${number}-${k}`, checked: !kept || kept.has(k), onchange: change,
    }), ` ${text}`);
  });
}

function bounds(axis, number) {
  const kept = [...(state.kept.get(number) ?? axis.places.keys())];
  const low = Math.min(...kept.map((k) => axis.places[k]));
  const high = Math.max(...kept.map((k) => axis.places[k]));
  const change = (from, to) =>
    keep(number, new Set([...axis.places.keys()].filter((k) => axis.places[k] >= from && axis.places[k] <= to)));
  return [
    numberField("at least", `${number}-low`, low, (value) => change(value ?? -Infinity, high)),
    numberField("at most", `${number}-high`, high, (value) => change(low, value ?? Infinity)),
  ];
}

function scoreBounds() {
  const [low, high] = state.range ?? [-Infinity, Infinity];
  return [
    numberField("at least", "score-low", low, (value) => keepRange(value ?? -Infinity, high)),
    numberField("at most", "score-high", high, (value) => keepRange(low, value ?? Infinity)),
  ];
}

function numberField(text, name, value, use) {
  return make("label", {}, `${text} `, make("input", {
    type: "number", step: "any", name, value: Number.isFinite(value) ? Number(value.toPrecision(6)) : "",
    onchange: (event) => use(event.target.value === "" ? null : Number(event.target.value)),
  }));
}

// -- at the top of the page, whatever is scrolled to

function filterBar(passes) {
  const {settings} = experiment();
  byId("filter-bar").hidden = !filtered() && !state.pinned.size;
  const kept = passes.filter(Boolean).length;
  byId("filter-count").textContent = filtered()
    ? `${kept} of ${counted(settings.length, "setting")} kept` : "";
  byId("filter-chips").replaceChildren(...chips());
}

function chips() {
  const {axes, settings} = experiment();
  const found = [...state.kept].map(([number, kept]) =>
    chip(`${axes[number].name} ${briefly(axes[number], kept)}`, () => keep(number, null)));
  if (state.range) {
    const [low, high] = state.range;
    const text = low === -Infinity ? `at most ${score(high)}`
      : high === Infinity ? `at least ${score(low)}` : `${score(low)} to ${score(high)}`;
    found.push(chip(`${metric().label} ${text}`, () => keepRange(-Infinity, Infinity)));
  }
  if (state.words.trim()) found.push(chip(`“${state.words.trim()}”`, () => searchFor("")));
  for (const k of state.pinned) found.push(chip(`setting ${settings[k]} pinned`, () => pin(k, false)));
  return found;
}

function briefly(axis, kept) {
  const texts = [...kept].sort((a, b) => a - b).map((k) => axis.texts[k]);
  if (!texts.length) return "none";
  return texts.length <= 4 ? texts.join(", ") : `${texts[0]} to ${texts.at(-1)}`;
}

const chip = (text, remove) =>
  make("button", {type: "button", class: "chip", "aria-label": `${text}: remove`, onclick: remove},
    text, make("span", {"aria-hidden": "true"}, " ×"));

byId("filter-clear").addEventListener("click", () => {
  state.kept.clear();
  state.range = null;
  state.pinned.clear();
  searchFor("");
});
onChange(filterBar);
onChange(fieldsPanel);
