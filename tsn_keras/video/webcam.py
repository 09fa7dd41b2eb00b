"""A webcam as a live source."""

import cv2

from tsn_keras.video import decode
from tsn_keras.video.live import Live


class Webcam(Live):
    """A camera; see Live.

    Args:
        number: of the camera, from 0, as OpenCV counts.

    Raises:
        decode.VideoError: there is no such camera.
    """

    def __init__(self, number):
        super().__init__(f"camera {number}")
        self._capture = cv2.VideoCapture(number)
        if not self._capture.isOpened():
            raise decode.VideoError(
                f"there is no camera {number}, or something else uses it"
            )

    def __exit__(self, *_):
        super().__exit__()
        if not self._thread.is_alive():
            self._capture.release()

    def _read(self):
        while not self._ended:
            good, frame = self._capture.read()
            if not good:
                return
            yield frame
