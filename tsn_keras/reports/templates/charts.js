// Calibration and learning curves by Vega-Lite, and colours by the reader's preference.

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const matrices = new Map();
const drawn = new Set();

function theme() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    ground: colour("ground"), raised: colour("raised"), text: colour("text"),
    soft: colour("soft"), line: colour("line"), bar: colour("bar"), other: colour("other"),
    ramp: dark.matches ? ["#27425c", "#3575ad", "#9bd5ff"]
      : ["#d9e8f5", "#7fb3dc", "#08386b"],
    mark: dark.matches ? "#ffb454" : "#c2410c",
  };
}

function config(colours) {
  const words = { labelColor: colours.text, titleColor: colours.text };
  return {
    background: colours.ground,
    axis: { ...words, gridColor: colours.line, domainColor: colours.soft,
      tickColor: colours.soft },
    legend: { ...words, labelLimit: 260 },
    title: { color: colours.text },
    view: { stroke: colours.line },
    range: { category: ["#3f8fd2", "#e08a2e", "#3aa17e", "#c868a6", "#b3a125", "#7a7fd6",
      "#d0604c"] },
  };
}

// Expressions are interpreted: the page's policy lets none be compiled.
function embed(box, spec, renderer) {
  const options = { ast: true, actions: false, renderer, config: config(theme()),
    tooltip: false, hover: false };
  return window.vegaEmbed(box, spec, options);
}

function reliability(one, several) {
  const bins = one.counts.length;
  const rows = one.counts.flatMap((count, k) => (count ? [{
    first: k / bins, last: (k + 1) / bins, count,
    right: one.accuracy[k], said: one.confidence[k],
  }] : []));
  const colours = theme();
  const x = { field: "first", type: "quantitative", scale: { domain: [0, 1] },
    axis: { title: "probability", format: ".0%", tickCount: 5 } };
  const share = (field) => ({ field, type: "quantitative", scale: { domain: [0, 1] },
    axis: { title: "share that is right", format: ".0%", tickCount: 5 } });
  return {
    data: { values: rows },
    title: `${shown(one.name)}, expected calibration error ${one.error.toFixed(2)} %`,
    description: `Reliability diagram of ${shown(one.name)}: `
      + rows.map((row) => `${row.count} predictions of ${percent(row.said)} %, `
        + `${percent(row.right)} % right`).join("; "),
    vconcat: [
      { width: 300, height: 220, layer: [
        { mark: { type: "rect", color: colours.bar, stroke: colours.ground },
          encoding: { x, x2: { field: "last" }, y: share("right"), y2: { datum: 0 } } },
        { data: { values: [{ a: 0 }, { a: 1 }] },
          mark: { type: "line", strokeDash: [4, 4], color: colours.soft },
          encoding: { x: { ...x, field: "a" }, y: share("a") } },
        { mark: { type: "point", filled: true, size: 45, color: colours.other },
          encoding: { x: { ...x, field: "said" }, y: share("right") } },
      ] },
      { width: 300, height: 60,
        mark: { type: "rect", color: colours.soft, stroke: colours.ground },
        encoding: { x, x2: { field: "last" }, y2: { datum: 0 },
          y: { field: "count", type: "quantitative",
            axis: { title: several ? "predictions" : "videos", tickCount: 3 } } } },
    ],
  };
}

function learning(lines, title) {
  const rows = lines.flatMap((line) => line.points.map(([iteration, value]) => {
    return { iteration, value, line: shown(line.name) };
  }));
  return {
    data: { values: rows },
    description: `Learning curves, ${title}: ` + lines.map((line) => {
      const [at, value] = line.points[line.points.length - 1];
      return `${shown(line.name)} ends with ${value} at ${at}`;
    }).join("; "),
    width: 420, height: 240,
    mark: { type: "line", point: rows.length < 80 },
    encoding: {
      x: { field: "iteration", type: "quantitative" },
      y: { field: "value", type: "quantitative", title, scale: { zero: false } },
      color: { field: "line", type: "nominal", title: null,
        legend: { orient: "bottom", columns: 1, symbolType: "stroke" } },
    },
  };
}

function chartsOf(test) {
  const isLoss = (line) => line.figure === "loss";
  const curves = [
    [test.curves.filter(isLoss), "loss"],
    [test.curves.filter((line) => !isLoss(line)), "percent"],
  ].filter(([lines]) => lines.length);
  return {
    calibration: test.calibration.map((one) => reliability(one, test.several)),
    curves: curves.map(([lines, title]) => learning(lines, title)),
  };
}

async function draw(number) {
  const part = document.querySelector(`[data-test="${number}"]`);
  if (part.hidden || drawn.has(number)) return;
  drawn.add(number);
  showCards(number);
  const charts = chartsOf(data[number]);
  const waiting = [];
  for (const box of part.querySelectorAll("[data-charts]")) {
    const boxes = charts[box.dataset.charts].map((spec) => {
      return [make("div", { class: "chart" }), spec];
    });
    box.replaceChildren(...boxes.map(([one]) => one));
    waiting.push(...boxes.map(([one, spec]) => embed(one, spec, "svg")));
  }
  if (!data[number].several) {
    if (!matrices.has(number)) matrices.set(number, new Matrix(number));
    waiting.push(matrices.get(number).draw(theme()));
  }
  await Promise.all(waiting);
  part.dataset.drawn = "true";
}

dark.addEventListener("change", () => {
  drawn.clear();
  data.forEach((_, number) => draw(number));
});
draw(0);
