"""Training steps: sub-batches, replicas, and going on from a checkpoint."""

import base64
import contextlib
import dataclasses
import functools
import itertools
import json
import pathlib
import shutil
import sys
import tempfile

import h5py
import keras
import numpy as np
import processes
import pytest
import tensorflow as tf

from tsn_keras import config
from tsn_keras.common.errors import InputError
from tsn_keras.models import bn_inception, tsn
from tsn_keras.models.preprocessing import network_input
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream
from tsn_keras.training import checkpoint, initialisation, loss_scale
from tsn_keras.training.trainer import Network, Trainer, sub_batches

CLASSES = 4
SIDE = 64  # of images
PROTOCOL = dataclasses.replace(CAFFE, crop_size=SIDE)
_STATISTICS = ("mean", "variance", "statistics")


@contextlib.contextmanager
def only_the_stem():
    """BN-Inception without its ten blocks, for small images.

    What a step does with gradients and variables does not depend on how many there
    are; most of its time is the tracing of the layers.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bn_inception, "BLOCKS", {})
        patched.setattr(bn_inception, "FINAL_SIZE", SIDE // 8)
        patched.setattr(bn_inception, "SIDES", (SIDE,))
        yield


def make(
    batch_norm="first",
    parts=1,
    modality="rgb",
    dropout=0.5,
    consensus="average",
    also=(),
    **train,
):
    """A trainer of a small network, and random batches for it."""

    stream = Stream(MODALITIES[modality], PROTOCOL)
    keras.utils.set_random_seed(1)
    settings = {"base_lr": 0.01, "drops": (2, 4), "clip": 5.0, **train}
    distribution = tf.distribute.get_strategy()
    policy = initialisation.policy(train.get("precision", "float32"))
    with policy, only_the_stem():
        shape = stream.input_shape
        backbone = bn_inception.BNInception(shape, CLASSES, dropout, width=0.05)
    record = bn_inception.BN_INCEPTION
    network = Network(backbone, record, stream, 3, batch_norm, consensus, 2)
    return Trainer(network, config.TrainSettings(**settings), parts, distribution, also)


def batch(seed, videos=4, modality="rgb"):
    random = np.random.default_rng(seed)
    planes = MODALITIES[modality].planes
    # Smooth, as images are.
    small = random.integers(0, 256, (videos * 3, 8, 8, planes))
    images = tf.image.resize(small, (SIDE, SIDE)).numpy().astype(np.uint8)
    images = images.reshape(videos, 3, SIDE, SIDE, planes)
    return images, random.integers(0, CLASSES, videos).astype(np.int32)


def weights(trainer):
    # Copies: the arrays may lie in the variables' own memory.
    return [np.array(v) for v in trainer.backbone.variables]


def trained(trainer):
    """All trained values in one array."""
    values = [np.asarray(v).ravel() for v in trainer.backbone.trainable_variables]
    return np.concatenate(values).astype(np.float64)


@pytest.mark.parametrize(
    "modality",
    ["rgb", *(pytest.param(m, marks=pytest.mark.slow) for m in ("flow", "rgbdiff"))],
)
def test_it_learns(modality):
    """A batch is known by heart after a few updates."""
    trainer = make(modality=modality, drops=(100,), clip=0.0)
    trainer.backbone.get_layer("dropout").rate = 0.0
    known = batch(0, modality=modality)
    losses = [trainer.step([known]) for _ in range(24)]
    assert losses[0] == pytest.approx(np.log(CLASSES), rel=0.05)
    assert losses[-1] < 0.8 * losses[0]
    assert trainer.iteration == 24


def test_sub_batches_are_one_batch(tmp_path):
    """Where no batch norm is trainable and nothing is dropped."""
    results = []
    for size in (1, 2):
        trainer = make("none", size)
        trainer.backbone.get_layer("dropout").rate = 0.0
        losses = []
        for seed in range(3):
            images, labels = batch(seed)
            parts = np.split(images, size), np.split(labels, size)
            losses.append(trainer.step(list(zip(*parts, strict=True))))
        results.append((losses, weights(trainer)))
    (losses, whole), (other_losses, parts) = results
    assert losses == pytest.approx(other_losses, rel=1e-5)
    for one, other in zip(whole, parts, strict=True):
        # Sums in another order, float32; clipping is active.
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


def test_resuming_is_bit_for_bit_an_undisturbed_run(tmp_path):
    """Dropout, the trainable batch norm's statistics and velocities included."""
    batches = [batch(seed) for seed in range(5)]
    whole = make()
    losses = [whole.step([b]) for b in batches]
    first = make()
    for b in batches[:3]:
        first.step([b])
    checkpoint.save(first, tmp_path / "c.h5", {"seed": 1})
    second = make()
    second.step([batches[4]])  # Anything; it is replaced.
    checkpoint.restore(second, tmp_path / "c.h5", {"seed": 1})
    assert second.iteration == 3
    assert [second.step([b]) for b in batches[3:]] == losses[3:]
    for one, other in zip(weights(whole), weights(second), strict=True):
        np.testing.assert_array_equal(one, other)


