"""The notebook of first steps, run from top to bottom as a user would.

It runs in an empty folder, and each output must be the one that is stored. Its scores
of the demo data, those of the published test, then give the recorded accuracy exactly.
"""

import pathlib

import pytest

from tsn_keras import eval
from tsn_keras.checkpoints import presets

pytestmark = pytest.mark.slow
NOTEBOOK = pathlib.Path(__file__).parent / "notebooks" / "first_steps.ipynb"


def outputs(notebook):
    """(source, texts) of each cell of code, in order."""
    return [
        (
            cell.source,
            [
                o.text if o.output_type == "stream" else o.data["text/plain"]
                for o in found
            ],
        )
        for cell in notebook.cells
        if cell.cell_type == "code"
        for found in [[o for o in cell.outputs if o.get("name") != "stderr"]]
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder that the notebook ran in, what it printed, and what is stored."""
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    stored = outputs(notebook)
    client = nbclient.NotebookClient(
        notebook, timeout=900, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return folder, outputs(notebook), stored


def test_first_steps(run):
    folder, found, stored = run
    assert len(found) == 10
    for (source, texts), (_, expected) in zip(found, stored, strict=True):
        assert texts == expected, source
    # What the run leaves is where the user works.
    assert [path.name for path in folder.iterdir()] == ["scores"]


def test_demo_accuracy_is_the_recorded_one(run):
    scores = str(run[0] / "scores" / "demo.h5")
    result, status = eval.main(["--dataset", "demo", "--scores", scores])
    assert status == 0
    found = {row["stream"]: row["mean_class_accuracy"] for row in result["results"]}
    for stream in ("rgb", "flow", "fusion"):
        published = presets.published("demo", stream, 1)
        assert found[stream] == pytest.approx(published, abs=1e-9)
    assert found["fusion"] > 95
    assert max(found["rgb"], found["flow"]) < 45
