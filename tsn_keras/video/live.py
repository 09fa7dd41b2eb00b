"""The newest frames of what runs on by itself: a webcam, or a file at its own pace."""

import collections
import threading
import time

from tsn_keras.common.errors import InputError
from tsn_keras.video import decode


class Live:
    """Reads frames in the background and keeps the newest of them only.

    Whoever looks now and then sees the present: a camera's own queue would give what
    was there when it was last asked. A context manager. Subclasses say what is read.

    Args:
        name: of the source, for messages.

    Attributes:
        seen: frames that have come since `start`.
        damage: what is wrong with the source after its last frame; or None.
    """

    def __init__(self, name):
        self._name = name
        self._frames: collections.deque = collections.deque()
        self._taken = self.seen = 0
        self.damage: str | None = None
        self._ended = False
        self._failed: InputError | OSError | None = None
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _read(self):
        """Yields uint8 [H, W, 3], B, G, R, each when it is there.

        Raises:
            InputError: it cannot be read any further.
        """
        raise NotImplementedError

    def start(self, depth: int) -> None:
        """Begins to read.

        Args:
            depth: frames to keep.
        """
        self._frames = collections.deque(maxlen=depth)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self._news:
            self._ended = True
            self._news.notify_all()
        if self._thread.is_alive():
            # A camera that hangs must not keep the process alive.
            self._thread.join(timeout=5)

    def _run(self):
        try:
            for frame in self._read():
                with self._news:
                    if self._ended:
                        return
                    self._frames.append(frame)
                    self.seen += 1
                    self._news.notify_all()
        except (InputError, OSError) as error:
            # Told to who waits for frames: a thread has nobody to tell.
            self._failed = error
        finally:
            with self._news:
                self._ended = True
                self._news.notify_all()

    def newest(self):
        """Waits for frames that were not given yet.

        Returns:
            (number of the last one from 1, list of uint8 [H, W, 3], B, G, R, the
            newest `depth` frames in their order), or None when the source has ended.

        Raises:
            InputError: it ended before it gave enough frames, or it is damaged.
            OSError: it cannot be read.
        """
        depth = self._frames.maxlen
        with self._news:
            while True:
                if len(self._frames) == depth and self.seen > self._taken:
                    self._taken = self.seen
                    return self.seen, list(self._frames)
                if self._ended and self._failed:
                    raise self._failed
                if self._ended and not self._taken:
                    raise decode.VideoError(f"{self._name} gives no {depth} frames")
                if self._ended:
                    return None
                self._news.wait(timeout=1)


class Playing(Live):
    """A video file as if it were filmed now: each frame comes at its time.

    Args:
        path: the file.
        keep_damaged: whether the frames before the damage of a damaged file are
            played; else it is an error when it is reached.
        threads: of the decoder.

    Raises:
        decode.VideoError: it is no video, or does not say how many frames a second
            it has.
        OSError: it cannot be read.
    """

    def __init__(self, path, keep_damaged=False, threads=1):
        super().__init__(str(path))
        self._path, self._keep, self._threads = path, keep_damaged, threads
        # Files that are no videos are refused here, and not in the background.
        next(self._decoded(), None)
        self._rate = decode.rate(path)
        if not self._rate:
            raise decode.VideoError(
                f"{path} does not say how many frames a second it has, so that it "
                f"cannot be played: leave out what stands before its name"
            )

    def _decoded(self):
        on_damage = self._tell if self._keep else None
        return decode.frames(self._path, on_damage=on_damage, threads=self._threads)

    def _tell(self, damage):
        self.damage = damage

    def _read(self):
        began = time.monotonic()
        for number, frame in enumerate(self._decoded()):
            # In slices, so that the end of the command is not waited for.
            while (left := began + number / self._rate - time.monotonic()) > 0:
                if self._ended:
                    return
                time.sleep(min(left, 0.2))
            yield frame