def _link(file):
    del file["backbone/0"]
    file["backbone/0"] = h5py.ExternalLink("/etc/passwd", "/x")


def _group(file):
    del file["backbone/0"]
    file.create_group("backbone/0")


def _text(file):
    shape = file["backbone/0"].shape
    del file["backbone/0"]
    file["backbone/0"] = np.full(shape, b"x")


def test_other_checkpoints_are_refused(tmp_path):
    # Not above: REPLICAS imports this file without the folder of support.
    import hdf5files

    trainer = make()
    checkpoint.save(trainer, tmp_path / "c.h5", {"seed": 1, "drops": (1, 2)})
    checkpoint.restore(trainer, tmp_path / "c.h5", {"seed": 1, "drops": (1, 2)})
    with pytest.raises(checkpoint.CheckpointError, match="its seed is 1, now it is 2"):
        checkpoint.restore(trainer, tmp_path / "c.h5", {"seed": 2, "drops": (1, 2)})
    (tmp_path / "text.h5").write_text("no checkpoint")
    with pytest.raises(checkpoint.CheckpointError, match="no usable checkpoint"):
        checkpoint.restore(trainer, tmp_path / "text.h5", {})
    for damage, words in (
        (lambda file: file.attrs.update(about="[]"), "is not a JSON object"),
        (lambda file: file.attrs.update(about="3"), "no usable checkpoint"),
        (lambda file: file.attrs.update(loss_scale=[0.0, 1]), "loss scale is 0.0"),
        (lambda file: file.attrs.update(loss_scale=[1.0]), "no usable checkpoint"),
        (lambda file: file.pop("backbone/0"), "backbone/0 is missing, or a link"),
        (_link, "backbone/0 is missing, or a link"),
        (_group, "backbone/0 is not a plain array"),
        (_text, "backbone/0 has shape"),
    ):
        shutil.copy(tmp_path / "c.h5", tmp_path / "d.h5")
        with hdf5files.editing(tmp_path / "d.h5") as file:
            damage(file)
        with pytest.raises(checkpoint.CheckpointError, match=words):
            checkpoint.restore(trainer, tmp_path / "d.h5", {"seed": 1, "drops": (1, 2)})
    (tmp_path / "d.h5").unlink()
    flow = make(modality="flow")
    with pytest.raises(checkpoint.CheckpointError, match="has shape"):
        checkpoint.restore(flow, tmp_path / "c.h5", {"seed": 1, "drops": (1, 2)})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.h5", "text.h5"]


@pytest.mark.parametrize(
    ("batch", "replicas", "most", "expected"),
    [
        (128, 4, 32, (1, 128)),
        (128, 1, 32, (4, 32)),
        (128, 2, 32, (2, 64)),
        (128, 1, 50, (4, 32)),
        (6, 1, 4, (2, 3)),
        (7, 1, 4, (7, 1)),
    ],
)
def test_division_into_sub_batches(batch, replicas, most, expected):
    assert sub_batches(batch, replicas, most) == expected


@pytest.mark.parametrize(
    ("batch", "words"), [(127, "take 124 or 128"), (3, "take 4 or 4")]
)
def test_batches_that_cannot_be_divided(batch, words):
    with pytest.raises(InputError, match=words):
        sub_batches(batch, 4, 32)


REPLICAS = """
import json, sys
import numpy as np
import tensorflow as tf
settings = json.loads(sys.argv[1])
sys.path[:0] = settings["places"]
cpu = tf.config.list_physical_devices("CPU")[0]
most = max(case[0] for case in settings["cases"])
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration() for _ in range(most)]
)
import test_trainer
for number, (count, batch_norm, dropout) in enumerate(settings["cases"]):
    found = test_trainer.updates(count, batch_norm, dropout)
    np.savez(f"{settings['out']}/{number}.npz", **found)
"""


