"""Losses against MMAction2's, of the scores that it gave.

Float32 both: a sum of up to 1,678 terms in another order, 1e-6 of the loss.
"""

import json

import golden_networks
import numpy as np
import pytest
import tensorflow as tf

from tsn_keras.training import losses

TOLERANCE = 1e-6


@pytest.fixture
def heads(golden):
    folder = golden / "mmaction2"
    rules = golden_networks.rules_of(folder / "regenerate.py")
    about = json.loads((folder / "heads/heads.json").read_text())
    scores = np.load(folder / "heads/heads.npz")
    return rules, {
        name: (case, scores[f"{name}/scores"]) for name, case in about.items()
    }


def test_losses_of_one_class(heads):
    _, cases = heads
    compared = 0
    for case, scores in cases.values():
        if case["loss_weight"]:
            continue
        labels, count = tf.constant(case["labels"]), case["classes"]
        soft = np.full((2, count), 0.2 / count, np.float32)
        soft[[0, 1], case["labels"]] += 0.8
        for found, expected in (
            (
                losses.cross_entropy(tf.constant(scores), labels),
                case["loss"]["loss_cls"],
            ),
            (
                losses.cross_entropy(tf.constant(scores), labels, 0.1),
                case["loss_label_smooth_0.1"],
            ),
            (
                losses.cross_entropy(tf.constant(scores), tf.constant(soft)),
                case["loss_soft_labels"],
            ),
        ):
            assert float(np.mean(found)) == pytest.approx(expected, rel=TOLERANCE)
            compared += 1
    assert compared == 27


def test_losses_of_several_classes(heads):
    rules, cases = heads
    compared = 0
    for name, (case, scores) in cases.items():
        if not case["loss_weight"]:
            continue
        labels = rules.metric_multihot(f"head/{name}", 2, case["classes"], 0.1)
        found = losses.sigmoid_cross_entropy(
            tf.constant(scores), tf.constant(labels), weight=case["loss_weight"]
        )
        expected = case["loss"]["loss_cls"]
        assert float(np.mean(found)) == pytest.approx(expected, rel=TOLERANCE)
        compared += 1
    assert compared == 7


def test_half_precision_is_widened():
    scores = tf.constant([[3.0, -2.0]], tf.bfloat16)
    labels = tf.constant([0])
    for found in (
        losses.cross_entropy(tf.constant(scores), labels),
        losses.sigmoid_cross_entropy(scores, tf.constant([[1.0, 0.0]])),
    ):
        assert found.dtype == tf.float32
    found = float(losses.cross_entropy(scores, labels)[0])
    assert found == pytest.approx(np.log1p(np.exp(-5.0)), rel=1e-6)
