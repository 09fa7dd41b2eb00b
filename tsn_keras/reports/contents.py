"""What stands on a page about a test: numbers and texts, as JSON values."""

import base64

import numpy as np

from tsn_keras.reports import curves, examples, thumbnails
from tsn_keras.reports.records import Tested
from tsn_keras.scores import calibration, contributions, metrics

BEST = 5  # classes of a video that have a bar
FUSED = "fusion"
# What is said of a stream, in this order, if its score file says it.
_TOLD = (
    *("dataset", "split", "modality", "protocol", "snippets", "crops", "every"),
    *("over_time", "average", "fused", "precision", "shard", "loss", "measure"),
    *("weights", "weights_sha256", "tsn_keras"),
)
_LONGEST = 200  # characters of what a file says


class Contents:
    """What a page says of a test.

    Args:
        test: Tested.
        most: how many of the worst videos are shown, and of the most confident wrong.
    """

    def __init__(self, test: Tested, most):
        self.test, self._most = test, most
        self.values = test.values()
        fused = test.fusion
        self.verdicts = examples.verdicts(self.values, fused.labels, fused.label_sets)
        # A stream alone has no fusion to be compared with.
        self.streams = [s.name for s in test.streams]
        self.compared = len(self.streams) > 1
        self._alone = [test.stream_values(k) for k in range(len(self.streams))]
        self.effects = None
        if self.compared and test.weights is not None:
            self.effects = contributions.effects(test.joined, test.weights)

    def data(self) -> dict:
        """What the page's script reads, JSON values."""
        fused = self.test.fusion
        return {
            "title": self.test.title,
            "several": self.test.several,
            "chances": self.test.is_of_chances,
            "classes": list(fused.classes),
            "streams": self.streams,
            "videos": self._videos(),
            "examples": self._examples(),
            "calibration": self.calibrations(),
            "curves": self.curves(),
        }

    def _videos(self):
        """Columns of all videos."""
        fused, known = self.test.fusion, self.verdicts
        best = self.values.argmax(axis=1)
        labels = fused.labels.tolist()
        found = {
            "id": list(fused.video_ids),
            "labels": [list(one) for one in fused.label_sets or zip(labels)],
            "best": best.tolist(),
            "sure": _rounded(self.values[np.arange(len(best)), best]),
            "true": _rounded(known.true),
            "right": known.is_right.astype(int).tolist(),
        }
        if self.test.several:
            merits = contributions.merits(self.test.joined, fused.scores)
            found["merit"] = _rounded(merits)
        if self.compared:
            found["streams"] = [
                np.where(scored, values.argmax(axis=1), -1).tolist()
                for values, scored in zip(
                    self._alone, self.test.joined.scored, strict=True
                )
            ]
        if self.effects is not None:
            found["effects"] = self.effects.tolist()
        return found

    def _examples(self):
        """The videos that have pictures and bars."""
        chosen = {
            "worst": examples.worst(self.verdicts, self._most).tolist(),
            "confident": examples.confident(self.verdicts, self._most).tolist(),
        }
        shown = dict.fromkeys(index for part in chosen.values() for index in part)
        return {
            **chosen,
            "shown": {str(index): self._example(index) for index in shown},
        }

    def _example(self, index):
        fused = self.test.fusion
        labels = [int(fused.labels[index])]
        if fused.label_sets is not None:
            labels = list(fused.label_sets[index])
        classes = examples.bars(self.values[index], labels, BEST)
        lines = [self.values[index], *(one[index] for one in self._alone)]
        pictures = [
            {"kind": "flow" if one.is_flow else "frames", "source": _address(data)}
            for one in self.test.pictures
            if (data := thumbnails.strip(one, fused.video_ids[index])) is not None
        ]
        return {
            "classes": classes,
            "values": [_rounded(line[classes]) for line in lines],
            "wrong": int(self.verdicts.guess[index]),
            "sure": _rounded(self.verdicts.sure[[index]])[0],
            "pictures": pictures,
        }

    def classes(self) -> list[dict]:
        """A row for each class: its figures in percent, and what it is taken for."""
        test, fused = self.test, self.test.fusion
        columns = [test.joined.by_class(fused.scores)]
        if self.compared:
            places = range(len(self.streams))
            columns += [test.joined.file_by_class(place) for place in places]
        columns = [_rounded(column, 2) for column in columns]
        taken = {} if test.several else self._taken()
        counts = self._class_counts()
        return [
            {
                "label": label,
                "name": name,
                "videos": int(counts[label]),
                "figures": [column[label] for column in columns],
                "taken": taken.get(label),
            }
            for label, name in enumerate(fused.classes)
        ]

    def _class_counts(self):
        fused = self.test.fusion
        if fused.label_sets is None:
            return np.bincount(fused.labels, minlength=len(fused.classes))
        return metrics.many_hot(fused.label_sets, len(fused.classes)).sum(axis=0)

    def _taken(self):
        """{class: (class it is most often taken for, how often)}, without 0."""
        wrong = self.test.fusion.confusion_matrix.copy()
        np.fill_diagonal(wrong, 0)
        most = wrong.argmax(axis=1)
        counts = wrong[np.arange(len(wrong)), most]
        rows = zip(most.tolist(), counts.tolist(), strict=True)
        return {label: row for label, row in enumerate(rows) if row[1]}

    def confusions(self, most=30) -> list[dict]:
        """The most frequent confusions of one class with another."""
        if self.test.several:
            return []
        wrong = self.test.fusion.confusion_matrix.copy()
        np.fill_diagonal(wrong, 0)
        flat = np.argsort(-wrong, axis=None, kind="stable")[:most]
        pairs = zip(*np.unravel_index(flat, wrong.shape), strict=True)
        names = self.test.fusion.classes
        return [
            {"true": int(i), "best": int(j), "videos": int(wrong[i, j]),
             "names": (names[i], names[j])}
            for i, j in pairs
            if wrong[i, j]
        ]  # fmt: skip

    def contributions(self) -> list[dict]:
        """How many videos each stream saves and loses."""
        if self.effects is None:
            return []
        return [
            {
                "name": name,
                "weight": weight,
                "saved": int((row == contributions.SAVED).sum()),
                "lost": int((row == contributions.LOST).sum()),
            }
            for name, weight, row in zip(
                self.streams, self.test.weights, self.effects, strict=True
            )
        ]

    def patterns(self) -> list[dict]:
        """How many videos have which streams right, and the fusion."""
        if self.test.several or not self.compared:
            return []
        labels = self.test.fusion.labels
        right = [
            scored & (values.argmax(axis=1) == labels)
            for values, scored in zip(self._alone, self.test.joined.scored, strict=True)
        ]
        table = np.stack([*right, self.verdicts.is_right], axis=1)
        kinds, counts = np.unique(table, axis=0, return_counts=True)
        rows = zip(kinds.tolist(), counts.tolist(), strict=True)
        found = [{"right": kind, "videos": count} for kind, count in rows]
        return sorted(found, key=lambda row: -row["videos"])

    def calibrations(self) -> list[dict]:
        """Reliability diagrams of the fusion, and of each stream."""
        lines = []
        if self.test.is_of_chances:
            lines.append(
                (FUSED if self.compared else self.streams[0], self.values, None)
            )
        if self.compared:
            lines += zip(
                self.streams, self._alone, self.test.joined.scored, strict=True
            )
        return [self._calibration(*line) for line in lines]

    def _calibration(self, name, values, scored):
        """A diagram: of the best classes; of every class where there are several."""
        fused = self.test.fusion
        if fused.label_sets is None:
            best = values.argmax(axis=1)
            chances = values[np.arange(len(best)), best]
            is_right = best == fused.labels
        else:
            chances = values
            is_right = metrics.many_hot(fused.label_sets, values.shape[1])
        if scored is not None:
            chances, is_right = chances[scored], is_right[scored]
        found = calibration.calibration(chances.ravel(), is_right.ravel())
        return {
            "name": name,
            "error": round(100 * found.error, 2),
            "counts": found.counts.tolist(),
            "confidence": _rounded(found.confidence),
            "accuracy": _rounded(found.accuracy),
        }

    def curves(self) -> list[dict]:
        """Learning curves of each stream; of one log no two streams."""
        found = {}
        for stream in self.test.streams:
            for line in curves.of_runs(stream.runs):
                if line not in found.values():
                    found[f"{stream.name}, {line['part']}, {line['figure']}"] = line
        return [{"name": name, **line} for name, line in found.items()]

    def told(self) -> list[dict]:
        """What the score files say of themselves: a row for each thing."""
        abouts = [stream.about for stream in self.test.streams]
        rows = [
            (key, ["" if (one := a.get(key)) is None else str(one) for a in abouts])
            for key in _TOLD
        ]
        return [
            {"name": key, "values": [value[:_LONGEST] for value in values]}
            for key, values in rows
            if any(values)
        ]


def _rounded(values, digits=4):
    """A list of numbers, None for what is none."""
    values = np.asarray(values, np.float64)
    return [
        value if is_finite else None
        for value, is_finite in zip(
            np.round(values, digits).tolist(), np.isfinite(values).tolist(), strict=True
        )
    ]


def _address(data):
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
