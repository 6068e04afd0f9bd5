// Tables: operating points, layers, trials, and where the figures come from.

/** All operating points. */
function pointsCard(run, state) {
  const float = run.float_accuracy === null ? "not evaluated" : percent(run.float_accuracy);
  const shown = table(
    POINT_COLUMNS,
    run.points.map((point) => pointRow(run, point)),
    {caption: "operating points", selected: (row) => row.point === run.points[state.point].title},
  );
  return card(
    "Operating points",
    `Test ${run.quality} of the network in floating point: ${float}.`,
    html("div", {}, shown.frame, download("points.csv", shown.csv)),
    "wide",
  );
}

/** The layers at the chosen point. */
function layersCard(run, state) {
  const point = run.points[state.point];
  const rows = run.layers.map((layer, index) => ({layer, cost: point.cost.layers[index]}));
  const shown = table(layerColumns(run, point), rows, {caption: "layers"});
  return card(
    "Layers in numbers",
    `${point.title}, on ${point.cost.engine}; for one sample.`,
    html("div", {}, shown.frame, download("layers.csv", shown.csv)),
    "wide",
  );
}

function layerColumns(run, point) {
  const four = (value) => number(value, 4);
  const engine = Object.keys(run.units).filter((unit) => unit !== "memory");
  const ofCost = (title, name, more = {}) => ({
    title,
    name,
    value: ({cost}) => cost[name],
    format: four,
    ...more,
  });
  const ofUnit = ([unit, title]) =>
    ofCost(title, `${unit}_pj`, {
      value: ({cost}) => cost.units_pj[unit],
      format: energy,
      screen: true,
    });
  const autonomous = [
    ofCost("cycles, own memories", "autonomous_cycles", {
      value: ({cost}) => cost.autonomous.cycles,
    }),
    ofCost("stalled", "autonomous_stalled", {value: ({cost}) => cost.autonomous.stalled}),
  ];
  return [
    {title: "layer", value: ({layer}) => layer.name, text: true},
    {title: "results", value: ({layer}) => shapeText(layer.shape)},
    {title: "fan-in", name: "fan_in", value: ({layer}) => layer.fan_in, format: four},
    ofCost("MACs", "macs"),
    ofCost("energy", "energy_pj", {
      value: ({cost}) => engine.reduce((sum, unit) => sum + cost.units_pj[unit], 0),
      format: energy,
    }),
    ...Object.entries(run.units).map(ofUnit),
    ofCost("cycles", "cycles"),
    ofCost("with operands", "beats", {screen: true}),
    ofCost("words moved", "words"),
    ...(point.cost.start === null ? [] : autonomous),
  ];
}

const TRIAL_COLUMNS = [
  {title: "trial", key: "number"},
  {title: "stage", key: "stage", text: true},
  {title: "lowered", key: "lowered"},
  {
    title: "before",
    name: "before_retraining",
    key: "before_retraining",
    format: (value) => percent(value),
  },
  {title: "retrained", key: "accuracy", format: (value) => percent(value)},
  {title: "energy", key: "energy_pj", format: energy},
  {title: "kept", key: "kept", format: (value) => (value ? "kept" : "taken back"), text: true},
  {title: "passes", key: "passes"},
  {
    title: "neurons by width",
    name: "histogram",
    value: (trial) => saidWidths(trial.histogram),
    text: true,
  },
];

/** The trials of the chosen point's search, or of the first one. */
function trialsCard(run, state) {
  const point = run.points[state.point];
  const name = run.trials[point.name] ? point.name : Object.keys(run.trials)[0];
  const shown = table(TRIAL_COLUMNS, run.trials[name], {caption: "trials"});
  return card(
    "Trials in numbers",
    `Of ${pointTitle(run, name)}; energies of a sample, accuracies on validation, passes over ` +
      "the training part.",
    html(
      "div",
      {},
      shown.frame,
      download("trials.csv", shown.csv),
      download("neurons.csv", () => neuronTable(run, point)),
    ),
    "wide",
  );
}

/** Width and score of every neuron. */
function neuronTable(run, point) {
  const rows = run.layers.flatMap((layer, index) => {
    const widths = unpacked(point.cost.layers[index].widths);
    return run.scores[run.criterion][index].map((score, neuron) => ({
      layer: layer.name,
      neuron,
      width: widths[neuron],
      score,
    }));
  });
  const keys = ["layer", "neuron", "width", "score"];
  return csvOf(
    keys.map((key) => ({title: key, key})),
    rows,
  );
}

/** Where the figures come from. */
function provenanceCard(run) {
  return card(
    "Where the figures come from",
    "The JSON document holds everything that this page shows.",
    html(
      "dl",
      {class: "provenance"},
      ...run.provenance.flatMap(([name, value]) => [html("dt", {}, name), html("dd", {}, value)]),
    ),
    "wide",
  );
}
