"""The study files: published figures, settings of every cell, ten updates of each kind.

FIGURES were typed from the papers' tables apart from the files, row by row; "-" is what
a row has not.
"""

import functools
import pathlib
import shlex

import pytest
from commands import study

from tsn_keras import config
from tsn_keras.checkpoints.presets import PRESETS
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.studies import planning
from tsn_keras.studies.records import Options

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
FILES = {path.stem: path for path in (CONFIGS / "studies").glob("*.toml")}
FIGURES = {
    "demo": "25.0 22.9 100.0",
    "ts14_table1a_spatial": "42.5 52.3 / 70.8 72.8 / 72.7 59.9",
    "ts14_table1b_temporal": """56.4 / 73.9 / 80.4 / 79.9 81.0 / 79.6 80.2
        / 81.2""",
    "ts14_table2_hmdb51": "46.6 / 49.0 / 52.8 / 55.4",
    "ts14_table3_fusion": "72.7 / 81.0 / 81.2 / 81.5 / 85.6 / 85.9 / 86.2 / 87.0",
    "ts14_table4_ucf101": "85.9 / 87.9 / 65.4 / 73.0 / 83.7 / 86.9 / 88.0",
    "ts14_table4_hmdb51": "57.2 / 61.1 / 66.8 / 22.8 / 40.5 / 54.6 / 58.0 / 59.4",
    "fus2016_two_stream": """74.22 82.34 85.94 36.77 51.50 54.90
        / 82.61 86.25 90.62 47.06 55.23 58.17""",
    "eccv2016_table1_strategies": """72.7 81.0 87.0 / 48.7 81.7 82.9
        / 84.1 81.7 90.0 / 84.1 86.6 91.5 / 84.5 87.2 92.0""",
    "eccv2016_table2_modalities": """84.5 / 83.8 / 87.3 / 87.2 / 86.9 / 87.8 / 92.3
        / 91.7""",
    "eccv2016_table3_consensus": """85.0 86.0 91.6 / 85.7 87.9 93.5
        / 86.2 87.7 92.4""",
    "eccv2016_table4_architectures": """72.7 81.0 87.0 / 77.1 83.9 89.0
        / 79.8 85.7 90.9 / 84.5 87.2 92.0 / 85.7 87.9 93.5""",
    "eccv2016_table5_components": "- - 90.0 / - - 91.5 / - - 92.0 / - - 93.5",
    "eccv2016_table6_hmdb51": "- / - / - / 68.5 / 69.4",
    "eccv2016_table6_ucf101": "- / - / - / 94.0 / 94.2",
    "tpami2018_table2_modalities": """- - / - - / - - / - / 92.4 94.9 / 86.8 91.0
        / 95.0 / 86.4 / 90.2""",
    "tpami2018_table3_ucf101": """85.0 88.3 92.4 / 86.5 89.8 94.2 / 86.7 90.1 94.7
        / 86.4 90.1 94.9 / 86.2 89.7 94.9""",
    "tpami2018_table3_activitynet12": """82.0 61.4 84.7 / 83.6 70.6 86.9
        / 84.6 72.9 87.6 / 84.0 72.8 87.8 / 83.7 72.6 87.9""",
    "tpami2018_table4_ucf101": """84.9 83.5 92.4 / 86.4 90.1 94.9 / 86.4 89.7 94.8
        / 85.5 88.8 94.2 / 86.1 89.1 94.6""",
    "tpami2018_table4_activitynet12": """81.8 62.0 85.4 / 84.0 72.8 87.8
        / 83.1 70.5 86.4 / 84.7 73.6 88.1 / 84.1 71.8 88.2""",
    "tpami2018_table5_architectures": """73.0 83.7 86.9 / 75.3 85.8 89.3
        / 78.4 87.0 91.4 / 83.4 87.2 91.8 / 85.0 88.3 92.4 / 86.4 90.1 94.9""",
    "tpami2018_table6_activitynet13": """76.6 52.7 78.9 / 79.7 63.6 84.7
        / 83.3 64.4 87.7 / 84.5 64.0 88.0 / 85.9 68.3 89.7""",
    "st_resnet_table3": """82.29 43.42 / 79.05 55.47 / 89.47 60.59 / 92.76 65.57
        / 93.46 66.41""",
    "st_resnet_table4": """88.0 59.4 / 88.6 / 91.4 58.5 / 92.4 62.0 / 92.5 65.4
        / 93.4 66.4 / 86.4 61.7 / 90.4 / 91.5 65.9 / 89.1 65.2 / 93.5 69.2
        / 94.6 70.3""",
    "anet2016_table2_appearance": "82.9 / 83.3 / 84.2 / 85.9",
    "tpami2018_table8_hmdb51": """59.4 / 57.2 / 65.5 / 64.8 / 63.2 / 63.3 / - - 70.7
        / - - 71.0""",
    "very_deep2015_table1_average": """73.0 83.7 88.0 / 75.3 85.8 89.3
        / 78.4 87.0 91.4""",
    "very_deep2015_table1_splits": """72.7 81.0 87.0 / 77.1 83.9 89.0
        / 73.2 86.5 89.3 / 75.6 86.9 89.5 / 79.8 85.7 90.9 / 77.3 88.2 91.6
        / 77.8 87.4 91.6""",
    "tpami2018_table8_ucf101": """88.0 / 85.9 / 90.3 / 91.7 / 93.1 / - - 94.2
        / - - 94.9""",
}
# Of which nothing was published.
OURS = {f"jhmdb_{name}" for name in ("components", "consensus", "segments", "systems")}
FILES_OF_USERS = ("VGG_ILSVRC_16_layers.caffemodel", "bvlc_googlenet.caffemodel")
# What the rows of a table differ in, by their order: K, or the consensus.
ROWS = {
    "tpami2018_table3": [1, 3, 5, 7, 9],
    "tpami2018_table4": ["max", "average", "linear", "top_k", "attention"],
    "eccv2016_table3": ["max", "average", "linear"],
    "jhmdb_segments": [1, 3, 5],
    "jhmdb_consensus": ["average", "max", "top_k", "linear", "attention"],
}
# Files of users that the networks of 2014 begin with, and their backbones.
OF_2014 = {
    "VGG_CNN_M_2048.caffemodel": "cnn_m_spatial",
    "ts14_ucf101_temporal.weights.h5": "cnn_m_temporal",
}


