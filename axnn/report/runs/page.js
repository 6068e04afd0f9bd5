// The page: what is chosen, the bar at its top, and the cards.

const report = JSON.parse(document.getElementById("data").textContent);
const state = {run: 0, point: 0, common: true, memory: false, engine: "stream", order: "index", scale: "linear", criterion: "", x: "area_um2", loss: "all"};
const updates = [];

/** A card: title, a sentence, content. */
function card(title, text, content, kind = "") {
  return html("section", {class: `card ${kind}`}, html("h2", {}, title), html("p", {class: "says"}, text), content);
}

/** Chooses an operating point. */
function choose(index) {
  if (index === state.point) return;
  state.point = index;
  refresh();
}

/** A choice of one of several values; [value, title] each. */
function choice(key, title, options, values) {
  const select = html("select", {onchange: () => { values[key] = select.value; refresh(); }, name: key},
    ...options.map(([value, text]) => html("option", {value, selected: String(values[key]) === value}, text)));
  return html("label", {class: "choice"}, `${title} `, select);
}

/** Boxes to check; [key, title] each. */
function checks(options, values) {
  return html("div", {class: "checks"}, ...options.map(([key, title]) => {
    const box = html("input", {type: "checkbox", name: key, checked: values[key], onchange: () => { values[key] = box.checked; refresh(); }});
    return html("label", {}, box, ` ${title}`);
  }));
}

/** A button that saves a text as a file. */
function download(name, text, type = "text/csv") {
  return html("button", {type: "button", class: "save", "data-file": name, onclick: () => save(name, type, text())}, `Save ${name}`);
}

/** The bar: which run, which operating point, and its headline figures. */
function bar() {
  const run = report.runs[state.run];
  const last = run.points.length - 1;
  const slider = html("input", {type: "range", id: "point", min: 0, max: last, step: 1, value: state.point, "aria-label": "operating point",
    oninput: () => choose(Number(slider.value))});
  const steps = html("div", {class: "steps"}, ...run.points.map((point, index) =>
    html("button", {type: "button", "data-point": index, onclick: () => choose(index)}, point.title)));
  const runs = report.runs.length > 1 ? html("label", {class: "choice"}, "Run ", html("select", {name: "run", onchange: (event) => {
    Object.assign(state, {run: Number(event.target.value), point: 0, criterion: "", loss: "all"});
    build();
  }}, ...report.runs.map((each, index) => html("option", {value: index, selected: index === state.run}, `${each.folder} (${each.name})`)))) : null;
  const facts = html("dl", {class: "facts", "aria-live": "polite"});
  updates.push(() => {
    slider.value = state.point;
    slider.setAttribute("aria-valuetext", run.points[state.point].title);
    [...steps.children].forEach((each, index) => each.setAttribute("aria-pressed", index === state.point));
    const chosen = steps.children[state.point];
    steps.scrollLeft = chosen.offsetLeft - steps.offsetLeft - (steps.clientWidth - chosen.offsetWidth) / 2;
    facts.replaceChildren(...headline(run, run.points[state.point]).map(([title, value, more]) =>
      html("div", {}, html("dt", {}, title), html("dd", {}, value, more ? html("small", {}, ` ${more}`) : ""))));
  });
  return html("div", {class: "bar-inside"}, ...(runs ? [runs] : []), html("div", {class: "pick"}, slider, steps), facts);
}

/** The headline figures of an operating point: name, value, a remark. */
function headline(run, point) {
  const exact = exactOf(run);
  const loss = 100 * (point.test - exact.test);
  const isExact = point === exact;
  return [
    [`Test ${run.quality}`, percent(point.test), isExact ? "" : `${signed(loss)} points`],
    ["Energy", energy(point.cost.energy_pj), ""],
    ["Less energy", times(saving(run, point)), isExact ? "" : `${times(pointRow(run, point).saving_with_memory)} with memories`],
    ["Cycles", number(point.cost.cycles, 4), isExact ? "" : `${times(exact.cost.cycles / point.cost.cycles)} fewer`],
  ];
}

/** A card that is made anew when something is chosen. */
function live(make) {
  const place = html("div", {class: "place"});
  updates.push(() => {
    const focus = document.activeElement && place.contains(document.activeElement) ? document.activeElement.getAttribute("name") : null;
    const made = make();
    place.className = `place ${made.classList.contains("wide") ? "wide" : ""}`;
    place.replaceChildren(made);
    if (focus) place.querySelector(`[name="${focus}"]`)?.focus({preventScroll: true});
  });
  return place;
}

function pointsCard(run) {
  const shown = table(pointColumns(), run.points.map((point) => pointRow(run, point)), {caption: "operating points", selected: (row) => row.point === run.points[state.point].title});
  return card("Operating points", `Accuracies of floating point and of the exact network on the test part: ${run.float_accuracy === null ? "not evaluated" : percent(run.float_accuracy)} and ${percent(exactOf(run).test)}.`,
    html("div", {}, shown.frame, download("points.csv", shown.csv)), "wide");
}

