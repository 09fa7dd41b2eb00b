"""TFLite (LiteRT): a file for telephones and small machines."""

import json
import pathlib
import re
import tempfile
import zipfile

from tsn_keras.common import console
from tsn_keras.common.errors import InputError
from tsn_keras.runtimes.records import ABOUT, Form, Format, converting
from tsn_keras.runtimes.saved_model import write as write_saved_model

# How the converter names the operation at which it failed.
_OPERATION = re.compile(r'fused\["(\w+):"')


def write(function, path, form):
    """See records.Format.

    What the file says of itself is in a ZIP archive behind the network, where TFLite's
    own tools keep labels: any program that reads archives finds it.
    """
    if form.precision == "int8":
        _check_padding(function)
    with tempfile.TemporaryDirectory() as folder:
        # By way of a SavedModel, so that inputs and outputs keep their names.
        write_saved_model(function, folder, Form(form.about))
        with converting(f"a TFLite file of {form.precision}"):
            data = _converted(folder, function.spec.name, form)
    path = pathlib.Path(path)
    path.write_bytes(data)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{ABOUT}.json", json.dumps(form.about, indent=1))


def _check_padding(function):
    """Refuses what the converter crashes at: padding that eight bits do not have.

    Raises:
        InputError: a maximum is taken over a border of -inf.
    """
    graph = function.traced.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(n for one in graph.library.function for n in one.node_def)]
    # With zeros it would be a plain Pad.
    if any(node.op == "PadV2" for node in nodes):
        raise InputError(
            "TFLite has no int8 of a network whose images are padded with minus "
            "infinity, as this one's before a maximum: take float16, or OpenVINO's int8"
        )


def _converted(folder, name, form):
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    if form.precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if form.precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if form.precision == "int8":
        # What has no kernel of int8 stays in float32, input and output among them.
        converter.representative_dataset = lambda: (
            {name: sample} for sample in form.samples
        )
    try:
        return converter.convert()
    except Exception as error:  # Of the converter's own kind, by version.
        found = _OPERATION.search(str(error))
        if found is None:
            raise
        raise InputError(
            f"TFLite has no counterpart of TensorFlow's {found.group(1)} as this "
            f"network uses it: take another format"
        ) from error


def read(path):
    """See records.Format."""
    import tensorflow as tf

    with console.quiet_frameworks():
        interpreter = tf.lite.Interpreter(str(path))
    runner = interpreter.get_signature_runner()
    (name,) = runner.get_input_details()
    with zipfile.ZipFile(path) as archive:
        about = json.loads(archive.read(f"{ABOUT}.json"))
    return (lambda array: runner(**{name: array})), about


TFLITE = Format(
    name="tflite",
    title="TFLite",
    suffix=".tflite",
    tolerances={"float32": 1e-4, "float16": 1e-2, "int8": 0.1},
    write=write,
    read=read,
)
