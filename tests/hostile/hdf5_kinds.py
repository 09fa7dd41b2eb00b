"""HDF5: score files, weight files, checkpoints; what its library can write."""

import contextlib
import io
import tempfile

import h5py
import makers
import mutators
import numpy as np
import small_network
from harness import MARKER
from small_network import CLASSES

from tsn_keras.checkpoints import loading
from tsn_keras.common import hdf5
from tsn_keras.evaluation import ways
from tsn_keras.scores import fusion, score_file
from tsn_keras.scores.score_file import VideoScores
from tsn_keras.training import checkpoint


def _score_file(path):
    # With several labels a video and attention: it has all that others have.
    sets, attention = ((0, 2), (1,), (2,), (0, 1, 2)), np.ones((2, 2), "f4")
    rows = [
        VideoScores(
            f"v_{k}", k % 3, 30, np.full((2, 2, 3), k / 7, "f4"), labels, attention
        )
        for k, labels in enumerate(sets)
    ]
    about = {"dataset": "ucf101", "split": 1, "protocol": "caffe", "loss": "sigmoid"}
    about |= {"over_time": "consensus", "consensus": {"kind": "attention"}}
    score_file.write(path, rows, classes=CLASSES, about=about, failed={"v_9": "gone"})


def _weight_file(path):
    with tempfile.TemporaryDirectory() as folder:
        own = small_network.FORMATS["own"](small_network.model(), folder)
        path.write_bytes(own.read_bytes())


class _Trainer:
    """As much of trainer.Trainer as a checkpoint is of."""

    loss_scale = None

    def __init__(self):
        model = small_network.model()
        self._state = {f"model/{v.path}": v for v in model.variables}

    def state(self):
        return self._state

    def spread(self):
        pass


_RUN = {"data": {"dataset": "ucf101"}, "batch": 3}


def edited(random, data):
    """Changes what an HDF5 file holds, as its library can."""
    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        names = []
        file.visit(names.append)
        for _ in range(random.choice((1, 1, 2, 3))):
            name = random.choice(names)
            with contextlib.suppress(
                KeyError, ValueError, TypeError, OSError, RuntimeError
            ):
                random.choice(_EDITS)(random, file, name)
    return buffer.getvalue()


def _new_attribute(random, file, _):
    name = random.choice([*file.attrs, "other"])
    here = h5py.Empty("f4"), np.arange(5), np.nan, b"\xff", np.array(["a", "b"], "S1")
    file.attrs[name] = random.choice((*here, *makers.TEXTS))


def _changed_attribute(random, file, _):
    name = random.choice(list(file.attrs))
    if isinstance(file.attrs[name], str):
        said = mutators.of_text(random, file.attrs[name])
        file.attrs[name] = said.decode("utf-8", "replace").replace("\0", "")


def _no_item(random, file, name):
    del file[name]


def _other_array(random, file, name):
    shape = getattr(file[name], "shape", (3,))
    kind = random.choice(
        ("f8", "f2", "i1", "S3", ">f4", "c8", "?", h5py.string_dtype())
    )
    shape = random.choice((shape, shape[::-1], (*shape, 1), (0,), (), (10**6,)))
    form = {"maxshape": None, "chunks": True} if random.random() < 0.3 else {}
    del file[name]
    file.create_dataset(name, shape, kind, **form)


def _huge_array(random, file, name):
    del file[name]
    file.create_dataset(name, (2**40,), "f4", chunks=(2**20,))


def _other_values(random, file, name):
    array = file[name]
    if (
        isinstance(array, h5py.Dataset)
        and array.dtype.kind in "fi"
        and array.size < 1000
    ):
        edges = (np.nan, np.inf, -1, 3e38, 2**31)
        array[...] = np.resize(random.choices(edges, k=3), array.shape)


def _link(random, file, name):
    targets = (
        h5py.SoftLink("/"),
        h5py.SoftLink(f"/{name}"),
        h5py.ExternalLink(f"../{MARKER}.h5", "/"),
        h5py.ExternalLink("/dev/zero", "/"),
        file["/"],
    )
    del file[name]
    file[name] = random.choice(targets)


def _pile(random, file, name):
    """Groups that each hold the next one twice: billions of paths."""
    del file[name]
    group = file.create_group(name)
    for _ in range(18):
        group["a"] = group["b"] = file.create_group(None)
        group = group["a"]


def _shared_texts(random, file, name):
    del file[name]
    kind = h5py.string_dtype()
    file.create_dataset(name, data=np.array(["x" * 5000] * 300, object), dtype=kind)


_EDITS = (
    *(_new_attribute, _changed_attribute, _no_item, _other_array, _huge_array),
    *(_other_values, _link, _pile, _shared_texts),
)


def _hdf5(write, suffix):
    good = makers.bytes_of(write, suffix)

    def make(random):
        data, how = good, random.randrange(10)
        if how < 4:
            data = edited(random, data)
        sealed = random.random() < 0.5
        if not sealed:  # As another program would write it.
            data = data[hdf5.BLOCK :]
        if how >= 3:
            data = mutators.of_bytes(random, data, makers.near_the_names)
        if how == 9 or not sealed or len(data) < hdf5.BLOCK:
            return data  # With a digest that is not its own.
        buffer = io.BytesIO(data)
        hdf5.seal(buffer)
        return buffer.getvalue()

    return good, make


def fuse(path):
    """Reads a score file as the command does."""
    return fusion.fuse(fusion.Request([str(path)]))


def load(path):
    """Reads a weight file of any format as commands do."""
    weights = loading.find(path)
    ways.told(weights)
    return weights.build()


def kinds():
    """{name: (suffix, function to (good bytes, maker of bad ones), reader)}."""
    trainer = []

    def restore(path):
        trainer or trainer.append(_Trainer())
        checkpoint.restore(trainer[0], path, _RUN)

    def save(path):
        trainer or trainer.append(_Trainer())
        checkpoint.save(trainer[0], path, _RUN)

    suffix = ".weights.h5"
    return {
        "score files": (".h5", lambda: _hdf5(_score_file, ".h5"), fuse),
        "weight files": (suffix, lambda: _hdf5(_weight_file, suffix), load),
        "checkpoints": (".h5", lambda: _hdf5(save, ".h5"), restore),
    }
