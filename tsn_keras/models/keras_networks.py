"""Networks of keras.applications, built by the library and brought into our form.

They get a classifier of their own, raw scores, any number of channels, layers in one
model, and names that do not depend on what was built before.
"""

import collections
import functools
import inspect
import re
import warnings

import keras
from keras import applications, layers, ops

from tsn_keras.common.errors import InputError
from tsn_keras.models.building import check, classifier
from tsn_keras.models.keras_names import KEEP_THEIR_OWN

HEAD = "predictions"
_LEAST = 32  # Side of images in pixels; some networks want more, and say so.

# Layers that bring pixels from 0 to 255 into the range in which a network was trained.
NORMALISING = (layers.Rescaling, layers.Normalization)
_FLATTENED = "features"  # Where the library's classifier is a convolution.


@keras.saving.register_keras_serializable("tsn_keras")
class DepthwiseByGroups(layers.Conv2D):
    """A convolution with a group for each channel, computed as a depthwise one.

    With TensorFlow on processors Keras compiles a convolution in groups by XLA; one of
    ConvNeXt's takes a hundred times as long so as by the depthwise operation, which
    gives the same numbers. The kernel is [H, W, 1, C], as in the weight files.
    """

    def call(self, inputs):
        kernel = ops.transpose(self.kernel, (0, 1, 3, 2))
        outputs = ops.depthwise_conv(
            inputs, kernel, self.strides, self.padding, dilation_rate=self.dilation_rate
        )
        if self.use_bias:
            outputs = outputs + self.bias
        return self.activation(outputs)


@keras.saving.register_keras_serializable("tsn_keras")
class LayerScale(layers.Layer):
    """A factor for each channel, as ConvNeXt learns it.

    That of the library is the same, but has a variable without a name, which Keras
    counts over all models that were ever built.

    Args:
        init_values: what the factors begin with.
        projection_dim: number of channels.

    Call arguments:
        inputs: [..., projection_dim].

    Returns:
        The same shape.
    """

    def __init__(self, init_values, projection_dim, **kwargs):
        super().__init__(**kwargs)
        self.init_values, self.projection_dim = init_values, projection_dim

    def build(self, input_shape):
        initial = keras.initializers.Constant(self.init_values)
        shape = (self.projection_dim,)
        self.gamma = self.add_weight(shape=shape, initializer=initial, name="gamma")

    def call(self, inputs):
        return inputs * self.gamma

    def get_config(self):
        return {
            **super().get_config(),
            "init_values": self.init_values,
            "projection_dim": self.projection_dim,
        }


def build(
    network, input_shape=(224, 224, 3), classes=1000, dropout=0.5, width=1.0, name=None
):
    """Builds a network of keras.applications as a functional model.

    Args:
        network: its name there, such as "ResNet50".
        input_shape: (H, W, C). The library refuses sizes that are too small.
        classes: number of classes, or None for the features alone.
        dropout: fraction of the features dropped in training, in the place of the
            library's own before its classifier.
        width: the library's `alpha`, of the MobileNet family; 1 for all others.
        name: name of the model; None: the library's.

    Returns:
        keras.Model: [N, H, W, C], normalised as by the protocol that
        keras_names.PROTOCOL_OF names, to raw scores [N, classes] before the softmax,
        or to features: what the library's classifier reads.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> build("MobileNet", (32, 32, 10), classes=51, width=0.25).output_shape
        (None, 51)
    """
    check(input_shape, classes, width, _LEAST)
    if width != 1 and not has_widths(network):
        raise InputError(
            f"{network} of keras.applications has one width: `width` must be 1. "
            f"Received: width={width}"
        )
    made = made_by_keras(network, input_shape, width)
    _, features = head_of(made)
    inputs = keras.Input(input_shape, name="data")
    taken_out = () if network in KEEP_THEIR_OWN else NORMALISING
    trunk = keras.Model(made.input, features)
    x = _applied(trunk, inputs, own_names(made), taken_out)
    if len(x.shape) == 4:  # [N, 1, 1, C]
        x = layers.Flatten(name=_FLATTENED)(x)
    if classes is not None:
        x = layers.Dropout(dropout, name="dropout")(x)
        x = classifier(x, classes, HEAD)
    return keras.Model(inputs, x, name=name or made.name)


