"use strict";
// What all figures share: elements, scales, axes, legends, the tooltip, and figures that are drawn
// for the width that they have.

const FONT = 13;
const WIDTH_COLOURS = {16: "#0072b2", 8: "#56b4e9", 4: "#e69f00", 2: "#d55e00"};
const widthColour = (width) => WIDTH_COLOURS[width] || "#9aa3ad";

/** An HTML element with attributes; children are elements or text. */
function html(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same in SVG. */
function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false)
      node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

const number = (value, digits = 3) =>
  value === 0
    ? "0"
    : Math.abs(value) >= 10 ** digits
      ? Math.round(value).toLocaleString("en-US")
      : String(Number(value.toPrecision(digits)));
const whole = (value) => value.toLocaleString("en-US");
const percent = (fraction, digits = 2) => `${(100 * fraction).toFixed(digits)}\u00a0%`;
const times = (ratio) => `${ratio.toFixed(2)}\u00d7`;
const signed = (value, digits = 2) =>
  (value < 0 ? "\u2212" : "+") + Math.abs(value).toFixed(digits);

/** An energy in the unit that suits its size. */
function energy(pj) {
  for (const [factor, unit] of [
    [1e9, "mJ"],
    [1e6, "\u00b5J"],
    [1e3, "nJ"],
  ])
    if (pj >= factor) return `${number(pj / factor)}\u00a0${unit}`;
  return `${number(pj)}\u00a0pJ`;
}

const measure = document.createElement("canvas").getContext("2d");

/** Width of a text in pixels, set in bold. */
function textWidth(text) {
  measure.font = `600 ${FONT}px ${getComputedStyle(document.body).fontFamily}`;
  return measure.measureText(text).width;
}

/** A function from values to pixels, with the ticks that suit its range. */
function linear(low, high, from, to, count = 5) {
  if (low === high) [low, high] = [low - 1, high + 1];
  const scale = (value) => from + ((value - low) / (high - low)) * (to - from);
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough * 0.999);
  scale.ticks = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index += 1)
    scale.ticks.push(Number((index * step).toPrecision(12)));
  return scale;
}

/** The same on a logarithmic scale; ticks at 1, 2 and 5, or at powers of 10, as there is room. */
function logarithmic(low, high, from, to, count = 6) {
  const scale = (value) => from + (Math.log(value / low) / Math.log(high / low)) * (to - from);
  for (const steps of [[1, 1.5, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 5], [1, 2, 5], [1, 3], [1]]) {
    scale.ticks = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1)
      for (const step of steps) {
        const value = Number((step * 10 ** power).toPrecision(6));
        if (value >= low * 0.9999 && value <= high * 1.0001) scale.ticks.push(value);
      }
    if (scale.ticks.length <= count) break;
  }
  return scale;
}

/** Text of a figure; never smaller than 12 pixels. */
function label(x, y, text, attributes = {}) {
  return svg("text", {x: round(x), y: round(y), class: "label", ...attributes}, String(text));
}

const round = (value) => Math.round(value * 10) / 10;

/** Axes with grid lines, ticks and titles, in the area {left, top, right, bottom}. */
function axes(area, x, y, options) {
  const group = svg("g");
  const format = {x: number, y: number, ...options.format};
  for (const value of x.ticks) {
    const at = round(x(value));
    group.append(svg("line", {x1: at, x2: at, y1: area.top, y2: area.bottom, class: "grid"}));
    group.append(label(at, area.bottom + 17, format.x(value), {"text-anchor": "middle"}));
  }
  for (const value of y.ticks) {
    const at = round(y(value));
    group.append(svg("line", {x1: area.left, x2: area.right, y1: at, y2: at, class: "grid"}));
    group.append(label(area.left - 7, at + 4, format.y(value), {"text-anchor": "end"}));
  }
  group.append(
    svg("line", {x1: area.left, x2: area.right, y1: area.bottom, y2: area.bottom, class: "axis"}),
  );
  group.append(
    label((area.left + area.right) / 2, area.bottom + 38, options.x, {
      "text-anchor": "middle",
      class: "label title",
    }),
  );
  group.append(label(0, area.top - 12, options.y, {class: "label title"}));
  return group;
}

/** Marks that can be told apart without colour. */
function mark(shape, x, y, size, attributes = {}) {
  [x, y] = [round(x), round(y)];
  if (shape === "circle") return svg("circle", {cx: x, cy: y, r: size, ...attributes});
  const [width, half] = [2 * size, 1.35 * size];
  const paths = {
    cross: `M${x - size} ${y - size}l${width} ${width}m0 ${-width}l${-width} ${width}`,
    square: `M${x - size} ${y - size}h${2 * size}v${2 * size}h${-2 * size}z`,
    diamond: `M${x} ${round(y - half)}l${half} ${half}l${-half} ${half}l${-half} ${-half}z`,
    triangle: `M${x} ${round(y - 1.2 * size)}l${1.2 * size} ${2.1 * size}h${-2.4 * size}z`,
    down: `M${x} ${round(y + 1.2 * size)}l${1.2 * size} ${-2.1 * size}h${-2.4 * size}z`,
  };
  return svg("path", {d: paths[shape], ...attributes});
}

