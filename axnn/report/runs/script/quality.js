// Quality and energy: every trial of the loop, and the operating points.

/** Trials that lose more percentage points than this stand at the lower edge of their figure. */
const SHOWN_POINTS = 12;

const exactOf = (run) => run.points.find((point) => point.name === "exact16");
const saving = (run, point) => exactOf(run).cost.energy_pj / point.cost.energy_pj;

/** Neurons by width in words, the widest first. */
function saidWidths(histogram) {
  const widest = Object.entries(histogram).sort((one, other) => other[0] - one[0]);
  return widest.map(([width, count]) => `${whole(count)} at ${width} bit`).join(", ");
}

/** Every trial of the searches under a bound, with the name of its search. */
function searchTrials(run) {
  const bounded = new Set(run.points.filter((point) => point.bound !== null).map((p) => p.name));
  return Object.entries(run.trials)
    .filter(([name]) => bounded.has(name))
    .flatMap(([name, list]) => list.slice(1).map((trial) => ({...trial, search: name})));
}

/** What the figure of a run shows, and its scales at a width. */
function qualityPlan(run) {
  const trials = searchTrials(run);
  const best = 100 * exactOf(run).validation;
  const seen = [...trials.map((trial) => trial.accuracy), ...run.points.map((p) => p.validation)];
  const [lowest, highest] = [100 * Math.min(...seen), 100 * Math.max(...seen)];
  const floor = Math.max(lowest, best - SHOWN_POINTS);
  const ratio = (pj) => exactOf(run).cost.energy_pj / pj;
  const ratios = [
    ...trials.map((trial) => ratio(trial.energy_pj)),
    ...run.points.map((point) => saving(run, point)),
  ];
  const span = Math.max(highest - floor, 0.5);
  const scales = (area, ticks) => ({
    x: logarithmic(
      Math.min(...ratios) * 0.93,
      Math.max(...ratios) * 1.12,
      area.left,
      area.right,
      ticks,
    ),
    y: linear(floor - 0.08 * span, highest + 0.1 * span, area.bottom, area.top, 5),
  });
  const isCut = trials.some((t) => 100 * Math.min(t.accuracy, t.before_retraining) < floor);
  return {trials, best, floor, ratio, scales, isCut, shown: (part) => Math.max(100 * part, floor)};
}

/** The card. */
function qualityFigure(run, state) {
  const plan = qualityPlan(run);
  const chosen = run.points[state.point];
  const cut = plan.isCut
    ? ` Trials below ${plan.floor.toFixed(1)}\u00a0% stand at the lower edge.`
    : "";
  const said = () =>
    `Validation ${run.quality} against energy: ` +
    run.points
      .map((point) => `${point.title} ${percent(point.validation)} at ${times(saving(run, point))}`)
      .join("; ");
  const draw = (width) => {
    const area = {left: 46, right: width - 16, top: 34, bottom: 300};
    const {x, y} = plan.scales(area, width < 480 ? 5 : 9);
    const place = {
      area,
      trial: (trial, quality) => [x(plan.ratio(trial.energy_pj)), y(plan.shown(trial[quality]))],
      point: (point) => [x(saving(run, point)), y(plan.shown(point.validation))],
    };
    const titles = {
      x: "times less energy than exact",
      y: `validation ${run.quality}, %`,
      format: {x: (value) => `${number(value)}\u00d7`},
    };
    return [
      qualityLegend(),
      drawing(
        width,
        345,
        axes(area, x, y, titles),
        boundLines(run, plan, area, y),
        trialMarks(plan, chosen, place),
        pointMarks(run, state, place),
      ),
    ];
  };
  return card(
    "Quality and energy",
    `Every trial of the loop, and the operating points; choose a point here or above.${cut}`,
    figure(said, draw),
    "wide",
  );
}

const qualityLegend = () =>
  legend([
    ["var(--ink)", "operating point", "diamond"],
    ["var(--blue)", "trial, kept", "circle"],
    ["var(--red)", "trial, taken back", "cross"],
    ["var(--soft)", "before retraining", "circle"],
    ["var(--soft)", "bound", "dots"],
  ]);

/** A line for the least accuracy that each bound allows. */
function boundLines(run, plan, area, y) {
  const heights = run.points.filter((point) => point.bound).map((p) => y(plan.best - p.bound));
  return svg(
    "g",
    {},
    ...heights
      .filter((at) => at < area.bottom)
      .map((at) => svg("line", {x1: area.left, x2: area.right, y1: at, y2: at, class: "bound"})),
  );
}

/** Marks of all trials; those of other searches than the chosen point's are pale. */
function trialMarks(plan, chosen, place) {
  const [links, marks] = [svg("g"), svg("g")];
  const isMine = (trial) => trial.search === chosen.name;
  const anyIsMine = plan.trials.some(isMine);
  for (const trial of [...plan.trials].sort((one, other) => isMine(one) - isMine(other))) {
    const [x, y] = place.trial(trial, "accuracy");
    if (isMine(trial)) {
      const before = place.trial(trial, "before_retraining")[1];
      links.append(svg("line", {x1: x, x2: x, y1: before, y2: y, class: "link"}));
      links.append(mark("circle", x, before, 2.5, {class: "before"}));
    }
    const shape = mark(trial.kept ? "circle" : "cross", x, y, 4, {
      class: `trial ${trial.kept ? "kept" : "back"} ${isMine(trial) || !anyIsMine ? "" : "pale"}`,
    });
    marks.append(described(shape, () => saidTrial(plan, trial)));
  }
  return svg("g", {}, links, marks);
}

const saidTrial = (plan, trial) => [
  [`Trial ${trial.number}, ${trial.stage}`, true],
  [trial.kept ? "kept" : "taken back"],
  [
    `validation ${percent(trial.before_retraining)} before, ` +
      `${percent(trial.accuracy)} after retraining`,
  ],
  [`${times(plan.ratio(trial.energy_pj))} less energy, ${energy(trial.energy_pj)}`],
  [saidWidths(trial.histogram)],
];

/** Marks of the operating points, by which they can be chosen; the chosen one has its name. */
function pointMarks(run, state, place) {
  const marks = svg("g");
  run.points.forEach((point, index) => {
    const isChosen = index === state.point;
    const [x, y] = place.point(point);
    const shape = mark("diamond", x, y, isChosen ? 7 : 5.5, {
      class: isChosen ? "point chosen" : "point",
      tabindex: 0,
      role: "button",
      "aria-label": `operating point ${point.title}`,
      onclick: () => choose(index),
      onkeydown: (event) => {
        if (event.key === "Enter") choose(index);
      },
    });
    marks.append(described(shape, () => saidPoint(run, point)));
  });
  const {title} = run.points[state.point];
  const [x, y] = place.point(run.points[state.point]);
  const half = textWidth(title) / 2;
  const middle = Math.max(place.area.left + half, Math.min(x, place.area.right - half));
  const height = Math.max(place.area.top + 4, y - 13);
  marks.append(label(middle, height, title, {"text-anchor": "middle", class: "label name"}));
  return marks;
}

const saidPoint = (run, point) => [
  [point.title, true],
  [`validation ${percent(point.validation)}, test ${percent(point.test)}`],
  [`${times(saving(run, point))} less energy, ${energy(point.cost.energy_pj)}`],
];
