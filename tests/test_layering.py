"""Who may import whom: the architecture, as a table that is held.

Change it only on purpose. Imports inside functions count too.
"""

import ast
import pathlib
import sys

import pytest

PACKAGE = pathlib.Path(__file__).parents[1] / "tsn_keras"

# Module: (packages, modules of tsn_keras) that it may import. In the order of
# the layers: a module may only list what stands above it.
ALLOWED = {
    # 0. No TensorFlow, no Keras.
    "config": ("tomli", ""),
    "engine.console": ("", "config"),
    "engine.files": ("", ""),
    "engine.metrics": ("numpy", ""),
    "engine.progress": ("tqdm", ""),
    "engine.scores": ("h5py numpy", "config engine.files"),
    "engine.npz": ("numpy", "config engine.files"),
    "engine.journal": ("numpy", "config"),
    "engine.report": ("matplotlib numpy", "engine.files engine.metrics"),
    # It loads TensorFlow when it is given an address of an object store.
    "data.storage": ("tensorflow tensorflow_io", "config"),
    "data.annotations": ("", "config data.storage"),
    "data.frames": ("", "config data.storage"),
    "data.sampling": ("", ""),
    "data.augmentation": ("numpy", ""),
    "data.flow": ("cv2 numpy", "config"),
    "data.images": ("cv2 numpy", ""),
    "data.containers": ("", ""),
    "data.videos": ("", "config"),
    "data.video": ("av cv2", "config data.containers"),
    "data.camera": ("cv2 numpy", ""),
    "data.flow_pairs": ("cv2", ""),
    # TV-L1 in Keras is of layer 1; here because extractor loads it when asked to.
    "data.median": ("keras numpy", ""),
    "data.bicubic": ("keras numpy", ""),
    "data.tvl1_solver": ("keras numpy", "data.bicubic data.median"),
    "data.tvl1": ("keras numpy", "data.tvl1_solver"),
    "data.devices": ("jax keras tensorflow torch", "data.flow"),
    "data.flow_device": ("keras numpy", "data.devices data.flow data.tvl1"),
    "data.extractor": (
        "cv2",
        "config data.camera data.flow data.flow_device data.flow_pairs data.frames "
        "data.images data.video",
    ),
    "data.clip": (
        "cv2 numpy",
        "data.extractor data.flow data.images data.sampling data.video",
    ),
    "data.webcam": ("cv2", "data.video"),
    "data.datasets": ("", "config data.annotations data.frames data.storage"),
    "data.demo": ("numpy", "data.annotations data.flow data.images"),
    "data.training_sets": (
        "",
        "config data.annotations data.datasets data.demo data.frames data.storage",
    ),
    "checkpoints.caffemodel": ("numpy", "config"),
    "models.presets": ("", "config"),
    # 1. One framework each.
    "models.layers": ("keras numpy", ""),
    "data.transforms": ("tensorflow", ""),
    "data.draws": ("numpy tensorflow", "data.augmentation"),
    "engine.optimizer": ("keras", ""),
    # 2. Models and pipelines, which never meet here.
    "models.bn_inception": ("keras", "models.layers"),
    "models.tsn": ("keras", "models.layers"),
    "models.fold": ("keras numpy", ""),
    "data.pipeline": (
        "numpy tensorflow",
        "data.augmentation data.draws data.sampling data.transforms",
    ),
    "models.training_rules": ("keras", ""),
    "models.cross_modality": ("numpy", ""),
    "checkpoints.port": ("keras numpy", "config"),
    "checkpoints.keras_file": ("h5py", "config engine.files"),
    "checkpoints.folders": ("keras", "config data.storage engine.files"),
    "checkpoints.loading": (
        "",
        "config checkpoints.caffemodel checkpoints.folders checkpoints.keras_file "
        "checkpoints.port data.storage models.bn_inception models.presets",
    ),
    "__init__": ("", "checkpoints.loading"),
    # 3. Where data meets model.
    "engine.inference": ("keras numpy tensorflow", "data.transforms models.fold"),
    "engine.loss_scale": ("", ""),
    "engine.training": (
        "h5py keras numpy tensorflow",
        "config engine.files engine.inference engine.loss_scale engine.optimizer "
        "models.training_rules models.tsn",
    ),
    "engine.validation": ("numpy tensorflow", "engine.inference engine.training"),
    "engine.distribution": (
        "tensorflow",
        "config data.pipeline engine.inference",
    ),
    "engine.initialisation": (
        "keras",
        "config checkpoints.loading models.bn_inception models.cross_modality",
    ),
    "engine.training_log": ("tensorflow", "engine.files"),
    "engine.training_session": (
        "keras tensorflow",
        "config checkpoints.keras_file data.pipeline engine.console "
        "engine.distribution engine.initialisation engine.training engine.validation",
    ),
    "engine.streams": (
        "",
        "checkpoints.loading data.frames data.pipeline engine.console "
        "engine.inference engine.journal engine.progress engine.scores",
    ),
    "engine.fusion": (
        "",
        "engine.console engine.metrics engine.npz engine.report engine.scores",
    ),
    "engine.evaluation": (
        "numpy tqdm",
        "config checkpoints.folders data.annotations data.datasets data.demo "
        "data.frames data.storage engine.console engine.fusion engine.report "
        "engine.scores engine.streams models.presets",
    ),
    "engine.stopping": ("", "engine.console"),
    "engine.training_run": (
        "tqdm",
        "config checkpoints.folders checkpoints.keras_file data.datasets data.demo "
        "data.storage data.training_sets engine.console "
        "engine.distribution engine.evaluation engine.files engine.progress "
        "engine.stopping engine.training_log engine.training_session",
    ),
    "engine.weight_conversion": (
        "",
        "checkpoints.folders checkpoints.keras_file checkpoints.loading engine.console",
    ),
    "engine.score_conversion": ("", "engine.console engine.npz engine.scores"),
    "engine.extraction_record": (
        "av cv2",
        "config data.devices data.flow data.images",
    ),
    "engine.extraction_job": (
        "cv2",
        "config data.extractor data.flow engine.extraction_record",
    ),
    "engine.extraction": (
        "distributed joblib",
        "data.devices data.extractor data.flow_device data.frames data.videos "
        "engine.console engine.extraction_job engine.extraction_record engine.progress",
    ),
    "engine.class_names": ("", "config data.annotations data.demo models.presets"),
    "engine.predictor": (
        "numpy",
        "config checkpoints.loading data.clip data.devices data.flow_device "
        "data.sampling engine.class_names engine.console engine.inference "
        "engine.metrics engine.scores models.presets",
    ),
    "engine.picture": (
        "jinja2 matplotlib numpy",
        "data.images engine.files",
    ),
    "engine.live": (
        "joblib numpy",
        "data.clip engine.console engine.predictor",
    ),
    "engine.prediction": (
        "cv2 joblib tqdm",
        "config data.extractor data.flow data.storage data.videos data.webcam "
        "engine.console engine.live engine.picture engine.predictor engine.report",
    ),
    # 4. Commands.
    "extract": ("", "data.extractor engine.console engine.extraction"),
    "eval": ("", "data.frames engine.console engine.evaluation"),
    "train": ("", "config engine.console engine.training_run"),
    "predict": ("", "data.extractor engine.console engine.prediction"),
    "fuse": ("", "engine.console engine.fusion"),
    "convert": (
        "",
        "engine.console engine.score_conversion engine.weight_conversion",
    ),
}
COMMANDS = ("extract", "eval", "train", "predict", "fuse", "convert")