def has_widths(network):
    """Whether a network exists in several widths."""
    return "alpha" in inspect.signature(getattr(applications, network)).parameters


def made_by_keras(network, input_shape, width=1.0):
    """The library's own model: random weights, a classifier of one class."""
    options = {"alpha": width} if has_widths(network) else {}
    with warnings.catch_warnings():
        # Other channels than its own are what is wanted.
        warnings.filterwarnings("ignore", "This model usually expects", UserWarning)
        return getattr(applications, network)(
            weights=None,
            input_shape=tuple(input_shape),
            classes=1,
            classifier_activation=None,
            **options,
        )


def head_of(model):
    """(layer of the classifier, tensor of the features that it reads)."""
    head = _source(model.output)
    while not head.weights:
        head = _source(head.input)
    features = head.input
    while isinstance(_source(features), layers.Dropout):
        features = _source(features).input
    return head, features


def features_name(model, features):
    """The layer of the features in what `build` makes.

    Args:
        model: what `made_by_keras` returned.
        features: tensor that `head_of` returned.
    """
    layer = _source(features)
    flat = len(features.shape) == 2
    return own_names(model).get(layer, layer.name) if flat else _FLATTENED


def _source(tensor):
    return tensor._keras_history.operation


def kind_of(name):
    """(kind, number) of a name that Keras gave, such as "conv2d_3"."""
    match = re.fullmatch(r"(.*?)(?:_(\d+))?", name)
    return match[1], int(match[2] or 0)


def own_names(model):
    """{layer: name} of the layers of a model that Keras named by itself.

    Keras counts them over all models that were ever built; here they are counted anew.
    """
    kinds = collections.defaultdict(list)
    for layer in model.layers:
        kind, _ = kind_of(layer.name)
        if kind.replace("_", "") == type(layer).__name__.lower():
            kinds[kind].append(layer)
    names = {}
    for kind, found in kinds.items():
        found.sort(key=lambda layer: kind_of(layer.name)[1])
        for number, layer in enumerate(found):
            names[layer] = f"{kind}_{number}" if number else kind
    return names


def _applied(model, inputs, names, taken_out):
    """What a model makes of a tensor, by layers of one level.

    Args:
        model: functional model; its layers go into the new one, but for those that
            get a name.
        inputs: tensor.
        names: {layer: name}.
        taken_out: types of the layers that are left out.

    Returns:
        tensor.
    """

    def clone(layer):
        kind = _kind_of_ours(layer)
        if layer not in names and kind is type(layer):
            return layer
        name = names.get(layer, layer.name)
        return kind.from_config({**layer.get_config(), "name": name})

    def call(layer, *args, **kwargs):
        if isinstance(layer, taken_out):
            return args[0]
        inner = layer.layers if isinstance(layer, keras.Sequential) else ()
        for one in (layer, *inner):
            # Else the layer's `output` would be that in the library's model.
            one._inbound_nodes.clear()
        if inner:
            return functools.reduce(lambda x, one: one(x), inner, args[0])
        return layer(*args, **kwargs)

    return keras.models.clone_model(
        model, input_tensors=inputs, clone_function=clone, call_function=call
    ).output


def _kind_of_ours(layer):
    """The class of the layer that takes a layer's place, often its own."""
    is_plain = type(layer) is layers.Conv2D and layer.groups > 1
    if is_plain and layer.groups == layer.filters and layer.kernel.shape[2] == 1:
        return DepthwiseByGroups
    return LayerScale if type(layer).__name__ == LayerScale.__name__ else type(layer)
