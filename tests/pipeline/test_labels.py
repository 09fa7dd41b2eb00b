"""Labels of training batches: several of a video, and those of mirrored videos."""

import pathlib

import cv2
import numpy as np
import pytest

from tsn_keras.datasets.records import FrameFolder
from tsn_keras.pipeline.labels import Labels
from tsn_keras.pipeline.training import Batches
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream

# From left to right, from right to left, and neither.
MIRRORED = (1, 0, 2)
SETS = ((0,), (1,), (0, 2), (0, 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three frames that are white on the left and black on the right."""
    root = tmp_path_factory.mktemp("white_left")
    image = np.zeros((256, 340, 3), np.uint8)
    image[:, :170] = 255
    for number in range(1, 4):
        cv2.imwrite(str(root / f"img_{number:05d}.jpg"), image)
    return root


def plan(folder, sets, several=False):
    videos = tuple(
        FrameFolder(f"v{k}", labels[0], folder, 3, labels=labels if several else ())
        for k, labels in enumerate(sets)
    )
    stream = Stream(MODALITIES["rgb"], CAFFE)
    return Batches(videos, stream, 1, len(sets), 3, labels=Labels(3, MIRRORED))


def is_mirrored(images):
    """Of each video [K, S, S, 3]: whether white is on the right."""
    halves = images.astype("f8").mean(axis=(1, 2, 4))
    return halves[:, :60].mean(axis=1) < halves[:, -60:].mean(axis=1)


def test_a_mirrored_video_has_the_label_of_its_mirror_image(folder):
    """Video by video, as the pixels say; in validation there is none."""
    made = plan(folder, ((0,), (1,), (2,)))
    seen = set()
    order = []
    for images, labels in made.for_training().take(8):
        order.extend(zip(is_mirrored(images.numpy()), labels.numpy(), strict=True))
    for start in range(0, len(order), 3):
        # A pass has each of 0, 1, 2 once; mirrored 0 became 1, and 1 became 0.
        own = [
            MIRRORED[label] if turned else label for turned, label in order[start:][:3]
        ]
        assert sorted(own) == [0, 1, 2]
        seen |= {(bool(turned), int(label)) for turned, label in order[start:][:3]}
    assert seen == {(turned, label) for turned in (True, False) for label in range(3)}
    images, labels = next(iter(made.for_validation()))
    assert not is_mirrored(images.numpy()).any()
    assert labels.numpy().tolist() == [0, 1, 2]


def test_several_labels_are_zeros_and_ones(folder):
    made = plan(folder, SETS, several=True)
    table = np.array([[k in one for k in range(3)] for one in SETS], "f4")
    swapped = table[:, MIRRORED]
    for images, labels in made.for_training().take(3):
        assert labels.shape == (4, 3)
        assert labels.dtype == "float32"
        own = np.where(
            is_mirrored(images.numpy())[:, None],
            labels.numpy()[:, MIRRORED],
            labels.numpy(),
        )
        assert sorted(own.tolist()) == sorted(table.tolist())
    assert (swapped != table).any()
    for dataset in (made.for_validation(), made.for_test()):
        _, labels = next(iter(dataset))
        np.testing.assert_array_equal(labels, table)
    images, labels = next(iter(made.for_fit()))
    assert labels.shape == (4, 3)


def test_what_fills_a_batch_up_has_no_label(folder):
    made = plan(folder, SETS[:3], several=True)
    made = Batches(made.folders, made.stream, 1, 2, 3, labels=made.labels)
    (_, first), (_, second) = made.for_validation().take(2)
    assert first.numpy().tolist() == [[1, 0, 0], [0, 1, 0]]
    assert second.numpy().tolist() == [[1, 0, 1], [-1, -1, -1]]


def test_the_number_of_classes_must_be_known():
    video = FrameFolder("a", 0, pathlib.Path("a"), 3, labels=(0, 2))
    with pytest.raises(ValueError, match="`classes` must be given"):
        Labels().of((video,))


def test_labels_without_pairs_stay():
    video = FrameFolder("a", 1, pathlib.Path("a"), 3)
    assert Labels().of((video,))(0, True).numpy() == 1
    assert Labels(3, MIRRORED).of((video,))(0, True).numpy() == 0
    assert Labels(3, MIRRORED).of((video,))(0).numpy() == 1