@functools.cache
def _strategy(count):
    """That of the first devices; a second one of the same would get its sums."""
    if count == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy([f"CPU:{k}" for k in range(count)])


def updates(count, batch_norm, dropout):
    """Three updates on the first `count` devices of this process: {name: array}."""
    strategy = _strategy(count)
    with strategy.scope():
        trainer = make(batch_norm, dropout=dropout)
    norm = trainer.backbone.get_layer("conv1_7x7_s2_bn")
    found, losses = {}, []
    for seed in range(3):
        parts = _shared(strategy, *batch(seed))
        losses.append(trainer.step([parts]))
        if seed == 0:
            trainer.agree()
            found["mean"] = np.array(norm.moving_mean)
            found["variance"] = np.array(norm.moving_variance)
            local = strategy.experimental_local_results(norm.moving_mean.value)
            found["statistics"] = len({tuple(np.array(one)) for one in local})
    for index, value in enumerate(trainer.backbone.trainable_variables):
        found[f"trained {index}"] = np.asarray(value)
    if dropout:
        found["states"] = _states(strategy, trainer)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "c.h5"
            checkpoint.save(trainer, path, {})
            checkpoint.restore(trainer, path, {})
        found["restored states"] = _states(strategy, trainer)
    return {"losses": np.array(losses), **found}


def _shared(strategy, images, labels):
    """A batch, of which each device has a share."""
    count = strategy.num_replicas_in_sync
    if count == 1:
        return images, labels

    def share(context):
        k = context.replica_id_in_sync_group
        n = len(labels) // count
        return images[k * n : k * n + n], labels[k * n : k * n + n]

    return strategy.experimental_distribute_values_from_function(share)


def _states(strategy, trainer):
    """The random state of each device's dropout."""
    local = strategy.experimental_local_results(trainer._seeds[0])
    return np.array([np.asarray(one) for one in local], np.int64)


