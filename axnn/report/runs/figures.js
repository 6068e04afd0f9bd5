// The figures of a run. Each takes what it shows, and `state`: the point that is chosen.

const exactOf = (run) => run.points.find((point) => point.name === "exact16");
const saving = (run, point) => exactOf(run).cost.energy_pj / point.cost.energy_pj;
const SHOWN_POINTS = 12; // trials that lose more percentage points stand at the lower edge

/** Validation accuracy of every trial, and of the operating points, against energy. */
function qualityFigure(run, state) {
  const exact = exactOf(run);
  const chosen = run.points[state.point];
  const best = 100 * exact.validation;
  const searches = Object.entries(run.trials).filter(([name]) => run.points.find((point) => point.name === name).bound !== null);
  const trials = searches.flatMap(([name, list]) => list.slice(1).map((trial) => ({...trial, search: name})));
  const ratio = (pj) => exact.cost.energy_pj / pj;
  const seen = [...trials.map((trial) => 100 * trial.accuracy), ...run.points.map((point) => 100 * point.validation)];
  const floor = Math.max(Math.min(...seen), best - SHOWN_POINTS);
  const top = Math.max(...seen, best);
  const clamped = (value) => Math.max(100 * value, floor);
  const draw = (width) => {
    const area = {left: 46, right: width - 16, top: 34, bottom: 300};
    const ratios = [...trials.map((trial) => ratio(trial.energy_pj)), ...run.points.map((point) => saving(run, point))];
    const x = logarithmic(Math.min(...ratios) * 0.93, Math.max(...ratios) * 1.12, area.left, area.right, width < 480 ? 5 : 9);
    const span = Math.max(top - floor, 0.5);
    const y = linear(floor - 0.08 * span, top + 0.1 * span, area.bottom, area.top, 5);
    const [marks, links] = [svg("g"), svg("g")];
    marks.append(links);
    for (const point of run.points.filter((each) => each.bound)) {
      const at = y(best - point.bound);
      if (at < area.bottom) marks.append(svg("line", {x1: area.left, x2: area.right, y1: at, y2: at, class: "bound"}));
    }
    const mine = (trial) => trial.search === chosen.name;
    for (const trial of [...trials].sort((one, other) => mine(one) - mine(other))) {
      const [cx, cy] = [x(ratio(trial.energy_pj)), y(clamped(trial.accuracy))];
      const strength = mine(trial) || chosen.name === "exact16" || chosen.bound === null ? 1 : 0.28;
      if (mine(trial)) {
        const before = y(clamped(trial.before_retraining));
        links.append(svg("line", {x1: cx, x2: cx, y1: before, y2: cy, class: "link"}));
        links.append(mark("circle", cx, before, 2.5, {class: "before"}));
      }
      const shape = trial.kept ? mark("circle", cx, cy, 4, {style: `fill:var(--blue);opacity:${strength}`})
        : mark("cross", cx, cy, 4, {style: `fill:none;stroke:var(--red);stroke-width:2;opacity:${strength}`});
      marks.append(described(shape, () => [
        [`Trial ${trial.number}, ${trial.stage}`, true],
        [trial.kept ? "kept" : "taken back"],
        [`validation ${percent(trial.before_retraining)} before, ${percent(trial.accuracy)} after retraining`],
        [`${times(ratio(trial.energy_pj))} less energy, ${energy(trial.energy_pj)}`],
        [Object.entries(trial.histogram).sort((a, b) => b[0] - a[0]).map(([w, n]) => `${whole(n)} at ${w} bit`).join(", ")],
      ]));
    }
    const names = run.points.map((point, index) => ({point, index, at: x(saving(run, point)), y: y(clamped(point.validation)) - 11}));
    for (const {point, index, at} of names) {
      const shape = mark("diamond", at, y(clamped(point.validation)), index === state.point ? 7 : 5.5, {
        class: index === state.point ? "point chosen" : "point", tabindex: 0, role: "button",
        "aria-label": `operating point ${point.title}`,
        onclick: () => choose(index), onkeydown: (event) => { if (event.key === "Enter") choose(index); },
      });
      marks.append(described(shape, () => [[point.title, true], [`validation ${percent(point.validation)}, test ${percent(point.test)}`],
        [`${times(saving(run, point))} less energy, ${energy(point.cost.energy_pj)}`]]));
    }
    const chosenName = names[state.point];
    const text = chosenName.point.title;
    const half = textWidth(text) / 2;
    marks.append(label(Math.max(area.left + half, Math.min(chosenName.at, area.right - half)), Math.max(area.top + 4, chosenName.y - 2), text, {"text-anchor": "middle", class: "label name"}));
    return [
      legend([["var(--ink)", "operating point", "diamond"], ["var(--blue)", "trial, kept", "circle"], ["var(--red)", "trial, taken back", "cross"],
        ["var(--soft)", "before retraining", "circle"], ["var(--soft)", "bound", "dots"]]),
      drawing(width, 345, axes(area, x, y, {x: "times less energy than exact", y: `validation ${run.quality}, %`, format: {x: (value) => `${number(value)}\u00d7`}}), marks),
    ];
  };
  const low = trials.some((trial) => 100 * Math.min(trial.accuracy, trial.before_retraining) < floor);
  return card("Quality and energy", "Every trial of the loop, and the operating points that it ended with; choose a point here or above." +
    (low ? ` Trials below ${floor.toFixed(1)}\u00a0% stand at the lower edge.` : ""),
  figure(() => `Validation ${run.quality} against energy: ${run.points.map((point) => `${point.title} ${percent(point.validation)} at ${times(saving(run, point))}`).join("; ")}`, draw), "wide");
}

