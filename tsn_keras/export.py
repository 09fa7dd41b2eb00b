"""Writes a network as a file that runs without tsn_keras.

python -m tsn_keras.export hmdb51_rgb_split1 --to onnx
python -m tsn_keras.export RGB.weights.h5 --to tflite --precision int8 --whole --crops 1
python -m tsn_keras.export demo_rgb --to openvino --whole --out rgb.xml --frames VIDEO

The network alone takes what the network sees, float32, and gives raw scores. --whole
takes frames, uint8 [videos, snippets, height, width, planes], and gives probabilities:
crops, mean, network and consensus are in the file. Batch norms are folded; the batch is
of any size; class names and protocol are in the file. Before it is kept, its scores are
compared with those of Keras in the program that runs it. Exit status: 0, 2 if something
is missing or wrong, 130 if interrupted.
"""

from tsn_keras.common import console
from tsn_keras.runtimes.catalogue import FORMATS

WORDS = {
    **console.TEST_WORDS,
    "precision": "--precision",
    "protocol": "--protocol",
    "whole=True": "--whole",
    "frames": "--frames",
    "out": "--out",
}
PRECISIONS = dict.fromkeys(p for form in FORMATS.values() for p in form.tolerances)


def parse_args(argv=None):
    parser = console.parser("export", __doc__)
    add = parser.add_argument
    add("weights", help="preset name, or weight file or folder")
    add(
        "--to",
        required=True,
        choices=list(FORMATS),
        help="format; onnx and openvino need the extras of these names",
    )
    add(
        "--out",
        metavar="PATH",
        help="what to write (default: WEIGHTS.onnx, .tflite, .xml with its .bin, or "
        "the folder WEIGHTS_savedmodel, in the working folder)",
    )
    add(
        "--whole",
        action="store_true",
        help="frames in and probabilities out, instead of the network alone",
    )
    add(
        "--precision",
        choices=list(PRECISIONS),
        default="float32",
        help="of the file's numbers: float16 and int8 of tflite and openvino are "
        "smaller and less exact (default: float32)",
    )
    add(
        "--frames",
        metavar="PATH",
        help="a video, a folder of videos or a list, on which the file is compared and "
        "its int8 calibrated (default: the weights' data set in $TSN_KERAS_DATA, else "
        "the demo's)",
    )
    add(
        "--protocol",
        metavar="NAME",
        help="with --whole: frames, crops and mean of another protocol than that of "
        "the weights",
    )
    add(
        "--crops",
        type=int,
        choices=(1, 3, 10),
        help="with --whole: crops of a snippet (default: as the protocol's test)",
    )
    return parser.parse_args(argv)


@console.command(WORDS)
def main(argv=None):
    args = parse_args(argv)
    # Imported after parsing, so that --help answers at once.
    from tsn_keras.common import progress
    from tsn_keras.exporting import run
    from tsn_keras.protocols.overrides import Override

    request = run.Request(
        weights=args.weights,
        to=args.to,
        out=args.out,
        whole=args.whole,
        precision=args.precision,
        frames=args.frames,
        override=Override(protocol=args.protocol, crops=args.crops),
    )
    found = run.export(request, progress.Terminal(WORDS))
    console.show(found)
    return found.as_json(), console.EXIT_OK


if __name__ == "__main__":
    console.run(main)