@functools.cache
def planned(name):
    return planning.plan(FILES[name], Options())


def test_all_files_are_there():
    assert set(FILES) == {*FIGURES, *OURS}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_those_of_the_papers(name):
    rows = {}
    for cell in planned(name).study.cells:
        rows.setdefault(cell.row, []).append(cell.published)
    if name == "demo":
        (row,) = rows.values()
        assert row == [25.0, 22.9, 100.0]
        return
    expected = [
        [0.0 if word == "-" else float(word) for word in row.split()]
        for row in FIGURES[name].split("/")
    ]
    assert list(rows.values()) == expected


@pytest.mark.parametrize("name", FILES)
def test_every_cell_is_a_run_that_can_be_made(name):
    """Its settings are valid, and its initial weights fit its network and protocol."""
    found = planned(name)
    for cell in found.cells:
        assert bool(cell.runs) == bool(cell.cell.config or cell.cell.fusion)
        for run in cell.all_runs:
            model, data = run.settings.model, run.settings.data
            backbone = BACKBONES[model.backbone]
            if model.initial in OF_2014:
                assert backbone.name == OF_2014[model.initial]
                continue
            if not model.initial:
                assert model.batch_norm == "all"
                continue
            if model.initial.endswith(".caffemodel"):
                # A file whose address was not published with a digest.
                assert model.initial in FILES_OF_USERS
                continue
            preset = PRESETS[model.initial]
            assert preset.backbone in (backbone.name, *backbone.streams)
            if preset.modality == data.modality:
                # Of the protocols of ST-ResNet's streams no preset is, but they feed
                # images as that of Keras' weights does.
                one, other = (PROTOCOLS[p.protocol] for p in (preset, data))
                assert one.red_first == other.red_first
                assert one.normalisation["image"] == other.normalisation["image"]


@pytest.mark.parametrize("name", FILES)
def test_files_say_what_they_are(name):
    text = FILES[name].read_text()
    head = text.partition("\n\n")[0]
    assert all(f"# {word:10}" in head for word in ("Paper", "Command"))
    assert f"configs/studies/{name}.toml" in head
    assert max(map(len, text.splitlines())) <= 91


