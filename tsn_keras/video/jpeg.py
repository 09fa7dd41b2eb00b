"""JPEG images as the original writes them, and as it reads them back."""

import pathlib

import cv2
import numpy as np

QUALITY = 95  # cv2.imwrite's default, with which dense_flow writes


def encode(image, quality=QUALITY):
    """Encodes an image: uint8 [H, W] or [H, W, 3] (B, G, R) to JPEG bytes."""
    return cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))[1].tobytes()


def write(path, image):
    """Writes a JPEG file.

    Encoded by OpenCV and written by Python, which says why a file cannot be
    written; cv2.imwrite only says no.
    """
    pathlib.Path(path).write_bytes(encode(image))


def stored(image):
    """The image as it comes back from a JPEG file: the same shape and type."""
    flag = cv2.IMREAD_GRAYSCALE if image.ndim == 2 else cv2.IMREAD_COLOR
    return cv2.imdecode(np.frombuffer(encode(image), np.uint8), flag)
