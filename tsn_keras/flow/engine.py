"""TV-L1 on the devices that Keras sees, for many threads with one pair each.

The threads that decode and encode videos ask for the flow of one pair at a
time. Their pairs meet here, are computed in batches, whichever videos they come
from, and each goes back to whom it belongs: the device never waits for one
video's files to be written.
"""

import atexit
import concurrent.futures
import functools
import queue
import threading
import time

import keras
import numpy as np

from tsn_keras.common.errors import reason_of
from tsn_keras.flow import devices, tvl1
from tsn_keras.flow.settings import PARAMETERS, DeviceError

# Pairs that are computed at once. A processor's caches hold one pair; a GPU
# needs many to be busy.
BATCHES = {"cpu": 1, "gpu": 64}

# Seconds that pairs wait for their batch to be full.
_PATIENCE = 0.05

_ENGINES = {}
_MAKING = threading.Lock()


def of(settings, cores=1):
    """The engine of this process for some settings; made when first asked for.

    Args:
        settings: settings.FlowSettings; its batch bounds memory.
        cores: that compute, of a processor.

    Returns:
        Engine.

    Raises:
        DeviceError: see `devices.kind`.
    """
    key = (settings.parameters, devices.kind(settings.device), settings.batch, cores)
    with _MAKING:
        if key not in _ENGINES:
            _ENGINES[key] = Engine(*key)
    return _ENGINES[key]


@atexit.register
def _close_all():
    # If the process ends while a thread is inside a framework, it crashes.
    for engine in list(_ENGINES.values()):
        engine.close()


class Engine:
    """Computes the flow of pairs that many threads ask for.

    Args:
        parameters: name of the TV-L1 parameters, in settings.PARAMETERS.
        kind: "cpu", or "gpu" for all of them.
        batch: pairs that are computed at once, or None for what suits the device.
        lanes: batches that a processor computes at once.

    Attributes:
        pairs: number of pairs that keep it busy when they are asked for at
            once.
    """

    def __init__(self, parameters, kind, batch=None, lanes=1):
        self._batch = batch or BATCHES[kind]
        names = devices.gpus() if kind == "gpu" else ["cpu:0"] * lanes
        # The next batch is collected while one is computed.
        self.pairs = 2 * self._batch * len(names)
        self._compute = devices.compiled(
            functools.partial(tvl1.tvl1, **PARAMETERS[parameters].keywords())
        )
        self._compiling = threading.Lock()
        self._known = set()
        self._waiting = queue.Queue()
        self._end = None  # the error that everybody gets once there is one
        self._lanes = [
            threading.Thread(target=self._lane, args=(device,), daemon=True)
            for device in names
        ]
        for lane in self._lanes:
            lane.start()

    def __call__(self, previous, following):
        """Computes the flow of a pair; waits until it is there.

        Args:
            previous, following: uint8 [H, W].

        Returns:
            float32 [H, W, 2], x and y in pixels.

        Raises:
            DeviceError: the device failed.
            Stopped: somebody called `stop`.
        """
        result = concurrent.futures.Future()
        self._waiting.put((np.stack([previous, following]), result))
        while True:
            try:
                return result.result(timeout=1)
            except concurrent.futures.TimeoutError:
                if self._end:
                    raise self._end from None

    def warm_up(self, height, width):
        """Compiles for images of a size, which takes seconds."""
        image = np.zeros((height, width), np.uint8)
        self(image, image)

    def stop(self):
        """Makes an end: whoever waits for flow gets Stopped, now and later."""
        self._end = self._end or Stopped()

    def close(self):
        """Stops, waits for what is being computed, and forgets the engine."""
        self.stop()
        for _ in self._lanes:
            self._waiting.put(None)
        for lane in self._lanes:
            lane.join()
        with _MAKING:
            for key in [key for key, engine in _ENGINES.items() if engine is self]:
                del _ENGINES[key]

    def _lane(self, device):
        """Computes batches on a device until the engine is closed."""
        try:
            with keras.device(device):
                self._serve(device)
        except Exception as error:
            # There is no such device: nobody must wait for it.
            self._end = _told(error, device)

    def _serve(self, device):
        held = None
        while True:
            batch, held = self._gathered(held)
            if not batch:
                return
            try:
                if self._end:
                    raise self._end
                flows = self._flows(device, np.stack([pair for pair, _ in batch]))
            except Exception as error:
                for _, result in batch:
                    result.set_exception(_told(error, device))
            else:
                for (_, result), flow in zip(batch, flows, strict=True):
                    # A copy: a view would keep the whole batch in memory.
                    result.set_result(flow.copy())

    def _gathered(self, held):
        """Takes (pairs of one size, one of another that came after or None)."""
        first = held or self._waiting.get()
        if first is None:
            return [], None
        batch, end = [first], time.monotonic() + _PATIENCE
        while len(batch) < self._batch:
            try:
                more = self._waiting.get(timeout=max(0, end - time.monotonic()))
            except queue.Empty:
                break
            if more is None:
                # None ends a lane: after this batch, perhaps another lane's.
                self._waiting.put(None)
                break
            if more[0].shape != first[0].shape:
                return batch, more
            batch.append(more)
        return batch, None

    def _flows(self, device, pairs):
        """uint8 [n, 2, H, W] to float32 [n, H, W, 2]."""
        missing = self._batch - len(pairs)
        if missing:
            # One size is compiled, not one for every remainder.
            pairs = np.concatenate([pairs, np.repeat(pairs[-1:], missing, axis=0)])
        images = [keras.ops.convert_to_tensor(pairs[:, k]) for k in (0, 1)]
        key = (device, pairs.shape)
        if key in self._known:
            flows = self._compute(*images)
        else:
            # Two lanes would both compile.
            with self._compiling:
                flows = self._compute(*images)
                self._known.add(key)
        return keras.ops.convert_to_numpy(flows)[: self._batch - missing]


class Stopped(Exception):
    """Flow was asked for of an engine that was stopped."""


# Words of the frameworks' errors when memory is too small.
_MEMORY = ("out of memory", "resource_exhausted", "resource exhausted", "oom")


def _told(error, device):
    """An error of a framework, in words."""
    if isinstance(error, Stopped | DeviceError):
        return error
    text = str(error).strip()
    advice = ""
    if isinstance(error, MemoryError) or any(m in text.lower() for m in _MEMORY):
        advice = "; smaller batches (`batch`) take less memory"
    told = DeviceError(
        f"TV-L1 on {device} failed with {type(error).__name__}: {reason_of(error)}"
        f"{advice}"
    )
    told.__cause__ = error
    return told
