"""What every command does alike: errors, interruption, the last line."""

import argparse
import contextlib
import functools
import json
import os
import signal
import sys
import tempfile
import warnings
from importlib import metadata

import tsn_keras
from tsn_keras.common import files
from tsn_keras.common.errors import InputError, printable, spelled

JSON = "--json"
DASK = "dask"

EXIT_OK = 0
EXIT_SOME_FAILED = 1  # A result was printed, but it is not over everything.
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells count.


@contextlib.contextmanager
def quiet_frameworks():
    """Silences what TensorFlow and its libraries print while they load.

    TensorFlow is to be imported in this context, which also asks for oneDNN's
    convolutions: without AVX-512 TensorFlow takes its own, which are slower.

    They write to file descriptor 2 from C++, before any logger exists, so the
    descriptor itself is turned away; what was written is shown if the load
    fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            sink.seek(0)
            sys.stderr.write(sink.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def parser(name, description):
    """The argument parser of a command, with the options that all have.

    Args:
        name: the command's, such as "eval".
        description: what `--help` shows.

    Returns:
        argparse.ArgumentParser.
    """
    made = argparse.ArgumentParser(
        prog=f"python -m tsn_keras.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        # `run` looks for the whole option.
        allow_abbrev=False,
    )
    made.add_argument(
        JSON,
        action="store_true",
        help="end with the result as one line of JSON on standard output; in a pipe or "
        "file that is so without it",
    )
    made.add_argument("--version", action="version", version=version())
    return made


def version():
    """Versions of this package and of those whose numbers it gives."""
    found = []
    for name in ("keras", "tensorflow"):
        # Builds for some devices have other names.
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return f"tsn_keras {tsn_keras.__version__} ({', '.join(found)})"


def add_cluster(made, shared):
    """Adds the options of commands whose work a Dask cluster can share.

    Args:
        made: argparse.ArgumentParser.
        shared: what the workers must see at the same paths, for people.
    """
    made.add_argument(
        "--backend",
        choices=("processes", DASK),
        default="processes",
        help="processes of this machine, or a Dask cluster whose workers see "
        f"{shared} at the same paths (default: processes)",
    )
    made.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="address of the cluster's scheduler, such as tcp://host:8786",
    )


# What commands that look at videos call the settings of their test.
TEST_WORDS = {
    **{name: f"--{name}" for name in ("snippets", "crops", "every")},
    **{'every="30"': "--every 30", "over_time": "--over-time"},
}


def add_report(made):
    """Adds the option for a page about what was found."""
    made.add_argument(
        "--report",
        metavar="DIR",
        help="write a page for a browser, DIR/index.html, that needs no other file and "
        "no network: classes, confusion, worst videos, calibration (needs the extra "
        "`report`: vl-convert-python)",
    )


def add_test(made, files):
    """Adds the options of commands that look at videos: another test.

    Args:
        made: argparse.ArgumentParser.
        files: what snippets are made of, for people: "files" or "frames".
    """
    add = made.add_argument
    add(
        "--protocol",
        metavar="NAME",
        help="test by another protocol than that of the weights, as "
        "mmaction2_s25_10crop224; tsn_keras/protocols/README.md has a table",
    )
    add(
        "--snippets",
        type=positive,
        metavar="N",
        help="snippets of a video (default: as the protocol's test)",
    )
    add(
        "--crops",
        type=int,
        choices=(1, 3, 10),
        help="crops of a snippet (default: as the protocol's test)",
    )
    add(
        "--every",
        metavar="STEP",
        help=f"for untrimmed videos: a snippet every so many {files}, as 30, or "
        "seconds, as 1s (whole parts of a second), instead of --snippets",
    )
    add(
        "--over-time",
        metavar="WAY",
        help="how a video's snippets become its scores: mean, windows (multi-scale "
        "temporal windows), windows_paper, top3, or consensus, as the weights were "
        "trained (default: mean; with --every windows)",
    )


def add_runtime(made, names):
    """Adds the option of commands whose network other programs can run.

    Args:
        made: argparse.ArgumentParser.
        names: of the runtimes, the default first.
    """
    names = list(names)
    made.add_argument(
        "--runtime",
        choices=names,
        default=names[0],
        help="what runs the network: onnxruntime and openvino are for machines without "
        "a GPU, to be installed as the extras onnx and openvino; their scores differ "
        f"by some 1e-6 of the largest (default: {names[0]})",
    )


def test_of(args):
    """What the arguments say of the test: the fields of protocols' Override."""
    return args.protocol, args.snippets, args.crops, args.every, args.over_time


def scheduler_of(args):
    """The address of the scheduler that the arguments name, or None.

    Raises:
        InputError: one of the two options lacks the other.
    """
    if (args.backend == DASK) != (args.scheduler is not None):
        raise InputError("--backend dask and --scheduler go together")
    return args.scheduler


