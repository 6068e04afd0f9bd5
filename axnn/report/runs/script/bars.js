// Energy and cycles by layer: stacked bars.

const UNIT_COLOURS = {
  ncu: "#0072b2",
  idle: "#9aa3ad",
  row: "#f0e442",
  skew: "#e69f00",
  queue: "#d55e00",
  sequencer: "#cc79a7",
  afu: "#009e73",
  result: "#56b4e9",
  memory: "#5b6570",
};
const CYCLE_COLOURS = {busy: "#0072b2", other: "#9aa3ad", stalled: "#d55e00"};
const [BAR, PITCH] = [22, 32]; // height of a bar, and from one to the next

const sumOf = (parts) => parts.reduce((sum, part) => sum + part.value, 0);

/**
 * Draws stacked bars, one for each layer.
 *
 * options: rows (for each layer, parts of {value, colour, title}), most (end of the scale),
 * format (of a value), tick (of a value on the axis), title (of the axis).
 */
function stackedBars(run, options) {
  return (width) => {
    const names = run.layers.map((layer) => layer.name);
    const room = Math.max(...names.map((name) => textWidth(name))) + 12;
    const left = Math.min(width * 0.36, room);
    const area = {left, right: width - 74, top: 8, bottom: 8 + PITCH * names.length};
    const ticks = Math.max(3, Math.floor((area.right - area.left) / 80));
    const x = linear(0, options.most || 1, area.left, area.right, ticks);
    const bars = options.rows.map((parts, index) =>
      layerBar(names[index], parts, area.top + PITCH * index + (PITCH - BAR) / 2, x, options),
    );
    return [
      legend(options.rows[0].map((part) => [part.colour, part.title])),
      drawing(width, area.bottom + 46, barAxis(area, x, options), ...bars),
    ];
  };
}

function barAxis(area, x, {tick, title}) {
  const group = svg("g");
  for (const value of x.ticks) {
    const at = round(x(value));
    group.append(svg("line", {x1: at, x2: at, y1: area.top, y2: area.bottom, class: "grid"}));
    group.append(label(at, area.bottom + 17, tick(value), {"text-anchor": "middle"}));
  }
  const middle = (area.left + area.right) / 2;
  const look = {"text-anchor": "middle", class: "label title"};
  group.append(label(middle, area.bottom + 38, title, look));
  return group;
}

function layerBar(name, parts, top, x, {format}) {
  const group = svg("g");
  const look = {"text-anchor": "end", class: "label name"};
  group.append(clipped(label(x(0) - 8, top + 16, name, look), name, x(0) - 8));
  const total = sumOf(parts);
  let sum = 0;
  for (const {value, colour, title} of parts.filter((part) => part.value > 0)) {
    const [from, to] = [x(sum), x(sum + value)];
    const width = Math.max(0.6, round(to - from - 0.8));
    const box = svg("rect", {x: round(from), y: top, width, height: BAR, class: "bar-part"});
    box.style.fill = colour;
    const share = `${percent(value / total, 1)} of the layer`;
    group.append(described(box, () => [[`${name}: ${title}`, true], [format(value)], [share]]));
    sum += value;
  }
  group.append(label(x(sum) + 6, top + 16, format(total)));
  return group;
}

/** A label shortened in its middle to a width, with its whole text as a title. */
function clipped(node, text, room) {
  let shown = text;
  for (let kept = text.length - 1; kept > 3 && textWidth(shown) > room; kept -= 1)
    shown = `${text.slice(0, Math.ceil(kept / 2))}\u2026${text.slice(-Math.floor(kept / 2))}`;
  if (shown !== text) {
    node.textContent = shown;
    node.append(svg("title", {}, text));
  }
  return node;
}

/** Largest sum of a layer, of all points or of the chosen one, as `state.common` says. */
function scaleEnd(run, state, rows) {
  const points = state.common ? run.points : [run.points[state.point]];
  return Math.max(...points.flatMap((point) => rows(point).map(sumOf)));
}

