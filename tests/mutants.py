"""Changes the modules of numbers at random places and looks whether tests notice.

    python tests/mutants.py --times 200
    python tests/mutants.py --only metrics,crops --times 20 --seed 7

A mutant is a copy of the package with one small change: an operator, a comparison, a
constant, a condition turned round. The tests of its module run until the first that
fails; a mutant that none notices survives, and is listed. Changes that cannot matter
are in SAME, with the reason, and are not made.
Exit status: 0, or 1 if fewer than 90 of 100 are found.
"""

import argparse
import ast
import collections
import dataclasses
import gc
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
LEAST = 0.9  # share that the tests must find
LIMIT = 600  # seconds of a mutant's tests; one that runs for ever is found

# Module: its tests, the fastest first.
MODULES = {
    "protocols/sampling.py": (
        *("protocols/test_sampling.py", "protocols/test_golden_sampling.py"),
        "protocols/test_very_deep.py",
    ),
    "protocols/crops.py": (
        *("protocols/test_crops.py", "pipeline/test_transforms.py"),
        "protocols/test_very_deep.py",
        "pipeline/test_framing.py",
    ),
    "pipeline/pillow.py": ("pipeline/test_framing.py",),
    "pipeline/transforms.py": (
        *("pipeline/test_transforms.py", "pipeline/test_training_pixels.py"),
    ),
    "pipeline/draws.py": (
        *("pipeline/test_training_batches.py", "pipeline/test_training_pixels.py"),
        "pipeline/test_passes.py",
    ),
    "pipeline/passes.py": ("pipeline/test_passes.py",),
    "datasets/parts.py": ("datasets/test_parts_of_untrimmed.py",),
    "training/optimizer.py": ("training/test_optimizer.py",),
    # Steps are tested with the optimizers.
    "training/schedules.py": (
        *("training/test_schedules.py", "training/test_optimizer.py"),
    ),
    "models/training_rules.py": ("models/test_training_rules.py",),
    "models/local_response.py": ("models/test_local_response.py",),
    "models/layers.py": ("models/test_layers.py", "models/test_tsn.py"),
    "models/preprocessing.py": ("models/test_preprocessing.py",),
    "models/widths.py": ("models/test_bn_inception.py", "checkpoints/test_loading.py"),
    "checkpoints/transfer.py": (
        *("checkpoints/test_transfer.py", "checkpoints/test_loading.py"),
        "checkpoints/test_keras_hdf5.py",
    ),
    "flow/quantiser.py": ("flow/test_quantiser.py", "flow/test_codings.py"),
    "flow/ranges.py": ("flow/test_codings.py",),
    "pipeline/stacking.py": (
        "pipeline/test_stacking.py",
        "pipeline/test_stacked_snippets.py",
    ),
    "scores/joining.py": ("scores/test_joining.py", "test_fuse.py"),
    "scores/score_file.py": ("scores/test_score_file.py", "test_fuse.py"),
    "scores/metrics.py": ("scores/test_metrics.py", "scores/test_several_labels.py"),
    "datasets/annotations.py": (
        "datasets/test_annotations.py",
        "datasets/test_official_sets.py",
    ),
    "config.py": ("test_config.py",),
    "common/ranges.py": ("test_config.py",),
    "common/toml_records.py": ("test_config.py",),
    "scores/consensus.py": ("scores/test_trained_consensus.py",),
    "scores/windows.py": ("scores/test_time_windows.py",),
    "scores/submission.py": ("scores/test_submission.py",),
    "protocols/strides.py": ("protocols/test_strides.py",),
    "models/consensus.py": ("models/test_consensus.py",),
}

# (module, line of the source without spaces around it, why a change is the same).
SAME = (
    ("pipeline/transforms.py", "_LARGE = 2**22", "it decides the speed only"),
    ("pipeline/transforms.py", "large = tf.size(image) > _LARGE", "speed only"),
    (
        "pipeline/transforms.py",
        "return tf.cond(large, gathered, lambda: (image, first, second))",
        "both ways give the same pixels",
    ),
    (
        "common/toml_records.py",
        "_MAX_SHOWN = 80  # characters of a wrong value",
        "a message's length",
    ),
    (
        "common/toml_records.py",
        "_MAX_OVERRIDE = 16 * 1024  # characters, enough for the longest list",
        "far above what anyone writes",
    ),
    (
        "common/toml_records.py",
        "name[:_MAX_SHOWN], fields, n=1, cutoff=0",
        "the first is taken",
    ),
    ("models/preprocessing.py", "if rule.scale != 1:", "1 divides to the same"),
    (
        "models/preprocessing.py",
        "if any(value != 1 for value in rule.deviation):",
        "1 divides to the same",
    ),
    ("models/layers.py", "if self.groups > 1:", "it decides the speed only"),
    (
        "common/toml_records.py",
        "if sys.version_info >= (3, 11):",
        "both readers are the same",
    ),
    ("checkpoints/transfer.py", "_ARRAYS, _LAYERS = 12, 10", "the same limit"),
    (
        "checkpoints/transfer.py",
        "if len(tensors.arrays) > _ARRAYS * known:",
        "far above what any network has",
    ),
)

