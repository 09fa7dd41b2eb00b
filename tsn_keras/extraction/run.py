"""Videos to frame and flow folders: what is left to do, in parallel, and a report."""

import contextlib
import dataclasses
import os
import pathlib
import shutil
import socket
import time

from joblib.externals.loky.process_executor import BrokenProcessPool

from tsn_keras.common import cluster as clusters
from tsn_keras.common import console, progress, text
from tsn_keras.common.errors import InputError
from tsn_keras.datasets import frames
from tsn_keras.extraction import counting, provenance
from tsn_keras.extraction.settings import Settings
from tsn_keras.extraction.video_job import Job
from tsn_keras.extraction.workers import Workers
from tsn_keras.flow import ranges
from tsn_keras.flow.settings import OPENCV
from tsn_keras.video import sound, sources

# Holds unfinished work, in a folder for each run.
ASIDE = ".extract"


@dataclasses.dataclass(frozen=True)
class Request:
    """What to extract.

    Attributes:
        videos: a video file, a folder of them, or a list; see video.sources.find.
        out: folder for the frame folders.
        settings: settings.Settings.
        flat: whether class folders are left out.
        workers: workers.Workers.
    """

    videos: pathlib.Path
    out: pathlib.Path
    settings: Settings = dataclasses.field(default_factory=Settings)
    flat: bool = False
    workers: Workers = dataclasses.field(default_factory=Workers)


@dataclasses.dataclass
class Extraction:
    """What has become of the videos. `print` shows it.

    Attributes:
        out: folder of the frame folders.
        total: number of videos.
        already: videos whose folders were there.
        made: videos whose folders were made.
        decoded: frames that were decoded for them.
        files: files of each kind that were made.
        seconds: that it took.
        damaged: {id: damage} of damaged videos that were kept.
        failed: {id: reason} of videos without a folder.
        sound: whether sound was asked for.
        silent: ids of the videos that have no sound.
    """

    out: pathlib.Path
    total: int
    already: int = 0
    made: int = 0
    decoded: int = 0
    files: int = 0
    seconds: float = 0.0
    damaged: dict[str, str] = dataclasses.field(default_factory=dict)
    failed: dict[str, str] = dataclasses.field(default_factory=dict)
    sound: bool = False
    silent: list[str] = dataclasses.field(default_factory=list)

    def add(self, result):
        """Counts a video_job.Result; returns a line to tell at once, or None."""
        if result.error:
            self.failed[result.id] = result.error
            return f"{result.id} failed: {result.error}"
        self.made += 1
        self.decoded += result.made.decoded
        self.files += result.made.files
        heard = result.made.sound
        if heard is not None and heard.samples is None:
            self.silent.append(result.id)
        damage = result.made.damage or (heard and heard.damage)
        if damage:
            self.damaged[result.id] = damage
            return f"{result.id} is damaged: {damage}"
        return None

    @property
    def so_far(self) -> str:
        """How many are there, for people."""
        return f"{self.already + self.made} of {self.total} videos are in {self.out}"

    def __str__(self) -> str:
        return (
            f"{self.so_far}: {self.already} were there, {self.made} made now from "
            f"{self.decoded} frames in {self.seconds:.0f} s"
            + (f", {len(self.damaged)} of them damaged" if self.damaged else "")
            + (f", {len(self.silent)} without sound" if self.silent else "")
            + (f"; {len(self.failed)} failed" if self.failed else "")
        )

    def as_json(self) -> dict:
        """As a dict of JSON values."""
        return {
            "videos": self.total,
            "already_there": self.already,
            "made": self.made,
            "frames_decoded": self.decoded,
            "files_of_a_kind": self.files,
            "seconds": round(self.seconds, 3),
            "damaged": self.damaged,
            "failed": self.failed,
            **({"without_sound": sorted(self.silent)} if self.sound else {}),
        }