def replicas(out, *cases):
    """Runs `updates` of each case in one process, which has enough devices.

    Returns:
        [{name: array}], one for each case.
    """
    here = pathlib.Path(__file__)
    places = here.parent, here.parents[2]
    settings = {"places": [*map(str, places)], "cases": cases, "out": str(out)}
    done = processes.run(
        [sys.executable, "-c", REPLICAS, json.dumps(settings)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = []
    for number in range(len(cases)):
        with np.load(out / f"{number}.npz") as file:
            found.append({name: file[name] for name in file.files})
    return found


@pytest.fixture(scope="module")
def trained_on_devices(tmp_path_factory):
    """`updates` of: one device; two; two whose dropout and first norm are trained."""
    out = tmp_path_factory.mktemp("replicas")
    return replicas(out, (1, "none", 0.0), (2, "none", 0.0), (2, "first", 0.5))


def assert_near(one, other):
    """As near as float32 sums in another order are."""
    assert one.keys() == other.keys()
    for name, values in one.items():
        if name not in _STATISTICS:
            scale = max(1, np.abs(values).max())
            np.testing.assert_allclose(other[name], values, rtol=0, atol=1e-6 * scale)


def test_replicas_are_one_device_with_the_first_norm_frozen(trained_on_devices):
    one, two, _ = trained_on_devices
    assert_near(one, two)


@pytest.mark.slow
def test_four_replicas_are_two(tmp_path):
    # Groups of two sizes in one process would mix their sums.
    (two,) = replicas(tmp_path, (2, "none", 0.0))
    (four,) = replicas(tmp_path, (4, "none", 0.0))
    assert_near(two, four)


@pytest.mark.slow
def test_replicas_normalise_each_by_its_own_batch(tmp_path):
    """As the original's processes do: two replicas are two parts of a device."""
    two, whole = replicas(tmp_path, (2, "first", 0.0), (1, "first", 0.0))
    trainer = make(parts=2, dropout=0.0)
    losses = []
    for seed in range(3):
        images, labels = batch(seed)
        parts = np.split(images, 2), np.split(labels, 2)
        losses.append(trainer.step(list(zip(*parts, strict=True))))
    found = {
        f"trained {index}": np.asarray(value)
        for index, value in enumerate(trainer.backbone.trainable_variables)
    }
    assert_near(
        {"losses": np.array(losses), **found, **dict.fromkeys(_STATISTICS)}, two
    )
    # One device that sees the batch as a whole is something else.
    assert np.abs(whole["variance"] / two["variance"] - 1).max() > 1e-3
    # The statistics are the first replica's.
    still = make(base_lr=1e-30, weight_decay=0.0)
    images, labels = batch(0)
    still.step([(images[:2], labels[:2])])
    norm = still.backbone.get_layer("conv1_7x7_s2_bn")
    np.testing.assert_allclose(two["mean"], norm.moving_mean, rtol=1e-5)
    np.testing.assert_allclose(two["variance"], norm.moving_variance, rtol=1e-5)
    assert two["statistics"] == 1  # All replicas have them.


def test_replicas_drop_different_features(trained_on_devices):
    """Also after a restart, and the first drops what one device drops."""
    _, _, found = trained_on_devices
    states = found["states"]
    np.testing.assert_array_equal(found["restored states"], states)
    assert states[0, 0] != states[1, 0]
    assert list(states[:, 1]) == [3, 3]


def test_sub_batches_do_not_change_clipping():
    """Those that memory asks for; those of Caffe's iter_size do."""
    norms = {}
    for parts, size in ((1, 1), (2, 1), (2, 2)):
        trainer = make("none", parts, clip=1e-3, weight_decay=0.0, iter_size=size)
        trainer.backbone.get_layer("dropout").rate = 0.0
        begun = weights(trainer)
        images, labels = batch(0)
        pieces = np.split(images, parts), np.split(labels, parts)
        trainer.step(list(zip(*pieces, strict=True)))
        moved = [a - b for a, b in zip(weights(trainer), begun, strict=True)]
        norms[parts, size] = np.sqrt(sum(np.sum(m.astype("f8") ** 2) for m in moved))
    assert norms[2, 1] == pytest.approx(norms[1, 1], rel=1e-3)
    assert norms[2, 2] == pytest.approx(norms[1, 1] / 2, rel=1e-3)


def test_a_gradient_that_overflows_lowers_the_scale_and_loses_no_update():
    updates = []
    for precision in ("float32", "float16"):
        trainer = make("none", precision=precision, clip=0.0, weight_decay=0.0)
        trainer.backbone.get_layer("dropout").rate = 0.0
        begun = trained(trainer)
        if precision == "float16":
            trainer._scale.value = 2.0**20
        assert np.isfinite(trainer.step([batch(0)]))
        assert trainer.iteration == 1
        assert trainer.is_finite()
        updates.append(trained(trainer) - begun)
    assert 1 <= trainer._scale.value < 2.0**20
    # Float16 has eleven binary digits, of which every layer loses some.
    difference = np.linalg.norm(updates[1] - updates[0])
    assert difference < 0.05 * np.linalg.norm(updates[0])


def test_the_scale_grows_and_goes_on():
    scale = loss_scale.LossScale()
    for _ in range(loss_scale.GROWTH):
        assert scale.value == loss_scale.START
        scale.count()
    assert scale.value == 2 * loss_scale.START
    scale.count()
    other = loss_scale.LossScale()
    other.state = scale.state
    assert other.state == [2 * loss_scale.START, 1]
    while other.lower():
        pass
    assert other.value == 1


def test_solvers_make_their_own_updates():
    """After a drop of the rate PyTorch's old velocity is felt less than Caffe's."""
    found = {}
    for solver in ("caffe", "torch"):
        trainer = make(solver=solver, drops=(1,), dropout=0.0, clip=0.0)
        start = trained(trainer)
        trainer.step([batch(0)])
        once = trained(trainer)
        norm = trainer.backbone.get_layer("conv1_7x7_s2_bn")
        found[solver] = once - start, np.array(norm.moving_variance)
        trainer.step([batch(1)])
        found[solver] += (trained(trainer) - once,)
    # The first updates are equal, but for rounding; so are momentum and decay.
    largest = np.abs(found["caffe"][0]).max()
    np.testing.assert_allclose(
        found["torch"][0], found["caffe"][0], rtol=0, atol=1e-5 * largest
    )
    # The batch's variance over n - 1 instead of n: 12 images of 32 x 32 pixels.
    count = 12 * 32 * 32
    kept = found["caffe"][1] - 0.9
    np.testing.assert_allclose(
        found["torch"][1] - 0.9, kept * count / (count - 1), rtol=1e-5, atol=1e-7
    )
    coasting = [np.linalg.norm(found[solver][2]) for solver in ("caffe", "torch")]
    assert coasting[0] > 4 * coasting[1]


def scores_of(trainer, images, training=True):
    """Raw scores [B, classes] of what the trainer trains."""
    stream = Stream(MODALITIES["rgb"], PROTOCOL)
    inputs = network_input(tf.constant(images), stream)
    return trainer.network(inputs, training=training).numpy()


def test_mean_features_give_the_scores_and_updates_of_mean_scores():
    """The classifier is linear; where nothing is dropped both are the same."""
    found = {}
    for consensus in ("average", "features"):
        trainer = make(dropout=0.0, consensus=consensus, solver="torch")
        scores = scores_of(trainer, batch(0)[0], training=False)
        losses = [trainer.step([batch(seed)]) for seed in range(3)]
        found[consensus] = scores, losses, trained(trainer)
    for one, other in zip(found["average"], found["features"], strict=True):
        scale = np.abs(one).max()
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-5 * scale)


def test_mean_features_are_dropped_once_for_a_video():
    """Against the backbone's own features, in NumPy."""
    trainer = make("none", consensus="features")
    images, _ = batch(0)
    backbone = trainer.backbone
    body, _ = tsn.halves(backbone, "flatten")
    stream = Stream(MODALITIES["rgb"], PROTOCOL)
    inputs = network_input(tf.constant(images), stream)
    features = body(tf.reshape(inputs, (-1, *inputs.shape[2:])), training=True).numpy()
    features = features.reshape(4, 3, -1).mean(axis=1)
    dropout = backbone.get_layer("dropout")
    state = np.array(dropout.seed_generator.state)
    ones = dropout(np.ones_like(features), training=True).numpy()
    assert set(np.unique(ones)) == {0.0, 2.0}
    dropout.seed_generator.state.assign(state)
    kernel, bias = backbone.get_layer("fc-action").get_weights()
    expected = (features * ones) @ kernel + bias
    found = scores_of(trainer, images)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


KINDS = ["max", "top_k", "linear", "attention"]


@pytest.mark.parametrize("kind", KINDS)
def test_other_consensus_functions_are_trained(kind):
    """The loss and the update against the backbone's own scores, in NumPy and tape."""
    trainer = make("none", dropout=0.0, consensus=kind, momentum=0.0, clip=0.0)
    images, labels = batch(0)
    inputs = network_input(tf.constant(images), Stream(MODALITIES["rgb"], PROTOCOL))
    backbone, (*weights,) = trainer.backbone, trainer._learned
    if kind == "attention":
        weights[0].assign(np.linspace(-0.1, 0.1, weights[0].shape[0]))
    fc = backbone.get_layer("fc-action")
    body = keras.Model(backbone.inputs, fc.input)
    with tf.GradientTape() as tape:
        features = tf.reshape(body(tf.reshape(inputs, (-1, SIDE, SIDE, 3))), (4, 3, -1))
        scores = tf.tensordot(features, fc.kernel.value, 1) + fc.bias.value
        found = {
            "max": lambda: tf.reduce_max(scores, 1),
            # The best two of three: all but the worst.
            "top_k": lambda: (tf.reduce_sum(scores, 1) - tf.reduce_min(scores, 1)) / 2,
            "linear": lambda: tf.reduce_mean(scores, 1),
            "attention": lambda: tf.reduce_sum(
                scores * tf.nn.softmax(features @ weights[0].value[:, None], 1), 1
            ),
        }[kind]()
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels, found)
        )
    before = fc.kernel.numpy()
    gradient = tape.gradient(loss, fc.kernel.value).numpy()
    assert trainer.step([(images, labels)]) == pytest.approx(float(loss), rel=1e-5)
    moved = fc.kernel.numpy() - before
    expected = -0.01 * (gradient + 0.0005 * before)
    # Sums in another order.
    np.testing.assert_allclose(
        moved, expected, rtol=0, atol=1e-4 * np.abs(expected).max()
    )