_OPERATORS = {
    **{ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/")},
    **{ast.Div: ("/", "*"), ast.FloorDiv: ("//", "*"), ast.Mod: ("%", "*")},
    **{ast.Pow: ("**", "*"), ast.BitXor: ("^", "|"), ast.BitAnd: ("&", "|")},
    **{ast.BitOr: ("|", "&"), ast.LShift: ("<<", ">>"), ast.RShift: (">>", "<<")},
    **{ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">=")},
    **{ast.GtE: (">=", ">"), ast.Eq: ("==", "!="), ast.NotEq: ("!=", "==")},
    **{ast.And: ("and", "or"), ast.Or: ("or", "and")},
    **{ast.In: ("in", "not in"), ast.NotIn: ("not in", "in")},
    **{ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is")},
}
_CALLS = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum"}
_CALLS |= {"floor": "round", "all": "any", "any": "all", "ones": "zeros"}


@dataclasses.dataclass(frozen=True)
class Change:
    """A change of a source text.

    Attributes:
        line: its number.
        start, end: what is replaced, in bytes of the text.
        new: what stands there instead.
    """

    line: int
    start: int
    end: int
    new: bytes

    def of(self, text):
        """The changed text, both bytes."""
        return text[: self.start] + self.new + text[self.end :]

    def shown(self, text):
        """What is changed, for people."""
        old = text[self.start : self.end].decode()
        line = text.splitlines()[self.line - 1].decode().strip()
        return f"{old!r} -> {self.new.decode()!r} in: {line}"


def changes(text):
    """All changes of a Python source.

    Args:
        text: bytes.

    Returns:
        list of Change.
    """
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []

    def place(node):
        start = starts[node.lineno - 1] + node.col_offset
        return start, starts[node.end_lineno - 1] + node.end_col_offset

    def between(left, right, kind, line):
        old, new = (word.encode() for word in _OPERATORS[kind])
        start, end = place(left)[1], place(right)[0]
        at = text.find(old, start, end)
        if at >= 0:
            found.append(Change(line, at, at + len(old), new))

    def visit(node):
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            # A text with % or + is a message.
            if not _is_text(node.left):
                between(node.left, node.right, type(node.op), node.lineno)
        elif isinstance(node, ast.BoolOp):
            for left, right in zip(node.values, node.values[1:], strict=False):
                between(left, right, type(node.op), left.lineno)
        elif isinstance(node, ast.Compare):
            sides = (node.left, *node.comparators)
            for left, right, op in zip(sides, sides[1:], node.ops, strict=False):
                between(left, right, type(op), left.lineno)
        elif isinstance(node, ast.Constant):
            start, end = place(node)
            if new := _other(node.value):
                found.append(Change(node.lineno, start, end, new.encode()))
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
            start, end = place(node)[0], place(node.operand)[0]
            found.append(Change(node.lineno, start, end, b""))
        elif isinstance(node, ast.Call):
            called = node.func
            name = getattr(called, "id", None) or getattr(called, "attr", None)
            if name in _CALLS:
                end = place(called)[1]
                start = end - len(name)
                found.append(Change(node.lineno, start, end, _CALLS[name].encode()))
        if isinstance(node, (ast.If, ast.IfExp, ast.While)):
            start, end = place(node.test)
            new = b"not (" + text[start:end] + b")"
            found.append(Change(node.test.lineno, start, end, new))
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list"):
                continue
            for child in value if isinstance(value, list) else (value,):
                if (
                    isinstance(child, ast.AST)
                    and not isinstance(
                        # What errors and messages say is not counted.
                        child,
                        (ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom),
                    )
                    and not _is_strict(child)
                ):
                    visit(child)

    visit(ast.parse(text))
    return found


def _is_strict(node):
    """The `strict` of a zip, which tells of slips here, never of what is read."""
    return isinstance(node, ast.keyword) and node.arg == "strict"


def _is_text(node):
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _other(value):
    """Another constant in the place of one, or None."""
    if isinstance(value, bool):
        return str(not value)
    if isinstance(value, int):
        return str(value + 1)
    if isinstance(value, float):
        return repr(value * 1.5 if value else 1.0)
    return None


def chosen(names, times, seed, package=ROOT / "tsn_keras"):
    """Draws mutants, as many of each module as its share of all changes.

    Returns:
        list of (module, Change, source).
    """
    same = {(module, line) for module, line, _ in SAME}
    found = []
    for name in names:
        text = (package / name).read_bytes()
        lines = [line.decode().strip() for line in text.splitlines()]
        found += [
            (name, change, text)
            for change in changes(text)
            if (name, lines[change.line - 1]) not in same
        ]
    draws = random.Random(f"{seed} {sorted(names)}")
    return draws.sample(found, min(times, len(found)))


def copied(folder):
    """Copies what tests need, with a folder `shared` beside it if there is one."""
    copy = folder / "copy"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("tsn_keras", "tests", "weights", "configs", "benchmarks"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    for name in ("setup.cfg", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, copy)
    if (ROOT.parent / "shared").is_dir():
        (folder / "shared").symlink_to((ROOT.parent / "shared").resolve())
    return copy


def survives(copy, mutant, limit=LIMIT, tests=None):
    """Whether no test of a mutant's module fails.

    In a forked child, that has the libraries already: they take seconds.

    Args:
        copy: the package's copy.
        mutant: (module, Change, source).
        limit: seconds.
        tests: files of tests, or None for those of the module.
    """
    name, change, text = mutant
    path = copy / "tsn_keras" / name
    path.write_bytes(change.of(text))
    try:
        child = os.fork()
        if child == 0:
            _test(copy, MODULES[name] if tests is None else tests)
        return _status(child, limit) == 0
    finally:
        path.write_bytes(text)


def _test(copy, files):
    """Runs tests in a copy and ends the process with their exit status."""
    status = 3
    try:
        os.setsid()
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        os.chdir(copy)
        sys.dont_write_bytecode = True
        # Objects of the parent may have threads, which a child lacks: to end them here
        # would wait for ever.
        gc.freeze()
        own = (str(ROOT), str(ROOT / "tests"), "")
        sys.path[:] = [str(copy), *(p for p in sys.path if p not in own)]
        import pytest

        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
        status = pytest.main([*options, *(f"tests/{name}" for name in files)])
    finally:
        os._exit(int(status))


def _status(child, limit):
    """Waits for a child; its exit status, or -1 if it took too long."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


def _load():
    """Imports what tests import, but nothing of ours, and computes nothing yet."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    import cv2  # noqa: F401
    import h5py  # noqa: F401
    import hypothesis  # noqa: F401
    import keras  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import pytest  # noqa: F401
    import scipy.stats  # noqa: F401
    import tensorflow  # noqa: F401


def _names(text):
    found = [
        name for name in MODULES if pathlib.Path(name).stem in set(text.split(","))
    ]
    if len(found) != len(set(text.split(","))):
        stems = ", ".join(pathlib.Path(name).stem for name in MODULES)
        raise argparse.ArgumentTypeError(f"{text!r}: must be some of {stems}")
    return found


def main(argv=None):
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=200, help="mutants in all")
    parser.add_argument(
        "--only", type=_names, default=list(MODULES), metavar="NAME,..."
    )
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    args = parser.parse_args(argv)
    _load()
    mutants = chosen(args.only, args.times, args.seed)
    made, lived = collections.Counter(), collections.Counter()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = copied(pathlib.Path(folder))
        for name in dict.fromkeys(name for name, _, _ in mutants):
            text = (copy / "tsn_keras" / name).read_bytes()
            unchanged = name, Change(1, 0, 0, b""), text
            if not survives(copy, unchanged):
                print(f"{name}: its tests fail without a change")
                return 1
        for name, change, text in mutants:
            made[name] += 1
            if survives(copy, (name, change, text)):
                lived[name] += 1
                print(f"{name}:{change.line}: {change.shown(text)}", flush=True)
    print(table(made, lived))
    found = 1 - sum(lived.values()) / max(1, sum(made.values()))
    print(f"{100 * found:.1f} % found; {100 * LEAST:.0f} % are wanted")
    for module, line, reason in SAME:
        print(f"not changed: {module}: {line} ({reason})")
    return 0 if found >= LEAST else 1


def table(made, lived):
    """Rows of module, mutants, found, survived."""
    rows = [("module", "mutants", "found", "survived")]
    rows += [
        (name, str(count), str(count - lived[name]), str(lived[name]))
        for name, count in made.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


if __name__ == "__main__":
    sys.exit(main())
