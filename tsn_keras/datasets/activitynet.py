"""ActivityNet 1.3 and 1.2: whole videos, or the clips that show an action.

activity_net.v1-3.min.json has a `database` of {"duration", "subset", "annotations":
[{"segment": [start, end] in seconds, "label"}]} by the video's id, and a `taxonomy` of
{"nodeName", "parentName"}. Frame folders are named `v_ID` as the videos, or `ID`.

The label of a whole video is that of its first annotation, and a clip is an annotation
(mmaction2 tools/data/activitynet/generate_rawframes_filelist.py). Labels count the
leaves of the taxonomy in the order of their names (yjxiong/anet2016-cuhk
pyActionRec/anet_db.py:159-176). MMAction2's own order is by no rule: its weights are
matched by the names in checkpoints/classes/.
"""

import dataclasses
import functools

from tsn_keras.common import json_file, text
from tsn_keras.datasets import annotations
from tsn_keras.datasets.records import Seconds, Split, Video

_CLASSES = {"1-2": 100, "1-3": 200}
_LONGEST = 10**7  # seconds; a longer video is a mistake


def _read_split(version, name, clips, folder):
    """The Split of a folder.

    Args:
        version: "1-2" or "1-3".
        name: of the data set.
        clips: whether to give the annotated clips, instead of whole videos.
        folder: see annotations.single.

    Raises:
        TextFileError: the file is missing, malformed or incomplete.
    """
    path = annotations.file_of(folder, name, (f"activity_net.v{version}.min.json",))
    content = json_file.read(path, dict)
    classes = _leaves(path, json_file.field(path, content, "taxonomy", list))
    annotations.expect(path, len(classes), _CLASSES[version], "classes")
    labels = {leaf: label for label, leaf in enumerate(classes)}
    parts = {"training": [], "validation": []}
    for key, item in json_file.field(path, content, "database", dict).items():
        if reason := text.fault(key) or ("/" in key and "has a slash in its name"):
            raise text.TextFileError(f"{path}: video {key[:80]!r} {reason}")
        part = parts.get(json_file.field(path, item, "subset", str))
        if part is not None:
            found = _annotated(path, key, item, labels)
            several = part is parts["validation"]
            part += _clips(key, found) if clips else [_whole(key, found, several)]
    return Split(*(annotations.unique(path, p) for p in parts.values()), classes)


def _leaves(path, taxonomy):
    names = [json_file.field(path, item, "nodeName", str) for item in taxonomy]
    parents = {str(item.get("parentName")) for item in taxonomy}
    return tuple(sorted(set(names) - parents))


def _annotated(path, key, item, labels):
    """List of (label, Seconds) of a video."""
    duration = json_file.field(path, item, "duration", float)
    found = []
    for one in json_file.field(path, item, "annotations", list):
        name = json_file.field(path, one, "label", str)
        segment = json_file.field(path, one, "segment", list)
        is_pair = len(segment) == 2 and all(type(s) in (int, float) for s in segment)
        if not is_pair or not 0 <= min(segment) <= max(segment) < _LONGEST:
            raise text.TextFileError(
                f"{path}: video {key} has a segment that is not [start, end] in seconds"
            )
        if name not in labels:
            raise text.TextFileError(
                f"{path}: label {name[:80]!r} of video {key} is no leaf of the taxonomy"
            )
        found.append((labels[name], Seconds(*map(float, segment), float(duration))))
    if not found or not 0 < duration < _LONGEST:
        raise text.TextFileError(
            f"{path}: video {key} has {len(found)} annotations and a duration of "
            f"{duration} seconds"
        )
    return found


def _whole(key, found, several):
    """The Video; it is trained by its first label, and tested by all."""
    (label, seconds), *_ = found
    labels = tuple(sorted({label for label, _ in found})) if several else ()
    return Video(
        f"v_{key}",
        labels[0] if several else label,
        aliases=(key,),
        labels=labels,
        duration=seconds.duration,
    )


def _clips(key, found):
    # A number tells them apart: some are annotated twice.
    return [
        Video(f"v_{key} {number}", label, aliases=(f"v_{key}", key), clip=seconds)
        for number, (label, seconds) in enumerate(found, 1)
    ]


def _set(version, name, clips):
    read = functools.partial(_read_split, version, name, clips)
    found = annotations.single(name, read)
    if clips:
        return found
    return dataclasses.replace(found, fusion_weights=_WEIGHTS, measure="server")


# The journal version's, of scores after temporal windows (arXiv:1705.02953, tables 3,
# 4 and 6); of clips none were published.
_WEIGHTS = {"rgb": 1.0, "flow": 0.5}
ACTIVITYNET = _set("1-3", "activitynet", False)
ACTIVITYNET_CLIPS = _set("1-3", "activitynet_clips", True)
ACTIVITYNET12 = _set("1-2", "activitynet12", False)
ACTIVITYNET12_CLIPS = _set("1-2", "activitynet12_clips", True)
