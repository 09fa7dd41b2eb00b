"""Networks with fewer operations that compute the same at inference.

At inference a batch norm is an affine map of each channel, so a convolution or dense
layer beside it can do its work: the same function with half the memory traffic. The
sum of parallel convolutions of one input is a convolution, too.
"""

import collections

import keras
import numpy as np
from keras import layers

_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D)
_LINEAR = (*_CONVOLUTIONS, layers.Dense)


def fold(model):
    """Copies `model` with what can be folded exactly folded, and dropout taken out.

    1. A batch norm goes into the convolution or dense layer before it, whose output
       nothing else reads.
    2. Convolutions of one input, and a batch norm of it, that are only added up
       become one convolution, that of the largest kernel.
    3. A batch norm goes into the convolution or dense layer after it, also through
       global average pooling, where nothing else reads it.

    Where an activation lies between, or zeros are padded after the norm, nothing can
    be folded exactly, and nothing is.

    Args:
        model: functional model whose layers with weights are layers of the model
            itself.

    Returns:
        keras.Model with the layer names of `model`, less those taken out; its
        kernels and biases are computed in float64.

    Example:
        >>> import keras
        >>> inputs = keras.Input((8, 8, 3))
        >>> x = keras.layers.Conv2D(4, 3, use_bias=False, name="conv")(inputs)
        >>> x = keras.layers.BatchNormalization(name="norm")(x)
        >>> [layer.name for layer in fold(keras.Model(inputs, x)).layers[1:]]
        ['conv']
    """
    graph = Graph(model)
    for layer in graph.all(layers.Dropout):
        graph.remove(layer)
    for norm in graph.all(layers.BatchNormalization):
        _into_layer_before(graph, norm)
    for add in graph.all(layers.Add):
        _into_one(graph, add)
    for norm in graph.all(layers.BatchNormalization):
        _into_layer_after(graph, norm)
    return _rebuilt(model, graph)


class Graph:
    """Which operation of a model reads which, while layers are taken out.

    Args:
        model: functional model.

    Attributes:
        passed: {operation that is taken out: which of its inputs it passes on}.
        weights: {layer: (kernel, bias)} in float64 of the layers that changed.
    """

    def __init__(self, model):
        depths = sorted(model._nodes_by_depth.items(), reverse=True)
        nodes = [node for _, at_depth in depths for node in at_depth]
        self._calls = collections.Counter(node.operation for node in nodes)
        self._sources = collections.defaultdict(list)
        for node in nodes:
            self._sources[node.operation] += [p.operation for p in node.parent_nodes]
        self._outputs = [tensor._keras_history.operation for tensor in model.outputs]
        self.passed = {}
        self.weights = {}

    def all(self, kind):
        """The layers of a class that are called once, in the order of their calls."""
        found = (op for op in self._sources if isinstance(op, kind))
        return [op for op in found if self._calls[op] == 1]

    def sources(self, operation):
        """The operations whose outputs an operation reads."""
        return self._sources[operation]

    def only_reader(self, operation):
        """What alone reads an operation's output, both called once; or None."""
        reads = ((op, read) for op, found in self._sources.items() for read in found)
        readers = [op for op, read in reads if read is operation]
        if len(readers) != 1 or operation in self._outputs:
            return None
        once = self._calls[operation] == self._calls[readers[0]] == 1
        return readers[0] if once else None

    def remove(self, operation, index=0):
        """Takes an operation out: its readers read its `index`-th input instead."""
        source = self._sources.pop(operation)[index]
        self.passed[operation] = index
        for read in (*self._sources.values(), self._outputs):
            read[:] = [source if op is operation else op for op in read]

    def drop(self, operation):
        """Forgets an operation that nothing will read."""
        del self._sources[operation]

    def kernel_and_bias(self, layer):
        """A layer's kernel and bias in float64, with what is folded into it."""
        if layer in self.weights:
            return self.weights[layer]
        kernel = np.asarray(layer.kernel, np.float64)
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        outputs = kernel.shape[-1] * (kernel.shape[2] if depthwise else 1)
        bias = layer.bias if layer.use_bias else np.zeros(outputs)
        return kernel, np.asarray(bias, np.float64)


