"""What tests share: the golden arrays beside the checkout, isolation."""

import gc
import lzma
import os
import pathlib
import random
import signal
import sys

import disks
import numpy as np
import pytest
import shallow

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# What is compared are a processor's numbers; several devices are virtual ones.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

# A shell script's background jobs inherit that SIGINT is ignored.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Files of few long tests. They begin first, so that both workers of `-n 2 --dist
# loadfile` end at the same time; by itself it takes the files of many tests first.
LONG = (
    *("test_notebook.py", "test_kills.py", "test_repeatability.py"),
    *("test_eval.py", "test_train.py", "test_golden_training.py"),
    "test_eval_golden.py",
)

SHARED = pathlib.Path(__file__).parents[2] / "shared"


# Networks are many objects that stay for a while: to look for garbage as often as
# Python does by itself costs some percent of the tests' time.
gc.set_threshold(20_000, 10, 5)


def pytest_configure(config):
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
    ranks = {name: rank for rank, name in enumerate(LONG)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(LONG)))


def _folder(name, what):
    path = SHARED / name
    if not path.is_dir():
        pytest.skip(f"needs {what} in {name}/ of a folder `shared` beside the checkout")
    return path


@pytest.fixture(scope="session")
def golden():
    """Folder of the arrays that the original Caffe computed."""
    return _folder("golden", "the golden arrays of the original Caffe")


@pytest.fixture(scope="session")
def clips():
    """Folder of real HMDB51 clips and the official annotations."""
    return _folder("videos", "HMDB51 clips and official split files")


@pytest.fixture(scope="session")
def reference():
    """Folder of the sheets of facts about the originals."""
    return _folder("reference", "the sheets of facts about the originals")


@pytest.fixture(scope="session")
def caffemodels(golden, tmp_path_factory):
    """Folder with the genuine ucf101_{rgb,flow}_init.caffemodel."""
    folder = tmp_path_factory.mktemp("caffemodels")
    for packed in (golden / "weights").glob("*.caffemodel.xz"):
        with lzma.open(packed) as source:
            (folder / packed.stem).write_bytes(source.read())
    return folder


@pytest.fixture(autouse=True)
def _isolated(monkeypatch, tmp_path_factory):
    """No test reads or writes the user's cache, data or weights."""
    cache = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("TSN_KERAS_CACHE", str(cache))
    monkeypatch.delenv("TSN_KERAS_DATA", raising=False)
    monkeypatch.delenv("TSN_KERAS_WEIGHTS", raising=False)


@pytest.fixture(autouse=True, scope="module")
def _seeded_module():
    """What fixtures of a module draw does not depend on the modules before."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)
    else:
        _seed()


@pytest.fixture(autouse=True)
def _seeded():
    """Every test draws the same numbers, whichever ran before it.

    Keras draws the seeds of its initialisers and layers from Python's generator. To
    set TensorFlow's seed too would make it forget its kernels: 15 ms more a test.
    """
    _seed()


def _seed():
    random.seed(0)
    np.random.seed(0)


@pytest.fixture(scope="module")
def shallow_network():
    """BN-Inception has no block in this module; see tests/support/shallow.py."""
    from tsn_keras.models.backbones import BACKBONES

    places, record = shallow.settings()
    with pytest.MonkeyPatch.context() as patched:
        for place in places:
            patched.setattr(*place)
        patched.setitem(BACKBONES, record.name, record)
        yield


@pytest.fixture
def small_disk(tmp_path):
    """A disks.Disk of 200 kB."""
    with disks.mounted(tmp_path / "disk", 200) as disk:
        yield disk
