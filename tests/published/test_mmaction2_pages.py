"""Every figure of MMAction2's pages of TSN, with the command that measures it.

    python -m pytest tests/published/test_mmaction2_pages.py --collect-only -q
    TSN_KERAS_DATA=DIR TSN_KERAS_WEIGHTS=DIR python -m pytest tests/published

The first line prints the commands: the name of a test is its row's. DIR of the data
holds a folder for each data set by the name of `--dataset`, with the official
annotations and, for RGB, frames or video files; for flow, frames. Scores are kept in
scores/published of the working folder. What is not there is named and skipped.
"""

import re

import pytest
from commands import fuse
from mmaction2_pages import PAGES, ROWS, measured, missing

from tsn_keras import eval
from tsn_keras.checkpoints.presets import PRESETS
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.overrides import Override


def test_all_rows_are_there():
    """Counts of the pages: of 58 rows of 0.x four stand in two or three tables."""
    assert {page: len(rows) for page, rows in PAGES.items()} == {
        "0.x": 58 - 4,
        "1.x": 12,
        "omnisource": 6,
    }
    assert len({row.command for row in ROWS}) == len(ROWS)


def test_rows_are_those_of_the_pages(reference):
    """Beside a sheet of the pages' facts: weights, test, and both figures."""
    text = (reference / "mmaction2_tsn.md").read_text(encoding="utf-8")
    listed = [*listed_0x(text), *listed_1x(text)]
    assert len(listed) == 58 + 12
    met = set()
    for digits, views, top1, top5 in listed:
        found = {
            row
            for row in (*PAGES["0.x"], *PAGES["1.x"])
            if digits in (None, PRESETS[row.runs[0].preset].digits)
            and (digits is None) == (len(row.runs) > 1)
            and views in row.published.protocol
            and printed_as(row.published.accuracy, top1)
            and printed_as(row.published.top5, top5)
        }
        assert len(found) == 1, (digits, views, top1, top5)
        met |= found
    assert met == {*PAGES["0.x"], *PAGES["1.x"]}


# What the page says of a test, and what its protocol's name has in it.
VIEWS = {"25x10 frames": "s25_10crop", "25x3 frames": "s25_3crop", "8x10 frames": "d8_"}


def listed_0x(text):
    """Yields (digits of the weights, test, top-1, top-5) of the page of 0.x."""
    digits = None
    part = text.partition("### 1.3 ")[2].partition("\n### ")[0]
    for line in re.findall(r"^\| \d+ \| .*\|$", part, re.M):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        _, _, config, _, _, _, top1, top5, remarks, _, file = cells
        if "same weights" not in config:
            found = re.search(r"-([0-9a-f]{8})\.pth", file)
            digits = found and found[1]
        views = next((part for words, part in VIEWS.items() if words in remarks), "")
        yield digits, views, top1.removeprefix("mAP "), top5


def listed_1x(text):
    """The same of the page of 1.x."""
    part = text.partition("### 1.4 ")[2].partition("\n## ")[0]
    pattern = r"\| ([\d.]+)/([\d.]+) \| \d{8}-([0-9a-f]{8}) \| \d+ \|$"
    for top1, top5, digits in re.findall(pattern, part, re.M):
        yield digits, "", top1, top5


def printed_as(figure, text):
    """Whether a figure is the printed one, which may have fewer digits."""
    if text == "–" or figure is None:
        return text == "–" and figure is None
    return f"{figure:.{len(text.partition('.')[2])}f}" == text


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.command)
def test_commands_can_be_given(row):
    """All words are known, and the test is that of the figure."""
    for run in row.runs:
        args = eval.parse_args(run.argv)
        preset = PRESETS[run.preset]
        protocol = Override(args.protocol).of(PROTOCOLS[preset.protocol])
        assert row.published.protocol in ("", protocol.name)
    if row.fused:
        assert fuse.parse_args(row.fusing).weights == [1, 1]


@pytest.mark.published
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.command)
def test_accuracy_is_that_of_the_page(row):
    lacking = dict.fromkeys(what for run in row.runs for what in missing(run))
    if lacking:
        pytest.skip(f"needs {'; '.join(lacking)}")
    accuracy, top5 = measured(row)
    assert accuracy == pytest.approx(row.published.accuracy, abs=row.tolerance)
    if row.published.top5 is not None:
        assert top5 == pytest.approx(row.published.top5, abs=row.tolerance)
