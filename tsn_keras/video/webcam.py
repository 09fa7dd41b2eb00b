"""The newest frames of a webcam."""

import collections
import threading

import cv2

from tsn_keras.video import decode


class Webcam:
    """Reads a camera in the background and keeps its newest frames only.

    Whoever looks now and then sees the present: a camera's own queue would
    give what was there when it was last asked. A context manager.

    Args:
        number: of the camera, from 0, as OpenCV counts.
        depth: frames to keep.

    Raises:
        decode.VideoError: there is no such camera, or it gives no frame.
    """

    def __init__(self, number, depth):
        self._capture = cv2.VideoCapture(number)
        if not self._capture.isOpened():
            raise decode.VideoError(
                f"there is no camera {number}, or something else uses it"
            )
        self._number, self._depth = number, depth
        self._frames = collections.deque(maxlen=depth)
        self._seen = 0
        self._taken = 0
        self._ended = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self._news:
            self._ended = True
            self._news.notify_all()
        # A camera that hangs must not keep the process alive.
        self._thread.join(timeout=5)
        if not self._thread.is_alive():
            self._capture.release()

    def _read(self):
        while True:
            good, frame = self._capture.read()
            with self._news:
                if not good or self._ended:
                    self._ended = True
                    self._news.notify_all()
                    return
                self._frames.append(frame)
                self._seen += 1
                self._news.notify_all()

    def newest(self):
        """Waits for frames that were not given yet.

        Returns:
            (number of the last one from 1, list of uint8 [H, W, 3], B, G, R, the
            newest `depth` frames in their order), or None when the camera has
            ended.

        Raises:
            decode.VideoError: it ended before it gave enough frames.
        """
        with self._news:
            while True:
                if len(self._frames) == self._depth and self._seen > self._taken:
                    self._taken = self._seen
                    return self._seen, list(self._frames)
                if self._ended and not self._taken:
                    raise decode.VideoError(
                        f"camera {self._number} gives no {self._depth} frames: does "
                        f"something else use it? Try another number"
                    )
                if self._ended:
                    return None
                self._news.wait(timeout=1)
