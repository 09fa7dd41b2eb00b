"""Pictures of videos, small: three moments side by side, of frames and of flow."""

import cv2
import numpy as np

from tsn_keras.common.errors import InputError
from tsn_keras.datasets.records import VideoFile
from tsn_keras.flow import colours, quantiser, ranges
from tsn_keras.reports.records import Pictures
from tsn_keras.video import jpeg, seeking

MOMENTS = (1 / 6, 1 / 2, 5 / 6)  # of a video
HEIGHT = 84  # pixels
_WIDEST = 3 * HEIGHT  # of one picture
_QUALITY = 70
# Motion below it is noise: its colours are pale.
_LEAST_MOTION = 1.0  # pixels


def strip(pictures: Pictures, video) -> bytes | None:
    """Three moments of a video as the bytes of a JPEG.

    Flow is drawn in colours: the hue is its direction, and the stronger it is within
    the three fields, the less it is white.

    Args:
        pictures: Pictures.
        video: its id.

    Returns:
        bytes; None where the files are not there, or cannot be read.
    """
    folder = pictures.folders.get(video)
    if folder is None:
        return None
    try:
        images = _images(folder, pictures)
    except (InputError, OSError):
        return None
    return jpeg.encode(
        np.concatenate([_small(one) for one in images], axis=1), _QUALITY
    )


def moments(files) -> list[int]:
    """Numbers of the files that are shown, from 1.

    Example:
        >>> moments(30), moments(1)
        ([6, 16, 26], [1])
    """
    return sorted({1 + int(files * share) for share in MOMENTS})


def _images(folder, pictures):
    """The pictures of the moments, uint8 [h, w, 3], B, G, R."""
    numbers = moments(folder.files)
    if isinstance(folder, VideoFile):
        if pictures.is_flow:
            raise InputError(f"{folder.path}: flow is not computed here")
        return [image for _, image in seeking.frames(folder.path, numbers)]
    files = [
        [(prefix, number) for prefix in pictures.prefixes]
        for number in folder.numbered(numbers)
    ]
    planes = [[_decoded(folder.path, *file) for file in one] for one in files]
    if not pictures.is_flow:
        return [image for (image,) in planes]
    fields = [
        np.stack(
            [
                quantiser.decode(plane[..., 0], *span)
                for plane, span in zip(pair, _spans(folder, names), strict=True)
            ],
            axis=-1,
        )
        for pair, names in zip(planes, files, strict=True)
    ]
    return coloured(fields)


def _spans(folder, names):
    """(low, high) of each file of a field: the motion of grey levels 0 and 255."""
    if folder.bound is None:
        return ranges.read(folder.path, names)
    return [(-folder.bound, folder.bound)] * len(names)


def _decoded(folder, prefix, number):
    """A JPEG file, uint8 [h, w, 3]."""
    path = folder / f"{prefix}{number:05d}.jpg"
    data = np.frombuffer(path.read_bytes(), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise InputError(f"{path} is no picture")
    return image


def coloured(fields) -> list[np.ndarray]:
    """Flow fields as pictures.

    Args:
        fields: float32 [h, w, 2] each, pixels of motion.

    Returns:
        list of uint8 [h, w, 3], B, G, R: white without motion, red to the right, cyan
        to the left.
    """
    lengths = [np.hypot(field[..., 0], field[..., 1]) for field in fields]
    largest = max(
        _LEAST_MOTION, *(float(np.percentile(length, 99)) for length in lengths)
    )
    return [colours.wheel(field, largest)[..., ::-1] for field in fields]


def _small(image):
    """A picture of the height of a strip."""
    height, width = image.shape[:2]
    wide = int(np.clip(round(width * HEIGHT / height), 1, _WIDEST))
    return cv2.resize(image, (wide, HEIGHT), interpolation=cv2.INTER_AREA)
