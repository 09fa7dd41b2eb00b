"""Another test than that of the weights: `protocol`, `snippets`, `crops`."""

import dataclasses

import numpy as np
import pytest
import shared_work
import small_network

import tsn_keras as tsn
from tsn_keras import eval, predict
from tsn_keras.checkpoints import keras_file
from tsn_keras.checkpoints.loading import Architecture, Weights
from tsn_keras.checkpoints.overriding import overridden
from tsn_keras.common.errors import InputError
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.protocols import crops
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.overrides import Override

LARGE = "mmaction2_s25_3crop256"


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setitem(BACKBONES, small_network.SMALL.name, small_network.SMALL)


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """(folder, arguments of `eval`) of two videos."""
    root = tmp_path_factory.mktemp("overrides")
    return root, shared_work.make(root, (30, 33))


def test_the_result_says_so(case, tmp_path, capsys):
    """Scores are those of weights that name the other protocol themselves."""
    root, argv = case
    model = small_network.build((224, 224, 3), len(small_network.CLASSES))
    model.load_weights(root / "rgb.weights.h5")
    about = {"backbone": "small_network", "modality": "rgb", "protocol": LARGE}
    keras_file.save(model, tmp_path / "large.weights.h5", about)
    large = ["--weights", str(tmp_path / "large.weights.h5")]
    assert eval.main([*argv, *large, "--scores", str(tmp_path / "large.h5")])[1] == 0
    assert "under the protocol" not in capsys.readouterr().out
    other = [*argv, "--scores", str(tmp_path / "s.h5"), "--protocol", LARGE]
    result, status = eval.main(other)
    (row,) = result["results"]
    assert (status, row["protocol"]) == (0, LARGE)
    assert (row["snippets"], row["crops"], row["published"]) == (25, 3, None)
    note = (
        f"rgb: 25 snippets x 3 crops under the protocol {LARGE}, not 25 snippets x 10 "
        f"crops under caffe"
    )
    assert note in capsys.readouterr().out
    found, expected = (shared_work.read(tmp_path / f"{n}.h5") for n in ("s", "large"))
    for video, scores in expected.items():
        assert scores.shape == (25, 3, 3)
        np.testing.assert_array_equal(found[video], scores)
    for options in ([], ["--crops", "1"], ["--snippets", "5"]):
        with pytest.raises(InputError, match=r"s\.h5 holds other scores: its "):
            eval.main([*argv, "--scores", str(tmp_path / "s.h5"), *options])


@pytest.mark.slow
def test_fewer_snippets_and_crops(case, tmp_path):
    """Those of the full test that they have in common are the same."""
    _, argv = case
    argv = [*argv, "--scores", str(tmp_path / "s.h5")]
    result, _ = eval.main([*argv, "--snippets", "3", "--crops", "1"])
    assert (result["results"][0]["snippets"], result["results"][0]["crops"]) == (3, 1)
    eval.main([*argv, "--scores", str(tmp_path / "all.h5")])
    few, all_of_them = (shared_work.read(tmp_path / f"{n}.h5") for n in ("s", "all"))
    # Of 33 files 25 snippets begin at 1, 2, ..., 25, and 3 at 1, 17, 33; the fifth
    # of the ten crops is the centre.
    np.testing.assert_array_equal(few["v01"][:2, 0], all_of_them["v01"][[0, 16], 4])
    assert few["v01"].shape == (3, 1, 3)


def test_from_python(case, tmp_path):
    root, _ = case
    options = {"data": root / "data", "annotations": root / "list.txt"}
    recognizer = tsn.Recognizer.from_preset(
        root / "rgb.weights.h5", snippets=2, crops=1
    )
    result = recognizer.evaluate("list", scores=tmp_path / "a.h5", **options)
    assert result.scores["rgb"]["v00"].shape == (2, 1, 3)
    assert "2 snippets x the centre crop under the protocol caffe" in str(result)
    result = recognizer.evaluate(
        "list", scores=tmp_path / "b.h5", protocol="tsn_pytorch", snippets=3, **options
    )
    assert result.scores["rgb"]["v00"].shape == (3, 1, 3)
    video = np.random.default_rng(0).integers(0, 256, (20, 64, 80, 3), np.uint8)
    assert recognizer.predict(video).scores["rgb"].shape == (2, 1, 3)
    with pytest.raises(InputError, match="`fast` is a look of its own"):
        tsn.Recognizer.from_preset(root / "rgb.weights.h5", fast=True, crops=1)