/** (width, how many) of equal neighbours as one list of widths. */
function unpacked(runs) {
  const list = [];
  for (const [width, count] of runs) for (let index = 0; index < count; index += 1) list.push(width);
  return list;
}

const shares = (runs) => {
  const found = {};
  for (const [width, count] of runs) found[width] = (found[width] || 0) + count;
  return found;
};

/** Share bar and map of the neurons' widths, a row for each layer. */
function widthFigure(run, state) {
  const point = run.points[state.point];
  const widths = Object.keys(point.cost.peaks).map(Number).concat(...run.points.map((each) => Object.keys(each.cost.histogram).map(Number)));
  const known = [...new Set(widths)].sort((one, other) => other - one);
  const rows = run.layers.map((layer, index) => {
    const runs = point.cost.layers[index].widths;
    const share = shares(runs);
    const total = layer.shape[0] * layer.shape[1] * layer.shape[2];
    const said = Object.entries(share).sort((a, b) => b[0] - a[0]).map(([width, count]) => `${whole(count)} at ${width} bit`).join(", ");
    return html("div", {class: "layer"},
      html("p", {class: "layer-name"}, html("strong", {}, layer.name), html("span", {}, ` ${shapeText(layer.shape)}, ${whole(total)} neurons: ${said}`)),
      figure(() => `Widths of layer ${layer.name}: ${said}`, (width) => [shareBar(width, share, total), widthMap(width, layer.shape, unpacked(runs))]));
  });
  return card("Width of every neuron", "A square is a neuron; convolutions are drawn channel by channel, as the map that each computes.",
    html("div", {}, legend(known.map((width) => [widthColour(width), `${width} bit`])), ...rows), "wide");
}

const shapeText = ([channels, height, width]) =>
  height * width === 1 ? `${channels}` : `${channels} \u00d7 ${height} \u00d7 ${width}`;

function shareBar(width, share, total) {
  const bar = svg("g");
  let at = 0;
  for (const key of Object.keys(share).map(Number).sort((a, b) => b - a)) {
    const part = share[key] / total * width;
    const box = svg("rect", {x: round(at), y: 0, width: Math.max(0.5, round(part - 1)), height: 16, style: `fill:${widthColour(key)}`});
    bar.append(described(box, () => [[`${key} bit`, true], [`${whole(share[key])} neurons, ${percent(share[key] / total, 1)}`]]));
    at += part;
  }
  return drawing(width, 20, bar);
}

/** The map: tiles of channels, wrapped at the width; a path for each width. */
function widthMap(width, [channels, height, cols], list) {
  const flat = height * cols === 1;
  const wanted = flat ? 14 : Math.max(2, Math.min(9, Math.floor(110 / cols)));
  const cell = Math.max(1, Math.min(wanted, Math.floor((width - 2) / (flat ? 1 : cols))));
  const gap = flat ? 1 : 6;
  const [tileWidth, tileHeight] = [cols * cell, height * cell];
  const perLine = Math.max(1, Math.floor((width + gap) / (tileWidth + gap)));
  const paths = {};
  for (let channel = 0; channel < channels; channel += 1) {
    const left = channel % perLine * (tileWidth + gap);
    const top = Math.floor(channel / perLine) * (tileHeight + gap);
    for (let row = 0; row < height; row += 1) {
      const start = (channel * height + row) * cols;
      for (let from = 0, to; from < cols; from = to) {
        for (to = from + 1; to < cols && list[start + to] === list[start + from];) to += 1;
        const key = list[start + from];
        paths[key] = (paths[key] || "") + `M${left + from * cell} ${top + row * cell}h${(to - from) * cell}v${cell}h${(from - to) * cell}z`;
      }
    }
  }
  const lines = Math.ceil(channels / perLine);
  const map = svg("g", {"shape-rendering": "crispEdges"}, ...Object.entries(paths).map(([key, d]) => svg("path", {d, style: `fill:${widthColour(key)}`})));
  return drawing(width, lines * (tileHeight + gap), map);
}

