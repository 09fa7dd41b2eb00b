"""ONNX, and ONNX Runtime."""

import json
import pathlib

from tsn_keras.common.cores import cores
from tsn_keras.runtimes.records import (
    ABOUT,
    Format,
    Needs,
    Runtime,
    converting,
)

# The first that knows the exclusive or of bytes, by which flow is mirrored.
OPSET = 18
NEEDS = Needs("onnx", ("onnx", "tf2onnx", "onnxruntime"))


def converted(function):
    """A records.Function as an onnx.ModelProto."""
    with converting("an ONNX file"):
        import tf2onnx

        proto, _ = tf2onnx.convert.from_function(
            function.traced, [function.spec], opset=OPSET
        )
    return proto


def write(function, path, form):
    """See records.Format."""
    proto = converted(function)
    entry = proto.metadata_props.add()
    entry.key, entry.value = ABOUT, json.dumps(form.about)
    pathlib.Path(path).write_bytes(proto.SerializeToString())


def opened(model, threads=None):
    """ONNX Runtime on the processor.

    Args:
        model: path of a file, or its bytes, of one input.
        threads: their number; None: all that this process may have.

    Returns:
        (function of an array to {name: array}, onnxruntime.InferenceSession)
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # Errors.
    # Said, else it binds threads to cores that this process may not have.
    options.intra_op_num_threads = threads or cores()
    session = onnxruntime.InferenceSession(
        model, options, providers=["CPUExecutionProvider"]
    )
    (given,) = session.get_inputs()
    names = [output.name for output in session.get_outputs()]

    def run(array):
        found = session.run(names, {given.name: array})
        return dict(zip(names, found, strict=True))

    return run, session


def read(path):
    """See records.Format."""
    run, session = opened(str(path))
    return run, json.loads(session.get_modelmeta().custom_metadata_map[ABOUT])


def _session(function, precision):
    del precision  # float32 is all that it has.
    run, _ = opened(converted(function).SerializeToString())
    return run


ONNX = Format(
    name="onnx",
    title="ONNX Runtime",
    suffix=".onnx",
    tolerances={"float32": 1e-4},
    write=write,
    read=read,
    needs={"float32": NEEDS},
)
ONNX_RUNTIME = Runtime("onnxruntime", session=_session, needs=NEEDS)
