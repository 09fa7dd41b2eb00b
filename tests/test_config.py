"""Training files: defaults, overrides, and what is wrong in them."""

import pytest

from tsn_keras import config


def write(tmp_path, text):
    path = tmp_path / "run.toml"
    path.write_text(text)
    return path


def test_what_is_left_out_has_its_default(tmp_path):
    found = config.read_training(
        write(tmp_path, '[data]\nmodality = "flow"\n[train]\ndrops = [4000, 6000]\n')
    )
    assert found.data.modality == "flow"
    assert found.train.drops == (4000, 6000)
    assert found.train.base_lr == 0.001
    assert found.model == config.ModelSettings()
    assert config.read_training(write(tmp_path, "")) == config.Training()


def test_overrides(tmp_path):
    path = write(tmp_path, "[train]\nbase_lr = 0.5\nbatch = 4\n")
    overrides = ["train.base_lr=0.002", "train.clip = 20", "data.root=/data/x y"]
    overrides += ["train.drops=[1, 2]", 'data.modality="flow"', "model.initial="]
    found = config.read_training(path, overrides)
    assert found.train.base_lr == 0.002
    assert found.train.batch == 4
    assert type(found.train.clip) is float
    assert found.train.drops == (1, 2)
    assert (found.data.root, found.data.modality) == ("/data/x y", "flow")
    assert found.model.initial == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[train]\nbase_rl = 1", "no 'base_rl'; did you mean 'base_lr'"),
        ("[trian]\nbatch = 1", "no 'trian'; did you mean 'train'"),
        ("[train]\nbatch = 1.5", "train: batch must be int. Received: 1.5"),
        ("[train]\nbatch = true", "batch must be int. Received: True"),
        ('[train]\nclip = "x"', "clip must be float. Received: 'x'"),
        ("[train]\ndrops = [1.0]", "drops must be list of int"),
        ("[data]\nmodality = 3", "modality must be str"),
        ("train = 3", "expected keys and values. Received: 3"),
        ("[train", "is not TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, words):
    path = write(tmp_path, text)
    with pytest.raises(config.InputError) as error:
        config.read_training(path)
    assert words in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("override", ["batch=3", "train.batch", "=3"])
def test_malformed_overrides(tmp_path, override):
    with pytest.raises(config.InputError, match=r"must be like train\.base_lr=0\.002"):
        config.read_training(write(tmp_path, ""), [override])


def test_not_text(tmp_path):
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(config.InputError, match="is not TOML"):
        config.read_training(path)
    with pytest.raises(FileNotFoundError):
        config.read_training(tmp_path / "missing.toml")