/** Stacked bars, one for each layer: `parts(index)` gives [key, value, colour, title]. */
function stackedBars(run, options) {
  return (width) => {
    const names = run.layers.map((layer) => layer.name);
    const gutter = Math.min(width * 0.36, Math.max(...names.map((name) => textWidth(name))) + 12);
    const tail = 74;
    const [bar, pitch] = [22, 32];
    const area = {left: gutter, right: width - tail, top: 8, bottom: 8 + pitch * names.length};
    const rows = run.layers.map((layer, index) => options.parts(index));
    const total = (parts) => parts.reduce((sum, part) => sum + part[1], 0);
    const most = options.most || Math.max(...rows.map(total));
    const x = linear(0, most || 1, area.left, area.right, Math.max(3, Math.floor((area.right - area.left) / 80)));
    const group = svg("g");
    for (const value of x.ticks) {
      const at = round(x(value));
      group.append(svg("line", {x1: at, x2: at, y1: area.top, y2: area.bottom, class: "grid"}));
      group.append(label(at, area.bottom + 17, options.tick(value), {"text-anchor": "middle"}));
    }
    rows.forEach((parts, index) => {
      const top = area.top + pitch * index + (pitch - bar) / 2;
      group.append(clipped(label(gutter - 8, top + 16, names[index], {"text-anchor": "end", class: "label name"}), names[index], gutter - 8));
      let at = 0;
      for (const [, value, colour, title] of parts) {
        if (value <= 0) continue;
        const [from, to] = [x(at), x(at + value)];
        const box = svg("rect", {x: round(from), y: top, width: Math.max(0.6, round(to - from - 0.8)), height: bar, style: `fill:${colour}`, class: "bar-part"});
        group.append(described(box, () => [[`${names[index]}: ${title}`, true], [options.format(value)], [`${percent(value / total(parts), 1)} of the layer`]]));
        at += value;
      }
      group.append(label(x(at) + 6, top + 16, options.format(total(parts))));
    });
    group.append(label((area.left + area.right) / 2, area.bottom + 38, options.x, {"text-anchor": "middle", class: "label title"}));
    return [legend(options.legend), drawing(width, area.bottom + 46, group)];
  };
}

/** A label shortened in its middle to a width, with its whole text as a title. */
function clipped(node, text, room) {
  let shown = text;
  for (let kept = text.length - 1; kept > 3 && textWidth(shown) > room; kept -= 1)
    shown = `${text.slice(0, Math.ceil(kept / 2))}\u2026${text.slice(text.length - Math.floor(kept / 2))}`;
  if (shown !== text) { node.textContent = shown; node.append(svg("title", {}, text)); }
  return node;
}

/** Energy by layer and unit. */
function energyFigure(run, state) {
  const point = run.points[state.point];
  const units = Object.keys(run.units).filter((unit) => unit !== "memory" || state.memory);
  const sum = (layer) => units.reduce((total, unit) => total + layer.units_pj[unit], 0);
  const most = state.common ? Math.max(...run.points.flatMap((each) => each.cost.layers.map(sum))) : 0;
  const top = most || Math.max(...point.cost.layers.map(sum));
  const [factor, unit] = top >= 1e6 ? [1e6, "\u00b5J"] : top >= 1e3 ? [1e3, "nJ"] : [1, "pJ"];
  const draw = stackedBars(run, {
    parts: (index) => units.map((name) => [name, point.cost.layers[index].units_pj[name], UNIT_COLOURS[name], run.units[name]]),
    most, format: energy, tick: (value) => number(value / factor), x: `${unit} a sample`,
    legend: units.map((name) => [UNIT_COLOURS[name], run.units[name]]),
  });
  return card("Energy by layer and unit", `${point.title}, on ${point.cost.engine}: ${energy(point.cost.energy_pj)} a sample.`, html("div", {},
    checks([["common", "same scale for all points"], ["memory", "with on-chip memories"]], state),
    figure(() => `Energy by layer: ${run.layers.map((layer, index) => `${layer.name} ${energy(sum(point.cost.layers[index]))}`).join(", ")}`, draw)), "wide");
}