def positive(text):
    """Argument type: an integer of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {text!r}")
    return int(text)


def say(text):
    """Writes one line for people, on standard error; see errors.printable."""
    # If it cannot be written, nobody can be told.
    with contextlib.suppress(files.DiskFullError):
        _write(sys.stderr, "standard error", f"{printable(text)}\n")


def _write(stream, name, text):
    """Writes a text to a standard stream, which may be a file on a full disk."""
    try:
        with files.writing(name):
            stream.write(text)
            stream.flush()
    except files.DiskFullError:
        _turn_away(stream)
        raise


def _turn_away(stream):
    """Drops what a stream still holds: it would fail again when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def show(result):
    """Writes a result for people, on standard output.

    Args:
        result: what `str` turns into lines; beside line breaks all that a terminal
            would not show is escaped. Tables escape the line breaks of names.
    """
    text = printable(str(result), keep=chr(10))
    _write(sys.stdout, "standard output", f"{text}\n")


def show_json(value):
    """Writes a JSON value as one line on standard output.

    Letters stay as they are; what a terminal would not show becomes an escape of
    JSON, also halves of characters (bytes of file names that are no text).
    """
    text = json.dumps(value, ensure_ascii=not _is_unicode(sys.stdout))
    escaped = (c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
    _write(sys.stdout, "standard output", f"{''.join(escaped)}\n")


def _is_unicode(stream):
    return (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")


def say_failed(failed, words):
    """Names the videos that are in no figure, on standard error.

    Args:
        failed: {video id: reason}.
        words: see `command`.
    """
    if failed:
        say(f"{len(failed)} videos failed and are not in these figures:")
    for video, reason in failed.items():
        say(f"  {video}: {spelled(reason, words)}")


def command(words):
    """Decorates a command's `main`: messages get the command's words.

    Args:
        words: {setting: what the command calls it}; see errors.spelled.
    """

    def decorate(main):
        @functools.wraps(main)
        def wrapped(argv=None):
            try:
                result, status = main(argv)
            except InputError as error:
                error.args = (spelled(str(error), words),)
                raise
            return _spelled(result, words), status

        return wrapped

    return decorate


def _spelled(value, words):
    """A JSON value with the command's words in all its texts."""
    if isinstance(value, str):
        return spelled(value, words)
    if isinstance(value, dict):
        return {key: _spelled(item, words) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spelled(item, words) for item in value]
    return value


def run(main, argv=None):
    """Runs `main(argv)` and ends the process with its exit status.

    Args:
        main: takes the argument list, returns (result, exit status). The result is
            a dict that becomes the last line of standard output if `--json` asks
            for it, or if that is no terminal; None: there is nothing to add.
        argv: the arguments, or None for those of the process.
    """
    argv = sys.argv[1:] if argv is None else argv
    # A scheduler that preempts a job sends SIGTERM: stop as for Ctrl-C, so
    # that what was done is kept.
    signal.signal(signal.SIGTERM, _interrupt)
    # File names may hold bytes that are not text.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = _show_warning
    try:
        result, status = _outcome(main, argv)
        if result is not None and (JSON in argv or not sys.stdout.isatty()):
            show_json(result)
    except BrokenPipeError:
        # The reader (head, less) has ended: nobody can be told.
        _turn_away(sys.stdout)
        status = EXIT_SOME_FAILED
    except files.DiskFullError as error:
        say(f"error: {error}")
        status = EXIT_USAGE
    if "tensorflow_io" in sys.modules:
        # Its file systems abort the process when Python unloads them, and the exit
        # status would be lost.
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def _outcome(main, argv):
    """Runs a command; returns (result, exit status) whatever it raises."""
    try:
        # A full disk is named also where no other code names the file.
        with _full_disk_named():
            return main(argv)
    except KeyboardInterrupt as stop:
        message = str(stop) or "stopped"
        sys.stderr.write("\n")  # Behind the ^C of the terminal.
        say(message)
        return {"interrupted": message}, EXIT_INTERRUPTED
    except BrokenPipeError:
        raise
    except (InputError, OSError) as error:
        say(f"error: {error}")
        return {"error": str(error)}, EXIT_USAGE


@contextlib.contextmanager
def _full_disk_named():
    try:
        yield
    except OSError as error:
        if not files.is_full(error):
            raise
        what = f"cannot write {error.filename}: " if error.filename else ""
        raise files.DiskFullError(f"{what}{files.NO_SPACE}") from None


def _interrupt(signum, frame):
    raise KeyboardInterrupt(f"stopped by {signal.Signals(signum).name}")


def _show_warning(message, *_, **__):
    say(f"warning: {message}")
