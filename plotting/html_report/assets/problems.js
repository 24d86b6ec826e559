// What is missing, failed or diverged, and why; the commands; both configuration files.

function problemsPanel() {
  const {standing} = experiment();
  const found = [
    standing.remark ? make("p", {class: "remark"}, standing.remark) : null,
    ...standing.troubles.map(trouble),
    ...standing.diverged.map(divergedKind),
    missingRuns(standing),
    setAside(standing.setAside),
  ].filter(Boolean);
  byId("problems-body").replaceChildren(
    ...(found.length ? found : [make("p", {}, "Nothing: every run has a whole record.")]));
}

function trouble({kind, error, count, indices, example, log}) {
  const open = experiment().standing.troubles[0].example === example;
  return make("article", {class: "problem failed"},
    make("h3", {}, make("b", {}, counted(count, "run")), ` ${kind}`),
    error ? make("p", {class: "error"}, error) : null,
    make("p", {class: "note"}, `${count === 1 ? "index" : "indices"} ${indices}`),
    log.length ? make("details", {open},
      make("summary", {}, `The end of the log of ${example}`),
      make("pre", {tabindex: 0}, log.join("\n"))) : null);
}

function divergedKind({what, runs}) {
  const times = runs.map(([, , timestep]) => timestep).filter((timestep) => timestep !== null);
  const settings = new Set(runs.map(([setting]) => setting));
  const when = times.length
    ? ` between timesteps ${Math.min(...times).toLocaleString("en")} and ${Math.max(...times).toLocaleString("en")}` : "";
  const list = [...settings].slice(0, 12).join(", ");
  return make("article", {class: "problem diverged"},
    make("h3", {}, make("b", {}, counted(runs.length, "run")), " diverged"),
    make("p", {}, sentence(`${what || "something"} stopped being finite${when}`)),
    make("p", {class: "note"}, `In ${counted(settings.size, "setting")}: ${list}${settings.size > 12 ? ", …" : ""}. `
      + `The first: setting ${runs[0][0]}, run ${runs[0][1]}.`));
}

function missingRuns({counts, missing}) {
  const number = counts.missing ?? 0;
  if (!number) return null;
  const {settings, missing: ofSetting} = experiment();
  const lacking = settings.filter((_, k) => ofSetting[k]);
  const reasons = Object.entries(missing).map(([why, n]) => make("li", {}, `${n} ${why}`));
  return make("article", {class: "problem missing"},
    make("h3", {}, make("b", {}, counted(number, "run")), number === 1 ? " is missing" : " are missing"),
    reasons.length ? make("ul", {}, ...reasons) : null,
    lacking.length ? make("p", {class: "note"},
      `Settings that have fewer runs than others: ${lacking.slice(0, 20).join(", ")}${lacking.length > 20 ? ", …" : ""}`) : null);
}

function setAside(files) {
  if (!files.length) return null;
  return make("article", {class: "problem failed"},
    make("h3", {}, make("b", {}, counted(files.length, "file")), " left out"),
    make("ul", {}, ...files.slice(0, 20).map(([file, why]) =>
      make("li", {}, make("code", {}, file), ` ${why}`))));
}

function reproducePanel() {
  const {commands, files, settings} = experiment();
  const index = metric() ? settings[metric().rank[0]] : settings[0];
  byId("commands").replaceChildren(...commands.map(([what, template]) => {
    const command = template.replace("{index}", index);
    return make("li", {}, make("p", {}, what), copied(command, "command"));
  }));
  byId("files").replaceChildren(...Object.entries(files).map(([name, text]) => {
    const save = () => download(`${name}.json`, text, "application/json");
    return make("div", {},
      make("div", {class: "head"}, make("h3", {}, `${name}.json`),
        make("button", {type: "button", onclick: save}, `Download ${name}.json`)),
      make("pre", {tabindex: 0, "aria-label": `${name}.json`}, text));
  }));
}

function copied(text, name) {
  const button = make("button", {type: "button", class: "copy", "aria-label": `Copy the ${name}`, onclick: () => {
    navigator.clipboard?.writeText(text).then(() => {
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }}, "Copy");
  return make("div", {class: "copied"}, make("pre", {tabindex: 0}, make("code", {}, text)), button);
}

onScore(problemsPanel);
onScore(reproducePanel);