/** Cycles by layer: work, filling and draining, stalls. */
function cyclesFigure(run, state) {
  const point = run.points[state.point];
  const placed = point.cost.start !== null;
  const autonomous = state.engine === "autonomous" && placed;
  const colours = {busy: "#0072b2", other: "#9aa3ad", stalled: "#d55e00"};
  const parts = (each, index) => {
    const layer = each.cost.layers[index];
    if (autonomous && layer.autonomous) {
      const {cycles, stalled, busy} = layer.autonomous;
      return [["busy", busy, colours.busy, "array at work"], ["other", cycles - stalled - busy, colours.other, "filling, draining, array partly idle"], ["stalled", stalled, colours.stalled, "waiting for external memory"]];
    }
    const bus = layer.words / run.words_per_cycle;
    return [["busy", layer.beats, colours.busy, "operands enter the array"], ["other", layer.cycles - layer.beats, colours.other, "filling and draining"],
      ["stalled", Math.max(0, bus - layer.cycles), colours.stalled, "more, if a 64-bit bus brings all operands"]];
  };
  const sum = (each, index) => parts(each, index).reduce((total, part) => total + part[1], 0);
  const most = state.common ? Math.max(...run.points.flatMap((each) => run.layers.map((_, index) => sum(each, index)))) : 0;
  const draw = stackedBars(run, {
    parts: (index) => parts(point, index), most, format: (value) => number(value), tick: (value) => number(value), x: "cycles a sample",
    legend: parts(point, 0).map(([, , colour, title]) => [colour, title]),
  });
  const said = autonomous ? `One sample alone: ${number(point.cost.start.cycles)} cycles to load the input, then the layers. Counted as the engine's own counters count.`
    : "Mean over a long batch. Streams at full rate never stall; in red, what a 64-bit bus would add at least, if the host keeps the last block of operands.";
  return card("Cycles and stalls by layer", said, html("div", {},
    choice("engine", "Engine", [["stream", "streams from a host"], ["autonomous", placed ? "with its own memories" : "with its own memories (does not fit)"]], state),
    figure(() => `Cycles by layer: ${run.layers.map((layer, index) => `${layer.name} ${number(sum(point, index))}`).join(", ")}`, draw)));
}

/** Roofline: multiply-accumulates in a cycle against those for each word that is moved. */
function rooflineFigure(run, state) {
  const point = run.points[state.point];
  const peaks = Object.entries(point.cost.peaks).map(([width, macs]) => [Number(width), macs]);
  const dots = run.layers.map((layer, index) => {
    const cost = point.cost.layers[index];
    const widest = Object.entries(shares(cost.widths)).sort((a, b) => b[1] - a[1])[0][0];
    return {layer, cost, width: Number(widest), intensity: cost.macs / cost.words, speed: cost.macs / cost.cycles};
  });
  const every = run.points.flatMap((each) => each.cost.layers);
  const most = Math.max(...run.points.flatMap((each) => Object.values(each.cost.peaks)));
  const low = Math.min(...every.map((cost) => cost.macs / cost.cycles)) / 2;
  const intensities = every.map((cost) => cost.macs / cost.words);
  const draw = (width) => {
    const area = {left: 52, right: width - 62, top: 34, bottom: 300};
    const x = logarithmic(Math.min(...intensities) / 1.6, Math.max(Math.max(...intensities) * 1.6, most / run.words_per_cycle * 1.6), area.left, area.right, width < 480 ? 4 : 7);
    const y = logarithmic(low, most * 1.5, area.bottom, area.top, 7);
    const [first, last] = [Math.min(...intensities) / 1.6, Math.max(Math.max(...intensities) * 1.6, most / run.words_per_cycle * 1.6)];
    const marks = svg("g");
    const names = peaks.map(([bits, macs]) => ({text: `${bits} bit`, y: y(macs) + 4, bits, macs}));
    spread(names, 15, area.top, area.bottom);
    for (const {text, y: at, bits, macs} of names) {
      const ridge = Math.max(first, macs / run.words_per_cycle);
      marks.append(svg("line", {x1: round(x(Math.min(ridge, last))), x2: area.right, y1: round(y(macs)), y2: round(y(macs)), style: `stroke:${widthColour(bits)};stroke-width:2`}));
      marks.append(label(area.right + 6, at, text));
    }
    const start = Math.max(first, low / run.words_per_cycle);
    const end = Math.min(last, Math.max(...peaks.map(([, macs]) => macs)) / run.words_per_cycle);
    if (end > start) marks.append(svg("line", {x1: round(x(start)), y1: round(y(start * run.words_per_cycle)), x2: round(x(end)), y2: round(y(end * run.words_per_cycle)), class: "slope"}));
    const notes = dots.map((dot) => ({dot, y: y(dot.speed) + 4}));
    for (const dot of dots) {
      marks.append(described(mark("circle", x(dot.intensity), y(dot.speed), 6, {style: `fill:${widthColour(dot.width)}`, class: "ringed"}), () => [
        [dot.layer.name, true], [`${number(dot.speed)} multiply-accumulates a cycle`], [`${number(dot.intensity)} for each word moved`],
        [`${number(dot.cost.words)} words, ${number(dot.cost.cycles)} cycles a sample`]]));
    }
    placeNames(marks, notes.map(({dot}) => ({x: x(dot.intensity), y: y(dot.speed), text: dot.layer.name})), area);
    return [legend([...peaks.map(([bits]) => [widthColour(bits), `mostly ${bits} bit`, "circle"]), ["var(--soft)", "64-bit bus", "line"]]),
      drawing(width, 345, axes(area, x, y, {x: "multiply-accumulates for each 16-bit word moved", y: "multiply-accumulates a cycle"}), marks)];
  };
  return card("Roofline", "Streams at full rate. Layers above the slope would wait for a 64-bit bus; those far below their width's peak leave the array idle.",
    figure(() => `Roofline: ${dots.map((dot) => `${dot.layer.name} ${number(dot.speed)} multiply-accumulates a cycle at ${number(dot.intensity)} a word`).join("; ")}`, draw));
}