def extract(
    request: Request, listener: progress.Silent = progress.SILENT
) -> Extraction:
    """Makes the folders of all videos that are not there yet.

    Args:
        request: Request.
        listener: is shown how far it has come.

    Returns:
        Extraction.

    Raises:
        InputError: nothing to do, folders that were made otherwise, a full
            disk; the text gives the next step.
        KeyboardInterrupt: with a text that says what is done.
    """
    videos = sources.find(request.videos, request.flat)
    out = pathlib.Path(request.out)
    settings = _decided(request.settings, videos, out, bool(request.workers.scheduler))
    settings.check()
    out.mkdir(parents=True, exist_ok=True)
    found = Extraction(out, len(videos), sound=settings.sound)
    todo = _left(videos, settings, found)
    found.already = len(videos) - len(todo) - len(found.failed)
    if found.already:
        listener.say(f"{found.already} of {len(videos)} videos are in {out} already")
    for name, reason in found.failed.items():
        listener.say(f"{name} failed: {reason}")
    start = time.monotonic()
    if todo:
        title = f"extract {pathlib.Path(request.videos).name}"
        with _aside(out) as aside, _told(found, [source.id for source in todo]):
            jobs = _jobs(todo, out, aside, settings)
            with contextlib.closing(request.workers.run(jobs, listener)) as results:
                _consume(results, found, listener, (title, todo, aside))
    else:
        # Files of a run that was killed when all videos were already in place.
        _remove_dead(out / ASIDE)
    found.seconds = time.monotonic() - start
    return found


def _decided(settings, videos, out, cluster):
    """The settings, with what computes flow if the user leaves it open.

    Folders of OpenCV's flow and of Keras' are not mixed: a folder that is there
    decides. Else it is Keras, which is several times as fast.
    """
    if settings.flow is None or settings.flow.device is not None:
        return settings
    made = (provenance.read(out / source.id) for source in videos)
    record = next((record for record in made if record is not None), None)
    if record is not None:
        device = provenance.device(record)
    elif cluster:
        # Its workers need not have the same devices.
        device = OPENCV
    else:
        with console.quiet_frameworks():
            from tsn_keras.flow import devices
        device = devices.fastest()
    return dataclasses.replace(
        settings, flow=dataclasses.replace(settings.flow, device=device)
    )


def _jobs(videos, out, aside, settings):
    # The longest first, so that at the end no single worker is busy alone.
    videos = sorted(videos, key=_bytes, reverse=True)
    # Workers of a cluster have other working folders.
    return [
        Job(
            dataclasses.replace(source, path=source.path.absolute()),
            out.absolute(),
            aside.absolute(),
            settings,
            only_sound=(out / source.id).exists(),
        )
        for source in videos
    ]


def _bytes(source):
    try:
        return source.path.stat().st_size
    except OSError:
        return 0


class _Stopped(Exception):
    """A fault that every other video would meet too."""


@contextlib.contextmanager
def _told(found, ids):
    """Says of whatever ends the work early how many videos are there.

    Counted when all workers have ended: one may finish a video while another's
    fault is on its way.

    Args:
        found: Extraction.
        ids: those of the videos that were to be made.
    """
    try:
        yield
    except (
        _Stopped,
        BrokenProcessPool,
        KeyboardInterrupt,
        *clusters.LOST,
    ) as end:
        found.made = sum((found.out / name).is_dir() for name in ids)
        so_far, resumes = found.so_far, "the same command resumes from there"
        if isinstance(end, KeyboardInterrupt):
            raise KeyboardInterrupt(
                f"{str(end) or 'stopped'}: {so_far}; {resumes}"
            ) from None
        if isinstance(end, _Stopped):
            text = f"stopped at {end}: {so_far}; correct that, and {resumes}"
        elif isinstance(end, clusters.LOST):
            text = f"{clusters.words_for(end)}; {so_far}; {resumes}"
        else:
            text = (
                f"a worker died: was it killed, or did memory run out? {so_far}; "
                f"{resumes}, and fewer `workers` take less memory"
            )
        raise InputError(text) from None


