"""The cells of tsn_keras/protocols/README.md that follow from the records.

python tests/support/protocol_table.py

writes them into the file; what was written by hand stays. A test compares them.
"""

import pathlib
import sys

ROOT = pathlib.Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

from tsn_keras.protocols import sampling, sizes  # noqa: E402
from tsn_keras.protocols.catalogue import PROTOCOLS  # noqa: E402
from tsn_keras.protocols.modalities import MODALITIES  # noqa: E402
from tsn_keras.protocols.records import Stream  # noqa: E402

README = ROOT / "tsn_keras/protocols/README.md"
# The columns: the record of each. 1.x has the records of 0.x.
MMACTION2 = "mmaction2_s25_10crop224"
COLUMNS = ("caffe", "tsn_pytorch", "tsn_pytorch_resnet", MMACTION2, MMACTION2)
ROUNDING = {sizes.rounded: "rounded", sizes.truncated: "rounded down"}


def _files(protocol, modality, files, snippets=3):
    """First files of the snippets of a video of so many files."""
    view = protocol.test.with_snippets(snippets)
    return view.ticks(files, MODALITIES[modality].length)


def _listed(numbers):
    return ", ".join(map(str, numbers))


def _numbers(values):
    return ", ".join(f"{value:g}" for value in values)


def _repeated(protocol):
    ticks = _files(protocol, "rgb", 10, 25)
    return "1 every time" if set(ticks) == {1} else f"{_listed(ticks[:6])}, ..."


def _of_flow(protocol):
    return _listed(Stream(MODALITIES["flow"], protocol).numbers(1, 4))


def _frames(protocol):
    if protocol.fixed_size is not None:
        height, width = protocol.fixed_size
        return f"{width} x {height}"
    size = protocol.frame_size
    return f"shorter side {size.side}, the other {ROUNDING[size.scaled]}"


def _filter(protocol):
    antialiased = protocol.fixed_size is None and protocol.frame_size.antialiased
    return "Pillow's, antialiased" if antialiased else "OpenCV's"


def _windows(protocol):
    """Top and left of the ten crops of 341 x 256, or of frames of a fixed size."""
    height, width = protocol.fixed_size or (256, 341)
    view = protocol.with_test(crops=10).test
    windows = view.crops.windows(height, width, protocol.crop_size)
    mirrored = [window.mirrored for window in windows]
    places = [f"({w.top}, {w.left})" for w in windows if not w.mirrored]
    if mirrored == [False] * 5 + [True] * 5:
        return f"{' '.join(places)}; then all mirrored"
    assert mirrored == [False, True] * 5
    return f"{' '.join(places)}; each, then its mirror image"


def _centre(protocol):
    height, width = protocol.fixed_size or (256, 341)
    view = protocol.with_test(crops=1).test
    (window,) = view.crops.windows(height, width, protocol.crop_size)
    return f"({window.top}, {window.left})"


def _mirrored(protocol):
    inverts = protocol.with_test(crops=10).test.crops.inverts
    return "x becomes 255 - x" if inverts else "x as it is"


def _normalised(kind):
    def cell(protocol):
        rule = protocol.normalisation[kind]
        text = f"less {_numbers(rule.mean)}"
        if rule.scale != 1:
            text = f"over {rule.scale:g}, {text}"
        if any(value != 1 for value in rule.deviation):
            text = f"{text}, over {_numbers(rule.deviation)}"
        return text

    return cell


def _colours(protocol):
    return "R, G, B" if protocol.red_first else "B, G, R"


def _pixels(protocol):
    return "as decoded, all frames" if protocol.direct else "JPEG, without the first"


# Label of a row: function of a Protocol to the cell.
ROWS = {
    "test": lambda p: str(p.test),
    "first files of 3 snippets of 100 images": lambda p: _listed(_files(p, "rgb", 100)),
    "the same of 100 pairs of flow": lambda p: _listed(_files(p, "flow", 100)),
    "first files of 25 snippets of 10 images": _repeated,
    "files of a flow snippet of a video of 4": _of_flow,
    "validation": lambda p: str(p.quick),
    "frames are resized to": _frames,
    "by the bilinear filter": _filter,
    "images of a video": _pixels,
    "place (top, left) of the ten crops": _windows,
    "of the centre crop": _centre,
    "mirrored horizontal flow in the ten crops": _mirrored,
    "order of colours": _colours,
    "image": _normalised("image"),
    "flow": _normalised("flow"),
    "average over crops and snippets": lambda p: f"raw {p.average}",
}


def rows():
    """{label: cells}."""
    found = {
        label: [cell(PROTOCOLS[name]) for name in COLUMNS]
        for label, cell in ROWS.items()
    }
    depth = MODALITIES["flow"].length
    found["the same of 100 pairs of flow"][-1] = _listed(
        sampling.spread_ticks(100, depth, 3)
    )
    return found


def line(label, cells):
    """A row in Markdown."""
    return f"| {label} | {' | '.join(cells)} |"


def lines():
    """{label: line} of all rows that follow from records."""
    return {label: line(label, cells) for label, cells in rows().items()}


def main():
    """Writes the rows into the file; new ones are to be put there by hand."""
    expected = lines()
    written = [
        expected.get(text.split(" | ")[0].removeprefix("| "), text)
        for text in README.read_text().splitlines()
    ]
    README.write_text("\n".join(written) + "\n")


if __name__ == "__main__":
    main()
