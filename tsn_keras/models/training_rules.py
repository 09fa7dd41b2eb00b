"""Which variables are trained, and how fast: the originals' rules.

temporal-segment-networks models/*/tsn_bn_inception_*_train_val.prototxt, tsn-pytorch
models.py:132-188, and MMAction2's configurations.
"""

import dataclasses

from keras import layers

from tsn_keras.common.catalogue import Catalogue

BATCH_NORMS = ("first", "none", "all")
# All slopes and shifts are trained, and no statistics: MMAction2's norm_eval. Layers
# do that in the graph of training_graph.for_training only.
AFFINE = "affine"


@dataclasses.dataclass(frozen=True)
class Groups:
    """Factors of (the learning rate, the weight decay) of each kind of variable.

    Attributes:
        name: what users call them.
        kernel: of the kernels of convolutions and dense layers, and of what is none
            of the following.
        bias: of their biases.
        norm: of the slopes and shifts of batch norms.
        slope: of the slopes alone, where they have their own.
        speeds_first: whether the rate of the first convolution is multiplied by that
            of its modality.
        head: factor on the rate of the classifier.
    """

    name: str
    kernel: tuple[float, float] = (1.0, 1.0)
    bias: tuple[float, float] = (2.0, 0.0)
    norm: tuple[float, float] = (1.0, 0.0)
    slope: tuple[float, float] | None = None
    speeds_first: bool = False
    head: float = 1.0


CAFFE = Groups("caffe", speeds_first=True)
GROUPS = Catalogue(
    "groups of variables",
    (
        CAFFE,
        # models.py:132-188: the same.
        dataclasses.replace(CAFFE, name="tsn_pytorch"),
        # PyTorch's one group for all.
        Groups("mmaction2", bias=(1.0, 1.0), norm=(1.0, 1.0)),
        # 0.x core/optimizer/tsm_optimizer_constructor.py with fc_lr5.
        Groups("mmaction2_tsm", head=5.0),
        # caffe models/action_recognition/vgg_16_flow_train_val_fast.prototxt: the
        # first convolution of flow as all others.
        dataclasses.replace(CAFFE, name="caffe_uniform", speeds_first=False),
        # MatConvNet's, as ST-ResNet uses it: setLrWd.m:21-39.
        Groups("matconvnet", slope=(2.0, 0.0)),
    ),
)


def set_batch_norm(model, trainable="first"):
    """Chooses the batch norms that learn; the others are frozen.

    A frozen one normalises by its moving statistics, which stay, and its slope
    and bias are not trained ("partial BN", TSN section 3.3).

    Args:
        model: a backbone, of which batch norms are layers.
        trainable: "first", "none" or "all"; or "affine", see AFFINE.

    Raises:
        ValueError: if `trainable` is something else.
    """
    if trainable not in (*BATCH_NORMS, AFFINE):
        raise ValueError(
            f"`trainable` must be one of {BATCH_NORMS}. Received: {trainable!r}"
        )
    every = trainable in ("all", AFFINE)
    norms = [x for x in model.layers if isinstance(x, layers.BatchNormalization)]
    for index, layer in enumerate(norms):
        layer.trainable = every or (trainable == "first" and index == 0)


def train_head_only(model, record):
    """Freezes every layer but the classifier, or classifiers.

    Batch norms normalise by their moving statistics then, which stay. Dropout stays.

    Args:
        model: a backbone.
        record: its records.Backbone.
    """
    for layer in model.layers:
        layer.trainable = layer.name in record.heads


def multipliers(model, record, first_rate, groups=CAFFE):
    """Factors of the learning rate and the weight decay.

    Caffe's: kernels (1, 1), biases (2, 0), slopes and biases of batch norms (1, 0). The
    first convolution of flow learns five times as fast: its initialisation is
    made from RGB's.

    Args:
        model: a backbone.
        record: its records.Backbone.
        first_rate: factor on the rate of the first convolution, see
            modalities.Modality.
        groups: Groups.

    Returns:
        {path of a trained variable: (of the rate, of the decay)}.
    """
    found = {}
    for layer in model.layers:
        faster = groups.head if layer.name in record.heads else 1.0
        if groups.speeds_first and layer.name == record.first:
            faster *= first_rate
        for variable in layer.trainable_variables:
            if isinstance(layer, layers.BatchNormalization):
                is_slope = groups.slope is not None and variable is layer.gamma
                found[variable.path] = groups.slope if is_slope else groups.norm
                continue
            is_bias = variable is getattr(layer, "bias", None)
            rate, decay = groups.bias if is_bias else groups.kernel
            found[variable.path] = (rate * faster, decay)
    return found
