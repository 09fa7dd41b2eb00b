"""Training files: defaults, overrides, and what is wrong in them."""

import dataclasses
import math
import pathlib
import types

import pytest

from tsn_keras import config
from tsn_keras.common import ranges
from tsn_keras.common.errors import InputError
from tsn_keras.models import consensus, training_rules


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
    # The solver's and train_val files' of the original, where it has them.
    assert found.model.segments == 3
    assert (found.train.seed, found.train.momentum, found.train.gamma) == (0, 0.9, 0.1)
    assert (found.train.batch, found.train.weight_decay) == (128, 0.0005)
    found = config.Training()
    assert (found.train.drops, found.train.iterations) == ((1500, 3000), 3500)
    assert (found.train.base_lr, found.train.clip, found.train.iter_size) == (
        1e-3,
        40,
        1,
    )
    assert (found.model.dropout, found.model.batch_norm) == (0.8, "first")
    # What is not there is not left out without a word.
    assert found.data.allow_missing is False
    most = list(range(1, 1001))
    found = config.training_of({"train": {"drops": most}})
    assert list(found.train.drops) == most


def test_a_dict_of_any_kind_of_values():
    train = types.MappingProxyType({"drops": (1, 2), "base_lr": 1})
    data = {"root": pathlib.Path("/data/frames")}
    found = config.training_of(types.MappingProxyType({"train": train, "data": data}))
    assert found.train.drops == (1, 2)
    assert found.train.base_lr == 1.0
    assert found.data.root == "/data/frames"


def test_overrides(tmp_path):
    path = write(tmp_path, "[train]\nbase_lr = 0.5\nbatch = 4\n")
    overrides = ["train.base_lr=0.002", "train.clip = 20", "data.root=/data/x y"]
    overrides += ["train.drops=[1, 2]", 'data.modality="flow"', "model.initial="]
    found = config.read_training(path, overrides)
    assert found.train.base_lr == 0.002
    assert found.train.batch == 4
    assert type(found.train.clip) is float
    large = config.read_training(path, ["train.clip=5000"])
    assert large.train.clip == 5000.0
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
    with pytest.raises(InputError) as error:
        config.read_training(path)
    assert words in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("override", ["batch=3", "train.batch", "=3"])
def test_malformed_overrides(tmp_path, override):
    with pytest.raises(InputError, match=r"must be like train\.base_lr=0\.002"):
        config.read_training(write(tmp_path, ""), [override])


