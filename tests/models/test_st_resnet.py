"""ST-ResNet: its layers' arithmetic, its parameters, and what it shares with ResNets.

Expected numbers are those of the paper's equations and of the original's layer code.
Vectors hold to 1e-6, float32's own rounding of numbers up to 10. Networks that are
filled from the same arrays compute the same operations in the same order, so they are
compared for equality; where biases move into means, rounding is left, 1e-5 of the
largest score.
"""

import collections
import dataclasses
import functools

import keras
import numpy as np
import pytest
import shallow_st_resnet
from keras import layers

from tsn_keras.models import over_time, residual, resnet, st_resnet
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.models.folding import fold

WIDTH, SIDE, STEPS, CLASSES = 0.0625, 224, 5, 4
STREAMS = st_resnet.SPATIAL, st_resnet.TEMPORAL


def filled(model, seed):
    """Random weights with statistics that matter."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            ranges = (0.4, 0.8), (-0.2, 0.2), (-0.2, 0.2), (0.5, 2)
            shape = layer.gamma.shape
            layer.set_weights([random.uniform(*ends, shape) for ends in ranges])
    return model


def pair_of(seed=0, bias=False):
    """ResNet-50s for images and for flow."""
    keras.utils.set_random_seed(seed)
    found = []
    for number, channels in enumerate((3, 20)):
        plan = resnet.CAFFE_PLANS["resnet50_caffe"]
        model = resnet.ResNet(plan, (SIDE, SIDE, channels), CLASSES, width=WIDTH)
        filled(model, seed + number)
        random = np.random.default_rng(seed + 10 + number)
        for layer in model.layers if bias else ():
            if isinstance(layer, layers.Conv2D):
                layer.bias.assign(random.normal(0, 0.1, layer.bias.shape))
        found.append(model)
    return found


@pytest.fixture(scope="module", autouse=True)
def shallow():
    """`deep` has the whole network."""
    with shallow_st_resnet.applied():
        yield


@pytest.fixture
def deep(monkeypatch):
    blocks = resnet.PLANS["resnet50"].blocks
    for place, name in (
        (resnet.CAFFE_PLANS, "resnet50_caffe"),
        (vars(st_resnet), "PLAN"),
    ):
        plan = dataclasses.replace(place[name], blocks=blocks)
        monkeypatch.setitem(place, name, plan)
    return blocks


@pytest.fixture(scope="module")
def pair(shallow):
    return pair_of()


@pytest.fixture(scope="module")
def fused(pair):
    return built(st_resnet.ST_RESNET50, pair)


@pytest.fixture(scope="module")
def unfused(pair):
    return built(_UNFUSED, pair)


@pytest.fixture(scope="module")
def clip():
    random = np.random.default_rng(5)
    return random.normal(0, 60, (1, STEPS, SIDE, SIDE, 23)).astype("float32")


_UNFUSED = functools.partial(st_resnet.STResNet, st_resnet.Design(fusion=None))


def built(network, pair, steps=STEPS):
    build = getattr(network, "build", network)
    model = build((steps, SIDE, SIDE, 23), CLASSES, width=WIDTH)
    assert st_resnet.begin(model, *pair) == []
    return model


def of_images(pair, clip):
    """What two ResNet-50s say of each step: [B, T, 2, classes]."""
    parts = clip[..., :3], clip[..., 3:]
    scores = [
        model(part.reshape(-1, *part.shape[2:]), training=False)
        for model, part in zip(pair, parts, strict=True)
    ]
    stacked = np.stack([np.asarray(one) for one in scores], axis=1)
    return stacked.reshape(*clip.shape[:2], 2, CLASSES)


# === Layers ===


def test_kernels_along_time_begin_as_the_mean_of_three_steps():
    layer = over_time.TemporalConvolution(1, steps=5)
    layer.build((None, 1, 1, 1))
    layer.set_weights([over_time.averaging(np.ones((1, 1, 1, 1), "float32"))])
    steps = np.array([1, 2, 4, 8, 16], "float32").reshape(5, 1, 1, 1)
    # The borders lose a third.
    expected = [1.0, 2.33333333, 4.66666667, 9.33333333, 8.0]
    np.testing.assert_allclose(np.ravel(layer(steps)), expected, rtol=1e-6)


def test_convolutions_along_time_do_not_mix_places_or_videos():
    random = np.random.default_rng(0)
    layer = over_time.TemporalConvolution(3, steps=4)
    inputs = random.normal(size=(2, 4, 3, 5, 2)).astype("float32")
    outputs = np.asarray(layer(inputs.reshape(8, 3, 5, 2))).reshape(2, 4, 3, 5, 3)
    padded = np.pad(inputs, [(0, 0), (1, 1), *[(0, 0)] * 3])
    kernel = np.asarray(layer.kernel)
    expected = sum(padded[:, k : k + 4] @ kernel[k] for k in range(3))
    np.testing.assert_allclose(outputs, expected, atol=1e-6)


def test_pooling_over_time():
    layer = over_time.TemporalMaxPooling(steps=11)
    values = np.random.default_rng(1).normal(size=(2, 11, 2, 3, 4)).astype("float32")
    pooled = np.asarray(layer(values.reshape(22, 2, 3, 4)))
    expected = np.stack(
        [values[:, k : k + 5].max(axis=1) for k in (0, 2, 4, 6)], axis=1
    )
    np.testing.assert_array_equal(pooled, expected.reshape(8, 2, 3, 4))
    # 25 steps of a test give 11 windows.
    assert over_time.TemporalMaxPooling(steps=25).windows == 11
    with pytest.raises(ValueError, match="at least 5.*Received: 4"):
        over_time.TemporalMaxPooling(steps=4)


def test_larger_images_have_the_mean_over_windows():
    maps = np.random.default_rng(2).normal(size=(2, 8, 11, 3)).astype("float32")
    windows = [
        maps[:, y : y + 7, x : x + 7].mean(axis=(1, 2))
        for y in (0, 1)
        for x in range(5)
    ]
    found = over_time.WindowMean()(maps)
    np.testing.assert_allclose(found, np.mean(windows, axis=0), atol=1e-6)


def test_motion_is_added_before_the_relu_and_not_to_the_shortcut():
    """The section's example: W u of the sum and of motion, the shortcut without."""
    kernel = np.array([[0.5, -1], [2, 0.25]], "float32").T.reshape(1, 1, 2, 2)
    sums = {"spatial": np.array([-1, 0.5]), "temporal": np.array([2, -3.0])}
    maps = {n: keras.Input((1, 1, 2), name=n) for n in sums}
    made = _OneConvolution(st_resnet.plan_of(st_resnet.SPATIAL), 1.0)
    block = next(b for b in residual.blocks(made.plan) if b.number == 1)
    block = dataclasses.replace(block, branch=block.branch[:1], relus=())
    reads = st_resnet.Design().fusion()(
        [maps["spatial"], layers.ReLU()(maps["temporal"])]
    )
    total, _ = made.block(layers.ReLU()(maps["spatial"]), block, reads)
    model = keras.Model(list(maps.values()), [reads, total])
    model.get_layer(block.branch[0].name).set_weights([kernel])
    inputs = [value.reshape(1, 1, 1, 2).astype("float32") for value in sums.values()]
    joined, output = model(inputs)
    np.testing.assert_allclose(np.ravel(joined), (1, 0.5), atol=1e-6)
    np.testing.assert_allclose(np.ravel(output), (0, 2.625), atol=1e-6)