def _rebuilt(model, graph):
    """The model that a graph has become."""
    originals = {}

    def clone(layer):
        config = layer.get_config()
        if layer in graph.weights:
            config["use_bias"] = True
        copy = layer.__class__.from_config(config)
        originals[copy] = layer
        return copy

    def call(copy, *args, **kwargs):
        index = graph.passed.get(originals[copy])
        if index is not None:
            tensors = keras.tree.flatten((args, kwargs))
            return [t for t in tensors if isinstance(t, keras.KerasTensor)][index]
        return copy(*args, **kwargs)

    folded = keras.models.clone_model(model, clone_function=clone, call_function=call)
    for layer in folded.layers:
        if layer.weights:  # The input's copy has no original.
            original = originals[layer]
            weights = graph.weights.get(original) or original.get_weights()
            layer.set_weights(weights)
    return folded


def layer_before(graph, norm):
    """The layer before a batch norm that can do its work exactly, or None."""
    (source,) = graph.sources(norm)
    fits = _is_linear(source) and _is_of_channels(norm)
    return source if fits and graph.only_reader(source) is norm else None


def _into_layer_before(graph, norm):
    """Folds a batch norm into the layer before it, if that is exact."""
    source = layer_before(graph, norm)
    if source is not None:
        kernel, bias = graph.kernel_and_bias(source)
        graph.weights[source] = _then_norm(source, kernel, bias, norm)
        graph.remove(norm)


def _into_layer_after(graph, norm):
    """Folds a batch norm into the layer after it, if that is exact."""
    target = graph.only_reader(norm)
    # The mean of affine maps is the map of the mean.
    while isinstance(target, layers.GlobalAveragePooling2D) and _is_last(target):
        target = graph.only_reader(target)
    fits = isinstance(target, _LINEAR) and _is_last(target) and padding(target) == 0
    if fits and _is_of_channels(norm):
        kernel, bias = graph.kernel_and_bias(target)
        graph.weights[target] = _after_norm(target, kernel, bias, norm)
        graph.remove(norm)


