"""What is assumed of files of other programs, and what they leave open."""

import numpy as np
import pytest

from tsn_keras.checkpoints import families
from tsn_keras.checkpoints.foreign import TORCH, Tensors
from tsn_keras.models.backbones import BACKBONES


def of(name, backbone):
    tensors = Tensors("PyTorch", TORCH, {name: np.zeros((1000, 8), "f4")})
    backbone = BACKBONES.find(backbone)
    return backbone, *families.of(tensors, backbone)


@pytest.mark.parametrize(
    ("name", "program", "protocol"),
    [
        ("fc.weight", "PyTorch", "mmaction2_s25_10crop224"),
        ("cls_head.fc_cls.weight", "MMAction2", "mmaction2_s25_10crop224"),
        ("module.base_model.fc.weight", "tsn-pytorch", "tsn_pytorch_resnet"),
    ],
)
def test_names_tell_the_program(name, program, protocol):
    _, family, found = of(name, "resnet50")
    assert (family.program, found.name) == (program, protocol)


def test_networks_of_images_name_imagenets_classes():
    backbone, family, _ = of("fc.weight", "resnet50")
    names = family.class_names(backbone, 1000)
    assert (len(names), names[0], names[282]) == (1000, "tench", "tiger cat")
    assert family.class_names(backbone, 400) is None
    (doubt,) = family.doubts(backbone)
    assert "1,000 classes are called by the names of ImageNet's" in doubt
    backbone, family, _ = of("cls_head.fc_cls.weight", "resnet50")
    assert family.class_names(backbone, 1000) is None


def test_the_classifier_of_torchvisions_densenet():
    """Ours has no ReLU before it, so its classes are not told."""
    backbone, family, _ = of("classifier.weight", "densenet161")
    assert family.class_names(backbone, 1000) is None
    assert "behind a ReLU" in family.doubts(backbone)[1]
