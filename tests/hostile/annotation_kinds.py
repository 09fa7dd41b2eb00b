"""Annotations of large data sets, and lists of MMAction2: JSON and CSV."""

import contextlib
import functools
import json
import pathlib
import tempfile
import unittest.mock

import json_edits
import text_kinds

from tsn_keras.datasets import (
    activitynet,
    diving48,
    hvu,
    kinetics,
    lists,
    moments,
    parts,
    something,
)

_NAMES = ("Up", "From left to right", "From right to left")
_ACTIVITYNET = {
    "taxonomy": [
        {"nodeName": "Root", "parentName": None},
        *({"nodeName": name, "parentName": "Root"} for name in _NAMES),
    ],
    "database": {
        f"a-_{k}": {
            "subset": subset,
            "duration": 20.5,
            "annotations": [{"segment": [k, 7.5], "label": _NAMES[k]}],
        }
        for k, subset in enumerate(("training", "validation", "testing"))
    },
}
_SOMETHING = [{"id": str(k), "template": f"{_NAMES[k]}"} for k in range(3)]
_LABELS = {name: str(k) for k, name in enumerate(_NAMES)}
_DIVES = [{"vid_name": f"a_{k}", "label": k} for k in range(3)]
_VOCABULARY = [["Back", "15som", f"{k}Twis", "FREE"] for k in range(3)]
_LIST = [
    {"frame_dir": "a/b", "total_frames": 20, "label": 1},
    {"frame_dir": "a/b", "total_frames": 20, "label": [1, 2], "offset": 3},
    {"filename": "c.mp4", "label": [0]},
]
_PARTS = [
    {"video_dir": "a/b", "label": 1, "num_clips": 9, "positive_clip_inds": [0, 4]},
    {"video_dir": "c", "label": [0], "num_clips": 2, "positive_clip_inds": []},
]

_TAGS = "\n".join(["Tag,Category", *(f"{name},{name}" for name in hvu.CATEGORIES)])
_CLIPS = "\n".join(
    ["label,youtube_id,time_start,time_end,split"]
    + [f'"{name}",abc-_{k},{k},{k + 10},val' for k, name in enumerate(_NAMES)]
)
_TAGGED = "\n".join(
    ["Tags,youtube_id,time_start,time_end"]
    + [f"scene|{name},abc-_{k},{k},{k + 10}.5" for k, name in enumerate(hvu.CATEGORIES)]
)
_CATEGORIES = "\n".join(f"{name},{k}" for k, name in enumerate(_NAMES))
_MOMENTS = "\n".join(f"{name}/v_{k}.mp4,{name},3,1" for k, name in enumerate(_NAMES))
_MULTI = "a/v_1.mp4,0,2\nv_2.mp4,1"
_THINGS = "\n".join(f"{k};{name}" for k, name in enumerate(_NAMES))
_LINES = "a/b 20 1 2\nc 20 5 1\nd.mp4 1"
_CLIP_LINES = "a/b 3 20 1\na/b 9 2 0"
_PART_LINES = "a/b 1 9 0 4\nc 0 2"


# The data sets here have three classes.
_SMALL = (
    (something, "COUNT", 3),
    (diving48, "COUNT", 3),
    (activitynet, "_CLASSES", {"1-3": 3}),
    (hvu, "CATEGORIES", dict.fromkeys(hvu.CATEGORIES, 1)),
)
# {function of a folder: {name of a file there: its content}}
_JSON_SETS = {
    functools.partial(activitynet._read_split, "1-3", "activitynet", True): {
        "activity_net.v1-3.min.json": _ACTIVITYNET
    },
    something.read_v2: {
        "labels.json": _LABELS,
        "train.json": _SOMETHING,
        "validation.json": _SOMETHING,
    },
    diving48.read_split: {
        "Diving48_vocab.json": _VOCABULARY,
        "Diving48_V2_train.json": _DIVES,
        "Diving48_V2_test.json": _DIVES,
    },
    lambda folder: lists.read_list(folder / "a.json"): {"a.json": _LIST},
    lambda folder: parts.read_parts(folder / "a.json"): {"a.json": _PARTS},
}
_CSV_SETS = {
    functools.partial(kinetics._read_split, 3): {
        "train.csv": _CLIPS,
        "val.csv": _CLIPS,
    },
    functools.partial(hvu._read_split, "scene"): {
        "hvu_categories.csv": _TAGS,
        "hvu_train.csv": _TAGGED,
        "hvu_val.csv": _TAGGED,
    },
    moments.read_mit: {
        "moments_categories.txt": _CATEGORIES,
        "trainingSet.csv": _MOMENTS,
        "validationSet.csv": _MOMENTS,
    },
    moments.read_mmit: {
        "moments_categories.txt": _CATEGORIES,
        "trainingSet.csv": _MULTI,
        "validationSet.csv": _MULTI,
    },
    something.read_v1: {
        "something-something-v1-labels.csv": "\n".join(_NAMES),
        "something-something-v1-train.csv": _THINGS,
        "something-something-v1-validation.csv": _THINGS,
    },
    lambda folder: lists.read_list(folder / "a.txt", "multilabel"): {"a.txt": _LINES},
    lambda folder: lists.read_list(folder / "a.txt", "offset"): {"a.txt": _CLIP_LINES},
    lambda folder: parts.read_parts(folder / "a.txt"): {"a.txt": _PART_LINES},
}


def _read(sets, path):
    """A hostile file in the place of each file of each data set."""
    with contextlib.ExitStack() as stack:
        for change in _SMALL:
            stack.enter_context(unittest.mock.patch.object(*change))
        choices = [
            functools.partial(_in_its_place, function, files, name)
            for function, files in sets.items()
            for name in files
        ]
        text_kinds.any_of(lambda choice: choice(path), choices)


def _in_its_place(function, files, name, path):
    with tempfile.TemporaryDirectory() as folder:
        for other, content in files.items():
            is_text = isinstance(content, str)
            content = content if is_text else json.dumps(content)
            pathlib.Path(folder, other).write_text(content)
        pathlib.Path(folder, name).write_bytes(path.read_bytes())
        return function(pathlib.Path(folder))


def _make_json():
    goods = (_ACTIVITYNET, _SOMETHING, _LABELS, _DIVES, _VOCABULARY, _LIST, _PARTS)
    return json.dumps(_ACTIVITYNET).encode(), lambda random: json_edits.edited(
        random, random.choice(goods)
    )


def _make_csv():
    goods = (_CLIPS, _TAGS, _TAGGED, _CATEGORIES, _MOMENTS, _MULTI, _THINGS, _LINES)
    return text_kinds.make_text(*goods, _CLIP_LINES, _PART_LINES)


def kinds():
    """See hdf5_kinds.kinds."""
    return {
        "JSON annotations": (".json", _make_json, functools.partial(_read, _JSON_SETS)),
        "CSV annotations": (".csv", _make_csv, functools.partial(_read, _CSV_SETS)),
    }