/** Puts names beside marks where they cover neither a mark nor another name; else leaves them out. */
function placeNames(group, marks, area) {
  const taken = marks.map(({x, y}) => ({left: x - 7, right: x + 7, top: y - 7, bottom: y + 7}));
  for (const {x, y, text} of marks) {
    const size = textWidth(text);
    const spots = [[x + 10, y - 7], [x - 10 - size, y - 7], [x - size / 2, y - 24], [x - size / 2, y + 10], [x + 8, y + 8], [x - 8 - size, y + 8], [x + 8, y - 22], [x - 8 - size, y - 22]];
    const free = spots.map(([left, top]) => ({left, right: left + size, top, bottom: top + 14})).find((box) =>
      box.left >= area.left && box.right <= area.right && box.top >= area.top - 4 && box.bottom <= area.bottom &&
      !taken.some((other) => box.left < other.right && other.left < box.right && box.top < other.bottom && other.top < box.bottom));
    if (free) { taken.push(free); group.append(label(free.left, free.bottom - 2.5, text, {class: "label name"})); }
  }
}

/** Score of every neuron, by index or in order, in the colour of its width. */
function neuronFigure(run, state) {
  const point = run.points[state.point];
  const criterion = run.scores[state.criterion] ? state.criterion : run.criterion;
  const rows = run.layers.map((layer, index) => {
    const scores = run.scores[criterion][index];
    const widths = unpacked(point.cost.layers[index].widths);
    const order = scores.map((_, neuron) => neuron);
    const sorted = state.order === "score";
    if (sorted) order.sort((one, other) => (scores[one] ?? 0) - (scores[other] ?? 0));
    const known = scores.filter((value) => value > 0);
    const most = known.reduce((one, other) => Math.max(one, other), 0) || 1;
    const least = known.reduce((one, other) => Math.min(one, other), most) / 1.5;
    const draw = (width) => {
      const area = {left: 58, right: width - 4, top: 8, bottom: 112};
      const y = state.scale === "log" ? logarithmic(Math.max(least, most / 1e6), most * 1.05, area.bottom, area.top, 4) : linear(0, most, area.bottom, area.top, 2);
      const step = (area.right - area.left) / order.length;
      const paths = {};
      order.forEach((neuron, place) => {
        const at = round(area.left + (place + 0.5) * step);
        const high = round(scores[neuron] > 0 ? y(scores[neuron]) : area.bottom);
        paths[widths[neuron]] = (paths[widths[neuron]] || "") + `M${at} ${area.bottom}V${Math.min(high, area.bottom - 1)}`;
      });
      const group = svg("g");
      for (const value of y.ticks) {
        group.append(svg("line", {x1: area.left, x2: area.right, y1: y(value), y2: y(value), class: "grid"}));
        group.append(label(area.left - 6, y(value) + 4, exponent(value), {"text-anchor": "end"}));
      }
      const thick = Math.max(0.8, Math.min(24, step - 1));
      for (const [bits, d] of Object.entries(paths)) group.append(svg("path", {d, style: `stroke:${widthColour(bits)};stroke-width:${thick}`}));
      group.append(svg("line", {x1: area.left, x2: area.right, y1: area.bottom, y2: area.bottom, class: "axis"}));
      group.append(label(area.left, area.bottom + 17, sorted ? "most resilient" : "0"));
      group.append(label(area.right, area.bottom + 17, sorted ? "most sensitive" : `${order.length - 1}`, {"text-anchor": "end"}));
      group.append(label((area.left + area.right) / 2, area.bottom + 17, sorted ? "" : "neuron", {"text-anchor": "middle", class: "label title"}));
      const cover = svg("rect", {x: area.left, y: area.top, width: area.right - area.left, height: area.bottom - area.top, class: "cover"});
      let place = 0;
      cover.addEventListener("pointermove", (event) => {
        place = Math.max(0, Math.min(order.length - 1, Math.floor((event.clientX - cover.getBoundingClientRect().left) / step)));
      });
      group.append(described(cover, () => [[`${layer.name}, neuron ${order[place]}`, true], [neuronPlace(layer.shape, order[place])], [`${widths[order[place]]} bit, score ${scores[order[place]] ?? "not finite"}`]]));
      return [drawing(width, 134, group)];
    };
    return html("div", {class: "layer"}, html("p", {class: "layer-name"}, html("strong", {}, layer.name), html("span", {}, ` ${whole(scores.length)} neurons`)),
      figure(() => `Scores of ${scores.length} neurons of ${layer.name}, at most ${exponent(most)}`, draw));
  });
  const widths = [...new Set(run.points.flatMap((each) => Object.keys(each.cost.histogram).map(Number)))].sort((one, other) => other - one);
  return card("Neurons and their scores", `How much the network's error depends on each neuron, by the criterion that is chosen; colours are widths at ${point.title}.`,
    html("div", {}, choice("criterion", "Criterion", Object.keys(run.scores).map((name) => [name, name === "gradient" ? "gradient: mean |dE/dy|" : name]), state),
      choice("order", "Order", [["index", "by index"], ["score", "by score"]], state),
      choice("scale", "Scale", [["linear", "linear"], ["log", "logarithmic"]], state),
      legend(widths.map((width) => [widthColour(width), `${width} bit`])), ...rows), "wide");
}

