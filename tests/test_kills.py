"""Commands that are killed and run again leave the files of undisturbed runs."""

import kills
import numpy as np
import pytest


@pytest.mark.slow
@pytest.mark.parametrize("name", kills.KINDS)
def test_killed_at_any_moment(name, tmp_path):
    (found,) = kills.trials(kills.KINDS[name], 1, 1, tmp_path / name)
    assert found.differences == ()
    assert found.moments


def test_differences_are_seen(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, value in ((one, 1), (other, 2)):
        folder.mkdir()
        (folder / "same.txt").write_text("a")
        (folder / "a.jpg").write_bytes(bytes([value]))
        (folder / "log.csv").write_text(f"iteration,videos_per_s\n1,{value}\n")
        (folder / "loss.csv").write_text(f"iteration,loss\n1,{value}\n")
        with kills.h5py.File(folder / "equal.h5", "w") as file:
            # Other bytes, the same values.
            file.create_dataset("x", data=np.arange(3), track_times=value == 2)
        with kills.h5py.File(folder / "attribute.h5", "w") as file:
            file["x"] = np.arange(3)
            file.attrs["about"] = f"{value}"
    (one / "gone.txt").write_text("")
    (other / ".extract").mkdir()
    (other / ".0a1b2c3d.s.h5").write_text("")
    assert list(kills.differences(one, one)) == []
    assert list(kills.differences(one, other)) == [
        "gone.txt is missing",
        ".0a1b2c3d.s.h5 is left over",
        ".extract/ is left over",
        "a.jpg differs",
        "attribute.h5 differs",
        "loss.csv differs",
    ]