def test_not_text(tmp_path):
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is not TOML"):
        config.read_training(path)
    with pytest.raises(FileNotFoundError):
        config.read_training(tmp_path / "missing.toml")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.batch=0", "train.batch must be from 1 to 65536. Received: 0"),
        ("train.base_lr=nan", "train.base_lr must be above 0 and at most 1000"),
        ("train.base_lr=0", "train.base_lr must be above 0"),
        ("train.clip=inf", "train.clip must be from 0 to 1000000. Received: inf"),
        ("train.momentum=1.0", "train.momentum must be from 0 to 1, without 1"),
        ("train.drops=[5, 3]", "train.drops must be increasing"),
        ("train.drops=[0]", "train.drops must be increasing, each from 1 to 100000000"),
        ("train.precision=half", "must be one of float32, bfloat16, float16"),
        ("train.seed=-1", "train.seed must be from 0"),
        ("train.solver=adam", "train.solver must be one of caffe, torch"),
        ("train.loss=hinge", "train.loss must be one of softmax, sigmoid"),
        ("train.loss_weight=0.0", "train.loss_weight must be above 0 and at most 1"),
        ("train.mixup=-0.1", "train.mixup must be from 0 to 1000"),
        ("train.label_smoothing=1", "train.label_smoothing must be from 0 to 1"),
        ("data.augmentation=none", "must be one of protocol, tsn, tsn_pytorch, tsn_5"),
        ("train.iter_size=3", "must be a multiple of train.iter_size"),
        ("data.modality=depth", "must be one of rgb, flow, rgbdiff"),
        ("data.split=4", "must be one of 1, 2, 3"),
        ("data.power=-0.5", "data.power must be from 0 to 1. Received: -0.5"),
        ("data.holdout=1.0", "data.holdout must be from 0 to 1, without 1"),
        (
            "data.dataset=kinetics",
            "one of hmdb51, ucf101, jhmdb, demo, demo_sound, kin",
        ),
        ("data.protocol=mine", "data.protocol must be one of caffe"),
        ("model.batch_norm=partial", "must be one of first, none, all"),
        ("model.dropout=1.0", "model.dropout must be from 0 to 1, without 1"),
        ("model.segments=0", "model.segments must be from 1 to 100"),
        ("train.drops=[0, 5]", "train.drops must be increasing, each from 1 to"),
        ("model.width=0.0", "model.width must be above 0"),
        ("train.save_every=0", "train.save_every must be from 1 to 100000000"),
    ],
)
def test_values_out_of_range(tmp_path, override, words):
    with pytest.raises(InputError) as error:
        config.read_training(write(tmp_path, ""), [override])
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            f"train.batch={10**15}",
            "train.batch must be from 1 to 65536. Received: 1000",
        ),
        (f"model.segments={10**8}", "model.segments must be from 1 to 100"),
        ("train.weight_decay=1e308", "train.weight_decay must be from 0 to 10"),
        ("train.weight_decay=-0.1", "train.weight_decay must be from 0 to 10"),
        ("train.momentum=nan", "from 0 to 1, without 1. Received: nan"),
        ("train.base_lr=1e9", "train.base_lr must be above 0 and at most 1000"),
        ("train.gamma=-inf", "train.gamma must be above 0 and at most 10"),
        ("model.width=1e300", "model.width must be above 0 and at most 4"),
        ("train.seed=2147483648", "train.seed must be from 0 to 2147483647"),
        ("train.iterations=true", "iterations must be int. Received: True"),
        (f"train.base_lr={'9' * 400}", "and at most 1000. Received: inf"),
        (f"train.base_lr=-{'9' * 400}", "and at most 1000. Received: -inf"),
        (f"train.batch={'9' * 400}", f"Received: {'9' * 80}..."),
        (f"train.batch={'9' * 4800}", "or a number of too many digits"),
        (f"train.drops={'[' * 9000}{']' * 9000}", "too long"),
        (f"train.drops={'[' * 1500}{']' * 1500}", "nested too deeply"),
        (f"train.drops={list(range(1, 1002))}", "at most 1000 numbers"),
        ("train.batch=3\ny = 4", "of several lines"),
        ("data.rgb_prefix=a\x00b", r"rgb_prefix has the character '\x00'"),
        ('data.root="a\\nb"', r"root has the character '\n'"),
        (f"train.{'x' * 5000}=1", f"there is no '{'x' * 80}'; did you mean"),
    ],
)
def test_values_that_no_machine_could_use(tmp_path, override, words):
    with pytest.raises(InputError) as error:
        config.read_training(write(tmp_path, ""), [override])
    assert words in str(error.value)
    assert len(str(error.value)) < 500


def test_lengths_in_epochs():
    """An epoch is ceil(videos / batch): tsn-pytorch's 75 of UCF101's 9,537 videos."""
    train = {"epochs": 80, "drop_epochs": [30, 60], "validate_epochs": 5}
    read = config.training_of({"train": train}).train
    assert (read.drops, read.drop_epochs) == ((), (30, 60))
    assert read.epoch(9537) == 75
    found = read.in_iterations(9537)
    assert (found.iterations, found.drops) == (6000, (2250, 4500))
    assert (found.validate_every, found.warmup) == (375, 0)
    # As many updates where all batches are full, and one video more makes another.
    assert [read.epoch(n) for n in (1, 127, 128, 129, 256)] == [1, 1, 1, 2, 2]
    # Eight loaders of 12 videos each over a padded eighth of the videos.
    kinetics = config.TrainSettings(batch=96)
    assert kinetics.epoch(240436) == math.ceil(math.ceil(240436 / 8) / 12) == 2505
    constant = config.training_of({"train": {"epochs": 75}}).train.in_iterations(300)
    assert (constant.iterations, constant.drops, constant.warmup) == (225, (), 0)
    warm = config.training_of({"train": {"warmup_epochs": 2, "iterations": 9}}).train
    warm = warm.in_iterations(300)
    assert (warm.iterations, warm.warmup, warm.drops) == (9, 6, (1500, 3000))
    # What is said in iterations stays.
    plain = config.TrainSettings(iterations=7, drops=(3,), warmup=2, validate_every=4)
    assert plain.in_iterations(1000) == plain


