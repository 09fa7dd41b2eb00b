"""Extracts frames and optical flow from videos, as the original's tools do.

python -m tsn_keras.extract VIDEOS OUT
python -m tsn_keras.extract clip.avi frames --flow none
python -m tsn_keras.extract hmdb51_org frames/hmdb51 --workers 16
python -m tsn_keras.extract VIDEOS OUT --sound

VIDEOS is a video file, a folder (with all below it), or a list (.txt) of paths.
Each video becomes a folder with img_00001.jpg, flow_x_00001.jpg,
flow_y_00001.jpg, ... (--flow warped: also warped_x_, warped_y_; --backward: also
flow_bx_, flow_by_; --sound: also sound.flac), which tsn_keras.eval takes as it is. The
same command resumes where it stopped. Exit status: 0, or 1 if videos failed, 2 if
something is missing or wrong, 130 if interrupted.
"""

import argparse
import pathlib

from tsn_keras.common import console
from tsn_keras.common.errors import InputError, spelled

WORDS = {
    "size": "--size",
    "bound": "--bound",
    "backward=True": "--backward",
    "workers": "--workers",
    "batch": "--flow-batch",
    "parameters": "--flow-parameters",
    "device": "--flow-device",
    "keep_damaged=True": "--damaged keep",
    "sound=True": "--sound",
}


def parse_args(argv=None):
    parser = console.parser("extract", __doc__)
    add = parser.add_argument
    add("videos", metavar="VIDEOS", help="video file, folder, or list of paths")
    add("out", metavar="OUT", help="folder for the frame folders")
    add(
        "--flow",
        choices=("tvl1", "warped", "none"),
        default="tvl1",
        help="tvl1: images and TV-L1 flow; warped: also flow without the camera's "
        "motion; none: images only (default: tvl1)",
    )
    add(
        "--flow-parameters",
        choices=("original", "opencv4"),
        help="TV-L1 as the original runs it, or with the defaults of OpenCV 3 and 4, "
        "which is another flow (default: original)",
    )
    add(
        "--flow-device",
        choices=("opencv", "auto", "cpu", "gpu"),
        help="what computes flow: Keras on GPUs, the processor, or auto: GPUs where "
        "there are any; or OpenCV, pair by pair: several times as slow, the same but "
        "for rounding (default: as the folders in OUT were made, else auto)",
    )
    add(
        "--flow-batch",
        type=console.positive,
        metavar="N",
        help="pairs of frames that Keras computes at once, which bounds memory "
        "(default: 64 on a GPU, 1 a core on the processor)",
    )
    add(
        "--size",
        type=_size,
        default=(340, 256),
        metavar="WxH",
        help="size of the files in pixels; flow is in pixels of it "
        "(default: 340x256, the original's)",
    )
    add(
        "--backward",
        action="store_true",
        help="also flow from each frame to the one before it, which bi-directional "
        "stacks need",
    )
    add(
        "--flow-coding",
        choices=("bound", "range"),
        help="grey levels of flow are of a fixed bound, as the original's, or span the "
        "range of each field, which is stored, as in two-stream networks of 2014 "
        "(default: bound)",
    )
    add(
        "--bound",
        type=float,
        metavar="PIXELS",
        help="motion that becomes grey level 255, and 0 if negative (default: 20)",
    )
    add(
        "--sound",
        action="store_true",
        help="store the sound too, also where the frames are there already: mono, "
        "16 kHz, FLAC; videos without sound are counted",
    )
    add(
        "--flat",
        action="store_true",
        help="leave out the class folders of VIDEOS, as the original does",
    )
    add(
        "--damaged",
        choices=("fail", "keep"),
        default="fail",
        help="what to do with a damaged video: count it as failed, or keep its frames "
        "before the damage (default: fail)",
    )
    add(
        "--workers",
        type=console.positive,
        metavar="N",
        help="cores to use (default: all)",
    )
    console.add_cluster(parser, "VIDEOS and OUT")
    return parser.parse_args(argv)


def _size(text):
    width, x, height = text.lower().partition("x")
    if not (x and width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"must be like 340x256, not {text!r}")
    return int(width), int(height)


@console.command(WORDS)
def main(argv=None):
    args = parse_args(argv)
    # Imported after parsing, so that --help answers at once.
    from tsn_keras.common import progress
    from tsn_keras.extraction import run
    from tsn_keras.extraction.settings import Settings
    from tsn_keras.extraction.workers import Workers

    scheduler = console.scheduler_of(args)
    if scheduler is not None and args.workers is not None:
        raise InputError("--workers is not for --backend dask: it has its own")
    request = run.Request(
        videos=pathlib.Path(args.videos),
        out=pathlib.Path(args.out),
        settings=Settings(
            flow=_flow(args),
            size=args.size,
            keep_damaged=args.damaged == "keep",
            sound=args.sound,
        ),
        flat=args.flat,
        workers=Workers(args.workers, scheduler),
    )
    found = run.extract(request, progress.Terminal(WORDS))
    console.show(found)
    for name, reason in found.failed.items():
        console.say(f"  {name}: {spelled(reason, WORDS)}")
    status = console.EXIT_SOME_FAILED if found.failed else console.EXIT_OK
    return found.as_json(), status


def _flow(args):
    """The FlowSettings of the arguments, or None for images only."""
    from tsn_keras.flow import quantiser
    from tsn_keras.flow.settings import FlowSettings

    given = {
        "parameters": args.flow_parameters,
        "bound": args.bound,
        "device": args.flow_device,
        "batch": args.flow_batch,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if args.flow == "none":
        if given or args.backward or args.flow_coding:
            raise InputError(
                "--flow none takes no --flow-parameters, --flow-device, --flow-batch, "
                "--flow-coding, --bound or --backward"
            )
        return None
    if args.flow_coding == quantiser.OF_RANGE:
        if args.bound is not None:
            raise InputError("--bound is for --flow-coding bound: a range has none")
        given["bound"] = None
    # Without the option, existing folders decide what computes flow.
    given = {"device": None, **given}
    made = {"warped": args.flow == "warped", "backward": args.backward}
    return FlowSettings(**given, **made)


if __name__ == "__main__":
    console.run(main)