def test_predict(case, tmp_path):
    import videofiles

    root, _ = case
    video = videofiles.make(tmp_path / "v.avi", 12)
    argv = [str(video), "--weights", str(root / "rgb.weights.h5")]
    result, _ = predict.main([*argv, "--protocol", LARGE, "--snippets", "4"])
    assert result["protocol"] == "4 snippets x 3 crops"
    with pytest.raises(InputError, match="--fast is a look of its own"):
        predict.main([*argv, "--fast", "--snippets", "4"])


def test_every_protocol_has_one_three_and_ten_crops():
    for protocol in PROTOCOLS.values():
        for count in (1, 3, 10):
            view = protocol.with_test(crops=count).test
            assert view.crops.count == count
            assert (view.rule, view.snippets) == (
                protocol.test.rule,
                protocol.test.snippets,
            )
        assert protocol.with_test() == protocol
        # The second of the three ends at the border: they are as high as the frames.
        view = protocol.with_test(crops=3).test
        assert view.crops.windows(256, 340, view.side)[1] == crops.Window(0, 84)


def test_sides_of_other_crops():
    """As the configurations of MMAction2 combine them."""
    sides = {
        (name, count): PROTOCOLS[name].with_test(crops=count).test.side
        for name in ("mmaction2_s25_10crop224", LARGE)
        for count in (1, 3, 10)
    }
    small, large = "mmaction2_s25_10crop224", LARGE
    assert sides == {
        **{(small, 1): None, (small, 3): 256, (small, 10): None},
        **{(large, 1): 256, (large, 3): 256, (large, 10): None},
    }


def weights_of(backbone, modality="rgb", protocol=CAFFE):
    """Weights that are not opened."""
    modality = MODALITIES[modality]
    shape = (224, 224, modality.channels)
    known = Architecture(BACKBONES[backbone], shape, 5)
    return Weights("w.h5", "", None, known, protocol, modality, None)


@pytest.mark.parametrize(
    ("weights", "override", "words"),
    [
        (
            ("bn_inception",),
            Override(crops=3),
            "3 crops of 256 x 256, of the protocol caffe, are not for w.h5, a "
            "BN-Inception of 224 x 224: .*193 to 224",
        ),
        (("swin_base",), Override(LARGE), "not for w.h5, a Swin.*multiple of 224"),
        (("bn_inception",), Override("unheard"), "no protocol 'unheard'; there are"),
        (
            ("bn_inception",),
            Override("mmaction2_d8_centre224", snippets=25),
            "mmaction2_d8_centre224 cannot take 25 snippets: .*multiple of 10",
        ),
        (("bn_inception",), Override(snippets=1), "cannot take 1 snippets: .*least 2"),
        (("bn_inception",), Override(crops=5), "`crops` is 5; .* has 1 or 3 or 10"),
    ],
)
def test_impossible_tests(weights, override, words):
    with pytest.raises(InputError, match=words):
        overridden(weights_of(*weights), override)


def test_a_protocol_without_the_modality(monkeypatch):
    of_images = {"image": CAFFE.normalisation["image"]}
    only = dataclasses.replace(CAFFE, name="images", normalisation=of_images)
    monkeypatch.setitem(PROTOCOLS, "images", only)
    with pytest.raises(InputError, match=r"images is not for flow, as w\.h5 is"):
        overridden(weights_of("bn_inception", "flow"), Override("images"))


def test_nothing_changes_what_is_asked_for_already():
    weights = weights_of("bn_inception")
    assert overridden(weights, Override()) is weights
    assert overridden(weights, Override("caffe", 25, 10)) is weights