def test_the_rate_of_a_batch():
    """MMAction2's auto_scale_lr: the rate times batch / base_batch."""
    settings = {"base_lr": 0.01, "base_batch": 256}
    assert config.TrainSettings(batch=256, **settings).rate == 0.01
    assert config.TrainSettings(batch=64, **settings).rate == 0.0025
    assert config.TrainSettings(batch=512, **settings).rate == 0.02
    assert config.TrainSettings(batch=64, base_lr=0.01).rate == 0.01


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["epochs=2", "iterations=5"],
            "epochs and train.iterations say the same twice",
        ),
        (
            ["drop_epochs=[2]", "drops=[5]"],
            "leave one out, or set train.drop_epochs=[]",
        ),
        (["warmup_epochs=2", "warmup=5"], "or set train.warmup_epochs=0"),
        (["validate_epochs=2", "validate_every=0"], "say the same twice"),
        (["schedule=cosine", "drops=[5]"], "has no drops"),
        (["schedule=cosine", "epochs=5", "drop_epochs=[3]"], "has no drops"),
        (["end_lr=0.1"], 'train.end_lr is where train.schedule = "cosine" ends'),
        (["schedule=linear"], "must be one of step, cosine"),
        (["groups=all"], "mmaction2, mmaction2_tsm, caffe_uniform, matconvnet"),
        (["drop_epochs=[0]"], "train.drop_epochs must be increasing, each from 1"),
    ],
)
def test_schedules_that_contradict_themselves(tmp_path, overrides, words):
    overrides = [f"train.{override}" for override in overrides]
    with pytest.raises(InputError) as error:
        config.read_training(write(tmp_path, ""), overrides)
    assert words in str(error.value)


def test_a_file_in_epochs_can_be_cut_short(tmp_path):
    path = write(tmp_path, "[train]\nepochs = 100\ndrop_epochs = [40, 80]\n")
    overrides = ["train.epochs=0", "train.iterations=5"]
    found = config.read_training(path, overrides).train.in_iterations(300)
    assert (found.iterations, found.drops) == (5, (120, 240))
    many = config.TrainSettings(batch=1, epochs=10**6)
    with pytest.raises(InputError, match=r"train\.epochs is 1000000: with 300 iter"):
        many.in_iterations(300)


def test_groups_are_those_of_the_rules():
    assert config._RULES["train.groups"].values == tuple(training_rules.GROUPS)
    functions = {*consensus.CONSENSUS, "features"} - {"identity"}
    assert set(config._RULES["model.consensus"].values) == functions


def test_every_number_has_a_range():
    """Both ends of each are accepted, and what is next to them is refused."""
    for part in (config.DataSettings, config.ModelSettings, config.TrainSettings):
        section = part.__name__.removesuffix("Settings").lower()
        for field in dataclasses.fields(part):
            rule = config._RULES.get(f"{section}.{field.name}")
            if field.type in (int, float):
                assert rule is not None, field.name
                assert field.default in rule
                for value in (-1, 2**70, math.inf, -math.inf, math.nan):
                    assert value not in rule, (field.name, value)
                if isinstance(rule, ranges.Range):
                    assert (rule.least in rule) is not rule.above
                    assert (rule.most in rule) is not rule.below


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = " + "[\n" * 3000, "it is nested too deeply"),
        ("x = " + "[" * 3000, "line 1 has 3004 characters; a line has at most 1000"),
        ("[train]\nbatch = " + "9" * 900, f"Received: {'9' * 80}..."),
        ("[train]\nbatch = 0x" + "f" * 900, "must be from 1 to 65536. Received: 51"),
        ("[train]\nbatch = " + "9" * 5000, "line 2 has 5008 characters"),
        ("[" + "a." * 490 + "a]\n" + "b." * 490 + "b = 1", "there is no 'a'"),
        ("# " + "\n" * 70_000, "has 70002 bytes; such a file has at most 65536"),
        ("a" * 900 + " = 1", f"there is no '{'a' * 80}'"),
    ],
)
def test_files_that_are_made_to_hurt(tmp_path, text, words):
    with pytest.raises(InputError) as error:
        config.read_training(write(tmp_path, text))
    assert words in str(error.value)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_files_of_other_editors(tmp_path, end):
    path = tmp_path / "run.toml"
    text = end.join(["[train]", "batch = 4", "seed = 3", ""])
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    found = config.read_training(path)
    assert (found.train.batch, found.train.seed) == (4, 3)


FILES = {
    path.stem: path
    for path in (pathlib.Path(__file__).parents[1] / "configs").glob("*.toml")
}

