"""What a stream saw, as pictures, with heat over them."""

import dataclasses

import matplotlib
import numpy as np

from tsn_keras.flow import colours

HEAT = matplotlib.colormaps["inferno"]  # even in lightness, for all eyes
_FRAME = "frame"  # title of the picture that people know
_STILL = 128  # the grey level of no motion
_MOST_HEAT = 0.75  # how much of a picture the hottest place covers
_SCALE = 99  # percentile of the motion whose colour is full
_LEAST = 4  # grey levels; below, the noise of a camera at rest would be coloured


@dataclasses.dataclass(frozen=True)
class Panel:
    """A picture of what a network saw.

    Attributes:
        title: what it is.
        picture: uint8 [height, width, 3], R, G, B.
        heat: float32 [height, width], from 0 to 1.
        is_motion: whether its colours are those of `draw_key`.
    """

    title: str
    picture: np.ndarray
    heat: np.ndarray
    is_motion: bool = False

    @property
    def hot(self):
        """The picture under its heat: uint8 [height, width, 3]."""
        share = _MOST_HEAT * self.heat[..., None] ** 0.7
        coloured = 255 * HEAT(self.heat)[..., :3]
        return np.round((1 - share) * self.picture + share * coloured).astype(np.uint8)


def of(one, place):
    """The panels of a snippet.

    Args:
        one: results.Explained.
        place: which of those shown.

    Returns:
        list of Panel.
    """
    most = one.heat.max(axis=(0, 2, 3))
    heats = one.heat[place] / np.where(most > 0, most, 1)[:, None, None]
    parts = one.stream.parts
    found, first = [], 0
    for number, part in enumerate(parts):
        planes = one.snippets[place][..., first : first + part.modality.planes]
        first += part.modality.planes
        heat = heats[number if len(heats) > 1 else 0]
        pictures = _pictures(planes, part.modality)
        is_motion = part.modality.is_flow
        if len(parts) == 1 and one.frames is not None and _FRAME not in pictures:
            found.append(Panel(_FRAME, one.frames[place], heat))
        found += [Panel(*named, heat, is_motion) for named in pictures.items()]
    return found


def _pictures(planes, modality):
    """{title: uint8 [H, W, 3]} of what a part of a snippet holds."""
    if modality.is_sound:
        return {"sound": np.repeat(planes.mean(axis=-1, keepdims=True), 3, -1)}
    if modality.is_flow:
        return {"flow": wheel(displacement(planes))}
    first, last = planes[..., :3], planes[..., -3:]
    if modality.differences:
        change = (np.int16(last) - np.int16(first)) // 2
        return {"difference": np.uint8(_STILL + change)[..., ::-1]}
    return {_FRAME: first[..., ::-1]}


def displacement(planes):
    """The mean motion of a snippet of flow.

    Args:
        planes: [H, W, 2 * steps], x and y in turn, grey levels.

    Returns:
        float32 [H, W, 2], x to the right, y down, in grey levels.
    """
    steps = planes.reshape(*planes.shape[:2], -1, 2)
    return steps.mean(axis=2, dtype=np.float32) - _STILL


def wheel(motion):
    """Motion in colours: the hue its direction, the saturation its length.

    Args:
        motion: [H, W, 2], x to the right, y down.

    Returns:
        uint8 [H, W, 3], R, G, B; white where nothing moves.
    """
    length = np.hypot(motion[..., 0], motion[..., 1])
    full = max(np.percentile(length, _SCALE), _LEAST)
    return colours.wheel(motion, full)


def draw_key(axes):
    """Draws what the colours of motion mean, on square axes of matplotlib."""
    places = np.linspace(-1, 1, 81)
    motion = np.stack(np.meshgrid(places, places), axis=-1) * 2 * _LEAST
    picture = wheel(motion)
    # Outside the circle nothing is said.
    picture[np.hypot(*np.moveaxis(motion, -1, 0)) > 2 * _LEAST] = 255
    axes.imshow(picture)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel("moves to", fontsize=7, labelpad=1, backgroundcolor="white")