const exponent = (value) => {
  if (value === 0) return "0";
  if (value >= 0.01 && value < 1e4) return number(value);
  const power = Math.floor(Math.log10(value));
  return `${number(value / 10 ** power, 2)}e${power < 0 ? "\u2212" : ""}${Math.abs(power)}`;
};

function neuronPlace([channels, height, width], neuron) {
  if (height * width === 1) return `of ${channels}`;
  const [channel, place] = [Math.floor(neuron / (height * width)), neuron % (height * width)];
  return `channel ${channel}, row ${Math.floor(place / width)}, column ${place % width}`;
}

const COSTS = {
  area_um2: ["area of the cells, um\u00b2", (value) => `${number(value)} um\u00b2`],
  cycles: ["latency, cycles a sample", (value) => `${number(value)} cycles`],
  energy_pj: ["energy of the engine, pJ a sample", energy],
};
const KINDS = {fused: ["#0072b2", "circle"], gated: ["#e69f00", "square"], plain16: ["#009e73", "triangle"], dsp: ["#cc79a7", "diamond"], tree: ["#d55e00", "down"]};
const kindStyle = (ncu) => KINDS[ncu] || ["#9aa3ad", "diamond"];

/** Candidates of the exploration: all of them, and those that no other beats. */
function paretoFigure(run, state) {
  const every = run.candidates;
  const memories = every.some((each) => each.memory_bits !== null);
  const losses = [...new Set(every.map((each) => Math.max(0, each.loss_points)))].sort((a, b) => a - b);
  const limits = [["all", "any loss"], ...losses.slice(0, -1).map((value) => [String(value), `at most ${number(value, 2)} points`])];
  const limit = limits.some(([value]) => value === state.loss) ? state.loss : "all";
  const shown = every.filter((each) => limit === "all" || each.loss_points <= Number(limit));
  const [xKey, yKey] = [state.x, state.x === "energy_pj" ? "area_um2" : "energy_pj"];
  const front = staircase(shown, xKey, yKey);
  const name = (point) => (run.points.find((each) => each.name === point) || {title: point}).title;
  const draw = (width) => {
    const area = {left: 58, right: width - 16, top: 34, bottom: 360};
    const range = (key) => [Math.min(...every.map((each) => each[key])) * 0.85, Math.max(...every.map((each) => each[key])) * 1.15];
    const x = logarithmic(...range(xKey), area.left, area.right, width < 480 ? 4 : 7);
    const y = logarithmic(...range(yKey), area.bottom, area.top, 7);
    const marks = svg("g");
    const steps = front.map((each, index) => `${index ? `H${round(x(each[xKey]))}V` : `M${round(x(each[xKey]))} `}${round(y(each[yKey]))}`).join("");
    marks.append(svg("path", {d: steps, class: "front"}));
    for (const each of [...shown].sort((a, b) => a.front - b.front)) {
      const [colour, shape] = kindStyle(each.ncu);
      const ringed = front.includes(each);
      marks.append(described(mark(shape, x(each[xKey]), y(each[yKey]), ringed ? 6 : 4.5, {
        style: `fill:${colour};opacity:${each.front ? 1 : 0.3}`, class: ringed ? "ringed" : null, tabindex: ringed ? 0 : null,
      }), () => [[each.engine, true], [`${name(each.point)}: validation ${percent(each.accuracy)}, ${signed(-each.loss_points)} points`],
        [`${energy(each.energy_pj)} a sample, ${energy(each.energy_pj + each.memory_pj)} with on-chip memories`],
        [`${number(each.cycles)} cycles a sample`], [`${number(each.area_um2)} um\u00b2${each.memory_bits === null ? "" : ` and ${number(each.memory_bits / 8192)} kB of memories`}`],
        [each.boards.length ? `fits ${each.boards.join(", ")}` : "fits no known FPGA board for certain"], [each.front ? "no other beats it in energy, cycles, area and loss" : "beaten by another"]]));
    }
    const kinds = [...new Set(every.map((each) => each.ncu))];
    const tick = (value) => value >= 1e6 ? `${number(value / 1e6)}M` : value >= 1e4 ? `${number(value / 1e3)}k` : number(value);
    return [legend([...kinds.map((ncu) => [kindStyle(ncu)[0], ncu, kindStyle(ncu)[1]]), ["var(--ink)", "best in both axes", "ring"]]),
      drawing(width, 405, axes(area, x, y, {x: COSTS[xKey][0], y: COSTS[yKey][0], format: {x: tick, y: tick}}), marks)];
  };
  const columns = [
    {title: "array", value: (row) => `${row.rows} \u00d7 ${row.cols}`, text: true}, {title: "NCU", key: "ncu", text: true}, {title: "widths", key: "precisions", format: (value) => value.join("/"), text: true},
    {title: "point", value: (row) => name(row.point), text: true}, {title: "energy, pJ", key: "energy_pj", format: (value) => number(value, 4)}, {title: "cycles", key: "cycles", format: (value) => number(value, 4)},
    {title: "area, um\u00b2", key: "area_um2", format: (value) => number(value, 4)}, {title: "validation", key: "accuracy", format: (value) => percent(value)}, {title: "loss, points", key: "loss_points", format: (value) => value.toFixed(2)},
    {title: "boards", key: "boards", format: (value) => value.join(", ") || "\u2013", text: true},
  ];
  const best = table(columns, front, {caption: "engines on the front"});
  const keys = ["engine", "point", "rows", "cols", "precisions", "ncu", "energy_pj", "memory_pj", "external_pj", "cycles", "area_um2", "memory_bits", "accuracy", "loss_points", "boards", "front"];
  const saved = table(keys.map((key) => ({title: key, key})), run.candidates);
  return card("Engines compared", `${whole(every.length)} candidates of axnn explore: engines ${memories ? "with their own memories, " : ""}with the operating points that run on them. Pale marks are beaten by another in energy, cycles, area and loss together.`,
    html("div", {}, choice("x", "Across", Object.entries(COSTS).map(([key, [title]]) => [key, title.split(",")[0]]), state), choice("loss", "Loss of validation accuracy", limits, state),
      figure(() => `${front.length} engines are best in ${COSTS[xKey][0]} and ${COSTS[yKey][0]}: ${front.map((each) => each.engine).join("; ")}`, draw),
      best.frame, download("exploration.csv", saved.csv)), "wide");
}