# models/*/tsn_bn_inception_*_{solver,train_val}.prototxt; those of the paper's
# time before commit c0249f1; tsn-pytorch's README for the differences.
# batch, iter_size, rate, drops, iterations, clip, dropout, K, initial weights.
RUNS = {
    "ucf101_rgb": (128, 1, 0.001, (1500, 3000), 3500, 40, 0.8, 3, "imagenet_rgb"),
    "ucf101_flow": (128, 1, 0.005, (10000, 16000), 18000, 20, 0.7, 3, "imagenet_flow"),
    "hmdb51_rgb": (128, 1, 0.001, (1000, 2000), 2500, 40, 0.8, 3, "imagenet_rgb"),
    "hmdb51_flow": (128, 1, 0.005, (4000, 6000), 7000, 20, 0.7, 3, "imagenet_flow"),
    "ucf101_rgb_paper": (256, 2, 0.001, (2000, 4000), 4500, 40, 0.8, 3, "imagenet_rgb"),
    "ucf101_flow_paper": (
        *(256, 2, 0.005, (12000, 18000), 20000, 20, 0.7, 3, "imagenet_flow"),
    ),
    "ucf101_rgbdiff": (128, 1, 0.001, (6000, 12000), 13500, 40, 0.8, 7, "imagenet_rgb"),
}


@pytest.mark.parametrize("name", RUNS)
def test_published_runs(name):
    found = config.read_training(FILES[name])
    train, model, data = found.train, found.model, found.data
    assert (
        *(train.batch, train.iter_size, train.base_lr, train.drops),
        *(train.iterations, train.clip, model.dropout, model.segments, model.initial),
    ) == RUNS[name]
    assert (train.gamma, train.momentum, train.weight_decay) == (0.1, 0.9, 0.0005)
    assert (model.batch_norm, model.width, train.device_batch) == ("first", 1.0, 32)
    dataset, _, modality = name.removesuffix("_paper").partition("_")
    assert (data.dataset, data.split, data.modality) == (dataset, 1, modality)


# Of the very deep two-stream networks, arXiv:1507.02159 section 2.2; of GoogLeNet only
# what it shares with VGG-16 was published. Batch, rate, drops, iterations, dropouts.
VERY_DEEP = {
    "ucf101_rgb_vgg16": (256, 0.001, (4000, 8000), 10_000, (0.9, 0.9)),
    "ucf101_flow_vgg16": (264, 0.005, (10_000, 20_000), 30_000, (0.9, 0.8)),
    "ucf101_rgb_googlenet": (256, 0.001, (4000, 8000), 10_000, ()),
    "ucf101_flow_googlenet": (264, 0.005, (10_000, 20_000), 30_000, ()),
}


@pytest.mark.parametrize("name", VERY_DEEP)
def test_very_deep_runs(name):
    found = config.read_training(FILES[name])
    train, model, data = found.train, found.model, found.data
    assert (
        *(train.batch, train.base_lr, train.drops, train.iterations),
        model.dropouts,
    ) == VERY_DEEP[name]
    assert (train.clip, train.gamma, train.momentum) == (0, 0.1, 0.9)
    assert (train.weight_decay, model.segments) == (0.0005, 1)
    assert (data.protocol, data.augmentation) == ("very_deep", "protocol")
    flow = "flow" in name
    assert data.modality == ("flow10" if flow else "rgb")
    # The rate of no kernel is multiplied; of images the first is as all others anyway.
    assert train.groups == ("caffe_uniform" if flow else "caffe")


# The paper's table 2, STResNet_stage1.m, STResNet_stage2.m and cnn_train_dag.m: steps,
# rate, updates or passes, and where the rate drops.
ST_RESNET = {
    "st_resnet_ucf101": (5, 1e-3, 80000, (30000, 60000)),
    "st_resnet_ucf101_code": (5, 1e-3, 80, (30, 60)),
    "st_resnet_ucf101_star": (11, 1e-4, 4000, (2000,)),
    "st_resnet_ucf101_star_code": (11, 1e-4, 300, (1,)),
}


@pytest.mark.parametrize("name", ST_RESNET)
def test_runs_of_st_resnet(name):
    found = config.read_training(FILES[name])
    train, model, data = found.train, found.model, found.data
    lengths = train.epochs or train.iterations, train.drop_epochs or train.drops
    assert (model.segments, train.base_lr, *lengths) == ST_RESNET[name]
    assert (train.batch, train.device_batch, train.clip) == (128, 4, 0)
    assert (train.gamma, train.momentum, train.weight_decay) == (0.1, 0.9, 0.0005)
    assert (train.solver, train.groups) == ("matconvnet", "matconvnet")
    assert (model.batch_norm, model.dropout) == ("all", 0)
    star = "_star" * ("star" in name)
    assert (model.backbone, data.protocol) == (f"st_resnet50{star}", f"st_resnet{star}")
    if name == "st_resnet_ucf101_code":
        # 75 updates a pass of split 1, some 6,000 in all.
        assert train.in_iterations(9537).iterations == 6000