@pytest.mark.parametrize("name", FILES)
def test_commands_give_the_same_settings(name):
    """Those that `--list` prints, which need not know of the study."""
    # Splits differ in their number only.
    cells = [cell for cell in planned(name).cells if cell.cell.config]
    for run in (cell.all_runs[-1] for cell in cells):
        first, *_ = study.commands(run)
        words = shlex.split(first)[3:]
        told = dict(zip(words[::2], words[1::2], strict=False))
        sets = [b for a, b in zip(words, words[1:], strict=False) if a == "--set"]
        assert config.read_training(told["--config"], sets) == run.settings


@pytest.mark.parametrize(
    "name", [name for name in FILES if name.startswith(tuple(ROWS))]
)
def test_rows_differ_in_what_the_table_is_about(name):
    found = planned(name)
    expected = next(rows for start, rows in ROWS.items() if name.startswith(start))
    key = "segments" if expected[0] == 1 else "consensus"
    seen = {}
    for cell in found.cells:
        for run in cell.all_runs:
            seen.setdefault(cell.cell.row, set()).add(getattr(run.settings.model, key))
    assert list(seen.values()) == [{value} for value in expected]
    if name == "tpami2018_table4_ucf101":
        assert {run.settings.model.segments for run in found.runs} == {7}
        assert len(found.runs) == 30


def test_tables_share_their_runs():
    """Of the journal's tables 3, 4 and 8: seven segments, averaged."""
    three, four, eight = (
        {run.out for run in planned(f"tpami2018_{name}").runs}
        for name in ("table3_ucf101", "table4_ucf101", "table8_ucf101")
    )
    assert (len(three), len(four), len(eight)) == (30, 30, 12)
    assert len(three & four) == 6
    assert eight < three
    one = planned("eccv2016_table1_strategies").runs
    five = {run.out for run in planned("eccv2016_table5_components").runs}
    # Not RGB from scratch.
    assert len(one) == 6
    assert len({run.out for run in one} & five) == 5


def test_tables_of_the_very_deep_networks_share_their_runs():
    """They are the same split by split, on average, and where TSN quotes them."""
    splits, average, eccv, tpami = (
        {run.out for run in planned(name).runs}
        for name in (
            *("very_deep2015_table1_splits", "very_deep2015_table1_average"),
            *("eccv2016_table4_architectures", "tpami2018_table5_architectures"),
        )
    )
    assert (len(splits), splits) == (12, average)
    assert (len(splits & eccv), len(splits & tpami)) == (4, 12)


@pytest.mark.parametrize("version", ["12", "13"])
def test_untrimmed_videos_are_tested_as_wholes(version):
    name = {"12": "table3_activitynet12", "13": "table6_activitynet13"}[version]
    found = planned(f"tpami2018_{name}")
    assert found.study.metric == "mean_average_precision"
    for run in found.runs:
        data = run.settings.data.dataset
        assert data == f"{run.test.dataset}_clips"
        assert (run.test.override.every, run.test.override.over_time) == (
            *("1s", "windows"),
        )
        train, test = map(shlex.split, study.commands(run))
        assert "--evaluate" not in train
        assert test[3:5] == ["--dataset", run.test.dataset]
        assert test[test.index("--every") :][:4] == [
            *("--every", "1s", "--over-time", "windows"),
        ]
    fused = [cell for cell in found.cells if cell.cell.fusion]
    assert {tuple(cell.cell.fusion.values()) for cell in fused} == {(1.0, 0.5)}


def test_tables_of_2014_share_their_runs():
    """Fused are networks of the other tables; the final ones are of three splits."""
    spatial, temporal, hmdb51, fused, final = (
        {run.out for run in planned(f"ts14_{name}").runs}
        for name in (
            *("table1a_spatial", "table1b_temporal", "table2_hmdb51"),
            *("table3_fusion", "table4_ucf101"),
        )
    )
    assert [len(one) for one in (spatial, temporal, hmdb51)] == [6, 7, 3]
    assert (len(fused), len(fused & spatial), len(fused & temporal)) == (4, 1, 2)
    assert (len(final), len(final & fused)) == (6, 2)
    for run in planned("ts14_table4_hmdb51").runs:
        assert run.settings.data.dataset == "hmdb51"
        assert [t.dataset for t in run.settings.data.tasks] in ([], ["ucf101"])
