"""Lists published weights, shows one in full, and downloads it.

python -m tsn_keras.presets
python -m tsn_keras.presets --dataset kinetics400 --backbone resnet50
python -m tsn_keras.presets NAME
python -m tsn_keras.presets NAME --fetch --to weights

What a name's file has for digits, its sha256 must begin with: that is checked when it
is downloaded, shown and used. A download that stops is resumed by the same command.
Exit status: 0, or 1 if the file on disk is not the published one, 2 if something is
missing or wrong, 130 if interrupted.
"""

import dataclasses
import pathlib

from tsn_keras.checkpoints import folders, presets
from tsn_keras.common import console, files, progress
from tsn_keras.common.errors import InputError
from tsn_keras.scores import tables

FILTERS = ("dataset", "modality", "backbone")
WORDS = {name: f"--{name}" for name in FILTERS}


def parse_args(argv=None):
    parser = console.parser("presets", __doc__)
    add = parser.add_argument
    add("name", nargs="?", metavar="NAME", help="a preset to show (default: a list)")
    for name, what in zip(FILTERS, ("hmdb51", "rgb", "resnet50"), strict=True):
        add(f"--{name}", metavar="NAME", help=f"list those of one, such as {what}")
    add(
        "--fetch",
        action="store_true",
        help="download NAME's file unless it is on disk, or resume its download",
    )
    add(
        "--to",
        metavar="DIR",
        help="folder for --fetch (default: the user's cache, where it is found)",
    )
    return parser.parse_args(argv)


@console.command(WORDS)
def main(argv=None):
    args = parse_args(argv)
    wanted = {name: getattr(args, name) for name in FILTERS}
    if args.name is None:
        if args.fetch or args.to:
            raise InputError("--fetch and --to are for one preset: give its NAME")
        return _list(presets.matching(**wanted))
    if any(wanted.values()):
        raise InputError(f"{', '.join(WORDS.values())} are for the list, without NAME")
    if args.to and not args.fetch:
        raise InputError("--to is for --fetch")
    preset = presets.find(args.name)
    if args.fetch:
        return _show(preset, _fetched(preset, args.to and pathlib.Path(args.to)))
    return _show(preset, folders.find(preset))


def _list(found):
    """Prints a table of presets."""
    there = folders.on_disk()
    rows = [
        (
            preset.name,
            preset.dataset,
            preset.modality,
            preset.backbone,
            preset.protocol,
            "" if preset.accuracy is None else f"{preset.accuracy:.2f}",
            preset.metric.removesuffix(" accuracy") if preset.accuracy else "",
            "yes" if preset.name in there else "",
        )
        for preset in found
    ]
    names = "name,data set,modality,backbone,protocol,accuracy,metric,on disk"
    console.show(tables.table(rows, names.split(",")))
    described = [_described(preset, there.get(preset.name)) for preset in found]
    return {"presets": described}, console.EXIT_OK


def _fetched(preset, folder):
    """The path of a preset's file, which is downloaded if it is not there."""
    path = folders.find(preset) if folder is None else folder / preset.file
    if path is not None and path.is_file():
        console.say(f"{path} is there already")
        return path
    listener = progress.Terminal(WORDS)
    if folder is None:
        return folders.obtain(preset, listener=listener)
    return folders.download(preset, folder, listener)


_VERDICTS = {
    True: "checked",
    False: "NOT the published file, remove it and fetch it again",
    None: "not checked, as no digest of it was published",
}


def _show(preset, path):
    """Prints all that is known of a preset, and what is on disk."""
    told, status = _described(preset, path), console.EXIT_OK
    if path is None:
        part = folders.unfinished(preset)
        there = "no" if part is None else f"a part, which --fetch resumes: {part}"
    else:
        digest = files.sha256(path)
        # A converted file's digest depends on the library that wrote it.
        agrees = preset.agrees(digest) if path.name in preset.originals else None
        told |= {"found_sha256": digest, "checked": agrees}
        there = f"{path}: {_VERDICTS[agrees]}; its sha256 is {digest}"
        status = console.EXIT_SOME_FAILED if agrees is False else console.EXIT_OK
    lines = [*_known(preset), ("on disk", there)]
    shown = (f"  {key:<8}  {value}" for key, value in lines if value)
    console.show("\n".join([preset.name, *shown]))
    return told, status


def _known(preset):
    """Yields (what, value) of what is known of a preset."""
    yield "data set", preset.dataset
    yield "split", preset.split
    yield "modality", preset.modality
    yield "backbone", preset.backbone
    yield "classes", preset.classes or "no classifier"
    yield "protocol", preset.protocol
    yield "accuracy", _accuracy(preset, preset.metric)
    for tested in preset.also:
        yield "", f"{_accuracy(tested, preset.metric)} under {tested.protocol}"
    for fusion in presets.fusions_of(preset.name):
        weights = " : ".join(f"{weight:g}" for weight in fusion.weights)
        fused = f"{' and '.join(fusion.presets)}, {weights}"
        yield "fused", f"{_accuracy(fusion, fusion.metric)} of {fused}"
    yield "licence", preset.licence or "none is stated"
    yield "note", preset.note
    yield "file", preset.file
    yield "address", preset.url or "none: it has to be fetched by hand"
    yield "page", preset.origin
    yield "sha256", preset.sha256_start and f"begins with {preset.sha256_start}"


def _accuracy(tested, metric):
    if tested.accuracy is None:
        return None
    top5 = "" if tested.top5 is None else f", top-5 {tested.top5:g} %"
    return f"{metric} {tested.accuracy:g} %{top5}"


def _described(preset, path):
    """A preset as a dict of JSON values."""
    fusions = presets.fusions_of(preset.name)
    return {
        **dataclasses.asdict(preset),
        "sha256_start": preset.sha256_start,
        "fusions": [dataclasses.asdict(fusion) for fusion in fusions],
        "path": None if path is None else str(path),
    }


if __name__ == "__main__":
    console.run(main)
