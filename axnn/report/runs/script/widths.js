// The width of every neuron.

/** (width, how many) of equal neighbours as one list of widths. */
function unpacked(runs) {
  return runs.flatMap(([width, count]) => Array(count).fill(width));
}

/** How many neurons have each width. */
function shares(runs) {
  const found = {};
  for (const [width, count] of runs) found[width] = (found[width] || 0) + count;
  return found;
}

/** Widths of all points, the widest first. */
function knownWidths(run) {
  const all = run.points.flatMap(({cost}) => [
    ...Object.keys(cost.peaks),
    ...Object.keys(cost.histogram),
  ]);
  return [...new Set(all.map(Number))].sort((one, other) => other - one);
}

const widthLegend = (run) =>
  legend(knownWidths(run).map((width) => [widthColour(width), `${width} bit`]));

const shapeText = ([channels, height, width]) =>
  height * width === 1 ? `${channels}` : `${channels} \u00d7 ${height} \u00d7 ${width}`;

/** The card: share bar and map of the neurons' widths, for each layer. */
function widthFigure(run, state) {
  const point = run.points[state.point];
  const rows = run.layers.map((layer, index) => {
    const runs = point.cost.layers[index].widths;
    const total = layer.shape.reduce((product, size) => product * size, 1);
    const said = saidWidths(shares(runs));
    return layerRow(
      layer,
      `${shapeText(layer.shape)}, ${whole(total)} neurons: ${said}`,
      figure(
        () => `Widths of layer ${layer.name}: ${said}`,
        (width) => [
          shareBar(width, shares(runs), total),
          widthMap(width, layer.shape, unpacked(runs)),
        ],
      ),
    );
  });
  return card(
    "Width of every neuron",
    "A square is a neuron; convolutions are drawn channel by channel, as the maps they compute.",
    html("div", {}, widthLegend(run), ...rows),
    "wide",
  );
}

/** A figure of a layer under its name. */
function layerRow(layer, text, content) {
  const name = html("p", {class: "layer-name"}, html("strong", {}, layer.name), ` ${text}`);
  return html("div", {class: "layer"}, name, content);
}

function shareBar(width, share, total) {
  const bar = svg("g");
  const widest = Object.entries(share).sort((one, other) => other[0] - one[0]);
  let sum = 0;
  for (const [bits, count] of widest) {
    const size = Math.max(0.5, round((count / total) * width - 1));
    const box = svg("rect", {x: round((sum / total) * width), y: 0, width: size, height: 16});
    box.style.fill = widthColour(bits);
    const said = `${whole(count)} neurons, ${percent(count / total, 1)}`;
    bar.append(described(box, () => [[`${bits} bit`, true], [said]]));
    sum += count;
  }
  return drawing(width, 20, bar);
}

/** The map: tiles of channels, wrapped at the width. */
function widthMap(width, shape, list) {
  const [channels, height, cols] = shape;
  const isFlat = height * cols === 1;
  const wanted = isFlat ? 14 : Math.max(2, Math.min(9, Math.floor(110 / cols)));
  const cell = Math.max(1, Math.min(wanted, Math.floor((width - 2) / cols)));
  const gap = isFlat ? 1 : 6;
  const across = cols * cell + gap;
  const perLine = Math.max(1, Math.floor((width + gap) / across));
  const corner = (channel) => [
    (channel % perLine) * across,
    Math.floor(channel / perLine) * (height * cell + gap),
  ];
  const areas = Object.entries(widthPaths(shape, list, cell, corner)).map(([bits, d]) => {
    const path = svg("path", {d});
    path.style.fill = widthColour(bits);
    return path;
  });
  const lines = Math.ceil(channels / perLine);
  const map = svg("g", {"shape-rendering": "crispEdges"}, ...areas);
  return drawing(width, lines * (height * cell + gap), map);
}

/** For each width, the outline of its neurons: equal neighbours in a row are one rectangle. */
function widthPaths([channels, height, cols], list, cell, corner) {
  const paths = {};
  for (let row = 0; row < channels * height; row += 1) {
    const [left, top] = corner(Math.floor(row / height));
    const y = top + (row % height) * cell;
    for (let from = 0, to; from < cols; from = to) {
      const bits = list[row * cols + from];
      for (to = from + 1; to < cols && list[row * cols + to] === bits;) to += 1;
      const size = (to - from) * cell;
      paths[bits] = `${paths[bits] || ""}M${left + from * cell} ${y}h${size}v${cell}h${-size}z`;
    }
  }
  return paths;
}