def imports(path):
    """Yields the dotted names that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if not name.endswith(".__init__"):
            yield name, path


@pytest.mark.parametrize(("name", "path"), list(modules()))
def test_imports_only_what_its_layer_allows(name, path):
    packages, internal = (set(text.split()) for text in ALLOWED[name])
    for imported in imports(path):
        root, _, rest = imported.partition(".")
        if root == "tsn_keras":
            known = not rest or any(
                rest == module or rest.startswith(f"{module}.") for module in internal
            )
            assert known, f"{name} may not import tsn_keras.{rest}"
        elif root not in sys.stdlib_module_names:
            assert root in packages, f"{name} may not import {root}"


def test_table_is_complete_and_in_order():
    order = list(ALLOWED)
    assert {name for name, _ in modules()} == set(order)
    for index, name in enumerate(order):
        for module in ALLOWED[name][1].split():
            assert module in order[:index], f"{name} lists {module}, which is not above"


def test_files_beside_the_folders_are_commands():
    beside = {path.stem for path in PACKAGE.glob("*.py")}
    assert beside == {*COMMANDS, "__init__", "config"}


def test_data_and_models_never_meet():
    for name, (_, internal) in ALLOWED.items():
        forbidden = {"data": "models.", "models": "data."}.get(name.split(".")[0])
        if forbidden:
            assert not [m for m in internal.split() if m.startswith(forbidden)]