function layersCard(run) {
  const point = run.points[state.point];
  const placed = point.cost.start !== null;
  const rows = run.layers.map((layer, index) => {
    const cost = point.cost.layers[index];
    return {layer, cost, name: layer.name, total: Object.entries(cost.units_pj).reduce((sum, [unit, value]) => sum + (unit === "memory" ? 0 : value), 0)};
  });
  const four = (value) => number(value, 4);
  const columns = [
    {title: "layer", key: "name", text: true}, {title: "results", name: "shape", value: (row) => shapeText(row.layer.shape)}, {title: "fan-in", name: "fan_in", value: (row) => row.layer.fan_in, format: four},
    {title: "MACs", name: "macs", value: (row) => row.cost.macs, format: four}, {title: "energy", name: "energy_pj", key: "total", format: energy},
    ...Object.entries(run.units).map(([unit, title]) => ({title, screen: true, name: `${unit}_pj`, value: (row) => row.cost.units_pj[unit], format: energy})),
    {title: "cycles", name: "cycles", value: (row) => row.cost.cycles, format: four}, {title: "with operands", screen: true, name: "beats", value: (row) => row.cost.beats, format: four}, {title: "words moved", name: "words", value: (row) => row.cost.words, format: four},
    ...(placed ? [{title: "cycles, own memories", name: "autonomous_cycles", value: (row) => row.cost.autonomous.cycles, format: four}, {title: "stalled", name: "autonomous_stalled", value: (row) => row.cost.autonomous.stalled, format: four}] : []),
  ];
  const shown = table(columns, rows, {caption: "layers"});
  return card("Layers in numbers", `${point.title}, on ${point.cost.engine}; for one sample.`, html("div", {}, shown.frame, download("layers.csv", shown.csv)), "wide");
}

function trialsCard(run) {
  const point = run.points[state.point];
  const name = run.trials[point.name] ? point.name : Object.keys(run.trials)[0];
  const title = run.points.find((each) => each.name === name).title;
  const columns = [
    {title: "trial", key: "number"}, {title: "stage", key: "stage", text: true}, {title: "lowered", key: "lowered"}, {title: "before", name: "before_retraining", key: "before_retraining", format: (value) => percent(value)},
    {title: "retrained", key: "accuracy", format: (value) => percent(value)}, {title: "energy", key: "energy_pj", format: energy}, {title: "kept", key: "kept", format: (value) => value ? "kept" : "taken back", text: true},
    {title: "passes", key: "passes"}, {title: "neurons by width", name: "histogram", text: true, value: (row) => Object.entries(row.histogram).sort((a, b) => b[0] - a[0]).map(([width, count]) => `${width}: ${count}`).join("  ")},
  ];
  const shown = table(columns, run.trials[name], {caption: "trials"});
  const neurons = () => ["layer,neuron,width,score", ...run.layers.flatMap((layer, index) => {
    const widths = unpacked(point.cost.layers[index].widths);
    return run.scores[run.criterion][index].map((score, neuron) => [layer.name, neuron, widths[neuron], score].map(csvField).join(","));
  })].join("\n") + "\n";
  return card("Trials in numbers", `Of ${title}; energies of a sample, accuracies on validation, passes over the training part.`,
    html("div", {}, shown.frame, download("trials.csv", shown.csv), download("neurons.csv", neurons)), "wide");
}

function provenanceCard(run) {
  return card("Where the figures come from", "The JSON document holds everything that this page shows.",
    html("dl", {class: "provenance"}, ...run.provenance.flatMap(([name, value]) => [html("dt", {}, name), html("dd", {}, value)])), "wide");
}

/** Everything that depends on what is chosen is made anew. */
function refresh() {
  tip.hidden = true;
  for (const update of updates) update();
  redraw();
}

/** The whole page, for a run. */
function build() {
  const run = report.runs[state.run];
  if (!state.criterion) state.criterion = run.criterion;
  updates.length = 0;
  document.getElementById("bar").replaceChildren(bar());
  document.getElementById("main").replaceChildren(
    live(() => qualityFigure(run, state)), live(() => energyFigure(run, state)), live(() => cyclesFigure(run, state)),
    live(() => rooflineFigure(run, state)), live(() => pointsCard(run)), live(() => widthFigure(run, state)), live(() => neuronFigure(run, state)),
    ...(run.candidates.length ? [live(() => paretoFigure(run, state))] : []),
    ...(report.runs.length > 1 ? [live(() => comparisonFigure(report.runs))] : []),
    live(() => layersCard(run)), live(() => trialsCard(run)), live(() => provenanceCard(run)));
  refresh();
}

const PAPER = 660; // pixels of an A4 page between its margins
addEventListener("beforeprint", () => { paperWidth = PAPER; redraw(); });
addEventListener("afterprint", () => { paperWidth = 0; redraw(); });

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const theme = document.getElementById("theme");
const isDark = () => (document.documentElement.dataset.theme || (prefersDark.matches ? "dark" : "light")) === "dark";
const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
theme.addEventListener("click", () => { document.documentElement.dataset.theme = isDark() ? "light" : "dark"; nameTheme(); });
prefersDark.addEventListener("change", nameTheme);
document.getElementById("json").addEventListener("click", () =>
  save("report.json", "application/json", JSON.stringify(report, null, 1) + "\n"));
nameTheme();
build();