def test_linear_weights_learn_in_every_second_update():
    """As the paper has it; momentum rests too while the others move."""
    trainer = make("none", consensus="linear", drops=())
    (weight,) = trainer._learned
    seen = []
    for seed in range(4):
        trainer.step([batch(seed)])
        seen.append((np.array(weight), trained(trainer)))
    np.testing.assert_allclose(seen[0][0], 1 / 3, rtol=1e-7)
    moved = [
        [bool(np.any(b != a)) for a, b in zip(one, other, strict=True)]
        for one, other in itertools.pairwise(seen)
    ]
    # (the consensus, the network) in updates 2, 3 and 4.
    assert moved == [[True, False], [False, True], [True, False]]
    assert trainer.iteration == 4


def test_linear_weights_learn_jointly_on_request():
    trainer = make("none", consensus="linear", consensus_updates="joint")
    before = trained(trainer)
    trainer.step([batch(0)])
    assert np.abs(np.array(trainer._learned[0]) - 1 / 3).max() > 1e-6
    assert np.abs(trained(trainer) - before).max() > 0


@pytest.mark.parametrize("kind", ["linear", "attention"])
def test_learned_weights_are_kept_with_the_run(kind, tmp_path):
    trainer = make("none", consensus=kind)
    for seed in range(2):
        trainer.step([batch(seed)])
    checkpoint.save(trainer, tmp_path / "a.h5", {})
    kept = np.array(trainer._learned[0])
    assert trainer.consensus["kind"] == kind
    text = base64.b64decode(trainer.consensus["weight"])
    np.testing.assert_array_equal(np.frombuffer(text, "<f4"), kept)
    other = make("none", consensus=kind)
    checkpoint.restore(other, tmp_path / "a.h5", {})
    np.testing.assert_array_equal(other._learned[0], kept)
    losses = [one.step([batch(9)]) for one in (trainer, other)]
    assert losses[0] == losses[1]


