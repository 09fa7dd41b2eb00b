"""Records of the networks of keras.applications: "keras:ResNet50", ...

A record is made when its name is first asked for, from the network itself.
"""

import collections
import dataclasses
import difflib
import functools
import random
import re
import statistics
from collections.abc import Mapping, Sequence

import keras
from keras import layers

from tsn_keras.common.catalogue import Catalogue
from tsn_keras.common.errors import InputError
from tsn_keras.models import keras_networks
from tsn_keras.models.keras_names import PREFIX, PROTOCOL_OF, is_name
from tsn_keras.models.keras_networks import HEAD
from tsn_keras.models.records import MAX_WIDTH, Backbone, Facts
from tsn_keras.models.resnet import RESNET50_CAFFE

_SIDE = 75  # pixels; images of that size are not too small for any network
# Widths (`alpha`) at which networks of the MobileNet family were published.
_WIDTHS = (1.0, 0.75, 0.5, 0.25, 0.35, 1.3, 1.4)
_TRIED = 4  # Each takes as long as to build the network.


@dataclasses.dataclass(frozen=True)
class _Sketch:
    """What there is to know of a network at one width.

    Attributes:
        features: layer of the pooled features.
        first: layer of the first convolution.
        channels: {layer: output channels} of its convolutions.
        kernels: sorted output channels of all arrays of four axes.
        matrices: number of arrays of two axes beside the classifier's.
        order: (layer, variable) of all variables, as Keras fills them from a file.
        head: what the library calls the classifier.
    """

    features: str
    first: str
    channels: Mapping[str, int]
    kernels: Sequence[int]
    matrices: int
    order: Sequence[tuple[str, str]]
    head: str


@functools.cache
def _sketch(network, width=1.0):
    # What is drawn later must not depend on whether this was made before.
    state = random.getstate()
    try:
        made = keras_networks.made_by_keras(network, (_SIDE, _SIDE, 3), width)
    finally:
        random.setstate(state)
    head, features = keras_networks.head_of(made)
    variables = _variables(made, {**keras_networks.own_names(made), head: HEAD})
    body = {place: shape for place, shape in variables.items() if place[0] != HEAD}
    channels = {}
    for (layer, variable), shape in body.items():
        if variable == "depthwise_kernel":
            channels[layer] = shape[2] * shape[3]
        elif variable == "kernel" and len(shape) == 4:
            channels[layer] = shape[3]
    return _Sketch(
        features=keras_networks.features_name(made, features),
        first=next(layer for layer, _ in body),
        channels=channels,
        kernels=_counts(body.values()),
        matrices=sum(len(shape) == 2 for shape in body.values()),
        order=tuple(variables),
        head=head.name,
    )


def _variables(made, names):
    """{(layer, variable): shape} of a model of the library, as it fills them.

    Args:
        made: the model.
        names: {layer: name in our model}; others keep theirs.
    """
    found = {}
    for layer in made.layers:
        if isinstance(layer, keras_networks.NORMALISING):
            continue
        inner = layer.layers if isinstance(layer, keras.Sequential) else (layer,)
        owners = {id(variable): one for one in inner for variable in one.weights}
        # keras/src/legacy/saving/legacy_h5_format.py, _legacy_weights.
        for variable in layer.trainable_weights + layer.non_trainable_weights:
            owner = owners[id(variable)]
            place = names.get(owner, owner.name), _variable_name(owner, variable)
            found[place] = tuple(variable.shape)
    return found


def _variable_name(layer, variable):
    """The name of a layer's variable, see checkpoints.foreign.KERAS."""
    if type(layer).__name__ == keras_networks.LayerScale.__name__:
        return "gamma"
    is_depthwise = isinstance(layer, layers.DepthwiseConv2D)
    is_kernel = is_depthwise and variable is layer.kernel
    return "depthwise_kernel" if is_kernel else variable.name


def _counts(shapes):
    """Sorted output channels of the arrays of four axes."""
    # A depthwise kernel is [H, W, C, 1].
    return sorted(s[3] if s[3] != 1 else s[2] for s in shapes if len(s) == 4)