class _OneConvolution(residual.Layers):
    def normalised(self, x, conv):
        return layers.Conv2D(2, 1, use_bias=False, name=conv.name)(x)


# === Parameters ===


def test_parameters_of_both_streams(deep, monkeypatch):
    monkeypatch.setattr(residual, "he", keras.initializers.Zeros)  # sooner
    model = st_resnet.ST_RESNET50.build((STEPS, SIDE, SIDE, 23), 101)
    streams = {}
    for stream in STREAMS:
        own = [layer for layer in model.layers if layer.name.endswith(stream)]
        streams[stream] = counts = collections.Counter()
        for layer in own:
            if layer.name == f"conv1{stream}":
                counts["first"] += layer.count_params()
            elif isinstance(layer, over_time.TemporalConvolution):
                counts["kernels"] += layer.count_params() // 3
                counts["along"] += layer.count_params() // 3 * 2
            elif isinstance(layer, layers.BatchNormalization):
                counts["norms"] += sum(w.shape[0] for w in layer.trainable_weights)
            elif isinstance(layer, layers.Dense):
                counts["fc"] += layer.count_params()
            elif isinstance(layer, layers.Conv2D):
                counts["kernels"] += layer.count_params()
    shared = {
        "kernels": 23_445_504,
        "along": 65_536 + 262_144 + 1_048_576 + 4_194_304,
        "norms": 53_120,
        "fc": 206_949,
    }
    assert streams == {
        "_spatial": {"first": 9_472, **shared},
        "_temporal": {"first": 62_784, **shared},
    }
    totals = [sum(counts.values()) - counts["along"] for counts in streams.values()]
    assert totals == [23_715_045, 23_768_357]
    assert {
        layer.name
        for layer in model.layers
        if isinstance(layer, over_time.TemporalConvolution)
    } == {
        f"res{stage}b_branch2{part}{stream}"
        for stage in (2, 3, 4, 5)
        for part in "ac"
        for stream in STREAMS
    }


