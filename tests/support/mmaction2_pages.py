"""The figures of MMAction2's pages as rows, each with the commands that measure it.

The pages are those of 0.x and of 1.x, and OmniSource's. All their rows can be run: the
configuration of 1.x for flow has no published figure, so it has no row.
"""

import dataclasses
import functools
import os
import pathlib

from commands import fuse

from tsn_keras import eval
from tsn_keras.checkpoints import folders, records, zoo
from tsn_keras.checkpoints.presets import FUSIONS, PRESETS
from tsn_keras.common import progress
from tsn_keras.common.errors import InputError
from tsn_keras.datasets import selection
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.datasets.records import Choice
from tsn_keras.protocols.modalities import MODALITIES

# In points. Weights and test are the published ones, files are the user's own.
# - Something-Something and Moments in Time are archives that all have alike, of 11,522
#   to 33,900 test videos: another decoder moves single ones, and 0.5 are 57 or more.
# - UCF101, HMDB51 and Diving48 are such archives too, but have 1,500 to 3,800 test
#   videos, whose frames are the user's: the bound is that of the Caffe models' streams.
# - The others are collected from YouTube and other sites: copies lack other videos, and
#   are stored in other sizes. By the page itself one recipe and test gave 69.95,
#   70.48 and 70.91, trained and tested on frames of three sizes.
ARCHIVES = {"sthv1": 0.5, "sthv2": 0.5, "mit": 0.5}
TOLERANCE = 1.0

# Sets of which hardly a copy is complete, nor was the page's. With fewer than this
# share of the videos it is another test.
COLLECTED = ("kinetics", "minikinetics", "mmit", "activitynet", "hvu")
ENOUGH = 0.9

# Flow weights of whole videos, whose figure is that of the clips: the lists of their
# configuration (tsn_r50_320p_1x1x8_150e_activitynet_video_flow.py).
TESTED_ON = {"tsn_r50_320p_1x1x8_150e_activitynet_video_flow": "activitynet_clips"}

KEYS = {
    records.TOP1: "top1",
    records.MEAN_PRECISION: "mean_average_precision",
    records.VIDEO_MEAN_PRECISION: "video_mean_average_precision",
}
HVU = "tsn_r18_1x1x8_100e_hvu_{}_rgb"
HVU_CATEGORIES = ("action", "scene", "object", "event", "concept", "attribute")


@dataclasses.dataclass(frozen=True)
class Run:
    """One evaluation.

    Attributes:
        preset: name of the weights.
        protocol: name of another test than that of the weights, or None.
    """

    preset: str
    protocol: str | None = None

    @property
    def dataset(self):
        return TESTED_ON.get(self.preset, PRESETS[self.preset].dataset)

    @property
    def scores(self):
        name = ".".join(filter(None, (self.preset, self.protocol)))
        return f"scores/published/{name}.h5"

    @property
    def argv(self):
        preset = PRESETS[self.preset]
        found = ["--dataset", self.dataset, "--modality", preset.modality]
        if len(DATASETS[self.dataset].splits) > 1:
            found += ["--split", str(preset.split)]
        found += ["--weights", self.preset]
        if self.protocol is not None:
            found += ["--protocol", self.protocol]
        if self.dataset.startswith(COLLECTED):
            found.append("--allow-missing")
        return (*found, "--scores", self.scores)


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a page.

    Attributes:
        runs: what is evaluated: one Run, or several whose scores are added or whose
            figures have this mean.
        published: records.Tested.
        metric: full name of its accuracy.
        fused: whether scores are added, 1 : 1.
    """

    runs: tuple[Run, ...]
    published: records.Tested
    metric: str = records.TOP1
    fused: bool = False

    @property
    def fusing(self):
        return (*(run.scores for run in self.runs), "--weights", "1", "1")

    @property
    def command(self):
        lines = [f"python -m tsn_keras.eval {' '.join(run.argv)}" for run in self.runs]
        if self.fused:
            lines.append(f"python -m tsn_keras.fuse {' '.join(self.fusing)}")
        return " && ".join(lines)

    @property
    def tolerance(self):
        return ARCHIVES.get(self.runs[0].dataset, TOLERANCE)


def rows_of(source):
    """The Rows of weights that a source in zoo.py offers."""
    found, origin = [], zoo._SOURCES[source].origin
    for preset in PRESETS.values():
        if preset.origin != origin:
            continue
        if preset.accuracy is not None:
            own = records.Tested(preset.protocol, preset.accuracy, preset.top5)
            found.append(Row((Run(preset.name),), own, preset.metric))
        for also in preset.also:
            other = None if also.protocol == preset.protocol else also.protocol
            run = Run(preset.name, other)
            found.append(Row((run,), also, preset.metric))
    return found


def rows_of_several():
    """Two fusions of RGB and flow, and the mean over HVU's categories."""
    for fusion in FUSIONS:
        if PRESETS[fusion.presets[0]].origin == zoo._SOURCES["mmaction2-0.x"].origin:
            published = records.Tested("", fusion.accuracy, fusion.top5)
            yield Row(tuple(map(Run, fusion.presets)), published, fused=True)
    runs = tuple(Run(HVU.format(category)) for category in HVU_CATEGORIES)
    yield Row(runs, records.Tested("", 52.6), records.MEAN_PRECISION)


PAGES = {
    "0.x": [*rows_of("mmaction2-0.x"), *rows_of_several()],
    "1.x": rows_of("mmaction2-1.x"),
    "omnisource": rows_of("omnisource"),
}
ROWS = [row for rows in PAGES.values() for row in rows]


@functools.cache
def missing_data(home, dataset, split, modality):
    """What is missing of a data set in the folder of the data, or None."""
    if not (home and pathlib.Path(home, dataset).is_dir()):
        return f"{dataset} in {selection.DATA_VARIABLE}"
    modality = MODALITIES[modality]
    try:
        videos = selection.find_test_set(Choice(dataset, split), progress.SILENT)
        images = not modality.is_flow
        found = selection.select(videos, modality.prefixes, True, images)
    except InputError as error:
        return f"{dataset}: {error}"
    share = len(found.folders) / len(videos.videos)
    if share < ENOUGH:
        return f"{ENOUGH:.0%} of {dataset}, and {share:.0%} of its videos are there"
    return None


def missing(run):
    """Yields what is missing of a run."""
    preset = PRESETS[run.preset]
    if folders.find(preset) is None:
        yield f"{preset.file} in {folders.VARIABLE}"
    home = os.environ.get(selection.DATA_VARIABLE)
    lacking = missing_data(home, run.dataset, preset.split, preset.modality)
    if lacking:
        yield lacking


@functools.cache
def evaluated(run):
    """The result of a run, as the command reports it."""
    (result,) = eval.main(run.argv)[0]["results"]
    assert result["videos"] >= ENOUGH * result["of"], result
    return result


def measured(row):
    """(accuracy, top-5 accuracy or None) of a row."""
    key, results = KEYS[row.metric], [evaluated(run) for run in row.runs]
    if row.fused:
        fused = fuse.main([*row.fusing, "--allow-missing"])[0]["results"]
        results = [one for one in fused if "weight" not in one]
    accuracy = sum(result[key] for result in results) / len(results)
    return accuracy, results[0].get("top5")
