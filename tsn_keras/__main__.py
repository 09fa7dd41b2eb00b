"""Temporal Segment Networks in Keras 3.

tsn-keras COMMAND ...                 (or python -m tsn_keras.COMMAND ...)

  extract  videos to frames and optical flow
  eval     frames and flow to scores and accuracy
  train    frames and flow to weights
  study    trainings and fusions of a published table, beside its figures
  fuse     score files to the accuracy of their sum
  predict  what a video, a folder of videos or a webcam shows
  explain  which places, snippets and crops a prediction comes from
  convert  the original's weights to ours; score files both ways
  export   a network as a file for other programs: ONNX, OpenVINO, TFLite, SavedModel
  presets  published weights: a list, one in full, download

tsn-keras COMMAND --help tells what a command takes. A first try, without any data:

  tsn-keras eval --dataset demo
"""

import contextlib
import importlib
import sys

from tsn_keras.common import console

COMMANDS = (
    "extract",
    "eval",
    "train",
    "study",
    "fuse",
    "predict",
    "explain",
    "convert",
    "export",
    "presets",
)


def main(argv=None):
    """Runs the command that is named first; ends the process."""
    argv = sys.argv[1:] if argv is None else argv
    name, rest = (argv[0], argv[1:]) if argv else ("--help", [])
    if name in COMMANDS:
        command = importlib.import_module(f"tsn_keras.{name}")
        console.run(command.main, rest)
    told = {"--version": console.version()}
    told |= dict.fromkeys(("-h", "--help", "help"), __doc__.strip())
    if name in told:
        # The reader (head, less) may have ended.
        with contextlib.suppress(BrokenPipeError):
            console.show(told[name])
        sys.exit(console.EXIT_OK)
    console.say(
        f"error: there is no command {name!r}; the commands are {', '.join(COMMANDS)}"
    )
    sys.exit(console.EXIT_USAGE)


if __name__ == "__main__":
    main()
