// Neurons and their scores.

/** The card. */
function neuronFigure(run, state) {
  const point = run.points[state.point];
  const criterion = run.scores[state.criterion] ? state.criterion : run.criterion;
  const names = Object.keys(run.scores).map((name) => [
    name,
    name === "gradient" ? "gradient: mean |dE/dy|" : name,
  ]);
  const orders = [
    ["index", "by index"],
    ["score", "by score"],
  ];
  const scales = [
    ["linear", "linear"],
    ["log", "logarithmic"],
  ];
  const rows = run.layers.map((layer, index) => {
    const scores = run.scores[criterion][index];
    const widths = unpacked(point.cost.layers[index].widths);
    return layerRow(
      layer,
      `${whole(scores.length)} neurons`,
      scoreFigure(layer, scores, widths, state),
    );
  });
  return card(
    "Neurons and their scores",
    "How much the network's error depends on each neuron, by the criterion that is chosen; " +
      `colours are widths at ${point.title}.`,
    html(
      "div",
      {},
      choice("criterion", "Criterion", names, state),
      choice("order", "Order", orders, state),
      choice("scale", "Scale", scales, state),
      widthLegend(run),
      ...rows,
    ),
    "wide",
  );
}

/** A bar for each neuron of a layer. */
function scoreFigure(layer, scores, widths, state) {
  const isSorted = state.order === "score";
  const order = scores.map((_, neuron) => neuron);
  if (isSorted) order.sort((one, other) => (scores[one] ?? 0) - (scores[other] ?? 0));
  const known = scores.filter((value) => value > 0);
  const most = known.reduce((one, other) => Math.max(one, other), 0) || 1;
  const least = known.reduce((one, other) => Math.min(one, other), most);
  const draw = (width) => {
    const area = {left: 58, right: width - 4, top: 8, bottom: 112};
    const y =
      state.scale === "log"
        ? logarithmic(Math.max(least / 1.5, most / 1e6), most * 1.05, area.bottom, area.top, 4)
        : linear(0, most, area.bottom, area.top, 2);
    const ends = isSorted ? ["most resilient", "most sensitive"] : ["0", `${order.length - 1}`];
    return [
      drawing(
        width,
        134,
        scoreAxes(area, y, ends, isSorted ? "" : "neuron"),
        ...scoreBars(area, y, order, scores, widths),
        scoreCover(area, layer, order, scores, widths),
      ),
    ];
  };
  return figure(
    () => `Scores of ${scores.length} neurons of ${layer.name}, at most ${exponent(most)}`,
    draw,
  );
}

function scoreAxes(area, y, [first, last], middle) {
  const group = svg("g");
  for (const value of y.ticks) {
    const at = round(y(value));
    group.append(svg("line", {x1: area.left, x2: area.right, y1: at, y2: at, class: "grid"}));
    group.append(label(area.left - 6, at + 4, exponent(value), {"text-anchor": "end"}));
  }
  const {left, right, bottom} = area;
  group.append(svg("line", {x1: left, x2: right, y1: bottom, y2: bottom, class: "axis"}));
  group.append(label(left, bottom + 17, first));
  group.append(label(right, bottom + 17, last, {"text-anchor": "end"}));
  group.append(label((left + right) / 2, bottom + 17, middle, {"text-anchor": "middle"}));
  return group;
}

/** The bars, one path for each width. */
function scoreBars(area, y, order, scores, widths) {
  const step = (area.right - area.left) / order.length;
  const paths = {};
  order.forEach((neuron, place) => {
    const x = round(area.left + (place + 0.5) * step);
    const top = scores[neuron] > 0 ? round(y(scores[neuron])) : area.bottom;
    const bits = widths[neuron];
    paths[bits] = `${paths[bits] || ""}M${x} ${area.bottom}V${Math.min(top, area.bottom - 1)}`;
  });
  const thickness = Math.max(0.8, Math.min(24, step - 1));
  return Object.entries(paths).map(([bits, d]) => {
    const path = svg("path", {d, "stroke-width": thickness});
    path.style.stroke = widthColour(bits);
    return path;
  });
}

/** What lies over the bars and says which neuron is under the pointer. */
function scoreCover(area, layer, order, scores, widths) {
  const [width, height] = [area.right - area.left, area.bottom - area.top];
  const cover = svg("rect", {x: area.left, y: area.top, width, height, class: "cover"});
  let neuron = order[0];
  cover.addEventListener("pointermove", (event) => {
    const share = (event.clientX - cover.getBoundingClientRect().left) / width;
    neuron = order[Math.max(0, Math.min(order.length - 1, Math.floor(share * order.length)))];
  });
  return described(cover, () => [
    [`${layer.name}, neuron ${neuron}`, true],
    [neuronPlace(layer.shape, neuron)],
    [`${widths[neuron]} bit, score ${scores[neuron] ?? "not finite"}`],
  ]);
}

/** A small number in the width of an axis. */
function exponent(value) {
  if (value === 0) return "0";
  if (value >= 0.01 && value < 1e4) return number(value);
  const power = Math.floor(Math.log10(value));
  return `${number(value / 10 ** power, 2)}e${power < 0 ? "\u2212" : ""}${Math.abs(power)}`;
}

function neuronPlace([channels, height, width], neuron) {
  if (height * width === 1) return `of ${channels}`;
  const [channel, place] = [Math.floor(neuron / (height * width)), neuron % (height * width)];
  return `channel ${channel}, row ${Math.floor(place / width)}, column ${place % width}`;
}
