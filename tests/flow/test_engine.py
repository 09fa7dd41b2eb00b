"""Pairs of many threads meet in batches, and each gets its own flow back."""

import concurrent.futures
import contextlib
import functools
import threading

import cv2
import keras
import numpy as np
import pytest

from tsn_keras.flow import devices, tvl1
from tsn_keras.flow import engine as engines
from tsn_keras.flow.settings import PARAMETERS, DeviceError, FlowSettings

SIZES = ((20, 24), (18, 30))


def pairs(count):
    random = np.random.default_rng(0)
    return [
        [
            cv2.GaussianBlur(random.integers(0, 256, SIZES[k % 2], np.uint8), (0, 0), 2)
            for _ in "ab"
        ]
        for k in range(count)
    ]


@functools.cache
def flow_of(size):
    """The flow of those of eleven pairs that have a size, without an engine."""
    of_size = [p for p in pairs(11) if p[0].shape == size]
    images = [np.stack(batch) for batch in zip(*of_size, strict=True)]
    keywords = PARAMETERS["original"].keywords()
    compute = devices.compiled(
        lambda a, b: tvl1.tvl1(a, b, pairs_at_once=1, **keywords)
    )
    return keras.ops.convert_to_numpy(compute(*images))


@pytest.fixture
def engine(request):
    made = engines.Engine("original", "cpu", **getattr(request, "param", {}))
    yield made
    made.close()


@pytest.mark.parametrize(
    "engine", [{}, {"batch": 4}, {"batch": 3, "lanes": 2}], indirect=True
)
def test_each_gets_its_own_flow(engine):
    """Of two sizes, more than a batch, fewer than a batch."""
    expected = {size: iter(flow_of(size)) for size in SIZES}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda pair: engine(*pair), pairs(11)))
    for (previous, _), one in zip(pairs(11), found, strict=True):
        other = next(expected[previous.shape])
        assert one.dtype == np.float32
        assert one.shape == (*previous.shape, 2)
        assert np.abs(other).max() > 0.1
        # Programs for other batches: other roundings.
        assert np.abs(one - other).mean() < 1e-3


@pytest.mark.parametrize("engine", [{"batch": 4}], indirect=True)
def test_pairs_that_come_together_are_one_batch(engine):
    sizes = []
    compute = engine._compute
    engine._compute = lambda *images: sizes.append(len(images[0])) or compute(*images)
    same = pairs(1)[0]
    barrier = threading.Barrier(8)

    def ask(_):
        barrier.wait()
        return engine(*same)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])
    # Always the one size that was compiled; eight single ones would be eight.
    assert set(sizes) == {4}
    assert len(sizes) <= 4


def test_engine_is_made_once():
    def of(parameters="original", device="cpu", cores=1):
        settings = FlowSettings(parameters=parameters, device=device)
        return engines.of(settings, cores)

    made = [one, *_] = [of(), of("opencv4"), of(cores=2)]
    try:
        assert of(device="auto") is one
        assert len({id(engine) for engine in made}) == 3
        one.close()
        assert of() is not one
        assert of("opencv4") is made[1]
    finally:
        for engine in (*made, of()):
            engine.close()
    assert not any(lane.is_alive() for engine in made for lane in engine._lanes)


def test_closed_while_pairs_wait():
    """What is under way is finished first; then the threads are gone."""
    engine = engines.Engine("original", "cpu", lanes=2)
    same = pairs(1)[0]
    engine.warm_up(*same[0].shape)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(engine, *same) for _ in range(8)]
        engine.close()
        for result in waiting:
            with contextlib.suppress(engines.Stopped):
                assert result.result(60).shape == (*same[0].shape, 2)
    assert not any(lane.is_alive() for lane in engine._lanes)


def test_a_device_that_is_not_there(monkeypatch):
    """Nobody waits for it for ever."""
    monkeypatch.setattr(devices, "gpus", lambda: ["gpu:7"])
    monkeypatch.setattr(
        engines.keras, "device", lambda name: (_ for _ in ()).throw(OSError(name))
    )
    engine = engines.Engine("original", "gpu")
    with pytest.raises(DeviceError, match="gpu:7 failed with OSError: gpu:7"):
        engine(*pairs(1)[0])
    engine.close()


def test_stopped(engine):
    same = pairs(1)[0]
    started, go_on = threading.Event(), threading.Event()

    def compute(*images):
        started.set()
        assert go_on.wait(60)
        raise AssertionError

    engine._compute = compute
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(engine, *same) for _ in range(2)]
        assert started.wait(60)
        engine.stop()
        try:
            for result in waiting:
                with pytest.raises(engines.Stopped):
                    result.result(60)
        finally:
            go_on.set()
    with pytest.raises(engines.Stopped):
        engine(*same)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no\nreason"), "failed with ValueError: no"),
        (
            RuntimeError("RESOURCE_EXHAUSTED: 1 TB"),
            "failed with RuntimeError: RESOURCE_EXHAUSTED: 1 TB; smaller batches "
            "(`batch`) take less memory",
        ),
    ],
)
def test_a_device_that_fails_says_so(engine, error, text):
    def compute(*images):
        raise error

    engine._compute = compute
    with pytest.raises(DeviceError) as told:
        engine(*pairs(1)[0])
    assert str(told.value) == f"TV-L1 on cpu:0 {text}"
    assert told.value.__cause__ is error


def test_gpus_are_preferred_and_asked_for(monkeypatch):
    assert devices.kind("auto") == devices.kind("cpu") == "cpu"
    with pytest.raises(DeviceError, match="Keras sees no GPU with tensorflow"):
        devices.kind("gpu")
    monkeypatch.setattr(devices, "gpus", lambda: ["gpu:0"])
    assert devices.kind("auto") == devices.kind("gpu") == "gpu"
    assert devices.kind("cpu") == "cpu"
