"""Under which protocol the weights of other programs were trained.

Their files do not say. Names of tensors tell which program wrote a file, and each
program has its own colours, means and test.
"""

import dataclasses
import re
from collections.abc import Mapping

from tsn_keras.checkpoints.foreign import CAFFE, KERAS, TORCH, Layout, Tensors
from tsn_keras.checkpoints.records import class_list
from tsn_keras.models.records import Backbone
from tsn_keras.protocols.catalogue import PROTOCOLS, UNNAMED
from tsn_keras.protocols.records import Protocol

_TESTED = (
    "the file does not say how it was tested: 25 snippets x 10 crops are assumed, as "
    "for most networks of its program"
)
_IMAGES = (
    "the file is of a network of images: it is fed as its program does, and tested "
    "with 25 snippets x 10 crops; 1,000 classes are called by the names of ImageNet's"
)


@dataclasses.dataclass(frozen=True)
class Family:
    """A program that writes weight files.

    Attributes:
        program: what people call it.
        layout: foreign.Layout of its files.
        pattern: what the name of one of a file's tensors matches.
        protocols: {backbone: protocol}, by name; None: of all others.
        doubt: what the files leave open, or None.
        lists: {number of classes: list of checkpoints/classes/ that they are
            taken for}.
        unlike: {backbone: how the program's own network differs from ours}, by name.
    """

    program: str
    layout: Layout
    pattern: str
    protocols: Mapping[str | None, str]
    doubt: str | None = None
    lists: Mapping[int, str] = dataclasses.field(default_factory=dict)
    unlike: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def doubts(self, backbone):
        """Texts of what a file of this program leaves open."""
        found = (self.doubt, self.unlike.get(backbone.name))
        return tuple(text for text in found if text is not None)

    def class_names(self, backbone, count):
        """What so many classes are called, or None; for people to read only."""
        if backbone.name in self.unlike:
            return None
        return class_list(self.lists.get(count)) or None


# The first that fits counts.
FAMILIES = (
    Family(
        "MMAction2",
        TORCH,
        r"(^|\.)cls_head\.fc_cls\.",
        {None: "mmaction2_s25_10crop224"},
        _TESTED,
    ),
    Family(
        "tsn-pytorch",
        TORCH,
        r"^(module\.)?base_model\.",
        {"bn_inception": "tsn_pytorch", None: "tsn_pytorch_resnet"},
    ),
    # torchvision feeds these two, alone of its networks, v / 127.5 - 1 inside.
    Family(
        "PyTorch",
        TORCH,
        "",
        {
            "bn_inception": "tsn_pytorch",
            "googlenet": "keras_tf",
            "inception_v3": "keras_tf",
            None: "mmaction2_s25_10crop224",
        },
        _IMAGES,
        {1000: "imagenet"},
        {
            "densenet161": "the classifier of torchvision's DenseNet-161 stands behind "
            "a ReLU that MMAction2, and so we, leave out: its own classes are not "
            "what it was trained to tell, its features are as MMAction2 takes them"
        },
    ),
    Family(
        "Keras Applications",
        KERAS,
        "",
        {None: "keras_caffe"},
        _IMAGES,
        {1000: "imagenet"},
    ),
    # Networks of actions of these are the two-stream ones of 2014 and 2015.
    Family(
        "Caffe",
        CAFFE,
        "",
        {
            "cnn_m_spatial": "two_stream",
            "cnn_m_temporal": "two_stream",
            "vgg16": "very_deep",
            "googlenet_caffe": "very_deep",
            None: UNNAMED.name,
        },
    ),
)


def of(tensors: Tensors, backbone: Backbone) -> tuple[Family, Protocol]:
    """The program that wrote a file, and the protocol of a backbone's weights in it."""
    family = next(
        family
        for family in FAMILIES
        if family.layout is tensors.layout
        and any(re.search(family.pattern, name) for name in tensors.arrays)
    )
    name = family.protocols.get(backbone.name, family.protocols[None])
    return family, PROTOCOLS[name]