# === The whole ===


@pytest.mark.parametrize("depth", [None, pytest.param("deep", marks=pytest.mark.slow)])
def test_without_fusion_it_is_two_resnets(depth, clip, request):
    if depth is not None:
        request.getfixturevalue(depth)
    pair = pair_of()
    model = built(st_resnet.TWO_RESNET50, pair)
    expected = of_images(pair, clip)
    np.testing.assert_array_equal(model(clip, training=False), expected)
    assert np.abs(expected).max() > 1e-3


@pytest.mark.slow
def test_streams_begin_with_the_network_of_keras_applications(deep, clip):
    """Whole and of width 1, with biases; its weights are those that can be had."""
    keras.utils.set_random_seed(2)
    record = BACKBONES.find("keras:ResNet50")
    source = filled(record.build((SIDE, SIDE, 3), CLASSES), 2)
    model = st_resnet.TWO_RESNET50.build((1, SIDE, SIDE, 6), CLASSES)
    assert st_resnet.begin(model, source, source) == []
    image = clip[:, :1, ..., :3]
    found = model(np.concatenate([image, image], axis=-1), training=False)
    expected = np.asarray(source(image[:, 0], training=False))
    bound = 1e-5 * np.abs(expected).max()
    for stream in (0, 1):
        np.testing.assert_allclose(found[0, :, stream], expected, atol=bound)


@pytest.mark.slow
def test_biases_of_the_resnets_move_into_means(clip):
    pair = pair_of(seed=3, bias=True)
    model = built(st_resnet.TWO_RESNET50, pair)
    expected = of_images(pair, clip)
    bound = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(model(clip, training=False), expected, atol=bound)


@pytest.mark.slow
def test_kernels_along_time_change_nothing_where_nothing_moves(pair, clip):
    """Away from the borders: each kernel sees a step before and after."""
    steps = 7
    still = np.repeat(clip[:, :1, ...], steps, axis=1)
    model = built(_UNFUSED, pair, steps)
    found = np.asarray(model(still, training=False))
    expected = of_images(pair, clip[:, :1])
    bound = 1e-5 * np.abs(expected).max()  # three thirds are not one
    np.testing.assert_allclose(found[:, 2:5], expected.repeat(3, 1), atol=bound)
    for border in (0, -1):
        assert np.abs(found[:, border] - expected[:, 0]).max() > 1000 * bound


def test_fusion_changes_appearance_alone(pair, clip, fused, unfused):
    multiplied = built(st_resnet.ST_MULNET50, pair)
    plain, *others = (
        np.asarray(model(clip, training=False))
        for model in (unfused, fused, multiplied)
    )
    least = 1e-3 * np.abs(plain).max()
    for other in others:
        np.testing.assert_array_equal(other[:, :, 1], plain[:, :, 1])
        assert np.abs(other[:, :, 0] - plain[:, :, 0]).max() > least
    assert np.abs(others[0] - others[1]).max() > least


def test_loss_of_appearance_reaches_motion_through_the_fusion(clip, fused, unfused):
    import tensorflow as tf

    wanted = ["conv1_temporal/kernel", "res5a_branch2c_temporal/kernel"]
    wanted += ["res5b_branch2c_temporal/kernel", "fc_temporal/kernel"]
    for model, expected in (
        # What follows the last fusion is behind the motion that appearance sees.
        (fused, [True, True, False, False]),
        (unfused, [False] * 4),
    ):
        by_name = {v.path: v for v in model.trainable_variables}
        with tf.GradientTape() as tape:
            scores = model(clip, training=False)[:, :, 0]
            loss = -tf.reduce_sum(tf.nn.log_softmax(scores)[..., 2])
        gradients = tape.gradient(loss, [by_name[name].value for name in wanted])
        norms = [0 if g is None else float(tf.norm(g)) for g in gradients]
        assert [norm > 0 for norm in norms] == expected, (norms, scores)


