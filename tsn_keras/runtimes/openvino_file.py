"""OpenVINO: its files, and its runtime."""

import json

from tsn_keras.common.cores import cores
from tsn_keras.runtimes.records import ABOUT, Format, Needs, Runtime, converting

NEEDS = Needs("openvino", ("openvino",))
NEEDS_INT8 = Needs("openvino", ("openvino", "nncf"))
_PATH = [ABOUT, "about"]  # of what a file says of itself, in its own information
# What a precision of an evaluation is called there. A processor that has bfloat16
# would take it for float32 unless told.
_HINTS = {"float32": "f32", "bfloat16": "bf16"}


def converted(function):
    """A records.Function as an openvino.Model."""
    import openvino

    with converting("an OpenVINO file"):
        return openvino.convert_model(function.traced)


def write(function, path, form):
    """See records.Format; the weights are in a .bin beside the .xml."""
    import openvino

    model = converted(function)
    with converting(f"an OpenVINO file of {form.precision}"):
        if form.precision == "int8":
            model = _quantised(model, form.samples)
        model.set_rt_info(json.dumps(form.about), _PATH)
        half = form.precision == "float16"
        openvino.save_model(model, str(path), compress_to_fp16=half)


def _quantised(model, samples):
    """A model whose convolutions and matrices are of int8.

    Ranges reach from the least to the greatest value that the samples cause, and biases
    stay: of the demo's flow network scores are then 1.2 % of the largest off, against
    20 % with what nncf does by itself, which is made for many more samples.
    """
    import nncf
    from nncf.quantization import range_estimator

    samples = list(samples)
    ranges = range_estimator.RangeEstimatorParametersSet.MINMAX
    return nncf.quantize(
        model,
        nncf.Dataset(samples),
        subset_size=len(samples),
        preset=nncf.QuantizationPreset.MIXED,
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            activations_range_estimator_params=ranges, disable_bias_correction=True
        ),
    )


def opened(model, threads=None, precision="float32"):
    """OpenVINO on the processor.

    Args:
        model: openvino.Model.
        threads: their number; None: all that this process may have.
        precision: "float32" or "bfloat16".

    Returns:
        Function of an array to {name: array}.
    """
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": threads or cores(),
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = openvino.Core().compile_model(model, "CPU", settings)

    def run(array):
        found = compiled(array).to_dict()
        # An output may have further names, of the operation that makes it.
        return {name: values for out, values in found.items() for name in out.names}

    return run


def read(path):
    """See records.Format."""
    import openvino

    model = openvino.Core().read_model(str(path))
    return opened(model), json.loads(model.get_rt_info(_PATH).astype(str))


OPENVINO = Format(
    name="openvino",
    title="OpenVINO",
    suffix=".xml",
    tolerances={"float32": 1e-4, "float16": 1e-2, "int8": 0.1},
    write=write,
    read=read,
    needs={"float32": NEEDS, "float16": NEEDS, "int8": NEEDS_INT8},
)
OPENVINO_RUNTIME = Runtime(
    "openvino",
    precisions=tuple(_HINTS),
    session=lambda function, precision: opened(
        converted(function), precision=precision
    ),
    needs=NEEDS,
)
