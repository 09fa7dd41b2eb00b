"""THUMOS14's files in their official form, with the few videos of a test."""

import dataclasses

import numpy as np
import scipy.io

from tsn_keras.datasets import thumos14
from tsn_keras.datasets.ucf101 import CLASSES


def structures(videos):
    """The array of structures of a .mat file.

    Args:
        videos: {name: (indices of actions from 1, seconds, whether it is background)}.
    """
    rows = []
    for name, (indices, seconds, is_background) in videos.items():
        first, *more = indices
        rows.append(
            {
                "video_name": name,
                "YouTube_video_name": "Geçit töreni",
                "primary_action": CLASSES[first - 1],
                "primary_action_index": np.uint8(first),
                "background_video": "YES" if is_background else "NO",
                "video_duration_seconds": float(seconds),
                "number_of_frames": np.zeros((0, 0), np.uint8),
                "frame_rate_FPS": 30.00003,
                "secondary_actions": np.array([CLASSES[k - 1] for k in more], object),
                "secondary_actions_indices": np.uint8(more)[:, None],
            }
        )
    kinds = [(field, object) for field in rows[0]]
    return np.array([tuple(row.values()) for row in rows], kinds)[None]


def write(folder, validation, test, compressed=True):
    """Writes validation_set.mat and test_set_final.mat; see `structures`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, variable, videos in (
        ("validation_set.mat", "validation_videos", validation),
        ("test_set_final.mat", "test_videos", test),
    ):
        content = {variable: structures(videos)}
        scipy.io.savemat(folder / name, content, do_compression=compressed)


def parts(validation, test, segments=(0, 0)):
    """What of datasets.thumos14 has so many videos, and so many segments.

    Returns:
        {name there: value}.
    """
    found = {}
    for name, count, more in zip(
        ("_VALIDATION", "_TEST"), (validation, test), segments, strict=True
    ):
        part = getattr(thumos14, name)
        found[name] = dataclasses.replace(part, count=count, segments=more)
    return found


def smaller(patch, *numbers, **more):
    """Sets `parts` by a pytest.MonkeyPatch."""
    for name, value in parts(*numbers, **more).items():
        patch.setattr(thumos14, name, value)
