// The page: what is chosen, and the cards that show it.

const report = JSON.parse(document.getElementById("data").textContent);
const state = {
  run: 0,
  point: 0,
  common: true,
  memory: false,
  engine: "stream",
  order: "index",
  scale: "linear",
  criterion: "",
  x: "area_um2",
  loss: "all",
};
const updates = [];

/** Chooses an operating point. */
function choose(index) {
  if (index === state.point) return;
  state.point = index;
  refresh();
}

/** A card that is made anew when something is chosen. */
function live(make) {
  const place = html("div", {class: "place"});
  updates.push(() => {
    const focus =
      document.activeElement && place.contains(document.activeElement)
        ? document.activeElement.getAttribute("name")
        : null;
    const made = make();
    place.className = `place ${made.classList.contains("wide") ? "wide" : ""}`;
    place.replaceChildren(made);
    if (focus) place.querySelector(`[name="${focus}"]`)?.focus({preventScroll: true});
  });
  return place;
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
  document.getElementById("bar").replaceChildren(bar(report.runs, state));
  document.getElementById("main").replaceChildren(
    live(() => qualityFigure(run, state)),
    live(() => energyFigure(run, state)),
    live(() => cyclesFigure(run, state)),
    live(() => rooflineFigure(run, state)),
    live(() => systemCard(run, state)),
    live(() => pointsCard(run, state)),
    live(() => widthFigure(run, state)),
    live(() => neuronFigure(run, state)),
    ...(run.candidates.length ? [live(() => enginesFigure(run, state))] : []),
    ...(report.runs.length > 1 ? [live(() => comparisonFigure(report.runs))] : []),
    live(() => layersCard(run, state)),
    live(() => trialsCard(run, state)),
    live(() => provenanceCard(run)),
  );
  refresh();
}

const PAPER = 660; // pixels of an A4 page between its margins
addEventListener("beforeprint", () => {
  paperWidth = PAPER;
  redraw();
});
addEventListener("afterprint", () => {
  paperWidth = 0;
  redraw();
});

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const theme = document.getElementById("theme");
const isDark = () =>
  (document.documentElement.dataset.theme || (prefersDark.matches ? "dark" : "light")) === "dark";
const nameTheme = () => {
  theme.textContent = isDark() ? "Light" : "Dark";
};
theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  nameTheme();
});
prefersDark.addEventListener("change", nameTheme);
document
  .getElementById("json")
  .addEventListener("click", () =>
    save("report.json", "application/json", JSON.stringify(report, null, 1) + "\n"),
  );
nameTheme();
build();
