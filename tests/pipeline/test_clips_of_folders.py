"""Clips inside frame folders: the files that are read, in test and in training."""

import dataclasses

import cv2
import numpy as np
import pytest

from tsn_keras.datasets.selection import FrameFolder
from tsn_keras.pipeline import snippets
from tsn_keras.pipeline.training import Batches
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Files 8 to 12 of a folder of 15 from 0, and a folder of these five from 1."""
    root, random = tmp_path_factory.mktemp("clips"), np.random.default_rng(0)
    for name in ("long", "short"):
        (root / name).mkdir()
    for number in range(15):
        small = random.integers(0, 256, (8, 10, 3), np.uint8)
        image = cv2.resize(small, (340, 256))
        for name, own in (("long", number), ("short", number - 7)):
            if name == "long" or 1 <= own <= 5:
                cv2.imwrite(str(root / name / f"img_{own:05d}.jpg"), image)
    return (
        FrameFolder("clip", 1, root / "long", 5, 8),
        FrameFolder("short", 1, root / "short", 5),
    )


STREAM = Stream(MODALITIES["rgb"], CAFFE)


def test_the_test_reads_the_files_of_the_clip(pair):
    found, view = [], CAFFE.test.with_snippets(3)
    for folder in pair:
        plan = snippets.plan([folder], STREAM, view)
        dataset = snippets.for_test([folder], plan, STREAM, 5)
        found.append(np.concatenate([np.asarray(b[3]) for b in dataset]))
        # (5 - 1) // (3 - 1) files apart (eval_net.py:89).
        assert plan.files.ravel().tolist() == [folder.first + n for n in (0, 2, 4)]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("loops", [False, True])
def test_training_and_validation_read_the_files_of_the_clip(pair, loops):
    """With snippets of more files than the clip has, which wrap or stand still."""
    modality = dataclasses.replace(STREAM.modality, length=7, differences=False)
    stream = Stream(modality, dataclasses.replace(CAFFE, loops=loops))
    found, files = [], []
    for folder in pair:
        plan = Batches((folder,), stream, segments=3, batch=1, seed=5)
        pixels = [
            np.asarray(next(iter(data))[0])
            for data in (plan.for_training(), plan.for_validation(), plan.for_test())
        ]
        found.append(pixels)
        listed = [*plan.training_files(0, 2), *plan.validation_files()]
        files.append([[np.subtract(n, folder.first) for n in x] for _, x in listed])
    for clip, short in zip(*found, strict=True):
        np.testing.assert_array_equal(clip, short)
    np.testing.assert_array_equal(*files)
