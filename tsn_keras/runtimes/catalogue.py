"""All formats and runtimes, by name. A new one is a file and a line here."""

from tsn_keras.common.catalogue import Catalogue
from tsn_keras.runtimes.onnx_file import ONNX, ONNX_RUNTIME
from tsn_keras.runtimes.openvino_file import OPENVINO, OPENVINO_RUNTIME
from tsn_keras.runtimes.records import Runtime
from tsn_keras.runtimes.saved_model import SAVED_MODEL
from tsn_keras.runtimes.tflite import TFLITE

FORMATS = Catalogue("format", (SAVED_MODEL, ONNX, OPENVINO, TFLITE))

KERAS = Runtime("keras", precisions=("float32", "bfloat16"))
RUNTIMES = Catalogue("runtime", (KERAS, ONNX_RUNTIME, OPENVINO_RUNTIME))