def _consume(results, found, listener, todo):
    """Counts results as they come, with a progress bar.

    Args:
        results: video_job.Result of each video.
        found: Extraction.
        listener: progress.Silent.
        todo: (title, sources of the videos to make, folder of unfinished work).
    """
    title, videos, aside = todo
    with (
        listener.bar(title, unit="frame") as bar,
        counting.Frames(videos, aside, bar) as frames,
    ):
        for result in results:
            if result.fatal:
                raise _Stopped(result.error)
            if line := found.add(result):
                listener.say(line)
            done = found.already + found.made + len(found.failed)
            note = f"{done} of {found.total} videos"
            frames.finish(result.id, result.made.files if result.made else 0, note)


def _left(videos, settings, found):
    """Returns the sources that have no folder yet; notes what is wrong.

    A folder that was made otherwise stops everything: half a data set of one
    kind and half of another is worse than none.
    """
    left = []
    for source in videos:
        if reason := text.unusable(source.id):
            # No list of videos could hold this name.
            found.failed[source.id] = f"{source.path} {reason}: rename it"
            continue
        folder = found.out / source.id
        if not folder.exists():
            left.append(source)
            continue
        record = provenance.read(folder)
        if record is None:
            raise InputError(
                f"{folder} is there, but no extraction made it: name another folder "
                f"to write to, or delete that one"
            )
        if fault := _fault(folder, record, source, settings):
            found.failed[source.id] = fault
            continue
        heard = _heard(folder, record)
        if settings.sound and heard is None:
            left.append(source)
            continue
        if settings.sound and heard.get("samples") is None:
            found.silent.append(source.id)
        damage = record.get("damage") or (settings.sound and heard.get("damage"))
        if damage:
            found.damaged[source.id] = str(damage)[:500]
    return left


def _heard(folder, record):
    """What a record says of the sound, if it is there; else None."""
    heard = record.get("sound_track")
    if not isinstance(heard, dict):
        return None
    name = sound.NONE if heard.get("samples") is None else sound.NAME
    return heard if (folder / name).is_file() else None


def _fault(folder, record, source, settings):
    """Says why a folder that is there cannot be counted as made, or None.

    Raises:
        InputError: it was made otherwise.
    """
    try:
        difference = provenance.difference(record, source.path, settings)
    except OSError as error:
        return (
            f"the video cannot be read any more: {error}; what was made of it is in "
            f"{folder}"
        )
    try:
        counts = {frames.count(folder, (prefix,)) for prefix in settings.prefixes}
    except (OSError, frames.FrameError) as error:
        return f"{error}: delete {folder}, and it is made again"
    heard = (settings.sound and _heard(folder, record)) or {}
    damage = record.get("damage") or heard.get("damage")
    if damage and not settings.keep_damaged and not difference:
        return (
            f"{folder} is of a damaged video ({damage!s:.500}): to accept it, set "
            f"`keep_damaged=True`"
        )
    if difference:
        raise InputError(
            f"{folder} was made otherwise: {difference}. Name another folder to write "
            f"to, or delete that one"
        )
    if counts != {record["files"]}:
        return (
            f"{folder} has lost files: its record says {record['files']} of each kind, "
            f"there are {sorted(counts)}: delete it, and it is made again"
        )
    if settings.has_ranges and not (folder / ranges.NAME).is_file():
        return f"{folder} has lost its {ranges.NAME}: delete it, and it is made again"
    return None


@contextlib.contextmanager
def _aside(out):
    """Yields this run's folder for unfinished work, which goes with the run."""
    root = out / ASIDE
    _remove_dead(root)
    folder = root / f"{socket.gethostname()}-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _remove_empty(root)


def _remove_dead(root):
    """Removes what runs that were killed on this machine have left."""
    if not root.is_dir():
        return
    for old in root.iterdir():
        name, _, process = old.name.rpartition("-")
        here = name == socket.gethostname() and process.isdecimal()
        if here and not _alive(int(process)):
            shutil.rmtree(old, ignore_errors=True)
    _remove_empty(root)


def _remove_empty(root):
    with contextlib.suppress(OSError):
        root.rmdir()  # Only if no other run works in it.


def _alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return process != os.getpid()
