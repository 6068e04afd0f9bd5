// Energy of systems with an autonomous engine.

const NO_SIDE = ["engine", "on_chip_memories", "external_memory"];

/** What the table shows of parts: those of the engine and of each unit, and sums. */
function systemRows(run, parts) {
  const sum = (names) => names.reduce((total, name) => total + parts[name], 0);
  const names = Object.keys(run.system_parts);
  const side = names.filter((name) => !NO_SIDE.includes(name));
  const row = (name) => [name, run.system_parts[name], parts[name]];
  return [
    row("engine"),
    ...side.map(row),
    ["memory_side", "memory side, all units", sum(side)],
    row("on_chip_memories"),
    ["with_memory", "engine, memory side, on-chip memories", sum(names) - parts.external_memory],
    row("external_memory"),
    ["system", "system", sum(names)],
  ];
}

const isKnown = (point) => Object.keys(point.cost.system.parts_pj).length > 0;

/** The card. */
function systemCard(run, state) {
  const point = run.points[state.point];
  const {note} = point.cost.system;
  const content = html("div", {});
  if (isKnown(point)) content.append(systemTable(run, point));
  if (run.points.some(isKnown)) content.append(download("systems.csv", () => allSystems(run)));
  return card(
    "Energy of an autonomous engine and its memories",
    `${point.title}, on ${point.cost.engine} with memories of default sizes: one sample in a run ` +
      `that is not the first. ${note}`,
    content,
    "wide",
  );
}

function systemTable(run, point) {
  const exact = exactOf(run);
  const rows = systemRows(run, point.cost.system.parts_pj);
  const before = isKnown(exact) ? systemRows(run, exact.cost.system.parts_pj) : null;
  const total = rows.at(-1)[2];
  const columns = [
    {title: "part", value: ({title}) => title, text: true},
    {title: "energy", value: ({pj}) => pj, format: energy},
    {title: "share", value: ({pj}) => pj / total, format: (value) => percent(value, 1)},
    {title: "exact network", value: ({exactPj}) => exactPj, format: energy},
    {
      title: "less energy",
      value: ({pj, exactPj}) => (pj > 0 && exactPj !== null ? exactPj / pj : null),
      format: times,
    },
  ];
  const shown = rows.map(([name, title, pj], index) => ({
    name,
    title,
    pj,
    exactPj: before ? before[index][2] : null,
  }));
  return table(columns, shown, {
    caption: "energy of an autonomous engine and its memories by part",
    selected: ({name}) => name === "system",
  }).frame;
}

/** All parts of all points. */
function allSystems(run) {
  const rows = run.points.map((point) => ({
    point: point.title,
    parts: isKnown(point) ? systemRows(run, point.cost.system.parts_pj) : [],
    note: point.cost.system.note,
  }));
  const names = rows.find(({parts}) => parts.length).parts.map(([name]) => name);
  return csvOf(
    [
      {title: "point", key: "point"},
      ...names.map((name, index) => ({
        title: `${name}_pj`,
        value: ({parts}) => (parts.length ? parts[index][2] : null),
      })),
      {title: "note", key: "note"},
    ],
    rows,
  );
}
