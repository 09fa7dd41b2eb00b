"""Who may import whom, room by room; and that records alone are told apart by name.

Change a table only on purpose. Imports inside functions count too.
"""

import ast
import functools
import pathlib
import sys

import pytest

from tsn_keras.checkpoints.presets import PRESETS
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES

PACKAGE = pathlib.Path(__file__).parents[1] / "tsn_keras"

# Room: (packages that it may import, rooms that it may import beside itself).
BELOW = "common protocols video flow datasets pipeline models checkpoints scores"
ROOMS = {
    "common": (
        "distributed filelock h5py joblib numpy tensorflow tensorflow_io tomli tqdm",
        "",
    ),
    "protocols": ("numpy", "common"),
    "video": ("av cv2 numpy", "common"),
    "flow": ("cv2 jax keras numpy tensorflow torch", "common"),
    "datasets": ("numpy", "video flow common"),
    "pipeline": (
        "cv2 numpy scipy tensorflow",
        "protocols video flow datasets common",
    ),
    # TensorFlow: gradients of grouped convolutions, which Keras leaves to XLA.
    "models": ("keras numpy tensorflow", "protocols common"),
    "checkpoints": (
        "h5py huggingface_hub kagglehub keras numpy safetensors",
        "models protocols common",
    ),
    "scores": ("h5py matplotlib numpy sklearn", "common"),
    # What runs networks, and writes their files: each is imported where it is needed.
    "runtimes": (
        "joblib nncf numpy onnxruntime openvino tensorflow tf2onnx",
        "common",
    ),
    "extraction": ("av cv2 joblib", BELOW),
    "evaluation": ("keras numpy tensorflow", f"{BELOW} runtimes"),
    "training": ("h5py keras numpy tensorflow", f"{BELOW} evaluation config"),
    "prediction": (
        "cv2 jinja2 joblib matplotlib numpy",
        f"{BELOW} runtimes evaluation",
    ),
    "exporting": ("numpy tensorflow", f"{BELOW} runtimes evaluation prediction"),
    "explanation": (
        "PIL cv2 matplotlib numpy scipy tensorflow",
        f"{BELOW} evaluation prediction",
    ),
    "reports": ("cv2 jinja2 markupsafe numpy vl_convert", f"{BELOW} evaluation"),
    "studies": ("", f"{BELOW} evaluation training config"),
    # Files beside the rooms: training files, the public API, commands.
    "config": ("", "common protocols datasets"),
    "__init__": (
        "keras numpy tensorflow",
        f"{BELOW} extraction evaluation training prediction explanation reports "
        "exporting studies config",
    ),
    "extract": ("", "common flow extraction"),
    "eval": ("", "common datasets protocols runtimes evaluation reports"),
    "train": ("", "common config training"),
    "study": ("", "common config datasets training studies"),
    "predict": (
        "joblib",
        "common flow pipeline protocols scores video runtimes prediction",
    ),
    "export": ("", "common protocols runtimes exporting"),
    # It looks at videos as `predict` does, by the same options.
    "explain": ("", "common explanation prediction predict"),
    "fuse": ("", "common scores reports"),
    "convert": ("", "common protocols datasets checkpoints scores"),
    "presets": ("", "common checkpoints scores"),
    "__main__": ("", "common"),
}
COMMANDS = (
    "extract",
    "eval",
    "train",
    "study",
    "predict",
    "explain",
    "fuse",
    "convert",
    "export",
    "presets",
)

# Files that speak of one record, and so may know its name and those of others.
OF_RECORDS = (
    *("protocols/modalities.py", "protocols/caffe.py", "protocols/catalogue.py"),
    *("protocols/mmaction2.py", "protocols/tsn_pytorch.py"),
    *("protocols/keras_applications.py", "protocols/very_deep.py"),
    *("models/cnn_m.py", "models/googlenet_caffe.py"),
    *("models/bn_inception.py", "models/backbones.py", "checkpoints/presets.py"),
    *("models/densenet.py", "models/googlenet.py", "models/inception_v3.py"),
    *("models/keras_applications.py", "models/keras_networks.py"),
    *("models/mobileone.py", "models/resnet.py", "models/swin.py", "models/vgg.py"),
    *("models/st_resnet.py", "protocols/st_resnet.py"),
    *("checkpoints/families.py", "checkpoints/zoo.py"),
    *(f"datasets/{name}.py" for name in ("demo", "demo_sound", "folders")),
    *("datasets/hmdb51.py", "datasets/lists.py"),
    *("datasets/ucf101.py", "datasets/catalogue.py", "datasets/diving48.py"),
    *(f"datasets/{name}.py" for name in ("activitynet", "hvu", "kinetics", "moments")),
    *("datasets/minikinetics.py", "datasets/parts.py", "datasets/something.py"),
    "datasets/thumos14.py",
    "protocols/two_stream.py",
)
NAMES = {
    name
    for catalogue in (MODALITIES, PROTOCOLS, BACKBONES, DATASETS, PRESETS)
    for name in catalogue
} | {modality.kind for modality in MODALITIES.values()}


def modules():
    """Yields (room or file beside the rooms, path)."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).with_suffix("").parts[0], path


@functools.cache
def nodes(path):
    """All nodes of a file's syntax tree."""
    return list(ast.walk(ast.parse(path.read_text())))