@dataclasses.dataclass(frozen=True)
class Application(Backbone):
    """A network of keras.applications.

    Attributes:
        protocol: name of the protocol of the pixels that it was trained with.
    """

    protocol: str = ""

    @property
    def _network(self):
        return self.name.removeprefix(PREFIX)

    def in_order(self, count: int) -> Sequence[tuple[str, str]] | None:
        """See records.Backbone. A file may lack the classifier."""
        order = _sketch(self._network).order
        without = [place for place in order if place[0] != self.head]
        return next((found for found in (order, without) if len(found) == count), None)

    def read_layers(
        self, kernels: Mapping[str, tuple[int, int]], matrices: Mapping[str, int]
    ) -> Facts | None:
        """See records.Backbone."""
        if self.first not in kernels:
            return None
        counts = {n: kernels[n][1] for n in self.channels if n in kernels}
        pairs = [(count, self.channels[name]) for name, count in counts.items()]
        width = self._width(
            pairs, lambda sketch: counts.items() <= sketch.channels.items()
        )
        return Facts(kernels[self.first][0], matrices.get(self.head), width)

    def read_shapes(self, shapes: Mapping[str, tuple]) -> Facts | None:
        """See records.Backbone."""
        known, counts = _sketch(self._network), _counts(shapes.values())
        matrices = [path for path, shape in shapes.items() if len(shape) == 2]
        spare = len(matrices) - known.matrices
        if len(counts) != len(known.kernels) or spare not in (0, 1):
            return None
        pairs = list(zip(counts, known.kernels, strict=True))
        width = self._width(pairs, lambda sketch: sketch.kernels == counts)
        # Keras counts the layers of each kind.
        first = min((p for p, s in shapes.items() if len(s) == 4), key=_number)
        classes = shapes[max(matrices, key=_number)][1] if spare else None
        return Facts(shapes[first][2], classes, width)

    def has_width(self, shapes: Mapping[str, tuple], width: float) -> bool:
        """See records.Backbone."""
        if width != 1 and not keras_networks.has_widths(self._network):
            return False
        return _sketch(self._network, width).kernels == _counts(shapes.values())

    def _width(self, pairs, fits):
        """The width of the network that `fits` accepts.

        Args:
            pairs: list of (output channels, those at width 1).
            fits: function of a _Sketch to bool.
        """
        share = statistics.median(count / base for count, base in pairs)
        tried = [1.0]
        if keras_networks.has_widths(self._network) and 0 < share <= MAX_WIDTH:
            # The library rounds numbers of channels in several ways.
            known = {width for width in (*_WIDTHS, round(share, 2)) if width}
            tried = sorted(known, key=lambda width: abs(width - share))[:_TRIED]
        for width in tried:
            if fits(_sketch(self._network, width)):
                return width
        raise ValueError(
            f"most of its convolutions have {share:.3g} times the channels, but not "
            f"all have what the network has so"
        )


def _number(path):
    """Orders "conv2d", "conv2d_1", ..., "conv2d_10" as they count."""
    return [int(part) if part.isdecimal() else 0 for part in re.split(r"(\d+)", path)]


@functools.cache
def record(name: str) -> Application:
    """The record of a network.

    Args:
        name: "keras:" and the name in keras.applications.

    Returns:
        Application; for the same name the same one. The first time takes as long as
        to build the network.

    Raises:
        KeyError: there is no such network.

    Example:
        >>> found = record("keras:MobileNet")
        >>> found.first, found.protocol
        ('conv1', 'keras_tf')
    """
    if not is_name(name):
        raise KeyError(name)
    network = name.removeprefix(PREFIX)
    sketch = _sketch(network)
    return Application(
        name=name,
        title=f"{network} of Keras",
        build=functools.partial(keras_networks.build, network),
        features=sketch.features,
        first=sketch.first,
        head=HEAD,
        channels=sketch.channels,
        matrices=sketch.matrices,
        named_as_model=functools.partial(_named_as_model, sketch),
        # EfficientNet's own normalisation, which the protocol does.
        unused=r"^normalization(_\d+)?/",
        protocol=PROTOCOL_OF[network],
    )


def _named_as_model(sketch, names):
    """{layer of a file: layer of the model}, where the file goes by names."""
    own = list(dict.fromkeys(layer for layer, _ in sketch.order))
    older = RESNET50_CAFFE.named_as_model(names)
    found = {}
    for name in names:
        same = {sketch.head: HEAD}.get(name, name.replace("/", "_"))
        found[name] = same if same in own else older[name]
    # Layers without a name of their own are counted from any number on.
    there, wanted = _by_kind(names), _by_kind(own)
    for kind in there.keys() & wanted.keys():
        if len(there[kind]) == len(wanted[kind]) > 1:
            found |= zip(there[kind], wanted[kind], strict=True)
    return found


def _by_kind(names):
    """{kind: names in the order of their numbers}."""
    kinds = collections.defaultdict(list)
    for name in names:
        kinds[keras_networks.kind_of(name)[0]].append(name)
    for found in kinds.values():
        found.sort(key=lambda name: keras_networks.kind_of(name)[1])
    return kinds


class Backbones(Catalogue):
    """The catalogue of backbones, with those of keras.applications on demand.

    Example:
        >>> from tsn_keras.models.backbones import BACKBONES
        >>> BACKBONES.find("keras:MobileNet").first
        'conv1'
    """

    def __missing__(self, name):
        return record(name)

    def __contains__(self, name):
        return is_name(name) or super().__contains__(name)

    def get(self, name, default=None):
        """The record of a name, or `default` where there is none."""
        try:
            return self[name]
        except KeyError:
            return default

    def find(self, name, where=""):
        """See Catalogue.find."""
        if name not in self and isinstance(name, str) and name.startswith(PREFIX):
            network = name.removeprefix(PREFIX)
            near = difflib.get_close_matches(network[:80], PROTOCOL_OF, n=3, cutoff=0)
            raise InputError(
                f"{f'{where}: ' if where else ''}keras.applications has no network "
                f"{network[:80]!r}; spelled alike are {', '.join(near)}; all are "
                f"{', '.join(sorted(PROTOCOL_OF))}"
            )
        return super().find(name, where)
