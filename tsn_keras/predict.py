"""Predicts what a video shows.

python -m tsn_keras.predict VIDEO
python -m tsn_keras.predict VIDEO --weights RGB.caffemodel FLOW.caffemodel
python -m tsn_keras.predict VIDEO --fast --plot out.html
python -m tsn_keras.predict FOLDER > predictions.jsonl
python -m tsn_keras.predict camera:0 --weights ucf101_rgb_split1

VIDEO is a video file, a folder (with all below it) or a list (.txt) of paths,
of which each becomes a JSON line, or camera:N for a webcam. Frames and flow are
made in memory, with the pixels that tsn_keras.extract writes: the scores are
those of tsn_keras.eval. Exit status: 0, or 1 if videos failed, 2 if something
is missing or wrong, 130 if interrupted.
"""

import argparse

from tsn_keras.engine import console


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m tsn_keras.predict",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("video", metavar="VIDEO", help="video file, folder, list, or camera:N")
    add(
        "--weights",
        nargs="+",
        default=["ucf101_rgb_split1", "ucf101_flow_split1"],
        metavar="W",
        help="preset names or files, one for each modality; several are fused as "
        "tsn_keras.eval does (default: ucf101_rgb_split1 ucf101_flow_split1)",
    )
    add(
        "--top",
        type=console.positive,
        default=5,
        metavar="N",
        help="classes to print (default: 5)",
    )
    add(
        "--plot",
        metavar="FILE",
        help="draw key frames, scores along the video and the result: .png, or .html "
        "in one file",
    )
    add(
        "--fast",
        action="store_true",
        help="3 snippets in the centre crop instead of 25 in ten crops",
    )
    add(
        "--classes",
        metavar="NAMES",
        help="names of the classes: hmdb51, ucf101, or a file with one a line "
        "(default: those of published weights)",
    )
    add(
        "--flow-parameters",
        choices=("original", "opencv4"),
        default="original",
        help="TV-L1 as the original runs it, or with the defaults of OpenCV 3 and 4 "
        "(default: original)",
    )
    add(
        "--flow-device",
        choices=("opencv", "auto", "cpu", "gpu"),
        default="opencv",
        help="what computes flow: OpenCV, or Keras, faster from a few seconds of video "
        "on: on GPUs, the processor, or auto (default: opencv)",
    )
    add(
        "--damaged",
        choices=("fail", "keep"),
        default="fail",
        help="what to do with a damaged video: fail, or use its frames before the "
        "damage (default: fail)",
    )
    add(
        "--precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="bfloat16 is faster where the processor has it, and less exact "
        "(default: float32)",
    )
    add(
        "--window",
        type=console.positive,
        metavar="N",
        help="camera:N only: looks over which a line is the mean (default: 5)",
    )
    add(
        "--workers",
        type=console.positive,
        metavar="N",
        help="cores that compute flow (default: all)",
    )
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    # Imported after parsing, so that --help answers at once.
    from tsn_keras.data import extractor
    from tsn_keras.engine import prediction

    request = prediction.Request(
        video=args.video,
        weights=tuple(args.weights),
        top=args.top,
        plot=args.plot,
        fast=args.fast,
        classes=args.classes,
        precision=args.precision,
        settings=extractor.Settings(
            parameters=args.flow_parameters,
            damaged=args.damaged,
            device=args.flow_device,
        ),
        workers=args.workers,
        window=args.window,
    )
    return prediction.predict(request)


if __name__ == "__main__":
    console.run(main)
