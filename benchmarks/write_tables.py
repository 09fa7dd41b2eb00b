"""Writes the tables of README.md and benchmarks/README.md from results/*.csv.

    python benchmarks/write_tables.py            # write them
    python benchmarks/write_tables.py --check    # exit status 1 if one is out of date

A table stands between `<!-- table NAME -->` and `<!-- end -->`. No measured number is
typed: a benchmark writes its rows, this script the tables.
"""

import argparse
import csv
import dataclasses
import pathlib
import re
import sys
from collections.abc import Callable

import torch_networks

HERE = pathlib.Path(__file__).parent
RESULTS = HERE / "results"
PAGES = (HERE.parent / "README.md", HERE / "README.md")


def _number(digits):
    """Function of a CSV text to a number with so many digits; "" stays."""
    return lambda text: f"{float(text):.{digits}f}" if text else ""


def _percent(text):
    return f"{100 * float(text):.1f} %" if text else ""


def _ratio(text):
    """A ratio over something else; over itself it says nothing."""
    return "" if not text or float(text) in (0.0, 1.0) else f"{float(text):.2f}"


def _size(text):
    """Megabytes of a file, where there is one."""
    return f"{float(text):.1f}" if float(text) else ""


def _named(names):
    return lambda text: names.get(text, text)


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of a CSV file.

    Attributes:
        file: its name in results/.
        columns: (header, column of the CSV, function of its text) each.
        only: {column: texts}; rows with others are left out.
    """

    file: str
    columns: tuple[tuple[str, str, Callable[[str], str]], ...]
    only: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def lines(self, results=RESULTS):
        """Lines of Markdown: the newest sitting, and where it was.

        Without the file or a row, as before the first sitting, they say so.
        """
        rows = []
        if (results / self.file).exists():
            with (results / self.file).open(newline="") as file:
                rows = list(csv.DictReader(file))
        rows = [
            row
            for row in rows
            if all(row[key] in texts for key, texts in self.only.items())
        ]
        if not rows:
            yield "(not measured yet)"
            return
        newest = max(row["date"] for row in rows)
        rows = [row for row in rows if row["date"] == newest]
        yield f"| {' | '.join(header for header, _, _ in self.columns)} |"
        yield "|" + "---|" * len(self.columns)
        for row in rows:
            cells = (shown(row[key] or "") for _, key, shown in self.columns)
            yield f"| {' | '.join(cells)} |"
        yield ""
        yield f"({newest}, {_machine(rows[-1])})"


def _machine(row):
    """Where a row was measured, and with what."""
    place = row["cpu"] and f"{row['cpu']}, {row['cores']} cores, {row['instructions']}"
    return f"{row.get('gpu') or place}; {row['versions']}"


_CONTENDERS = {
    "tsn_keras": "tsn_keras, batch norms folded",
    "pytorch": "PyTorch, channels last",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
}
_PROGRAMS = {
    **{
        f"tsn_keras {name}": f"`--runtime {name}`"
        for name in ("onnxruntime", "openvino")
    },
    "tsn_keras keras": "tsn_keras",
    "pytorch": "OpenCV, NumPy, PyTorch",
    "onnxruntime": "OpenCV, NumPy, ONNX Runtime",
    "openvino": "OpenCV, NumPy, OpenVINO",
}
_TRAINED = {
    "tsn_keras": "tsn_keras",
    "pytorch": "PyTorch, channels last",
    "reshape": "tsn_keras, a reshape in place of TimeDistributed",
    "input rgb": "input pipeline alone, RGB",
    "input flow": "input pipeline alone, flow",
    "input videos": "input pipeline alone, RGB from video files",
}
_NETWORKS = {"bn_inception": "BN-Inception", **torch_networks.NETWORKS}
_LIVE = {**_NETWORKS, "resnet18": "ResNet-18", "mobileone_s4": "MobileOne-S4"}
_READERS = {"ours": "tsn_keras", "pyav": "PyAV alone", "decord": "decord"}
_READ = {
    "all": "every frame",
    "test": "25 frames, of the test",
    "training": "3 frames, of training",
    "index": "the number of frames",
}
_PIECES = {
    "decode": "decode to B, G, R; beside OpenCV",
    "flow": "file to JPEG files on one core; beside OpenCV's flow alone",
    "workers": "two workers; beside one",
    "device": "`--flow-device auto`, with loading and compiling; beside OpenCV",
}

_JHMDB = (
    ("J-HMDB, split 1", "stream", str),
    ("run", "what", str),
    ("mean class accuracy, %", "mean_class_accuracy", _number(1)),
)
_STUDIED = (
    ("stream", "column", str),
    ("mean class accuracy, %", "value", _number(1)),
)
TABLES = {
    "inference": Table(
        "inference.csv",
        (
            ("BN-Inception, 224 x 224 x 3", "contender", _named(_CONTENDERS)),
            ("batch", "batch", str),
            ("images/s", "images_per_s", _number(1)),
            ("ours over it", "ours_over_theirs", _ratio),
        ),
        only={"network": ("bn_inception",)},
    ),
    "networks": Table(
        "inference.csv",
        (
            ("at 224 x 224 x 3", "network", _named(torch_networks.NETWORKS)),
            ("program", "contender", _named(_CONTENDERS)),
            ("batch", "batch", str),
            ("images/s", "images_per_s", _number(1)),
            ("ours over it", "ours_over_theirs", _ratio),
        ),
        only={"network": tuple(torch_networks.NETWORKS)},
    ),
    "evaluation": Table(
        "evaluation.csv",
        (
            ("JPEG files to scores", "modality", str),
            ("images/s", "whole_images_per_s", _number(1)),
            ("over the network alone", "whole_over_network", _number(2)),
            ("peak memory, GiB", "peak_memory_gib", _number(1)),
        ),
    ),
    "evaluation_of_videos": Table(
        "evaluation_of_videos.csv",
        (
            ("video files to scores", "network", _named(_NETWORKS)),
            ("test", "test", str),
            ("videos", "videos", str),
            ("images/s", "whole_images_per_s", _number(1)),
            ("over the network alone", "whole_over_network", _number(2)),
            ("peak memory, GiB", "peak_memory_gib", _number(1)),
        ),
    ),
    "runtimes": Table(
        "runtimes.csv",
        (
            ("JPEG files to scores, BN-Inception, RGB", "program", _named(_PROGRAMS)),
            ("precision", "precision", str),
            ("images/s", "images_per_s", _number(1)),
            ("over the best without tsn_keras", "over_best_plain", _ratio),
            ("peak memory, GiB", "peak_memory_gib", _number(1)),
        ),
        only={"source": ("frames",), "modality": ("rgb",)},
    ),
    **{
        f"exports_{name}": Table(
            "exports.csv",
            (
                (f"{title}, file", "format", str),
                ("precision", "precision", str),
                ("MB", "megabytes", _size),
                ("largest difference, share", "largest_difference", str),
                ("class of Keras, %", "same_class", _number(1)),
                ("top-1, %", "top1", _number(1)),
            ),
            only={"dataset": (name,)},
        )
        for name, title in {"demo": "Demo", "jhmdb": "J-HMDB"}.items()
    },
    "live": Table(
        "live.csv",
        (
            ("RGB difference, live", "network", _named(_LIVE)),
            ("precision", "precision", str),
            ("frames/s of the source", "frames_per_s", _number(1)),
            ("looks/s", "looks_per_s", _number(1)),
            ("frames", "frames", str),
            ("late", "late", str),
        ),
    ),
    "decoding": Table(
        "decoding.csv",
        (
            ("of video files", "what", _named(_READ)),
            ("videos", "videos", str),
            ("program", "contender", _named(_READERS)),
            ("files/s", "files_per_s", _number(1)),
            ("ours over it", "ours_over_theirs", _ratio),
            ("frames as ours", "frames_alike", _percent),
        ),
    ),
    "training": Table(
        "training.csv",
        (
            ("step of 8 videos x 3 segments", "network", _named(_NETWORKS)),
            ("program", "contender", _named(_TRAINED)),
            ("precision", "precision", str),
            ("images/s", "images_per_s", _number(1)),
            ("ours over it", "ours_over_theirs", _ratio),
            ("it over our float32", "over_our_float32", _ratio),
            ("memory of a step, GiB", "step_gib", _number(2)),
        ),
    ),
    "accelerator": Table(
        "accelerator.csv",
        (
            ("on a GPU", "what", str),
            ("back end of Keras", "backend", str),
            ("precision", "precision", str),
            ("unit", "unit", str),
            ("rate", "rate", _number(0)),
            ("GPU busy, %", "utilisation", str),
        ),
    ),
    "extraction": Table(
        "extraction.csv",
        (
            ("extraction of real clips", "what", _named(_PIECES)),
            ("unit", "unit", str),
            ("ours", "ours", _number(2)),
            ("the other", "other", _number(2)),
            ("ours over it", "ours_over_other", _number(2)),
        ),
    ),
    "flow_speed": Table(
        "flow_speed.csv",
        (
            ("TV-L1 at 340 x 256, parameters", "parameters", str),
            ("Keras on", "device", str),
            ("pairs/s", "ours_pairs_per_s", _number(1)),
            ("OpenCV's class, a pair a core", "opencv_pairs_per_s", _number(1)),
            ("ours over it", "ours_over_opencv", _number(1)),
            ("HMDB51, hours", "hmdb51_hours_ours", _number(0)),
            ("with OpenCV", "hmdb51_hours_opencv", _number(0)),
        ),
    ),
    "flow_agreement": Table(
        "flow_agreement.csv",
        (
            ("parameters", "parameters", str),
            ("compared with OpenCV's class", "what", str),
            ("pairs", "pairs", str),
            ("mean distance, pixels", "mean_distance_px", _number(3)),
            ("median pair", "median_pair_px", _number(3)),
            ("grey levels within 1", "share_within_1", _percent),
        ),
    ),
    "flow_ground_truth": Table(
        "flow_ground_truth.csv",
        (
            ("parameters", "parameters", str),
            ("motion", "motion", str),
            ("OpenCV's mean error, pixels", "opencv", _number(4)),
            ("ours", "ours", _number(4)),
        ),
    ),
    "flow_parameters": Table(
        "flow_parameters.csv",
        (
            ("pairs of real clips", "pairs", str),
            ("mean difference, grey levels", "mean_difference_levels", _number(2)),
            ("99th percentile", "p99_difference_levels", _number(0)),
            ("equal", "share_equal", _percent),
            ("within 1", "share_within_1", _percent),
            ("mean motion, grey levels", "mean_motion_levels", _number(1)),
        ),
    ),
    "scratch": Table(
        "hmdb51_rgb_scratch.csv",
        (
            ("test", "test", str),
            ("iterations", "iteration", str),
            ("videos", "videos", str),
            ("mean class accuracy, %", "mean_class_accuracy", _number(1)),
            ("chance, %", "chance", _number(1)),
        ),
        {"test": ("25 x 10",)},
    ),
    "jhmdb": Table(
        "jhmdb.csv",
        (
            *_JHMDB,
            ("top-1, %", "top1", _number(1)),
            ("top-5, %", "top5", _number(1)),
            ("minutes of training", "minutes", _number(0)),
            ("minutes of the test", "test_minutes", _number(0)),
        ),
    ),
    "jhmdb_streams": Table("jhmdb.csv", _JHMDB, {"in_readme": ("yes",)}),
    **{
        f"jhmdb_{name}": Table("jhmdb_studies.csv", columns, {"study": (name,)})
        for name, columns in {
            "components": (("component", "row", str), *_STUDIED),
            "segments": (("segments", "row", str), *_STUDIED),
            "consensus": (("consensus", "row", str), *_STUDIED),
            "systems": (("system", "row", str), *_STUDIED),
        }.items()
    },
}


def written(text, tables=TABLES, results=RESULTS):
    """A page with its tables as the results have them.

    Args:
        text: the page.
        tables: {name: Table}.
        results: folder of the CSV files.

    Raises:
        KeyError: the page asks for a table that there is not.
    """

    def table(match):
        lines = "\n".join(tables[match[1]].lines(results))
        return f"<!-- table {match[1]} -->\n{lines}\n<!-- end -->"

    return re.sub(r"<!-- table (\w+) -->\n.*?<!-- end -->", table, text, flags=re.S)


def main(argv=None):
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    args = parser.parse_args(argv)
    status = 0
    for page in PAGES:
        before = page.read_text(encoding="utf-8")
        after = written(before)
        if before != after and args.check:
            print(
                f"{page}: a table is out of date: run python benchmarks/write_tables.py"
            )
            status = 1
        elif before != after:
            page.write_text(after, encoding="utf-8")
            print(f"{page} written")
    return status


if __name__ == "__main__":
    sys.exit(main())