def imports(path):
    """Yields the dotted names that a file imports, also inside functions."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(("room", "path"), list(modules()))
def test_imports_only_what_its_room_allows(room, path):
    packages, rooms = (set(text.split()) for text in ROOMS[room])
    for imported in imports(path):
        root, _, rest = imported.partition(".")
        if root == "tsn_keras":
            found = rest.partition(".")[0]
            known = found in rooms | {room, "", "__version__"}
            assert known, f"{path.name} of {room} may not import {imported}"
        elif root not in sys.stdlib_module_names:
            assert root in packages, f"{path.name} of {room} may not import {root}"


def test_table_is_complete_and_in_order():
    order = list(ROOMS)
    assert {room for room, _ in modules()} == set(order)
    for index, room in enumerate(order):
        for other in ROOMS[room][1].split():
            # Training and studies read settings by the file beside the rooms.
            own = room in ("training", "studies") and other == "config"
            above = other in order[:index] or own
            assert above, f"{room} lists {other}, which is not above"


def test_no_cycle_between_files():
    graph = {}
    for _, path in modules():
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        graph[name] = {
            found
            for imported in imports(path)
            if imported.startswith("tsn_keras.")
            for found in (
                imported.removeprefix("tsn_keras."),
                imported.removeprefix("tsn_keras.").rpartition(".")[0],
            )
        }
    left = dict(graph)
    while left:
        free = [name for name, needed in left.items() if not needed & left.keys()]
        assert free, f"files that import one another: {sorted(left)}"
        for name in free:
            del left[name]


def test_files_beside_the_rooms_are_commands():
    beside = {path.stem for path in PACKAGE.glob("*.py")}
    assert beside == {*COMMANDS, "__init__", "__main__", "config"}


def test_no_room_is_above_a_sixth():
    """Records' own files do not count: each stands alone, and there will be many."""
    lines = {}
    for room, path in modules():
        if path.relative_to(PACKAGE).as_posix() not in OF_RECORDS:
            lines[room] = lines.get(room, 0) + path.read_text().count("\n")
    largest = max(lines, key=lines.get)
    assert lines[largest] <= sum(lines.values()) / 6, (largest, lines)


# Methods that compare texts, or look them up.
ASKING = ("startswith", "endswith", "get", "find", "index")


def constants(node):
    """Texts that stand in an expression itself, also in tuples and sets."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        for item in node.elts:
            yield from constants(item)
    elif isinstance(node, ast.Dict):
        for item in filter(None, node.keys):
            yield from constants(item)


def told_apart_by_name(tree):
    """Yields (line, text) of texts on which a decision depends, of a tree's nodes.

    Comparisons, membership, `match`, look-ups by a text, and methods of texts
    that compare.
    """
    for node in tree:
        found = []
        if isinstance(node, ast.Compare):
            found = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            found = [node.value]
        elif isinstance(node, ast.Subscript):
            found = [node.slice, node.value]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ASKING:
            found = node.args
        for one in found:
            for text in constants(one):
                yield node.lineno, text


@pytest.mark.parametrize(("room", "path"), list(modules()))
def test_only_records_know_names(room, path):
    if path.relative_to(PACKAGE).as_posix() in OF_RECORDS:
        return
    for line, text in told_apart_by_name(nodes(path)):
        assert text not in NAMES, f"{path.name}:{line} depends on {text!r}"


@pytest.mark.parametrize(
    "code",
    [
        'modality == "flow"',
        '"rgb" != given.name',
        'dataset in ("hmdb51", "ucf101")',
        'PREPROCESS["flow"]',
        '{"flow": 1}[modality]',
        'name.startswith("bn_inception")',
        'weights.get("caffe")',
        'match x:\n    case "demo": pass',
    ],
)
def test_the_search_for_names_finds_them(code):
    found = told_apart_by_name(ast.walk(ast.parse(code)))
    assert [text for _, text in found if text in NAMES]


def calls_and_texts(path):
    docs = {
        ast.get_docstring(node, clean=False)
        for node in nodes(path)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
    }
    for node in nodes(path):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.lineno, "call", node.func.id
        elif isinstance(node, ast.Constant) and node.value not in docs:
            yield node.lineno, "text", f"{node.value}"


@pytest.mark.parametrize(
    ("room", "path"), [(r, p) for r, p in modules() if p.parent != PACKAGE]
)
def test_libraries_print_nothing_and_know_no_flag(room, path):
    # The console is the part that commands share, and has the flags of them all.
    shared = ("--json", "--version", "--backend", "--scheduler", "--protocol")
    shared += ("--snippets", "--crops", "--every", "--over-time", "--report")
    shared += ("--runtime",)
    known = shared if path.name == "console.py" else ()
    for line, kind, text in calls_and_texts(path):
        if kind == "call":
            assert text != "print", f"{path.name}:{line} prints"
        else:
            for word in text.split():
                flag = word.strip("`'\"(),.:;")
                is_flag = flag.startswith("--") and flag[2:3].isalpha()
                assert not is_flag or flag in known, (
                    f"{path.name}:{line} knows the flag {flag}"
                )