/** A legend in HTML, which breaks into lines: [colour, text, shape] each. */
function legend(entries) {
  return html(
    "ul",
    {class: "legend"},
    ...entries.map(([colour, text, shape = "square"]) => {
      const key = svg("svg", {width: 14, height: 14, "aria-hidden": "true"});
      const open = shape === "cross" || shape === "ring";
      if (shape === "line" || shape === "dots")
        key.append(
          svg("line", {
            x1: 0,
            x2: 14,
            y1: 7,
            y2: 7,
            "stroke-width": 2,
            "stroke-dasharray": shape === "dots" ? "2 3" : null,
            style: `stroke:${colour}`,
          }),
        );
      else
        key.append(
          mark(shape === "ring" ? "circle" : shape, 7, 7, shape === "square" ? 6 : 4, {
            style: open ? `fill:none;stroke:${colour};stroke-width:2` : `fill:${colour}`,
          }),
        );
      return html("li", {}, key, text);
    }),
  );
}

/** Moves labels in a column apart, so that none covers another: [{y}], changed in place. */
function spread(labels, gap, top, bottom) {
  labels.sort((one, other) => one.y - other.y);
  let free = top;
  for (const each of labels) {
    each.y = Math.max(each.y, free);
    free = each.y + gap;
  }
  let limit = bottom;
  for (const each of [...labels].reverse()) {
    each.y = Math.min(each.y, limit);
    limit = each.y - gap;
  }
}

const tip = document.getElementById("tip");

/** Shows lines of text beside the pointer, or beside the mark that has the focus. */
function described(node, lines) {
  const show = (event) => {
    tip.replaceChildren(
      ...lines().map(([text, strong]) => html(strong ? "strong" : "span", {}, text)),
    );
    tip.hidden = false;
    const box = node.getBoundingClientRect();
    const [x, y] =
      event.clientX === undefined || event.type === "focus"
        ? [box.right, box.top]
        : [event.clientX, event.clientY];
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = `${Math.max(8, Math.min(x + 14, room))}px`;
    const isLow = y + tip.offsetHeight + 24 > innerHeight;
    tip.style.top = `${isLow ? y - tip.offsetHeight - 12 : y + 16}px`;
  };
  const hide = () => {
    tip.hidden = true;
  };
  for (const name of ["pointerenter", "pointermove", "focus"]) node.addEventListener(name, show);
  for (const name of ["pointerleave", "blur"]) node.addEventListener(name, hide);
  return node;
}

const figures = new Set();
let paperWidth = 0;

/** A figure that is drawn anew for each width: `draw(width)` returns its parts. */
function figure(summary, draw) {
  const body = html("div", {class: "plot"});
  const each = {body, drawn: 0};
  each.redraw = () => {
    const width = Math.max(280, Math.floor(paperWidth || body.clientWidth));
    if (!body.isConnected && !paperWidth) return;
    each.drawn = width;
    body.replaceChildren(...draw(width));
    for (const part of body.querySelectorAll(":scope > svg")) {
      part.setAttribute("role", "img");
      part.setAttribute("aria-label", summary());
    }
  };
  figures.add(each);
  watcher.observe(body);
  body.figure = each;
  return body;
}

const watcher = new ResizeObserver((entries) => {
  for (const {target} of entries)
    if (
      !paperWidth &&
      target.figure &&
      target.clientWidth &&
      target.figure.drawn !== Math.max(280, target.clientWidth)
    )
      target.figure.redraw();
});

/** Draws all figures anew; those that have left the page are forgotten. */
function redraw() {
  for (const each of figures)
    if (each.body.isConnected) each.redraw();
    else {
      watcher.unobserve(each.body);
      figures.delete(each);
    }
}

/** An SVG drawing of a size. */
function drawing(width, height, ...parts) {
  return svg("svg", {width, height, viewBox: `0 0 ${width} ${height}`}, ...parts);
}

const valueOf = (column, row) => (column.value ? column.value(row) : row[column.key]);

function cellText(column, row) {
  const found = valueOf(column, row);
  if (found === null || found === undefined) return "\u2013";
  return column.format ? column.format(found) : String(found);
}

/**
 * A table that scrolls in its frame, and the same as CSV.
 *
 * columns: {title, key or value, format, text: aligned left, screen: not printed, name: in CSV};
 * options: caption, selected (whether a row is).
 */
function table(columns, rows, options) {
  const classes = (column) =>
    [column.text && "text", column.screen && "screen"].filter(Boolean).join(" ") || null;
  const head = columns.map((column) =>
    html("th", {scope: "col", class: classes(column)}, column.title),
  );
  const body = rows.map((row) => {
    const cells = columns.map((column, index) => {
      const look = {scope: index ? null : "row", class: classes(column)};
      return html(index ? "td" : "th", look, cellText(column, row));
    });
    const isSelected = options.selected && options.selected(row);
    return html("tr", {class: isSelected ? "selected" : null}, ...cells);
  });
  const frame = html(
    "div",
    {class: "scroll", tabindex: 0, role: "region", "aria-label": options.caption},
    html("table", {}, html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...body)),
  );
  return {frame, csv: () => csvOf(columns, rows)};
}

/** Rows as CSV, with plain numbers. */
function csvOf(columns, rows) {
  const names = columns.map((column) => column.name || column.key || column.title);
  const lines = rows.map((row) => columns.map((column) => valueOf(column, row)));
  return [names, ...lines].map((line) => `${line.map(csvField).join(",")}\n`).join("");
}

function csvField(value) {
  const text =
    value === null || value === undefined
      ? ""
      : Array.isArray(value)
        ? value.join("/")
        : String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Saves a text as a file, without any server. */
function save(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], {type}));
  const link = html("a", {href: address, download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
