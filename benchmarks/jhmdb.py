"""Two-stream TSN on J-HMDB: trains, tests, fuses, and says what each part is worth.

    python -m tsn_keras.extract VIDEOS frames/jhmdb --flow-device auto
    python benchmarks/jhmdb.py train --data frames/jhmdb --annotations SPLITS
    python benchmarks/jhmdb.py studies --data frames/jhmdb --annotations SPLITS
    python benchmarks/jhmdb.py report

VIDEOS holds the 928 clips in class folders, SPLITS HMDB51's split files. Each run is
that of a file configs/jhmdb_*.toml, with what RUNS changes of it; the most important
come first. Runs that are done are not made again, and one that was stopped resumes.
What is left of a run, but for its weights, is kept in benchmarks/results/jhmdb/RUN. The
studies are those of configs/studies/jhmdb_*.toml; `--cells` makes some of their cells
alone, as those of RGB where there is no flow.

    python benchmarks/jhmdb.py choose ...    # rates and lengths, on training clips only

leaves the test clips alone: it trains on four fifths of the training clips and
validates on the rest, no recording on both sides.
"""

import argparse
import csv
import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys
import time
import zlib

import machine
import numpy as np

from tsn_keras.datasets import selection
from tsn_keras.datasets.records import Choice
from tsn_keras.scores import confusion, joining, metrics
from tsn_keras.scores.score_file import ScoreFile

ROOT = pathlib.Path(__file__).resolve().parents[1]
KEPT = ROOT / "benchmarks/results/jhmdb"
TABLE = ROOT / "benchmarks/results/jhmdb.csv"
STUDIES = ("components", "segments", "consensus", "systems")
STUDIES_TABLE = ROOT / "benchmarks/results/jhmdb_studies.csv"
FIFTHS = 5
IN_README = ("TSN, 3 segments", "RGB + flow, 1 : 1.5", "all three, 1 : 1.5 : 1")
FIGURES = (
    *("mean_class_accuracy", "top1", "top5", "videos", "of"),
    *("protocol", "snippets", "crops"),
)
MEASURED = ("segments", "seed", "iterations", "minutes", "test_minutes")
LAST = "last.weights.h5"


@dataclasses.dataclass(frozen=True)
class Run:
    """A training run.

    Attributes:
        modality: which names the training file.
        what: what is new in it, for the table.
        changes: {section.key: value} that it does not share with the file.
    """

    modality: str
    what: str
    changes: dict = dataclasses.field(default_factory=dict)


RUNS = {
    "rgb": Run("rgb", "TSN, 3 segments"),
    "flow": Run("flow", "TSN, 3 segments"),
    "rgbdiff": Run("rgbdiff", "TSN, 3 segments"),
    "rgb_seed1": Run("rgb", "TSN, 3 segments", {"train.seed": 1}),
    "rgb_seed2": Run("rgb", "TSN, 3 segments", {"train.seed": 2}),
}
# Streams that are fused: (name, {run: weight}).
FUSIONS = (
    ("RGB + flow, 1 : 1", {"rgb": 1.0, "flow": 1.0}),
    ("RGB + flow, 1 : 1.5", {"rgb": 1.0, "flow": 1.5}),
    ("RGB + flow, 1 : 2", {"rgb": 1.0, "flow": 2.0}),
    ("RGB + RGB difference, 1 : 1", {"rgb": 1.0, "rgbdiff": 1.0}),
    ("all three, 1 : 1.5 : 1", {"rgb": 1.0, "flow": 1.5, "rgbdiff": 1.0}),
)


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, names in (("train", RUNS), ("choose", RUNS), ("studies", STUDIES)):
        command = commands.add_parser(name)
        add = command.add_argument
        add("--data", required=True, help="folder of the frame folders")
        add("--annotations", required=True, help="folder of HMDB51's split files")
        add(
            "--only", nargs="+", choices=list(names), default=list(names), metavar="RUN"
        )
        if names is STUDIES:
            add("--cells", nargs="+", default=[], help="of these studies, these alone")
        add("--runs", type=pathlib.Path, default=pathlib.Path("runs/jhmdb"))
        if names is RUNS:
            add("--precision", default="float32", help="of training and test")
        add("--set", action="append", default=[], help="as that of tsn_keras.train")
    commands.add_parser("report")
    return parser.parse_args()


def command(run, args, out):
    """The command of a run."""
    changes = {"data.root": args.data, **run.changes}
    if args.command == "train":
        changes["data.annotations"] = args.annotations
    return [
        *(sys.executable, "-m", "tsn_keras.train", "--out", str(out)),
        *("--config", str(ROOT / f"configs/jhmdb_{run.modality}.toml")),
        *("--precision", args.precision, *settings(changes, args)),
    ]


