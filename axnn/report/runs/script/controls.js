// What all cards share: their frame, choices, buttons; and the bar at the top of the page.

/** A card: title, a sentence, content. */
function card(title, text, content, kind = "") {
  return html(
    "section",
    {class: `card ${kind}`},
    html("h2", {}, title),
    html("p", {class: "says"}, text),
    content,
  );
}

/** A choice of one of several values; [value, title] each. */
function choice(key, title, options, values) {
  const select = html(
    "select",
    {
      onchange: () => {
        values[key] = select.value;
        refresh();
      },
      name: key,
    },
    ...options.map(([value, text]) =>
      html("option", {value, selected: String(values[key]) === value}, text),
    ),
  );
  return html("label", {class: "choice"}, `${title} `, select);
}

/** Boxes to check; [key, title] each. */
function checks(options, values) {
  return html(
    "div",
    {class: "checks"},
    ...options.map(([key, title]) => {
      const box = html("input", {
        type: "checkbox",
        name: key,
        checked: values[key],
        onchange: () => {
          values[key] = box.checked;
          refresh();
        },
      });
      return html("label", {}, box, ` ${title}`);
    }),
  );
}

/** A button that saves a text as a file. */
function download(name, text, type = "text/csv") {
  return html(
    "button",
    {type: "button", class: "save", "data-file": name, onclick: () => save(name, type, text())},
    `Save ${name}`,
  );
}

/** The bar: which run, which operating point, and its headline figures. */
function bar(runs, state) {
  const run = runs[state.run];
  const facts = html("dl", {class: "facts", "aria-live": "polite"});
  const {slider, steps, show} = pointPicker(run);
  updates.push(() => {
    const point = run.points[state.point];
    show(state.point);
    facts.replaceChildren(...headline(run, point).map(fact));
  });
  return html(
    "div",
    {class: "bar-inside"},
    runs.length > 1 ? runChoice(runs, state) : null,
    html("div", {class: "pick"}, slider, steps),
    facts,
  );
}

/** Slider and buttons for the operating points of a run; `show(index)` moves both. */
function pointPicker(run) {
  const slider = html("input", {
    type: "range",
    id: "point",
    min: 0,
    max: run.points.length - 1,
    step: 1,
    "aria-label": "operating point",
    oninput: () => choose(Number(slider.value)),
  });
  const buttons = run.points.map((point, index) =>
    html(
      "button",
      {type: "button", "data-point": index, onclick: () => choose(index)},
      point.title,
    ),
  );
  const steps = html("div", {class: "steps"}, ...buttons);
  const show = (chosen) => {
    slider.value = chosen;
    slider.setAttribute("aria-valuetext", run.points[chosen].title);
    buttons.forEach((each, index) => each.setAttribute("aria-pressed", index === chosen));
    const middle = buttons[chosen].offsetLeft + buttons[chosen].offsetWidth / 2;
    steps.scrollLeft = middle - steps.clientWidth / 2;
  };
  return {slider, steps, show};
}

function runChoice(runs, state) {
  const select = html(
    "select",
    {
      name: "run",
      onchange: () => {
        Object.assign(state, {run: Number(select.value), point: 0, criterion: "", loss: "all"});
        build();
      },
    },
    ...runs.map((each, index) =>
      html(
        "option",
        {value: index, selected: index === state.run},
        `${each.folder} (${each.name})`,
      ),
    ),
  );
  return html("label", {class: "choice"}, "Run ", select);
}

const fact = ([title, value, remark]) =>
  html(
    "div",
    {},
    html("dt", {}, title),
    html("dd", {}, value, remark ? html("small", {}, ` ${remark}`) : null),
  );

/** The headline figures of an operating point: name, value, a remark. */
function headline(run, point) {
  const exact = exactOf(run);
  const loss = 100 * (point.test - exact.test);
  const isExact = point === exact;
  return [
    [`Test ${run.quality}`, percent(point.test), isExact ? "" : `${signed(loss)} points`],
    ["Energy", energy(point.cost.energy_pj), ""],
    [
      "Less energy",
      times(saving(run, point)),
      isExact ? "" : `${times(pointRow(run, point).saving_with_memory)} with memories`,
    ],
    [
      "Cycles",
      number(point.cost.cycles, 4),
      isExact ? "" : `${times(exact.cost.cycles / point.cost.cycles)} fewer`,
    ],
  ];
}