/** Those that no other beats in two costs, in order. */
function staircase(candidates, first, second) {
  const found = [];
  for (const each of [...candidates].sort((a, b) => a[first] - b[first] || a[second] - b[second]))
    if (!found.length || each[second] < found[found.length - 1][second]) found.push(each);
  return found;
}

const RUN_MARKS = [["#0072b2", "circle"], ["#d55e00", "square"], ["#009e73", "triangle"], ["#cc79a7", "diamond"], ["#e69f00", "down"], ["#56b4e9", "circle"]];

/** Operating points of all runs: test accuracy against energy. */
function comparisonFigure(runs) {
  const points = runs.flatMap((run, index) => run.points.map((point) => ({run, point, style: RUN_MARKS[index % RUN_MARKS.length]})));
  const draw = (width) => {
    const area = {left: 46, right: width - 20, top: 34, bottom: 300};
    const pj = points.map(({point}) => point.cost.energy_pj);
    const all = points.map(({point}) => 100 * point.test);
    const x = logarithmic(Math.min(...pj) * 0.8, Math.max(...pj) * 1.25, area.left, area.right, width < 480 ? 4 : 8);
    const high = Math.max(...all);
    const floor = Math.max(Math.min(...all), high - 2 * SHOWN_POINTS);
    const span = Math.max(high - floor, 0.5);
    const y = linear(floor - 0.08 * span, high + 0.08 * span, area.bottom, area.top, 5);
    const marks = svg("g");
    runs.forEach((run, index) => {
      const [colour] = RUN_MARKS[index % RUN_MARKS.length];
      const line = run.points.filter((point) => point.bound !== null).map((point) => `${round(x(point.cost.energy_pj))} ${round(y(Math.max(100 * point.test, floor)))}`);
      marks.append(svg("path", {d: `M${line.join("L")}`, style: `fill:none;stroke:${colour};stroke-width:1.5`}));
    });
    for (const {run, point, style: [colour, shape]} of points)
      marks.append(described(mark(shape, x(point.cost.energy_pj), y(Math.max(100 * point.test, floor)), 5, {style: `fill:${colour};opacity:${point.bound === null ? 0.4 : 1}`, class: "ringed"}), () => [
        [`${run.folder}: ${point.title}`, true], [`test ${percent(point.test)}`], [`${energy(point.cost.energy_pj)} a sample on ${point.cost.engine}`]]));
    return [legend(runs.map((run, index) => [...RUN_MARKS[index % RUN_MARKS.length].slice(0, 1), `${run.folder} (${run.name})`, RUN_MARKS[index % RUN_MARKS.length][1]])),
      drawing(width, 345, axes(area, x, y, {x: "energy of the engine, pJ a sample", y: `test ${runs[0].quality}, %`, format: {x: (value) => value >= 1e6 ? `${number(value / 1e6)}M` : value >= 1e4 ? `${number(value / 1e3)}k` : number(value)}}), marks)];
  };
  const rows = points.map(({run, point}) => ({run: run.folder, application: run.name, seed: run.seed, ...pointRow(run, point)}));
  const columns = [{title: "run", key: "run", text: true}, {title: "application", key: "application", text: true}, {title: "seed", key: "seed"}, ...pointColumns().map((column, index) => index ? column : {...column, text: true})];
  const shown = table(columns, rows, {caption: "operating points of all runs"});
  return card("Runs compared", "Operating points of all runs; lines join those of the approximation, pale marks are networks of one width. Up and left is better.",
    html("div", {}, figure(() => `Test accuracy against energy of ${runs.length} runs`, draw), shown.frame, download("runs.csv", shown.csv)), "wide");
}

const pointRow = (run, point) => ({
  point: point.title, validation: point.validation, test: point.test, energy_pj: point.cost.energy_pj, saving: saving(run, point),
  saving_with_memory: (exactOf(run).cost.energy_pj + exactOf(run).cost.memory_pj) / (point.cost.energy_pj + point.cost.memory_pj), cycles: point.cost.cycles,
});

const pointColumns = () => [
  {title: "operating point", key: "point", text: true}, {title: "validation", key: "validation", format: (value) => percent(value)}, {title: "test", key: "test", format: (value) => percent(value)},
  {title: "energy", key: "energy_pj", format: energy}, {title: "less energy", key: "saving", format: times}, {title: "with memories", key: "saving_with_memory", format: times},
  {title: "cycles", key: "cycles", format: (value) => number(value, 4)},
];
