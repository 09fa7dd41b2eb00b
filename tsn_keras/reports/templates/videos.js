// Lists of videos in a dialog, and cards of single ones.

const PAGE = 100; // rows of the dialog at a time

const dialog = document.getElementById("videos");
const search = document.getElementById("videos-search");
const list = { test: null, chosen: [], found: [], first: 0, by: null, direction: 1 };

function classNames(test, labels) {
  return labels.map((label) => shown(test.classes[label])).join(", ") || "none";
}

// The columns of a list: heading, value to sort by, text.
function columns(test) {
  const videos = test.videos;
  const number = (values, text) => [(k) => values[k] ?? "", (k) => text(values[k])];
  const word = (text) => [text, text];
  const found = [
    ["video", true, ...word((k) => shown(videos.id[k]))],
    [test.several ? "classes" : "class", true,
      ...word((k) => classNames(test, videos.labels[k]))],
    ["best class", true, ...word((k) => shown(test.classes[videos.best[k]]))],
    [test.chances ? "its probability" : "its score", false,
      ...number(videos.sure, (value) => told(test, value))],
    [test.several ? "lowest of its classes" : "own class", false,
      ...number(videos.true, (value) => told(test, value))],
  ];
  if (test.several) {
    found.push(["average precision", false, ...number(videos.merit, percent)]);
  }
  (videos.streams || []).forEach((best, place) => {
    const name = (k) => (best[k] < 0 ? "" : shown(test.classes[best[k]]));
    found.push([shown(test.streams[place]) + " alone", true, ...word(name)]);
  });
  return found;
}

function cellsOf(test, k) {
  const cells = columns(test).map(([, words, , text], place) => {
    const right = place === 2 ? (test.videos.right[k] ? " right" : " wrong") : "";
    const name = (words ? "text" : "") + right;
    return make(place ? "td" : "th", { class: name, ...(place ? {} : { scope: "row" }) },
      text(k));
  });
  const example = test.examples.shown[k];
  if (example && example.pictures.length) {
    cells[0].append(make("img", { src: example.pictures[0].source, width: 168,
      alt: "three frames of the video" }));
  }
  return cells;
}

function fill() {
  const { test, found, first } = list;
  const rows = found.slice(first, first + PAGE).map((k) => {
    return make("tr", {}, ...cellsOf(test, k));
  });
  dialog.querySelector("tbody").replaceChildren(...rows);
  const last = Math.min(first + PAGE, found.length);
  document.getElementById("videos-range").textContent = found.length
    ? `${first + 1} to ${last} of ${found.length}` : "no videos";
  document.getElementById("videos-back").disabled = first === 0;
  document.getElementById("videos-next").disabled = last === found.length;
  dialog.querySelector(".scroll").scrollTop = 0;
}

function head() {
  const cells = columns(list.test).map(([name, words], place) => {
    const direction = list.direction > 0 ? "ascending" : "descending";
    const click = () => {
      list.direction = list.by === place ? -list.direction : words ? 1 : -1;
      list.by = place;
      select();
      dialog.querySelectorAll("thead button")[place].focus();
    };
    return make("th", { scope: "col", class: words ? "text" : "",
      "aria-sort": list.by === place ? direction : "none" },
    make("button", { type: "button", click }, name));
  });
  dialog.querySelector("thead").replaceChildren(make("tr", {}, ...cells));
}

function select() {
  const { test, chosen, by, direction } = list;
  const wanted = search.value.trim().toLowerCase();
  const texts = (k) => [test.videos.id[k], classNames(test, test.videos.labels[k]),
    test.classes[test.videos.best[k]]];
  list.found = wanted
    ? chosen.filter((k) => texts(k).some((text) => text.toLowerCase().includes(wanted)))
    : chosen.slice();
  if (by !== null) {
    const value = columns(test)[by][2];
    const keyed = list.found.map((k) => [value(k), k]);
    keyed.sort((a, b) => compare(a[0], b[0], direction));
    list.found = keyed.map(([, k]) => k);
  }
  list.first = 0;
  head();
  fill();
}

function listVideos(test, title, isWanted) {
  const all = Array.from(test.videos.id.keys());
  Object.assign(list, { test, chosen: all.filter(isWanted), by: null, direction: 1 });
  const count = list.chosen.length;
  document.getElementById("videos-title").textContent =
    `${title}: ${count} ${count === 1 ? "video" : "videos"}`;
  search.value = "";
  select();
  if (!dialog.open) dialog.showModal();
}