const saidRows = (run, rows, format) =>
  run.layers.map((layer, index) => `${layer.name} ${format(sumOf(rows[index]))}`).join(", ");

/** The card of energies. */
function energyFigure(run, state) {
  const point = run.points[state.point];
  const units = Object.keys(run.units).filter((unit) => unit !== "memory" || state.memory);
  const rowsOf = ({cost}) =>
    cost.layers.map((layer) =>
      units.map((unit) => ({
        value: layer.units_pj[unit],
        colour: UNIT_COLOURS[unit],
        title: run.units[unit],
      })),
    );
  const [rows, most] = [rowsOf(point), scaleEnd(run, state, rowsOf)];
  const [factor, unit] = most >= 1e6 ? [1e6, "\u00b5J"] : most >= 1e3 ? [1e3, "nJ"] : [1, "pJ"];
  const draw = stackedBars(run, {
    rows,
    most,
    format: energy,
    tick: (value) => number(value / factor),
    title: `${unit} a sample`,
  });
  const boxes = [
    ["common", "same scale for all points"],
    ["memory", "with on-chip memories"],
  ];
  return card(
    "Energy by layer and unit",
    `${point.title}, on ${point.cost.engine}: ${energy(point.cost.energy_pj)} a sample.`,
    html(
      "div",
      {},
      checks(boxes, state),
      figure(() => `Energy by layer: ${saidRows(run, rows, energy)}`, draw),
    ),
    "wide",
  );
}

/** Cycles of a layer on an engine with its own memories, as its counters count. */
function autonomousParts({autonomous: {cycles, stalled, busy}}) {
  return [
    {value: busy, colour: CYCLE_COLOURS.busy, title: "multiplications of the network, in a full array"},
    {
      value: cycles - stalled - busy,
      colour: CYCLE_COLOURS.other,
      title: "filling, draining, zeros, array partly idle",
    },
    {value: stalled, colour: CYCLE_COLOURS.stalled, title: "waiting for external memory"},
  ];
}

/** Cycles of a layer whose operands a host streams, and what a bus would add at least. */
function streamParts(layer, wordsPerCycle) {
  const bus = layer.words / wordsPerCycle;
  return [
    {value: layer.beats, colour: CYCLE_COLOURS.busy, title: "operands enter the array"},
    {value: layer.cycles - layer.beats, colour: CYCLE_COLOURS.other, title: "filling and draining"},
    {
      value: Math.max(0, bus - layer.cycles),
      colour: CYCLE_COLOURS.stalled,
      title: "more, if a 64-bit bus brings all operands",
    },
  ];
}

/** The card of cycles. */
function cyclesFigure(run, state) {
  const point = run.points[state.point];
  const fits = run.points.every((each) => each.cost.start !== null);
  const isAutonomous = state.engine === "autonomous" && fits;
  const rowsOf = ({cost}) =>
    cost.layers.map((layer) =>
      isAutonomous ? autonomousParts(layer) : streamParts(layer, run.words_per_cycle),
    );
  const rows = rowsOf(point);
  const draw = stackedBars(run, {
    rows,
    most: scaleEnd(run, state, rowsOf),
    format: number,
    tick: number,
    title: "cycles a sample",
  });
  const engines = [
    ["stream", "streams from a host"],
    ["autonomous", `with its own memories${fits ? "" : " (none is large enough)"}`],
  ];
  return card(
    "Cycles and stalls by layer",
    isAutonomous
      ? `One sample alone: ${number(point.cost.start.cycles)} cycles to load the input, then the ` +
          `layers. Memories of ${point.cost.memories} sizes; counted as its own counters count.`
      : "Mean over a long batch. Streams at full rate never stall; in red, what a 64-bit bus " +
          "would add at least, if the host keeps the last block of operands.",
    html(
      "div",
      {},
      choice("engine", "Engine", engines, state),
      figure(() => `Cycles by layer: ${saidRows(run, rows, number)}`, draw),
    ),
  );
}
