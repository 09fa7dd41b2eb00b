"""Networks as Caffe's files have them, computed in the simplest form: NumPy and SciPy.

A network is a list of layers, typed from the prototxts apart from tsn_keras/models.
Arrays are [C, H, W], as Caffe has them.
"""

import math
from typing import NamedTuple

import caffe_writer
import numpy as np
from scipy import signal


class Layer(NamedTuple):
    """A layer: its name, Caffe's type, what it reads, and its numbers."""

    name: str
    kind: str
    reads: tuple
    numbers: tuple = ()


class Net:
    """A list of layers in the making, each of which reads the one before."""

    def __init__(self, width):
        self.layers, self.width = [], width

    def add(self, name, kind, *numbers, reads=None):
        before = self.layers[-1].name if self.layers else "data"
        self.layers.append(Layer(name, kind, reads or (before,), numbers))
        return name

    def conv(self, name, channels, kernel, stride=1, pad=0, reads=None, relu=None):
        count = max(1, round(channels * self.width))
        self.add(name, "Convolution", count, kernel, stride, pad, reads=reads)
        return self.add(relu or f"relu_{name}", "ReLU")

    def dense(self, name, outputs):
        self.add(name, "InnerProduct", outputs)

    def norm(self, name, alpha, k):
        self.add(name, "LRN", 5, alpha, 0.75, k)


def cnn_m(width, classes, norm2=True):
    """VGG_CNN_M_2048; without `norm2` the net of flow."""
    net = Net(width)
    wide = round(512 * width)
    net.conv("conv1", 96, 7, 2, 0)
    net.norm("norm1", 0.0005, 2.0)
    net.add("pool1", "Pooling", 3, 2, 0)
    net.conv("conv2", 256, 5, 2, 1)
    if norm2:
        net.norm("norm2", 0.0005, 2.0)
    net.add("pool2", "Pooling", 3, 2, 0)
    for number in (3, 4, 5):
        net.conv(f"conv{number}", 512, 3, 1, 1)
    net.add("pool5", "Pooling", 3, 2, 0)
    for name, outputs in (("fc6", 8 * wide), ("fc7", 4 * wide)):
        net.dense(name, outputs)
        net.add(f"relu_{name}", "ReLU")
    net.dense("fc8", classes)
    return net.layers


def vgg16(width, classes, head="fc8"):
    """VGG_ILSVRC_16_layers; `head` is fc8-1 in the action network of images."""
    net = Net(width)
    wide = round(512 * width)
    for stage, (count, channels) in enumerate(
        ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), 1
    ):
        for number in range(1, count + 1):
            net.conv(f"conv{stage}_{number}", channels, 3, 1, 1)
        net.add(f"pool{stage}", "Pooling", 2, 2, 0)
    for name in ("fc6", "fc7"):
        net.dense(name, 8 * wide)
        net.add(f"relu_{name}", "ReLU")
    net.dense(head, classes)
    return net.layers


# 1x1, 3x3_reduce, 3x3, 5x5_reduce, 5x5, pool_proj of bvlc_googlenet.
INCEPTION = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(width, classes):
    """bvlc_googlenet, with its auxiliary classifiers."""
    net = Net(width)
    net.conv("conv1/7x7_s2", 64, 7, 2, 3)
    net.add("pool1/3x3_s2", "Pooling", 3, 2, 0)
    net.norm("pool1/norm1", 0.0001, 1.0)
    net.conv("conv2/3x3_reduce", 64, 1)
    net.conv("conv2/3x3", 192, 3, 1, 1)
    net.norm("conv2/norm2", 0.0001, 1.0)
    last = net.add("pool2/3x3_s2", "Pooling", 3, 2, 0)
    for block, channels in INCEPTION.items():
        name = f"inception_{block}"
        one, reduce3, three, reduce5, five, projection = channels
        ends = [net.conv(f"{name}/1x1", one, 1, reads=(last,))]
        net.conv(f"{name}/3x3_reduce", reduce3, 1, reads=(last,))
        ends.append(net.conv(f"{name}/3x3", three, 3, 1, 1))
        net.conv(f"{name}/5x5_reduce", reduce5, 1, reads=(last,))
        ends.append(net.conv(f"{name}/5x5", five, 5, 1, 2))
        net.add(f"{name}/pool", "Pooling", 3, 1, 1, reads=(last,))
        ends.append(net.conv(f"{name}/pool_proj", projection, 1))
        last = net.add(f"{name}/output", "Concat", reads=tuple(ends))
        if block in ("4a", "4d"):
            head = f"loss{1 if block == '4a' else 2}"
            net.add(f"{head}/ave_pool", "Average", 5, 3)
            net.conv(f"{head}/conv", 128, 1)
            net.dense(f"{head}/fc", max(1, round(1024 * width)))
            net.add(f"{head}/relu_fc", "ReLU")
            net.dense(f"{head}/classifier", classes)
        if block in ("3b", "4e"):
            pool = f"pool{3 if block == '3b' else 4}/3x3_s2"
            last = net.add(pool, "Pooling", 3, 2, 0, reads=(last,))
    net.add("pool5/7x7_s1", "Average", 7, 1, reads=(last,))
    net.dense("loss3/classifier", classes)
    return net.layers