def test_what_a_weight_file_says_of_the_consensus():
    assert make("none", consensus="top_k").consensus == {"kind": "top_k", "k": 2}
    assert make("none", consensus="features").consensus == {"kind": "features"}


def test_slopes_are_trained_with_statistics_that_stay():
    """MMAction2's norm_eval: in training the network computes what it tests with."""
    trainer = make("affine", dropout=0.0, solver="torch", groups="mmaction2")
    norms = [layer for layer in trainer.backbone.layers if "_bn" in layer.name]
    assert len(norms) == 3
    images, _ = batch(0)
    for norm in norms:  # Others than those that a network begins with.
        norm.moving_mean.assign(norm.moving_mean + 0.25)
        norm.moving_variance.assign(norm.moving_variance * 2.0)
    tested = scores_of(trainer, images, training=False)
    np.testing.assert_array_equal(scores_of(trainer, images), tested)
    before = [[np.array(v) for v in norm.weights] for norm in norms]
    trainer.step([batch(0)])
    for norm, values in zip(norms, before, strict=True):
        gamma, beta, mean, variance = map(np.asarray, norm.weights)
        assert (gamma != values[0]).any()
        assert (beta != values[1]).any()
        np.testing.assert_array_equal(mean, values[2])
        np.testing.assert_array_equal(variance, values[3])


def test_mean_features_in_half_precision():
    """Scores and loss are float32; bfloat16 has eight binary digits."""
    losses = []
    for precision in ("float32", "bfloat16"):
        trainer = make("affine", consensus="features", precision=precision, dropout=0.0)
        assert scores_of(trainer, batch(0)[0]).dtype == np.float32
        losses.append([trainer.step([batch(seed)]) for seed in range(2)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.02)


def test_the_rate_follows_the_schedule():
    settings = {"schedule": "cosine", "iterations": 4, "base_lr": 0.02, "warmup": 2}
    scaled = {"base_batch": 256, "batch": 128, "warmup_ratio": 0.5}
    trainer = make(drops=(), dropout=0.0, **settings, **scaled)
    found = []
    for seed in range(4):
        found.append(trainer.learning_rate)
        trainer.step([batch(seed)])
    cosine = [0.005 * (1 + np.cos(np.pi * n / 4)) for n in range(4)]
    expected = np.array(cosine) * (0.5, 0.75, 1, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-6)  # Float32.


def test_labels_are_smoothed_in_training():
    plain, smooth = (
        make(dropout=0.0, label_smoothing=share).step([batch(0)]) for share in (0, 0.2)
    )
    trainer = make(dropout=0.0)
    images, labels = batch(0)
    scores = scores_of(trainer, images)
    told = tf.nn.log_softmax(scores).numpy()
    right = -told[np.arange(4), labels].mean()
    assert plain == pytest.approx(right, rel=1e-5)
    assert smooth == pytest.approx(0.8 * right - 0.2 * told.mean(), rel=1e-5)