def settings(changes, args):
    """{section.key: value} as options of a command, and what the user sets."""
    values = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    return [part for value in (*values, *args.set) for part in ("--set", value)]


def train(args):
    """Makes the runs that are not done, and keeps what is small of them."""
    for name in args.only:
        kept = KEPT / name
        if (kept / "result.json").exists():
            continue
        out = args.runs / name
        called(name, command(RUNS[name], args, out))
        scores = out / "scores.h5"
        start = time.monotonic()
        result = called(name, test(RUNS[name], args, out / LAST, scores))
        about = {**machine.facts(), "precision": args.precision}
        about["training_seconds"] = seconds(out / "log.csv")
        about["test_seconds"] = round(time.monotonic() - start, 1)
        kept.mkdir(parents=True, exist_ok=True)
        for file in ("log.csv", "validation.csv", "run.json"):
            shutil.copy(out / file, kept / file)
        write_scores(scores, kept / "scores.csv")
        (row,) = result["results"]
        about |= {key: row[key] for key in FIGURES}
        (kept / "result.json").write_text(json.dumps(about, indent=1) + "\n")


def test(run, args, weights, scores):
    """The command of the protocol's test."""
    return [
        *(sys.executable, "-m", "tsn_keras.eval", "--dataset", "jhmdb", "--split", "1"),
        *("--modality", run.modality, "--data", args.data),
        *("--annotations", args.annotations, "--precision", args.precision),
        *("--weights", str(weights), "--scores", str(scores)),
    ]


