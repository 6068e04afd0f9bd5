// Roofline: multiply-accumulates in a cycle against those for each word that is moved.

/** Layers as dots: intensity and speed, in the colour of the width that most neurons have. */
function rooflineDots(run, point) {
  return run.layers.map((layer, index) => {
    const cost = point.cost.layers[index];
    const [[width]] = Object.entries(shares(cost.widths)).sort((one, other) => other[1] - one[1]);
    return {layer, cost, width, intensity: cost.macs / cost.words, speed: cost.macs / cost.cycles};
  });
}

/** Ranges that hold the dots and the roofs of all points: the scales stay when one is chosen. */
function rooflineRanges(run) {
  const dots = run.points.flatMap((point) => rooflineDots(run, point));
  const peak = Math.max(...run.points.flatMap((point) => Object.values(point.cost.peaks)));
  const intensities = dots.map((dot) => dot.intensity);
  return {
    x: [Math.min(...intensities) / 1.6, Math.max(...intensities, peak / run.words_per_cycle) * 1.6],
    y: [Math.min(...dots.map((dot) => dot.speed)) / 2, peak * 1.5],
  };
}

/** The card. */
function rooflineFigure(run, state) {
  const {cost} = run.points[state.point];
  const peaks = Object.entries(cost.peaks).sort((one, other) => one[0] - other[0]);
  const dots = rooflineDots(run, run.points[state.point]);
  const ranges = rooflineRanges(run);
  const keys = peaks.map(([bits]) => [widthColour(bits), `mostly ${bits} bit`, "circle"]);
  const titles = {
    x: "multiply-accumulates for each 16-bit word moved",
    y: "multiply-accumulates a cycle",
  };
  const draw = (width) => {
    const area = {left: 52, right: width - 62, top: 34, bottom: 300};
    const x = logarithmic(...ranges.x, area.left, area.right, width < 480 ? 4 : 7);
    const y = logarithmic(...ranges.y, area.bottom, area.top, 7);
    return [
      legend([...keys, ["var(--soft)", "64-bit bus", "line"]]),
      drawing(
        width,
        345,
        axes(area, x, y, titles),
        roofs(peaks, run.words_per_cycle, ranges, area, x, y),
        layerDots(dots, area, x, y),
      ),
    ];
  };
  const said = (dot) =>
    `${dot.layer.name} ${number(dot.speed)} multiply-accumulates a cycle at ` +
    `${number(dot.intensity)} a word`;
  return card(
    "Roofline",
    "Streams at full rate. Layers above the slope would wait for a 64-bit bus; those far below " +
      "their width's peak leave the array idle.",
    figure(() => `Roofline: ${dots.map(said).join("; ")}`, draw),
  );
}

/** The slope of the bus, and the peak of each width from where the bus no longer limits it. */
function roofs(peaks, wordsPerCycle, ranges, area, x, y) {
  const group = svg("g");
  const names = peaks.map(([bits, macs]) => ({bits, y: y(macs) + 4}));
  spread(names, 15, area.top, area.bottom);
  for (const {bits, y: at} of names) group.append(label(area.right + 6, at, `${bits} bit`));
  for (const [bits, macs] of peaks) {
    const ridge = Math.min(Math.max(ranges.x[0], macs / wordsPerCycle), ranges.x[1]);
    const at = round(y(macs));
    const line = svg("line", {x1: round(x(ridge)), x2: area.right, y1: at, y2: at, class: "roof"});
    line.style.stroke = widthColour(bits);
    group.append(line);
  }
  const start = Math.max(ranges.x[0], ranges.y[0] / wordsPerCycle);
  const end = Math.min(ranges.x[1], Math.max(...peaks.map(([, macs]) => macs)) / wordsPerCycle);
  if (end > start) {
    const [x1, x2] = [round(x(start)), round(x(end))];
    const [y1, y2] = [round(y(start * wordsPerCycle)), round(y(end * wordsPerCycle))];
    group.append(svg("line", {x1, x2, y1, y2, class: "slope"}));
  }
  return group;
}

function layerDots(dots, area, x, y) {
  const group = svg("g");
  for (const dot of dots) {
    const shape = mark("circle", x(dot.intensity), y(dot.speed), 6, {class: "ringed"});
    shape.style.fill = widthColour(dot.width);
    group.append(
      described(shape, () => [
        [dot.layer.name, true],
        [`${number(dot.speed)} multiply-accumulates a cycle`],
        [`${number(dot.intensity)} for each word moved`],
        [`${number(dot.cost.words)} words, ${number(dot.cost.cycles)} cycles a sample`],
      ]),
    );
  }
  const named = dots.map((d) => ({x: x(d.intensity), y: y(d.speed), text: d.layer.name}));
  group.append(placedNames(named, area));
  return group;
}

/** Names beside marks where they cover neither a mark nor another name; else they are left out. */
function placedNames(marks, area) {
  const group = svg("g");
  const taken = marks.map(({x, y}) => ({left: x - 7, right: x + 7, top: y - 7, bottom: y + 7}));
  const isFree = (box) =>
    box.left >= area.left &&
    box.right <= area.right &&
    box.top >= area.top - 4 &&
    box.bottom <= area.bottom &&
    !taken.some(
      (other) =>
        box.left < other.right &&
        other.left < box.right &&
        box.top < other.bottom &&
        other.top < box.bottom,
    );
  for (const {x, y, text} of marks) {
    const size = textWidth(text);
    const corners = [
      [x + 10, y - 7],
      [x - 10 - size, y - 7],
      [x - size / 2, y - 24],
      [x - size / 2, y + 10],
      [x + 8, y + 8],
      [x - 8 - size, y + 8],
      [x + 8, y - 22],
      [x - 8 - size, y - 22],
    ];
    const boxes = corners.map(([left, top]) => ({left, right: left + size, top, bottom: top + 14}));
    const box = boxes.find(isFree);
    if (box) {
      taken.push(box);
      group.append(label(box.left, box.bottom - 2.5, text, {class: "label name"}));
    }
  }
  return group;
}
