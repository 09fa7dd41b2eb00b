"""Report pages as files: escaping, what may run, sizes, errors. No browser."""

import base64
import dataclasses
import hashlib

import numpy as np
import pages
import pytest

import tsn_keras as tsn
from tsn_keras.reports import drawing, gathering, page, published, run
from tsn_keras.reports.contents import Contents
from tsn_keras.scores import joining


@pytest.fixture(autouse=True)
def _no_vega(monkeypatch):
    """Vega takes seconds to put together; test_browser.py draws with it."""
    monkeypatch.setattr(drawing, "check", lambda: None)
    monkeypatch.setattr(drawing, "script", lambda: "var vega='</script><!--'")
    monkeypatch.setattr(drawing, "versions", lambda: {"vega": "6"})


def page_of(folder, files, **options):
    found = tsn.fuse(files, weights=[1, 1.5][: len(files)])
    path = tsn.report(found, folder / "page", **options)
    assert path == folder / "page" / "index.html"
    return pages.Parsed(path.read_bytes())


def test_names_are_texts(tmp_path):
    """Of videos, classes, streams, data sets, and whatever a file says of itself."""
    classes = [pages.HOSTILE, "b", "c"]
    ids = [f"{pages.HOSTILE}{k}" for k in range(9)]
    keys = ("dataset", "split", "modality", "weights", "tsn_keras")
    about = dict.fromkeys(keys, pages.HOSTILE)
    options = {"classes": classes, "ids": ids, "about": about}
    file = pages.write(tmp_path / "x.h5", pages.draw(9, 3, 0), **options)
    parsed = page_of(tmp_path, [file])
    assert parsed.tags["script"] == 3
    assert "img" not in parsed.tags
    assert not [one for one in parsed.attributes if one[1].startswith("on")]
    assert parsed.addresses == []
    # They are there, and a turn of the direction of writing is told.
    assert pages.HOSTILE[:-1] + "\\u202e" in parsed.words
    (test,) = parsed.data
    assert test["classes"] == classes
    assert test["videos"]["id"] == ids


def test_only_its_own_scripts_may_run(tmp_path):
    parsed = page_of(tmp_path, [pages.write(tmp_path / "rgb.h5", pages.draw(9, 3, 0))])
    vega, own = parsed.scripts
    # The end of a script is none in a text.
    assert "var vega='<\\/script><\\!--'" in vega
    digests = {
        f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'"
        for s in (vega, own)
    }
    rules = dict(rule.strip().split(" ", 1) for rule in parsed.policy.split(";"))
    assert set(rules["script-src"].split()) == digests
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"


def test_sizes(tmp_path, monkeypatch):
    """700 classes and 20,000 videos: below 15 MB with Vega's 0.9 and all pictures."""
    scores = [pages.draw(20_000, 700, seed) for seed in (0, 1)]
    labels = np.arange(20_000) % 700
    ids = tuple(f"class_{k % 700}/a_name_as_long_as_of_kinetics_{k}" for k in labels)
    # Score files of this size would take longer than all else.
    small = [
        pages.write(tmp_path / f"{name}.h5", pages.draw(2, 700, 0))
        for name in ("rgb", "flow")
    ]
    found = tsn.fuse(small, weights=[1, 1.5])
    scored = (np.ones(20_000, bool),) * 2
    joined = joining.Joined(ids, labels, tuple(scores), 0, scored=scored)
    fused = scores[0] + 1.5 * scores[1]
    found = dataclasses.replace(
        found, video_ids=ids, labels=labels, scores=fused, joined=joined
    )
    made = Contents._example

    def with_picture(self, index):
        picture = {"kind": "flow", "source": "data:image/jpeg;base64," + 20_000 * "A"}
        return {**made(self, index), "pictures": [picture] * 3}

    monkeypatch.setattr(Contents, "_example", with_picture)
    path = tsn.report(found, tmp_path / "page")
    content = path.read_bytes()
    assert 2e6 < len(content) < 14e6
    assert pages.Parsed(content).data[0]["videos"]["id"][-1] == ids[-1]


def test_several_splits_are_on_one_page(tmp_path):
    file = pages.write(tmp_path / "rgb.h5", pages.draw(90, 3, 0))
    made = gathering.of_fusion(tsn.fuse(file))
    tests = [dataclasses.replace(made.tests[0], title=f"set, split {k}") for k in "123"]
    whole = dataclasses.replace(made, tests=tuple(tests))
    parsed = pages.Parsed(page.html(whole))
    assert [test["title"] for test in parsed.data] == [test.title for test in tests]
    # As many pictures as of one split.
    assert [len(test["examples"]["worst"]) for test in parsed.data] == [8, 8, 8]
    hidden = [tag for tag, name, _ in parsed.attributes if name == "hidden"]
    assert len(hidden) == 2


def test_published_figures_stand_beside_their_own_test():
    rgb = {
        **{"dataset": "demo", "split": 1, "modality": "rgb", "protocol": "caffe"},
        **{"snippets": 25, "crops": 10},
        "weights_sha256": tsn.presets(dataset="demo", modality="rgb")[0].sha256,
    }
    flow = {
        **rgb,
        "modality": "flow",
        "weights_sha256": tsn.presets(dataset="demo", modality="flow")[0].sha256,
    }
    assert published.of_stream(rgb) == (25.0, "mean class accuracy")
    assert published.of_fusion([rgb, flow], [1, 1.5]) == (100.0, "mean class accuracy")
    assert published.of_fusion([flow, rgb], [3, 2])
    assert published.of_fusion([rgb, flow], [1, 1]) is None
    assert published.of_fusion([rgb, flow], None) is None
    assert published.of_fusion([rgb], [1]) is None
    for key, value in (("snippets", 3), ("crops", 1), ("weights_sha256", "0")):
        assert published.of_stream({**rgb, key: value}) is None
    for key in rgb:
        assert published.of_stream({**rgb, key: ["?"]}) is None


def test_what_cannot_be(tmp_path):
    file = pages.write(tmp_path / "rgb.h5", pages.draw(9, 3, 0))
    found = tsn.fuse(file)
    (tmp_path / "file").write_text("")
    with pytest.raises(tsn.InputError, match="no folder"):
        tsn.report(found, tmp_path / "file")
    with pytest.raises(tsn.InputError, match="there is no folder"):
        tsn.report(found, tmp_path / "page", data=tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(tsn.InputError, match="have no folder"):
        tsn.report(found, tmp_path / "page", data=tmp_path / "empty")
    assert not (tmp_path / "page").exists()


def test_without_what_draws(monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setattr(drawing.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(tsn.InputError, match=r"tsn-keras\[report\]"):
        run.check(tmp_path)


def test_what_draws_is_kept(monkeypatch, tmp_path):
    monkeypatch.undo()
    vl_convert = pytest.importorskip("vl_convert", reason="needs the extra `report`")
    monkeypatch.setenv("TSN_KERAS_CACHE", str(tmp_path / "cache"))
    made = []
    monkeypatch.setattr(
        vl_convert, "javascript_bundle", lambda: made.append(1) or "window.vegaEmbed"
    )
    assert drawing.script() == drawing.script() == "window.vegaEmbed"
    assert made == [1]


def test_data_cannot_end_its_element():
    text = page.encoded({"a": "</script><!--&\u2028"})
    assert not set("<>&\u2028") & set(text)