def called(name, argv):
    """What a command of ours tells in its last line; ends if it fails."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name}: exit status {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def seconds(log):
    """Time of all updates of a run, as its log tells it."""
    with log.open(newline="") as file:
        speeds = [float(row["videos_per_s"]) for row in csv.DictReader(file)]
    batch = json.loads((log.parent / "run.json").read_text())["settings"]["train.batch"]
    return round(sum(batch / speed for speed in speeds), 1)


def choose(args):
    """Trains on four fifths of the training clips, validates on the others."""
    choice = Choice("jhmdb", 1, root=args.data, annotations=args.annotations)
    _, _, split = selection.read(choice)
    folder = args.runs / "choice"
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"train": [], "held": []}
    for video in split.train:
        # Clips of one recording share what stands before the class in their names.
        recording = video.id.rpartition(f"_{video.folder}_")[0]
        held = zlib.crc32(f"{video.folder}/{recording}".encode()) % FIFTHS == 0
        line = f"{video.folder}/{video.id} 1 {video.label}\n"
        parts["held" if held else "train"].append(line)
    for part, lines in parts.items():
        (folder / f"{part}.txt").write_text("".join(lines))
        print(f"{part}: {len(lines)} clips")
    (folder / "classes.txt").write_text("\n".join(split.classes) + "\n")
    lists = {
        "dataset": "list",
        "annotations": folder / "train.txt",
        "validation": folder / "held.txt",
        "classes": folder / "classes.txt",
    }
    args.set += [f"data.{key}={value}" for key, value in lists.items()]
    for name in args.only:
        subprocess.run(command(RUNS[name], args, folder / name), check=True)


def studies(args):
    """Makes the runs of the studies that are not done, and writes their figures."""
    changes = {"data.root": args.data, "data.annotations": args.annotations}
    rows, facts = [], machine.facts()
    for name in args.only:
        file = ROOT / f"configs/studies/jhmdb_{name}.toml"
        argv = [sys.executable, "-m", "tsn_keras.study", str(file)]
        argv += ["--runs", str(args.runs / "studies"), *settings(changes, args)]
        if args.cells:
            argv += ["--only", *args.cells]
        found = called(name, argv)
        rows += [
            {
                "study": name,
                **{key: cell[key] for key in ("row", "column", "value", "videos")},
                **facts,
            }
            for cell in found["cells"]
            if cell["value"] is not None
        ]
    kept = []
    if STUDIES_TABLE.exists():
        with STUDIES_TABLE.open(newline="") as file:
            kept = [
                row for row in csv.DictReader(file) if row["study"] not in args.only
            ]
        STUDIES_TABLE.unlink()
    machine.append(STUDIES_TABLE, [*kept, *rows])


def write_scores(source, target):
    """Keeps a score for each video and class: the mean over snippets and crops."""
    with ScoreFile(source) as file:
        found = joining.aggregate_file(file)
        names, classes = list(file.video_ids), list(file.classes)
        labels = [int(label) for label in file.labels]
    with target.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["video", "label", *classes])
        for name, label, row in zip(names, labels, found.scores, strict=True):
            writer.writerow([name, label, *(f"{value:.6g}" for value in row)])


def read_scores(name):
    """(videos, labels, scores, classes) of a run that is kept."""
    with (KEPT / name / "scores.csv").open(newline="") as file:
        header, *rows = list(csv.reader(file))
    videos = [row[0] for row in rows]
    labels = np.array([int(row[1]) for row in rows])
    return videos, labels, np.array([row[2:] for row in rows], float), header[2:]


def fused(weights):
    """(labels, scores, classes) of a weighted sum of kept runs."""
    parts = [read_scores(name) for name in weights]
    if any(part[0] != parts[0][0] for part in parts):
        raise SystemExit(f"{', '.join(weights)} were not tested on the same videos")
    scores = joining.fuse([part[2] for part in parts], weights.values())
    return parts[0][1], scores, parts[0][3]


def report():
    """Writes the table, the pictures and the CSV of what is kept."""
    done = [name for name in RUNS if (KEPT / name / "result.json").exists()]
    rows = []
    for name in done:
        result = json.loads((KEPT / name / "result.json").read_text())
        record = json.loads((KEPT / name / "run.json").read_text())
        rows.append(row(name, RUNS[name].modality, RUNS[name].what, {name: 1.0}))
        rows[-1] |= {
            "segments": record["settings"]["model.segments"],
            "seed": record["settings"]["train.seed"],
            "iterations": record["iterations"],
            "minutes": round(result["training_seconds"] / 60, 1),
            "test_minutes": round(result["test_seconds"] / 60, 1),
            "precision": result["precision"],
            **{key: result[key] for key in machine.facts()},
        }
    for what, weights in FUSIONS:
        if set(weights) <= set(done):
            rows.append(rows[-1] | row("", "fusion", what, weights))
            rows[-1] |= dict.fromkeys(MEASURED, "")
    newest = max(one["date"] for one in rows)
    for one in rows:
        one["date"] = newest  # A table shows the rows of one day.
        one["in_readme"] = "yes" if one["what"] in IN_README else ""
    TABLE.unlink(missing_ok=True)
    machine.append(TABLE, rows)
    draw_curves([name for name in ("rgb", "flow", "rgbdiff") if name in done])
    best = FUSIONS[1][1]
    if set(best) <= set(done):
        draw_confusion(best)
    for one in rows:
        print(f"{one['stream']:8} {one['what']:32} {one['mean_class_accuracy']:6.2f}")


def row(name, stream, what, weights):
    """Figures of a weighted sum of runs."""
    labels, scores, _ = fused(weights)
    found = metrics.accuracy(scores, labels)
    return {
        "run": name,
        "stream": stream,
        "what": what,
        "videos": len(labels),
        "mean_class_accuracy": round(found.mean_class_accuracy, 2),
        "top1": round(found.top1, 2),
        "top5": round(found.top5, 2),
    }


def draw_confusion(weights):
    """The confusion matrix, and each class's accuracy by stream and fused."""
    labels, scores, classes = fused(weights)
    matrix = metrics.confusion_matrix(scores.argmax(1), labels, len(classes))
    share = 100 * np.mean(scores.argmax(1) == labels)
    confusion.write(
        matrix,
        classes,
        KEPT / "confusion.png",
        KEPT / "confusion.csv",
        f"J-HMDB, split 1, RGB + flow: {share:.1f} %",
    )
    columns = {}
    for name, part in {**{n: {n: 1.0} for n in weights}, "fusion": weights}.items():
        _, scores, _ = fused(part)
        matrix = metrics.confusion_matrix(scores.argmax(1), labels, len(classes))
        columns[name] = metrics.per_class_accuracy(matrix)
    with (KEPT / "classes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["class", "videos", *columns])
        for label, name in enumerate(classes):
            shares = (f"{100 * column[label]:.1f}" for column in columns.values())
            writer.writerow([name, int((labels == label).sum()), *shares])


def draw_curves(names):
    """Losses and accuracies over the iterations, of the three streams."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    losses, accuracies = figure.subplots(1, 2)
    for name in names:
        steps, tests = (
            list(csv.DictReader((KEPT / name / file).open(newline="")))
            for file in ("log.csv", "validation.csv")
        )
        loss = np.array([float(step["loss"]) for step in steps])
        window = np.ones(20) / 20
        smooth = np.convolve(loss, window, "valid")
        losses.plot(np.arange(len(smooth)) + len(window), smooth, label=name)
        accuracies.plot(
            [int(test["iteration"]) for test in tests],
            [float(test["mean_class_accuracy"]) for test in tests],
            marker="o",
            label=name,
        )
    losses.set(xlabel="iteration", ylabel="training loss, mean of 20", ylim=(0, None))
    accuracies.set(
        xlabel="iteration", ylabel="mean class accuracy, %: one crop", ylim=(0, 100)
    )
    losses.legend()
    figure.savefig(KEPT / "curves.png", dpi=120)


def main():
    args = parse_args()
    if args.command == "report":
        report()
    else:
        {"train": train, "choose": choose, "studies": studies}[args.command](args)


if __name__ == "__main__":
    main()
