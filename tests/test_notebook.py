"""The notebook of first steps, run from top to bottom as a user would.

It runs in an empty folder, and each output must be the one that is stored.
"""

import pathlib

import pytest

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


@pytest.mark.slow
def test_first_steps(tmp_path):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    expected = outputs(notebook)
    client = nbclient.NotebookClient(
        notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    found = outputs(notebook)
    assert len(found) == 10
    for (source, texts), (_, stored) in zip(found, expected, strict=True):
        assert texts == stored, source
    # What the run leaves is where the user works.
    assert [path.name for path in tmp_path.iterdir()] == ["scores"]
