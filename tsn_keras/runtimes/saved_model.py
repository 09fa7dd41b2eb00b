"""TensorFlow's SavedModel: a folder that TensorFlow and its servers run."""

import json
import pathlib

from tsn_keras.runtimes.records import ABOUT, Format, converting

# Where the format keeps the users' own files.
EXTRA = "assets.extra"
SIGNATURE = "serving_default"


def write(function, path, form):
    """See records.Format."""
    import tensorflow as tf

    module = tf.Module()
    module.serve = function.traced
    with converting("a SavedModel"):
        tf.saved_model.save(module, str(path), signatures={SIGNATURE: function.traced})
    extra = pathlib.Path(path, EXTRA)
    extra.mkdir()
    text = json.dumps(form.about, indent=1)
    (extra / f"{ABOUT}.json").write_text(f"{text}\n", encoding="utf-8")


def read(path):
    """See records.Format; only for files of one's own, which may hold any operation."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    text = pathlib.Path(path, EXTRA, f"{ABOUT}.json").read_text(encoding="utf-8")

    def run(array):
        found = loaded.signatures[SIGNATURE](tf.constant(array))
        return {name: tensor.numpy() for name, tensor in found.items()}

    return run, json.loads(text)


SAVED_MODEL = Format(
    name="savedmodel",
    title="TensorFlow",
    suffix="_savedmodel",
    is_folder=True,
    tolerances={"float32": 1e-4},
    write=write,
    read=read,
)
