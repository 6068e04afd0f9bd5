// Engines compared: the candidates of an exploration.

const COSTS = {
  area_um2: "area of the cells, um\u00b2",
  cycles: "latency, cycles a sample",
  energy_pj: "energy of the engine, pJ a sample",
};
const KINDS = {
  fused: ["#0072b2", "circle"],
  gated: ["#e69f00", "square"],
  plain16: ["#009e73", "triangle"],
  dsp: ["#cc79a7", "diamond"],
};
const kindStyle = (ncu) => KINDS[ncu] || ["#9aa3ad", "down"];

/** A large number in the width of an axis. */
const short = (value) =>
  value >= 1e6
    ? `${number(value / 1e6)}M`
    : value >= 1e4
      ? `${number(value / 1e3)}k`
      : number(value);

/** Those that no other beats in two costs, in order. */
function staircase(candidates, first, second) {
  const found = [];
  const ordered = [...candidates].sort((a, b) => a[first] - b[first] || a[second] - b[second]);
  for (const each of ordered)
    if (!found.length || each[second] < found[found.length - 1][second]) found.push(each);
  return found;
}

/** Choices of the largest loss: all that occur. */
function lossLimits(candidates) {
  const losses = [...new Set(candidates.map((each) => Math.max(0, each.loss_points)))];
  const some = losses.sort((one, other) => one - other).slice(0, -1);
  return [
    ["all", "any loss"],
    ...some.map((value) => [String(value), `at most ${number(value, 2)} points`]),
  ];
}

/** The card. */
function enginesFigure(run, state) {
  const limits = lossLimits(run.candidates);
  const limit = limits.some(([value]) => value === state.loss) ? state.loss : "all";
  const isShown = (each) => limit === "all" || each.loss_points <= Number(limit);
  const shown = run.candidates.filter(isShown);
  const keys = [state.x, state.x === "energy_pj" ? "area_um2" : "energy_pj"];
  const front = staircase(shown, ...keys);
  const hasMemories = run.candidates.some((each) => each.memory_bits !== null);
  const draw = (width) => [enginesLegend(run), enginesDrawing(run, shown, front, keys, width)];
  const costs = Object.entries(COSTS).map(([key, title]) => [key, title.split(",")[0]]);
  const said = () =>
    `${front.length} engines are best in ${COSTS[keys[0]]} and ${COSTS[keys[1]]}: ` +
    front.map((each) => each.engine).join("; ");
  return card(
    "Engines compared",
    `${whole(run.candidates.length)} candidates of axnn explore: engines ` +
      `${hasMemories ? "with their own memories, " : ""}with the operating points that run on ` +
      "them. Pale marks are beaten by another in energy, cycles, area and loss together.",
    html(
      "div",
      {},
      choice("x", "Across", costs, state),
      choice("loss", "Loss of validation accuracy", limits, state),
      figure(said, draw),
      table(frontColumns(run), front, {caption: "engines on the front"}).frame,
      download("exploration.csv", () => allCandidates(run)),
    ),
    "wide",
  );
}

function enginesLegend(run) {
  const kinds = [...new Set(run.candidates.map((each) => each.ncu))];
  const keys = kinds.map((ncu) => [kindStyle(ncu)[0], ncu, kindStyle(ncu)[1]]);
  return legend([...keys, ["var(--ink)", "best in both axes", "ring"]]);
}

function enginesDrawing(run, shown, front, [first, second], width) {
  const area = {left: 58, right: width - 16, top: 34, bottom: 360};
  const range = (key) => {
    const values = run.candidates.map((each) => each[key]);
    return [Math.min(...values) * 0.85, Math.max(...values) * 1.15];
  };
  const x = logarithmic(...range(first), area.left, area.right, width < 480 ? 4 : 7);
  const y = logarithmic(...range(second), area.bottom, area.top, 7);
  const corners = front.map((each) => [round(x(each[first])), round(y(each[second]))]);
  const steps = corners.map(([left, top], index) =>
    index ? `H${left}V${top}` : `M${left} ${top}`,
  );
  const marks = [...shown]
    .sort((one, other) => one.front - other.front)
    .map((each) => engineMark(run, each, x(each[first]), y(each[second]), front.includes(each)));
  const titles = {x: COSTS[first], y: COSTS[second], format: {x: short, y: short}};
  return drawing(
    width,
    405,
    axes(area, x, y, titles),
    svg("path", {d: steps.join(""), class: "front"}),
    ...marks,
  );
}

function engineMark(run, each, x, y, isBest) {
  const [colour, shape] = kindStyle(each.ncu);
  const node = mark(shape, x, y, isBest ? 6 : 4.5, {
    class: `${isBest ? "ringed" : ""} ${each.front ? "" : "pale"}`,
    tabindex: isBest ? 0 : null,
  });
  node.style.fill = colour;
  return described(node, () => saidEngine(run, each));
}

const pointTitle = (run, name) => (run.points.find((p) => p.name === name) || {title: name}).title;

function saidEngine(run, each) {
  const memories =
    each.memory_bits === null ? "" : ` and ${number(each.memory_bits / 8192)} kB of memories`;
  const boards = each.boards.join(", ");
  return [
    [each.engine, true],
    [
      `${pointTitle(run, each.point)}: validation ${percent(each.accuracy)}, ` +
        `${signed(-each.loss_points)} points`,
    ],
    [
      `${energy(each.energy_pj)} a sample, ` +
        `${energy(each.energy_pj + each.memory_pj)} with on-chip memories`,
    ],
    [`${number(each.cycles)} cycles a sample`],
    [`${number(each.area_um2)} um\u00b2${memories}`],
    ...saidSide(each),
    [boards ? `fits ${boards}` : "fits no known FPGA board for certain"],
    [each.front ? "no other beats it in energy, cycles, area and loss" : "beaten by another"],
  ];
}

/** What is known of the memory side. */
function saidSide(each) {
  const found = [];
  if (each.side_pj !== null) found.push(energy(each.side_pj));
  if (each.side_um2 !== null) found.push(`${number(each.side_um2)} um\u00b2`);
  return found.length ? [[`memory side: ${found.join(", ")}`]] : [];
}

function frontColumns(run) {
  const four = (value) => number(value, 4);
  return [
    {title: "array", value: (row) => `${row.rows} \u00d7 ${row.cols}`, text: true},
    {title: "NCU", key: "ncu", text: true},
    {title: "widths", key: "precisions", format: (value) => value.join("/"), text: true},
    {title: "point", value: (row) => pointTitle(run, row.point), text: true},
    {title: "energy, pJ", key: "energy_pj", format: four},
    {title: "cycles", key: "cycles", format: four},
    {title: "area, um\u00b2", key: "area_um2", format: four},
    {title: "validation", key: "accuracy", format: (value) => percent(value)},
    {title: "loss, points", key: "loss_points", format: (value) => value.toFixed(2)},
    {title: "boards", key: "boards", format: (value) => value.join(", ") || "\u2013", text: true},
  ];
}

/** Everything that is known of each candidate. */
function allCandidates(run) {
  const names = ["engine", "point", "rows", "cols", "precisions", "ncu"];
  const costs = ["energy_pj", "memory_pj", "external_pj", "cycles", "area_um2", "memory_bits"];
  const side = ["side_pj", "side_um2"];
  const keys = [...names, ...costs, ...side, "accuracy", "loss_points", "boards", "front"];
  const columns = keys.map((key) => ({title: key, key}));
  return csvOf(columns, run.candidates);
}