def run(layers, image, seed=0):
    """A network on an image [C, H, W], with weights that are drawn on the way.

    Returns:
        ({layer: (kernel, bias)}, float32 in Caffe's order; {layer: output}, float64)
    """
    random = np.random.default_rng(seed)
    blobs, found = {}, {"data": np.asarray(image, np.float64)}
    for name, kind, reads, numbers in layers:
        x = found[reads[0]]
        if kind in ("Convolution", "InnerProduct"):
            side = (numbers[1],) * 2 if kind == "Convolution" else ()
            shape = (numbers[0], len(x) if side else x.size, *side)
            # So that activations stay as large as they are.
            deviation = math.sqrt(2 / math.prod(shape[1:]))
            kernel = random.normal(0, deviation, shape).astype("f4")
            blobs[name] = kernel, random.normal(0, 1, shape[0]).astype("f4")
        found[name] = _output(kind, x, numbers, blobs.get(name), found, reads)
    return blobs, found


def _output(kind, x, numbers, blobs, found, reads):
    if kind == "ReLU":
        return np.maximum(x, 0)
    if kind == "Concat":
        return np.concatenate([found[one] for one in reads])
    if kind == "InnerProduct":
        return blobs[0].astype("f8") @ x.ravel() + blobs[1]
    if kind == "Convolution":
        return convolved(x, *blobs, *numbers[2:])
    if kind == "LRN":
        return normalised(x, *numbers)
    return pooled(x, *numbers, average=kind == "Average")


def convolved(x, kernel, bias, stride, pad):
    """One correlation for each output."""
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    maps = [signal.correlate(x, one, "valid")[0, ::stride, ::stride] for one in kernel]
    return np.stack(maps) + bias[:, None, None]


def normalised(x, size, alpha, beta, k):
    """Channel by channel, by the formula of Caffe's LRN layer."""
    outputs = np.empty_like(x)
    for c in range(len(x)):
        window = x[max(0, c - size // 2) : c + size // 2 + 1]
        outputs[c] = x[c] / (k + alpha / size * (window**2).sum(0)) ** beta
    return outputs


def pooled(x, size, stride, pad=0, average=False):
    """Window by window; their number is rounded up, and the last may overhang."""
    rows, columns = (
        math.ceil((length + 2 * pad - size) / stride) + 1 for length in x.shape[1:]
    )
    outputs = np.empty((len(x), rows, columns))
    for i in range(rows):
        for j in range(columns):
            top, left = (max(0, k * stride - pad) for k in (i, j))
            bottom, right = (k * stride - pad + size for k in (i, j))
            window = x[:, top:bottom, left:right]
            outputs[:, i, j] = (np.mean if average else np.max)(window, axis=(1, 2))
    return outputs


def caffemodel(layers, blobs, silent=True, matrix_axes=2):
    """The bytes of a file; if not `silent`, without the layers that have no blobs.

    Args:
        layers, blobs: see `run`.
        silent: see above.
        matrix_axes: axes of matrices: 4 as Caffe's older files have them.
    """
    out = b""
    for name, kind, *_ in layers:
        arrays = list(blobs.get(name, ()))
        if kind == "InnerProduct" and matrix_axes == 4:
            arrays = [a.reshape((1,) * (4 - a.ndim) + a.shape) for a in arrays]
        if arrays or silent:
            kept = map(caffe_writer.array, arrays)
            out += caffe_writer.layer(name, *kept, kind=kind)
    return out