const LISTS = {
  all: () => ["All", () => true],
  class: (test, about) => {
    const label = Number(about.class);
    return [shown(test.classes[label]), (k) => test.videos.labels[k].includes(label)];
  },
  cell: (test, about) => cellList(test, Number(about.class), Number(about.best)),
  effect: (test, about) => {
    const row = test.videos.effects[Number(about.stream)];
    const verb = about.effect === "1" ? "Saved" : "Lost";
    return [`${verb} by ${shown(test.streams[Number(about.stream)])}`,
      (k) => row[k] === Number(about.effect)];
  },
  pattern: (test, about) => {
    const right = Array.from(about.pattern, (digit) => digit === "1");
    const names = [...test.streams.map(shown), "fusion"];
    const words = names.map((name, k) => `${name} ${right[k] ? "right" : "wrong"}`);
    const is = (k) => [
      ...test.videos.streams.map((best) => best[k] === test.videos.labels[k][0]),
      Boolean(test.videos.right[k]),
    ];
    return [words.join(", "), (k) => is(k).every((one, j) => one === right[j])];
  },
};

function cellList(test, label, best) {
  const taken = label === best ? "taken for itself"
    : `taken for ${shown(test.classes[best])}`;
  return [`${shown(test.classes[label])} ${taken}`,
    (k) => test.videos.labels[k][0] === label && test.videos.best[k] === best];
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-list]");
  if (!button) return;
  const test = data[Number(button.closest(".test").dataset.test)];
  listVideos(test, ...LISTS[button.dataset.list](test, button.dataset));
});
search.addEventListener("input", select);
document.getElementById("videos-close").addEventListener("click", () => dialog.close());
for (const [name, step] of [["back", -PAGE], ["next", PAGE]]) {
  document.getElementById(`videos-${name}`).addEventListener("click", () => {
    list.first += step;
    fill();
  });
}

// Bars of the classes of a video: of the fusion, and of each stream.
function bars(test, k, example) {
  const most = test.chances ? 1 : Math.max(...example.values[0].map(Math.abs), 1e-9);
  const names = ["fusion", ...test.streams];
  const alone = test.streams.length === 1;
  const lines = alone ? example.values.slice(0, 1) : example.values;
  const rows = example.classes.map((label, place) => {
    const tracks = lines.map((values, line) => {
      const share = line && !test.chances ? values[place] : Math.abs(values[place]) / most;
      const width = Math.max(0, Math.min(100, 100 * share));
      const text = `${shown(names[line])} ${line ? percent(values[place])
        : told(test, values[place])}`;
      const bar = make("i", { style: `width:${width}%` });
      return make("span", { class: "track", title: alone ? "" : text }, bar);
    });
    const own = test.videos.labels[k].includes(label);
    return make("tr", {},
      make("th", { scope: "row", class: own ? "own right" : "" },
        shown(test.classes[label]) + (own ? " (own)" : "")),
      make("td", {}, ...tracks),
      make("td", { class: "number" }, told(test, lines[0][place])));
  });
  return make("table", { class: "bars", "aria-label": "scores of the best classes" },
    make("tbody", {}, ...rows));
}

// What a card says of a video: its best class; of several the best that is wrong.
function verdict(test, k, kind) {
  const unit = test.chances ? " %" : "";
  const example = test.examples.shown[k];
  if (test.several && kind === "confident") {
    const name = shown(test.classes[example.wrong]);
    return ["not: ", "wrong", `${name} ${told(test, example.sure)}${unit}`];
  }
  const { best, right, sure } = test.videos;
  const name = shown(test.classes[best[k]]);
  return ["best: ", right[k] ? "right" : "wrong", `${name} ${told(test, sure[k])}${unit}`];
}

function card(test, k, kind) {
  const example = test.examples.shown[k];
  const videos = test.videos;
  const [before, kindOf, words] = verdict(test, k, kind);
  const pictures = example.pictures.map((one) => make("img", { src: one.source,
    loading: "lazy",
    alt: `three moments of the video: ${one.kind === "flow" ? "motion" : "frames"}` }));
  return make("article", { class: "card" },
    make("h4", {}, shown(videos.id[k])),
    make("p", {}, `${classNames(test, videos.labels[k])}; ${before}`,
      make("span", { class: kindOf }, words)),
    ...pictures,
    bars(test, k, example));
}

function showCards(number) {
  const test = data[number];
  const part = document.querySelector(`[data-test="${number}"]`);
  for (const kind of ["worst", "confident"]) {
    const cards = test.examples[kind].map((k) => card(test, k, kind));
    const none = make("p", { class: "soft" }, "There are none.");
    part.querySelector(`[data-cards="${kind}"]`)
      .replaceChildren(...(cards.length ? cards : [none]));
  }
}