def _into_one(graph, add):
    """Folds parallel convolutions and batch norms into one, if that is exact."""
    branches = graph.sources(add)
    kernels = [branch for branch in branches if isinstance(branch, _CONVOLUTIONS)]
    if not kernels:
        return
    kept = max(kernels, key=lambda layer: layer.kernel_size)
    forms = {_form(graph, branch, kept) for branch in branches}
    alone = all(graph.only_reader(branch) is add for branch in branches)
    if not alone or len(forms) != 1 or None in forms:
        return
    kernel, bias = (np.zeros_like(a) for a in graph.kernel_and_bias(kept))
    for branch in branches:
        if isinstance(branch, layers.BatchNormalization):
            same = _identity(kept, kernel)
            part, shift = _then_norm(kept, same, np.zeros_like(bias), branch)
        else:
            part, shift = graph.kernel_and_bias(branch)
        top, left = ((kernel.shape[k] - part.shape[k]) // 2 for k in (0, 1))
        kernel[top : top + part.shape[0], left : left + part.shape[1]] += part
        bias += shift
    graph.weights[kept] = (kernel, bias)
    graph.remove(add, branches.index(kept))
    for branch in branches:
        if branch is not kept:
            graph.drop(branch)


def _form(graph, branch, kept):
    """What parallel branches must share to be one convolution `kept`; or None."""
    if isinstance(branch, layers.BatchNormalization) and _is_of_channels(branch):
        outputs, groups = branch.moving_mean.shape[0], getattr(kept, "groups", 0)
        strides, less = (1, 1), (1, 1)  # Those of a 1x1 convolution.
        kind = type(kept)
    elif isinstance(branch, _CONVOLUTIONS) and _is_linear(branch):
        pad = padding(branch)
        if pad is None or branch.dilation_rate != (1, 1):
            return None
        outputs = graph.kernel_and_bias(branch)[1].size
        groups = getattr(branch, "groups", 0)
        # By how much the output is smaller than the input, plus one.
        strides, less = branch.strides, tuple(k - 2 * pad for k in branch.kernel_size)
        kind = type(branch)
    else:
        return None
    return graph.sources(branch)[0], kind, outputs, groups, strides, less


def _is_linear(layer):
    """Whether a layer is a matrix over the last axis, without an activation."""
    linear = isinstance(layer, _LINEAR) and _is_last(layer)
    return linear and layer.activation is keras.activations.linear


def _is_last(layer):
    """Whether the channels are the last axis."""
    return getattr(layer, "data_format", "channels_last") == "channels_last"


def _is_of_channels(norm):
    """Whether a batch norm's channels are the last axis."""
    rank = norm.input_spec.ndim
    return norm.axis % rank == rank - 1


def padding(layer):
    """Zeros that a layer puts on each side; None if they differ or depend on it."""
    if isinstance(layer, layers.Dense):
        return 0
    if hasattr(layer, "pad"):
        return layer.pad
    if layer.padding == "valid" or layer.kernel_size == (1, 1):
        return 0
    size = layer.kernel_size[0]
    same = layer.kernel_size == (size, size) and layer.dilation_rate == (1, 1)
    if same and size % 2 and tuple(layer.strides) == (1, 1):
        return size // 2
    return None


def _identity(layer, kernel):
    """The kernel, of the shape of another, with which a layer gives its input."""
    same = np.zeros_like(kernel)
    middle = same[kernel.shape[0] // 2, kernel.shape[1] // 2]
    if isinstance(layer, layers.DepthwiseConv2D):
        middle[:] = 1
    else:
        outputs = np.arange(kernel.shape[3])
        # The inputs of each group are counted from 0.
        middle[outputs % kernel.shape[2], outputs] = 1
    return same


def _scale_and_shift(norm):
    """A batch norm at inference as (scale, shift), float64 [C] each."""
    count = norm.moving_mean.shape
    mean, variance = (
        np.asarray(w, np.float64) for w in (norm.moving_mean, norm.moving_variance)
    )
    gamma = np.ones(count) if norm.gamma is None else np.asarray(norm.gamma, np.float64)
    beta = np.zeros(count) if norm.beta is None else np.asarray(norm.beta, np.float64)
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return scale, beta - mean * scale


def _then_norm(layer, kernel, bias, norm):
    """(kernel, bias) of a layer that also does what a batch norm after it does."""
    scale, shift = _scale_and_shift(norm)
    factor = scale
    if isinstance(layer, layers.DepthwiseConv2D):
        # [H, W, C, multiplier]: the outputs of a channel follow one another.
        factor = scale.reshape(kernel.shape[2:])
    return kernel * factor, bias * scale + shift


def _after_norm(layer, kernel, bias, norm):
    """(kernel, bias) of a layer that also does what a batch norm before it does."""
    scale, shift = (values[:, None] for values in _scale_and_shift(norm))
    if isinstance(layer, layers.Conv2D):
        # [H, W, C / groups, O]: which channels an output reads depends on its group.
        inputs, outputs = kernel.shape[2:]
        group = np.arange(outputs) // (outputs // layer.groups)
        read = np.arange(inputs)[:, None] + group * inputs
        scale, shift = scale[read, 0], shift[read, 0]
    shifted = kernel * shift
    if isinstance(layer, layers.DepthwiseConv2D):
        return kernel * scale, bias + shifted.sum((0, 1)).ravel()
    return kernel * scale, bias + shifted.reshape(-1, kernel.shape[-1]).sum(0)