# Its streams by themselves; base_streams/cnn_ucf101_{spatial,temporal}.m: batch and
# sub-batch, dropout, updates or passes, and where the rate drops.
ST_RESNET_STREAMS = {
    "st_resnet_ucf101_appearance": (256, 8, 0.0, 20000, (10000,)),
    "st_resnet_ucf101_appearance_code": (256, 32, 0.0, 60, (20, 40)),
    "st_resnet_ucf101_motion": (256, 86, 0.8, 40000, (30000,)),
    "st_resnet_ucf101_motion_code": (128, 32, 0.8, 400, (100, 200, 300)),
}


@pytest.mark.parametrize("name", ST_RESNET_STREAMS)
def test_streams_of_st_resnet(name):
    found = config.read_training(FILES[name])
    train, model, data = found.train, found.model, found.data
    lengths = train.epochs or train.iterations, train.drop_epochs or train.drops
    batches = train.batch, train.device_batch
    assert (*batches, model.dropout, *lengths) == ST_RESNET_STREAMS[name]
    assert (train.base_lr, train.gamma, train.clip) == (0.01, 0.1, 0)
    assert (train.momentum, train.weight_decay, model.segments) == (0.9, 0.0005, 1)
    assert (train.solver, train.groups) == ("matconvnet", "matconvnet")
    stream = "motion" if "motion" in name else "appearance"
    assert data.protocol == f"st_resnet_{stream}"
    assert data.modality == ("flow10" if stream == "motion" else "rgb")
    assert model.batch_norm == "all"


@pytest.mark.parametrize("name", FILES)
def test_training_files_say_what_they_are(name):
    text = FILES[name].read_text()
    head = text.partition("\n\n")[0]
    for word in ("Paper", "Command", "Expected", "Time"):
        assert f"# {word:10}" in head
    assert f"--config configs/{name}.toml" in head
    defaults = config.Training()
    found = config.read_training(FILES[name])
    assert found != defaults


def test_all_runs_are_there():
    others = {*OF_2014, "demo_rgb", "demo_flow", "hmdb51_rgb_scratch"}
    others |= {"own_rgb", "own_flow"}
    others |= {"activitynet12_rgb", "activitynet12_flow", "demo_sound"}
    others |= {"jhmdb_rgb", "jhmdb_flow", "jhmdb_rgbdiff"}
    others |= {*VERY_DEEP, *ST_RESNET, *ST_RESNET_STREAMS}
    assert set(FILES) == {*RUNS, *others}


# Two-stream networks of 2014, sections 4 and 5: drops, iterations, dropout, modality,
# what is trained, and the data set of the other classifier.
_SCRATCH, _TUNED = ((50_000, 70_000), 80_000), ((14_000,), 20_000)
OF_2014 = {
    "ts14_ucf101_spatial_scratch": (*_SCRATCH, 0.9, "rgb", "all", ()),
    "ts14_ucf101_spatial_finetune": (*_TUNED, 0.9, "rgb", "all", ()),
    "ts14_ucf101_spatial_last": (*_TUNED, 0.5, "rgb", "head", ()),
    "ts14_ucf101_temporal": (*_SCRATCH, 0.9, "flow10_mean", "all", ()),
    "ts14_hmdb51_temporal_finetune": (*_TUNED, 0.9, "flow10_mean", "all", ()),
    "ts14_hmdb51_multitask": (*_SCRATCH, 0.9, "flow10_mean", "all", ("ucf101",)),
    "ts14_ucf101_multitask": (*_SCRATCH, 0.9, "flow10_mean", "all", ("hmdb51",)),
}


@pytest.mark.parametrize("name", OF_2014)
def test_runs_of_2014(name):
    found = config.read_training(FILES[name])
    train, model, data = found.train, found.model, found.data
    assert (
        *(train.drops, train.iterations, model.dropout, data.modality),
        *(model.trainable, tuple(task.dataset for task in data.tasks)),
    ) == OF_2014[name]
    assert (data.dataset, data.split) == (name.split("_")[1], 1)
    assert (data.protocol, data.augmentation) == ("two_stream", "protocol")
    # One frame of each of 256 videos, drawn alike over the classes.
    assert train.batch + sum(task.batch for task in data.tasks) == 256
    assert (model.segments, data.power) == (1, 0)
    assert all((task.power, task.part) == (0, "all") for task in data.tasks)
    assert (train.base_lr, train.gamma, train.momentum) == (0.01, 0.1, 0.9)
    assert (train.clip, train.groups, train.solver) == (0, "mmaction2", "caffe")
    spatial = data.modality == "rgb"
    assert model.backbone == ("cnn_m_spatial" if spatial else "cnn_m_temporal")
    assert bool(model.initial) == (train.iterations == 20_000)
