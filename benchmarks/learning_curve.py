"""The learning curve of a training run, and its 25 x 10 accuracy against chance.

python benchmarks/learning_curve.py runs/hmdb51_rgb_scratch

Reads the folder of a run that was made with --evaluate; no clock is looked at.
Writes a row for each validation, and one for the evaluation.
"""

import argparse
import csv
import json
import pathlib
import statistics

import machine

from tsn_keras.scores import joining
from tsn_keras.scores.score_file import ScoreFile


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=pathlib.Path, help="folder of the run")
    parser.add_argument("--out", help="default: benchmarks/results/RUN.csv")
    return parser.parse_args()


def main():
    args = parse_args()
    record = json.loads((args.run / "run.json").read_text())
    steps, validations = (
        list(csv.DictReader((args.run / name).open(newline="")))
        for name in ("log.csv", "validation.csv")
    )
    with ScoreFile(args.run / "scores.h5") as file:
        accuracy = joining.aggregate_file(file).accuracy
        classes = len(set(map(int, file.labels)))
        videos = len(file.labels)
    about = {
        **machine.facts(),
        "run": args.run.name,
        "initial": record["settings"]["model.initial"] or "random",
        "width": record["settings"]["model.width"],
        "classes_tested": classes,
        "chance": round(100 / classes, 2),
    }
    rows, before = [], 0
    for row in validations:
        until = int(row["iteration"])
        losses = [float(step["loss"]) for step in steps[before:until]]
        before = until
        rows.append(
            {
                **about,
                "test": "centre crop, middle snippets",
                "iteration": until,
                "training_loss": round(statistics.mean(losses), 4),
                "loss": round(float(row["loss"]), 4),
                "videos": int(float(row["videos"])),
                "top1": round(float(row["top1"]), 2),
                "mean_class_accuracy": round(float(row["mean_class_accuracy"]), 2),
            }
        )
    last = rows[-1]
    rows.append(
        {
            **last,
            "test": "25 x 10",
            "loss": "",
            "videos": videos,
            "top1": round(accuracy.top1, 2),
            "mean_class_accuracy": round(accuracy.mean_class_accuracy, 2),
        }
    )
    out = args.out or f"benchmarks/results/{args.run.name}.csv"
    machine.append(out, rows)
    print(f"{out}: {len(rows)} rows; 25 x 10: {rows[-1]['mean_class_accuracy']} %")


if __name__ == "__main__":
    main()
