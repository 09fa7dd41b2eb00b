"""BN-Inception on the same weights in PyTorch, and as ONNX for two runtimes.

All are built from the table in models/bn_inception.py. Each peer is a function
from float32 [N, 224, 224, 3] to raw scores [N, 101].
"""

import numpy as np

from tsn_keras.models import bn_inception

EPSILON = 1e-5


def random_weights(model, seed=0):
    """Fills a model with weights that keep activations in range."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        shapes = [weight.shape for weight in layer.weights]
        if len(shapes) == 4:  # slope, bias, mean, variance
            values = [random.uniform(0.8, 1.2, s) for s in shapes]
            values[1:3] = [random.normal(0, 0.1, s) for s in shapes[1:3]]
            layer.set_weights(values)
        elif shapes:
            deviation = np.sqrt(2 / np.prod(shapes[0][:-1]))
            kernel = random.normal(0, deviation, shapes[0])
            biases = [random.normal(0, 0.1, shape) for shape in shapes[1:]]
            layer.set_weights([kernel, *biases])


def _oihw(layer):
    kernel, bias = layer.get_weights()
    return np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)), bias


def pytorch(model, threads, precision="float32"):
    """PyTorch eager, channels last, batch norms left in as its port runs it."""
    import torch
    from torch.nn import functional

    torch.set_num_threads(threads)
    autocast = precision == "bfloat16"
    names = bn_inception.base_channels()
    convolutions, norms = {}, {}
    for name in names:
        layer = model.get_layer(name.replace("/", "_"))
        weight, bias = (torch.from_numpy(a.copy()) for a in _oihw(layer))
        weight = weight.contiguous(memory_format=torch.channels_last)
        convolutions[name] = weight, bias, layer.strides[0], layer.pad
        values = model.get_layer(f"{layer.name}_bn").get_weights()
        norms[name] = [torch.from_numpy(a.copy()) for a in values]
    kernel, offset = model.get_layer("fc-action").get_weights()
    kernel, offset = torch.from_numpy(kernel.T.copy()), torch.from_numpy(offset.copy())

    def conv(x, name):
        weight, bias, stride, pad = convolutions[name]
        slope, shift, mean, variance = norms[name]
        x = functional.conv2d(x, weight, bias, stride, pad)
        x = functional.batch_norm(x, mean, variance, slope, shift, False, 0.1, EPSILON)
        return functional.relu(x, inplace=True)

    def pool(x, mode, stride, pad):
        if mode == "max":
            return functional.max_pool2d(x, 3, stride, pad, ceil_mode=True)
        return functional.avg_pool2d(x, 3, stride, pad, ceil_mode=True)

    def run(images):
        with torch.inference_mode(), torch.autocast("cpu", enabled=autocast):
            x = torch.from_numpy(images).permute(0, 3, 1, 2)  # channels last
            x = _walk(x, conv, pool, lambda parts: torch.cat(parts, 1))
            x = functional.avg_pool2d(x, 7).flatten(1)
            return functional.linear(x, kernel, offset).float().numpy()

    return run


def _walk(x, conv, pool, concat):
    """The network's layers in order, up to the last feature map."""
    x = pool(conv(x, "conv1/7x7_s2"), "max", 2, 0)
    x = conv(conv(x, "conv2/3x3_reduce"), "conv2/3x3")
    x = pool(x, "max", 2, 0)
    for block, (one, *_, (mode, projection)) in bn_inception.BLOCKS.items():
        stride, pad = (2, 0) if one is None else (1, 1)
        parts = [] if one is None else [conv(x, f"{block}/1x1")]
        parts.append(conv(conv(x, f"{block}/3x3_reduce"), f"{block}/3x3"))
        y = conv(x, f"{block}/double_3x3_reduce")
        y = conv(conv(y, f"{block}/double_3x3_1"), f"{block}/double_3x3_2")
        parts.append(y)
        y = pool(x, mode, stride, pad)
        parts.append(conv(y, f"{block}/pool_proj") if projection else y)
        x = concat(parts)
    return x


def onnx_model(folded):
    """A folded model as ONNX, in the layout that its runtimes expect (NCHW)."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants = [], []

    def node(kind, inputs, **attributes):
        output = f"t{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(name, array):
        array = np.ascontiguousarray(array, np.float32)
        constants.append(numpy_helper.from_array(array, name))
        return name

    def conv(x, name):
        layer = folded.get_layer(name.replace("/", "_"))
        kernel, bias = _oihw(layer)
        inputs = [x, constant(f"{name}_w", kernel), constant(f"{name}_b", bias)]
        x = node("Conv", inputs, strides=[layer.strides[0]] * 2, pads=[layer.pad] * 4)
        return node("Relu", [x])

    def pool(x, mode, stride, pad):
        options = {"kernel_shape": [3, 3], "strides": [stride] * 2, "pads": [pad] * 4}
        if mode == "average":
            return node("AveragePool", [x], count_include_pad=1, **options)
        return node("MaxPool", [x], ceil_mode=1, **options)

    x = _walk("images", conv, pool, lambda parts: node("Concat", parts, axis=1))
    x = node("AveragePool", [x], kernel_shape=[7, 7])
    kernel, bias = folded.get_layer("fc-action").get_weights()
    x = node("Flatten", [x])
    x = node("Gemm", [x, constant("fc_w", kernel), constant("fc_b", bias)])
    channels = folded.input_shape[-1]
    float32 = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "bn_inception",
        [helper.make_tensor_value_info("images", float32, ["n", channels, 224, 224])],
        [helper.make_tensor_value_info(x, float32, ["n", len(bias)])],
        constants,
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def onnxruntime(model, threads):
    """ONNX Runtime on the processor, of an ONNX model's bytes."""
    from tsn_keras.runtimes import onnx_file

    run, _ = onnx_file.opened(model, threads)
    return lambda images: next(iter(run(_nchw(images)).values()))


def openvino(model, threads, precision="float32"):
    """OpenVINO on the processor, of an ONNX model's bytes."""
    import openvino

    from tsn_keras.runtimes import openvino_file

    network = openvino.Core().read_model(model)
    run = openvino_file.opened(network, threads, precision)
    return lambda images: next(iter(run(_nchw(images)).values()))


def peer(name, model, fold, threads, precision):
    """A peer by its name in inference.py, of BN-Inception.

    Args:
        name: "pytorch", "onnxruntime" or "openvino".
        model: keras.Model whose weights it takes.
        fold: function that folds the model's batch norms.
        threads: their number.
        precision: "float32" or "bfloat16".
    """
    if name == "pytorch":
        return pytorch(model, threads, precision)
    return of_onnx(name, onnx_model(fold(model)), threads, precision)


def of_onnx(name, model, threads, precision):
    """The runtime of a name in inference.py, of an ONNX model's bytes."""
    if name == "onnxruntime":
        return onnxruntime(model, threads)
    return openvino(model, threads, precision)


def _nchw(images):
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
