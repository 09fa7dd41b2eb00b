// The confusion matrix: Vega draws, pointer and keyboard choose a cell and zoom.

const LEAST = 6; // classes that are shown at the closest

function matrixCells(test) {
  const size = test.classes.length;
  const rows = new Float64Array(size);
  const counts = new Map();
  test.videos.best.forEach((best, k) => {
    const label = test.videos.labels[k][0];
    rows[label] += 1;
    const key = label * size + best;
    counts.set(key, (counts.get(key) || 0) + 1);
  });
  const cells = [];
  for (const [key, count] of counts) {
    const label = Math.floor(key / size);
    cells.push({ x: key % size, y: label, share: (100 * count) / rows[label] });
  }
  return { cells, counts, rows };
}

function matrixSpec(test, cells, length, theme) {
  const size = test.classes.length;
  const axis = (orient, scale, more) => ({
    orient, scale, labelOverlap: "greedy", labelLimit: 110, tickMinStep: 1,
    labelFontSize: 10, grid: false, ticks: false, domain: false,
    tickCount: { signal: `min(60, ${scale}dom[1] - ${scale}dom[0])` },
    encode: { labels: { update: { text: { signal: "names[datum.value] || ''" } } } },
    ...more,
  });
  // Numbers of classes are in the middle of their cells, where the names stand.
  const edge = (scale) => ({ scale, signal: `datum.${scale} - 0.5` });
  // Of many classes a cell would be less than a pixel.
  const side = (name) => ({ signal: `max(2, scale("${name}", 1) - scale("${name}", 0))` });
  const rect = (stroke) => ({
    x: edge("x"), y: edge("y"), width: side("x"), height: side("y"),
    ...stroke,
  });
  const linear = (name, range) => ({ name, type: "linear", range, zero: false, nice: false,
    domain: { signal: `[${name}dom[0] - 0.5, ${name}dom[1] - 0.5]` } });
  return {
    $schema: "https://vega.github.io/schema/vega/v6.json",
    description: "confusion matrix", background: theme.ground,
    width: length, height: length, padding: 4, autosize: { type: "fit", contains: "padding" },
    signals: [
      { name: "names", value: test.classes.map(shown) },
      { name: "xdom", value: [0, size] },
      { name: "ydom", value: [0, size] },
    ],
    data: [
      { name: "cells", values: cells },
      { name: "cursor", values: [] },
    ],
    scales: [
      linear("x", "width"),
      linear("y", [0, { signal: "height" }]),
      // The root, so that single errors are seen too.
      { name: "colour", type: "sqrt", domain: [0, 100], range: theme.ramp },
    ],
    axes: [
      axis("left", "y", { title: "true class" }),
      axis("bottom", "x", { title: "taken for", labelAngle: -90, labelAlign: "right",
        labelBaseline: "middle" }),
    ],
    legends: [{ fill: "colour", title: "% of the row", orient: "right", gradientLength: 120,
      values: [0, 5, 25, 50, 100] }],
    marks: [{
      type: "group", clip: true,
      encode: { update: { width: { signal: "width" }, height: { signal: "height" },
        fill: { value: theme.raised }, stroke: { value: theme.line } } },
      marks: [
        { type: "rect", from: { data: "cells" },
          encode: { update: rect({ fill: { scale: "colour", field: "share" } }) } },
        { type: "rect", from: { data: "cursor" },
          encode: { update: rect({ fill: { value: "transparent" },
            stroke: { value: theme.mark }, strokeWidth: { value: 2.5 } }) } },
      ],
    }],
  };
}

class Matrix {
  constructor(number) {
    this.test = data[number];
    const part = document.querySelector(`[data-test="${number}"]`);
    this.box = part.querySelector(".matrix");
    this.told = part.querySelector(".cell");
    this.size = this.test.classes.length;
    Object.assign(this, matrixCells(this.test));
    this.reset();
    this.at = null;
    this.box.report = this; // For who looks at the page by a console.
    this.listen(part);
  }

  reset() {
    this.x = [0, this.size];
    this.y = [0, this.size];
  }

  async draw(theme) {
    const side = Math.max(280, Math.min(this.box.clientWidth - 14, 780));
    const spec = matrixSpec(this.test, this.cells, side, theme);
    const made = await embed(this.box, spec, "canvas");
    this.view = made.view;
    this.show();
  }

  show() {
    if (!this.view) return;
    const cursor = this.at ? [{ x: this.at[0], y: this.at[1] }] : [];
    this.view.signal("xdom", this.x).signal("ydom", this.y).data("cursor", cursor);
    this.view.runAsync();
  }

