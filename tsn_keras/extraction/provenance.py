"""The record beside a video's files: how they were made, and that they are whole.

`extract.json` in the frame folder. Nothing in it tells the time: the same video
gives the same bytes, flow by Keras on the same kind of device.
"""

import dataclasses
import json
import pathlib

import av
import cv2

import tsn_keras
from tsn_keras.common import files, json_text, text
from tsn_keras.common.errors import InputError
from tsn_keras.datasets import frames
from tsn_keras.flow import quantiser
from tsn_keras.flow.settings import OPENCV, PARAMETERS
from tsn_keras.video import jpeg, sound

NAME = frames.RECORD
# What computed the flow: cv2.optflow.DualTVL1OpticalFlow, or flow.tvl1.
_OPENCV, _OURS = OPENCV, "keras"
# What older records do not name, since there was nothing else.
_OLDER = {
    "implementation": _OPENCV,
    "flow_coding": quantiser.OF_BOUND,
    "backward": False,
}
_MAX_SHOWN = 100  # characters of a value of a foreign record


class RecordError(InputError):
    """A folder's record cannot be used; the text names it and the way out."""


def parameters(made_by):
    """What decides the bytes of the files, as a dict of JSON values.

    Not among them is what to do with damaged videos: of the others it makes
    the same files.

    Args:
        made_by: settings.Settings.
    """
    flow = made_by.flow
    values = {
        "flow": "none" if flow is None else "warped" if flow.warped else "tvl1",
        "size": list(made_by.size),
        "jpeg_quality": jpeg.QUALITY,
    }
    if flow is not None:
        values["flow_parameters"] = flow.parameters
        values["tvl1"] = dataclasses.asdict(PARAMETERS[flow.parameters])
        values["flow_coding"] = quantiser.coding(flow.bound)
        if flow.bound is not None:
            values["bound"] = flow.bound
        values["backward"] = flow.backward
        values["implementation"] = _OURS if flow.on_device else _OPENCV
    return values


def versions(made_by):
    """Versions of what makes the files."""
    values = {
        "tsn_keras": tsn_keras.__version__,
        "opencv": cv2.__version__,
        "pyav": av.__version__,
    }
    if made_by.on_device:
        # It is loaded already.
        from tsn_keras.flow import devices

        values |= devices.versions(made_by.flow.device)
    return values


def write(folder, source, made_by, made):
    """Writes a folder's record.

    Args:
        folder: the video's frame folder.
        source: path of the video.
        made_by: settings.Settings.
        made: extractor.Made.
    """
    record = {
        "source": {"name": source.name, "bytes": source.stat().st_size},
        "parameters": parameters(made_by),
        "versions": versions(made_by),
        "decoded_frames": made.decoded,
        "files": made.files,
        "damage": made.damage,
    }
    if made.sound is not None:
        record["sound_track"] = _of_sound(made.sound)
    _put(folder, record)


def add_sound(folder, record, heard):
    """Writes into a folder's record that sound was added.

    Args:
        folder: the video's frame folder.
        record: what `read` returned.
        heard: extractor.Heard.
    """
    _put(folder, {**record, "sound_track": _of_sound(heard)})


def _of_sound(heard):
    """What is beside the frames. It is no parameter of theirs."""
    return {
        "format": f"FLAC, mono, 16 bits, {sound.RATE} Hz",
        **dataclasses.asdict(heard),
        "versions": {"tsn_keras": tsn_keras.__version__, "pyav": av.__version__},
    }


def _put(folder, record):
    written = json.dumps(record, indent=1, sort_keys=True)
    with files.replacing(pathlib.Path(folder, NAME)) as aside:
        aside.write_text(f"{written}\n", encoding="utf-8")


def read(folder):
    """Reads a folder's record.

    Returns:
        dict, or None if the folder has none.

    Raises:
        RecordError: it is no such record.
    """
    path = pathlib.Path(folder, NAME)
    try:
        record = json_text.parse(text.read(path, frames.MAX_RECORD), "it")
        for key, kind in (("source", dict), ("parameters", dict), ("files", int)):
            if type(record.get(key)) is not kind:
                raise ValueError(f"its {key} is {_shown(record.get(key))}")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise RecordError(
            f"{path} is no record of extracted frames ({error}): delete the folder, "
            f"and it is made again"
        ) from None
    return record


def device(record):
    """What computes the flow of further folders like this one.

    Args:
        record: what `read` returned.

    Returns:
        A `device` of flow.settings.FlowSettings.
    """
    made_by = {**_OLDER, **record["parameters"]}["implementation"]
    return "auto" if made_by == _OURS else OPENCV


def difference(record, source, made_by):
    """Says in what a record differs from what would be made now.

    Returns:
        str "what: there ..., now ...", or None.
    """
    now = json.loads(json.dumps(parameters(made_by)))
    there = record["parameters"]
    if made_by.flow is not None:
        there = {**_OLDER, **there}
    for key in dict.fromkeys((*now, *there)):
        if now.get(key) != there.get(key):
            shown = _shown(there.get(key))
            return f"{_shown(key)}: there {shown}, now {now.get(key)}"
    name, size = source.name, source.stat().st_size
    if record["source"] != {"name": name, "bytes": size}:
        old = record["source"]
        return (
            f"video: there {_shown(old.get('name'))} of {_shown(old.get('bytes'))} "
            f"bytes, now {name} of {size}"
        )
    return None


def _shown(value):
    """A value of a foreign record, as far as a message has room."""
    return f"{value!s:.{_MAX_SHOWN}}"