@pytest.mark.slow
def test_stage_2_pools_time(pair, clip, fused):
    with pytest.raises(ValueError, match="at least 5"):
        built(st_resnet.ST_RESNET50_STAR, pair, steps=4)
    plain = fused
    pooled = built(st_resnet.ST_RESNET50_STAR, pair)
    assert pooled.output_shape == (None, 1, 2, CLASSES)
    probes = [plain.get_layer(f"res5b_relu{s}").output for s in STREAMS]
    maps = keras.Model(plain.input, probes)(clip, training=False)
    found = np.asarray(pooled(clip, training=False))[0, 0]
    for number, (one, stream) in enumerate(zip(maps, STREAMS, strict=True)):
        kernel, bias = plain.get_layer(f"fc{stream}").get_weights()
        features = np.asarray(one).max(axis=0).mean(axis=(0, 1))
        expected = features @ kernel + bias
        bound = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(found[number], expected, atol=bound)


@pytest.mark.slow
def test_other_sides_and_numbers_of_steps_have_the_same_weights(clip, fused):
    model = fused
    larger = st_resnet.ST_RESNET50.build((2, None, None, 23), CLASSES, width=WIDTH)
    larger.set_weights(model.get_weights())
    wide = np.pad(clip[:, :2], [(0, 0), (0, 0), (0, 32), (0, 64), (0, 0)])
    exact = st_resnet.ST_RESNET50.build((2, 256, 288, 23), CLASSES, width=WIDTH)
    exact.set_weights(model.get_weights())
    found, expected = (np.asarray(m(wide, training=False)) for m in (larger, exact))
    assert found.shape == (1, 2, 2, CLASSES)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.slow
def test_saved_and_folded_it_is_the_same(pair, clip, tmp_path):
    model = built(st_resnet.ST_RESNET50_STAR, pair)
    expected = np.asarray(model(clip, training=False))
    model.save(tmp_path / "one.keras")
    again = keras.saving.load_model(tmp_path / "one.keras")
    np.testing.assert_array_equal(again(clip, training=False), expected)
    folded = fold(model)
    assert len(folded.weights) < len(model.weights)
    bound = 2e-4 * np.abs(expected).max()  # as that of other networks
    np.testing.assert_allclose(folded(clip, training=False), expected, atol=bound)


def test_motion_begins_with_weights_of_images(pair):
    model = st_resnet.ST_RESNET50.build((STEPS, SIDE, SIDE, 23), 7, width=WIDTH)
    new = st_resnet.begin(model, pair[0], pair[0])
    assert new == ["fc_spatial", "fc_temporal"]  # of other classes
    kernel = pair[0].get_layer("conv1_conv").get_weights()[0]
    first = model.get_layer("conv1_temporal").get_weights()[0]
    assert first.shape[2] == 20
    for channel in (0, 19):
        np.testing.assert_allclose(first[:, :, channel], kernel.mean(axis=2), rtol=1e-6)


@pytest.mark.slow
def test_other_networks_are_refused(pair):
    model = st_resnet.ST_RESNET50.build((STEPS, SIDE, SIDE, 23), 4, width=WIDTH)
    other = resnet.RESNET18.build((64, 64, 3), 4, width=0.05)
    with pytest.raises(ValueError, match="is no ResNet-50 of Caffe"):
        st_resnet.begin(model, pair[0], other)
    plan = resnet.CAFFE_PLANS["resnet50_caffe"]
    wider = resnet.ResNet(plan, (64, 64, 3), 4, width=0.125)
    with pytest.raises(ValueError, match="of another width"):
        st_resnet.begin(model, wider, wider)


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((224, 224, 23), "steps, height, width, channels"),
        ((5, 224, 224, 3), "more than 3 channels"),
        ((5, 192, 224, 23), "at least 193"),
    ],
)
def test_shapes_that_do_not_fit(shape, text):
    with pytest.raises(ValueError, match=text):
        st_resnet.ST_RESNET50.build(shape, 4, width=WIDTH)
