// Runs compared: the operating points of all runs.

const RUN_STYLES = [
  ["#0072b2", "circle"],
  ["#d55e00", "square"],
  ["#009e73", "triangle"],
  ["#cc79a7", "diamond"],
  ["#e69f00", "down"],
  ["#56b4e9", "circle"],
];
const runStyle = (index) => RUN_STYLES[index % RUN_STYLES.length];

/** What tables say of an operating point. */
function pointRow(run, point) {
  const exact = exactOf(run).cost;
  return {
    point: point.title,
    validation: point.validation,
    test: point.test,
    energy_pj: point.cost.energy_pj,
    saving: saving(run, point),
    saving_with_memory:
      (exact.energy_pj + exact.memory_pj) / (point.cost.energy_pj + point.cost.memory_pj),
    cycles: point.cost.cycles,
  };
}

const POINT_COLUMNS = [
  {title: "operating point", key: "point", text: true},
  {title: "validation", key: "validation", format: (value) => percent(value)},
  {title: "test", key: "test", format: (value) => percent(value)},
  {title: "energy", key: "energy_pj", format: energy},
  {title: "less energy", key: "saving", format: times},
  {title: "with memories", key: "saving_with_memory", format: times},
  {title: "cycles", key: "cycles", format: (value) => number(value, 4)},
];

/** The card. */
function comparisonFigure(runs) {
  const columns = [
    {title: "run", key: "run", text: true},
    {title: "application", key: "application", text: true},
    {title: "seed", key: "seed"},
    ...POINT_COLUMNS,
  ];
  const rows = runs.flatMap((run) =>
    run.points.map((point) => ({
      run: run.folder,
      application: run.name,
      seed: run.seed,
      ...pointRow(run, point),
    })),
  );
  const shown = table(columns, rows, {caption: "operating points of all runs"});
  const draw = (width) => [
    legend(
      runs.map((run, index) => [
        runStyle(index)[0],
        `${run.folder} (${run.name})`,
        runStyle(index)[1],
      ]),
    ),
    comparisonDrawing(runs, width),
  ];
  return card(
    "Runs compared",
    "Operating points of all runs; lines join those of the approximation, pale marks are " +
      "networks of one width. Up and left is better.",
    html(
      "div",
      {},
      figure(() => `Test accuracy against energy of ${runs.length} runs`, draw),
      shown.frame,
      download("runs.csv", shown.csv),
    ),
    "wide",
  );
}

function comparisonDrawing(runs, width) {
  const area = {left: 46, right: width - 20, top: 34, bottom: 300};
  const points = runs.flatMap((run) => run.points);
  const pj = points.map((point) => point.cost.energy_pj);
  const qualities = points.map((point) => 100 * point.test);
  const highest = Math.max(...qualities);
  const floor = Math.max(Math.min(...qualities), highest - 2 * SHOWN_POINTS);
  const span = Math.max(highest - floor, 0.5);
  const ticks = width < 480 ? 4 : 8;
  const x = logarithmic(
    Math.min(...pj) * 0.8,
    Math.max(...pj) * 1.25,
    area.left,
    area.right,
    ticks,
  );
  const y = linear(floor - 0.08 * span, highest + 0.08 * span, area.bottom, area.top, 5);
  const place = (point) => [
    round(x(point.cost.energy_pj)),
    round(y(Math.max(100 * point.test, floor))),
  ];
  const titles = {
    x: "energy of the engine, pJ a sample",
    y: `test ${runs[0].quality}, %`,
    format: {x: short},
  };
  const series = runs.map((run, index) => runSeries(run, runStyle(index), place));
  return drawing(width, 345, axes(area, x, y, titles), ...series);
}

function runSeries(run, [colour, shape], place) {
  const bounded = run.points.filter((point) => point.bound !== null);
  const line = svg("path", {
    d: `M${bounded.map((p) => place(p).join(" ")).join("L")}`,
    class: "series",
  });
  line.style.stroke = colour;
  const marks = run.points.map((point) => {
    const node = mark(shape, ...place(point), 5, {
      class: `ringed ${point.bound === null ? "pale" : ""}`,
    });
    node.style.fill = colour;
    return described(node, () => [
      [`${run.folder}: ${point.title}`, true],
      [`test ${percent(point.test)}`],
      [`${energy(point.cost.energy_pj)} a sample on ${point.cost.engine}`],
    ]);
  });
  return svg("g", {}, line, ...marks);
}