  // The place of a pointer in classes, [x, y]; null outside of the cells.
  place(event) {
    if (!this.view) return null;
    const canvas = this.box.querySelector("canvas").getBoundingClientRect();
    const origin = this.view.origin();
    const x = (event.clientX - canvas.left - origin[0]) / this.view.width();
    const y = (event.clientY - canvas.top - origin[1]) / this.view.height();
    if (x < 0 || y < 0 || x >= 1 || y >= 1) return null;
    return [this.x[0] + x * (this.x[1] - this.x[0]), this.y[0] + y * (this.y[1] - this.y[0])];
  }

  zoom(factor, around) {
    const least = Math.min(LEAST, this.size);
    const span = Math.max(least, Math.min(this.size, factor * (this.x[1] - this.x[0])));
    const [x, y] = around || this.middle();
    this.x = this.span(this.x, x, span);
    this.y = this.span(this.y, y, span);
    if (around || !this.at) this.show();
    else this.showChosen();
  }

  middle() {
    if (this.at) return [this.at[0] + 0.5, this.at[1] + 0.5];
    return [(this.x[0] + this.x[1]) / 2, (this.y[0] + this.y[1]) / 2];
  }

  // A stretch of `span` classes in which a place stays where it is, within all classes.
  span(old, fixed, span) {
    const share = (fixed - old[0]) / (old[1] - old[0]);
    const inside = Math.max(0, Math.min(1, share));
    const first = Math.max(0, Math.min(this.size - span, fixed - inside * span));
    return [first, first + span];
  }

  shift(x, y) {
    const move = (old, by) => {
      const span = old[1] - old[0];
      const first = Math.max(0, Math.min(this.size - span, old[0] + by));
      return [first, first + span];
    };
    this.x = move(this.x, x);
    this.y = move(this.y, y);
    this.show();
  }

  choose(x, y) {
    const inside = (value) => Math.max(0, Math.min(this.size - 1, value));
    this.at = [inside(x), inside(y)];
    this.showChosen();
    this.told.textContent = this.words(...this.at);
  }

  // The whole of the cell that is chosen is seen.
  showChosen() {
    const need = (at, dom) => Math.min(0, at - dom[0]) + Math.max(0, at + 1 - dom[1]);
    this.shift(need(this.at[0], this.x), need(this.at[1], this.y));
  }

  words(best, label) {
    const count = this.counts.get(label * this.size + best) || 0;
    const name = (k) => shown(this.test.classes[k]);
    const taken = best === label ? "right" : `taken for ${name(best)}`;
    return `${name(label)} ${taken}: ${count} of ${this.rows[label]} videos`;
  }

  list() {
    if (this.at) listVideos(this.test, ...cellList(this.test, this.at[1], this.at[0]));
  }

  listen(part) {
    const { box } = this;
    box.addEventListener("wheel", (event) => {
      const at = this.place(event);
      if (!at) return;
      event.preventDefault();
      this.zoom(event.deltaY > 0 ? 1.25 : 0.8, at);
    }, { passive: false });
    let from = null;
    let moved = 0;
    box.addEventListener("pointerdown", (event) => {
      from = this.place(event);
      moved = 0;
      if (from) box.setPointerCapture(event.pointerId);
    });
    box.addEventListener("pointermove", (event) => {
      const at = this.place(event);
      if (at && from && event.buttons) {
        moved += Math.abs(event.movementX) + Math.abs(event.movementY);
        if (moved > 4) this.shift(from[0] - at[0], from[1] - at[1]);
      } else if (at) {
        this.told.textContent = this.words(Math.floor(at[0]), Math.floor(at[1]));
      }
    });
    box.addEventListener("pointerup", (event) => {
      const at = this.place(event);
      if (at && from && moved <= 4) {
        this.choose(Math.floor(at[0]), Math.floor(at[1]));
        this.list();
      }
      from = null;
    });
    box.addEventListener("keydown", (event) => this.key(event));
    for (const button of part.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => this.keys()[button.dataset.zoom]());
    }
  }

  keys() {
    const [x, y] = this.at || [0, -1];
    const all = () => {
      this.reset();
      this.show();
    };
    const closer = () => this.zoom(0.7);
    const further = () => this.zoom(1 / 0.7);
    return {
      ArrowLeft: () => this.choose(x - 1, Math.max(0, y)),
      ArrowRight: () => this.choose(x + 1, Math.max(0, y)),
      ArrowUp: () => this.choose(x, y - 1),
      ArrowDown: () => this.choose(x, y + 1),
      Home: () => this.choose(0, Math.max(0, y)),
      End: () => this.choose(this.size - 1, Math.max(0, y)),
      Enter: () => this.list(),
      " ": () => this.list(),
      "+": closer, "=": closer, in: closer, "-": further, out: further, 0: all, all,
    };
  }

  key(event) {
    const action = this.keys()[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  }
}
