"""Videos to frame and flow folders: what is left to do, in parallel, and a report."""

import concurrent.futures
import contextlib
import dataclasses
import os
import pathlib
import shutil
import socket
import sys
import time

import joblib
from joblib.externals.loky.process_executor import BrokenProcessPool

from tsn_keras.data import extractor, frames, videos
from tsn_keras.engine import console, extraction_job, extraction_record, progress

# Unfinished work lies in here, in a folder for each run.
ASIDE = ".extract"


@dataclasses.dataclass(frozen=True)
class Request:
    """What to extract; see `python -m tsn_keras.extract --help`."""

    videos: str
    out: str
    settings: extractor.Settings
    flat: bool = False
    workers: int | None = None
    scheduler: str | None = None


def extract(request):
    """Makes the folders of all videos that are not there yet.

    Args:
        request: Request.

    Returns:
        (dict for the last line of output, exit status).

    Raises:
        config.InputError: nothing to do, folders that were made otherwise, a
            full disk; the text gives the next step.
        KeyboardInterrupt: with a text that says what is done.
    """
    extractor.check(request.settings)
    sources = videos.find(request.videos, request.flat)
    out = pathlib.Path(request.out)
    out.mkdir(parents=True, exist_ok=True)
    failed, damaged = {}, {}
    todo = _left(sources, out, request.settings, failed, damaged)
    already = len(sources) - len(todo) - len(failed)
    tally = _Tally(len(sources), already, out, failed, damaged)
    if already:
        console.say(f"{already} of {len(sources)} videos are in {out} already")
    for name, reason in failed.items():
        console.say(f"{name} failed: {reason}")
    start = time.monotonic()
    if todo:
        with (
            _aside(out) as aside,
            contextlib.closing(_run(request, todo, aside)) as results,
        ):
            _consume(results, tally, pathlib.Path(request.videos).name)
    return _report(tally, time.monotonic() - start)


@dataclasses.dataclass
class _Tally:
    """What has become of the videos so far."""

    total: int
    already: int
    out: pathlib.Path
    failed: dict[str, str]  # {id: reason}
    damaged: dict[str, str]
    made: int = 0
    decoded: int = 0  # frames
    files: int = 0  # of each kind

    def add(self, result):
        """Counts a result; returns a line to tell at once, or None."""
        if result.error:
            self.failed[result.id] = result.error
            return f"{result.id} failed: {result.error}"
        self.made += 1
        self.decoded += result.made.decoded
        self.files += result.made.files
        if result.made.damage:
            self.damaged[result.id] = result.made.damage
            return f"{result.id} is damaged: {result.made.damage}"
        return None

    def so_far(self):
        return f"{self.already + self.made} of {self.total} videos are in {self.out}"


def _consume(results, tally, name):
    """Counts results as they come, with a progress bar."""
    start = time.monotonic()
    bar = progress.videos(
        f"extract {name}", tally.total, tally.already + len(tally.failed)
    )
    try:
        with bar:
            for result in results:
                if result.fatal:
                    raise console.UsageError(
                        f"stopped at {result.error}: {tally.so_far()}; mend that, and "
                        f"the same command goes on from there"
                    )
                if line := tally.add(result):
                    bar.write(line, file=sys.stderr)
                rate = tally.decoded / (time.monotonic() - start)
                bar.set_postfix_str(f"{rate:.1f} frames/s", refresh=False)
                bar.update()
    except ImportError as error:
        raise console.UsageError(
            f"a worker of the cluster lacks a package: {error}; {tally.so_far()}"
        ) from None
    except BrokenProcessPool:
        raise console.UsageError(
            f"a worker died: was it killed, or did memory run out? {tally.so_far()}; "
            f"the same command goes on from there, and fewer --workers take less memory"
        ) from None
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(
            f"{stop or 'stopped'}: {tally.so_far()}; the same command goes on from "
            f"there"
        ) from None


def _report(tally, seconds):
    """Prints what was done; returns (result, exit status)."""
    print(
        f"{tally.so_far()}: {tally.already} were there, {tally.made} made now from "
        f"{tally.decoded} frames in {seconds:.0f} s"
        + (f", {len(tally.damaged)} of them damaged" if tally.damaged else "")
        + (f"; {len(tally.failed)} failed" if tally.failed else "")
    )
    for name, reason in tally.failed.items():
        console.say(f"  {name}: {reason}")
    result = {
        "videos": tally.total,
        "already_there": tally.already,
        "made": tally.made,
        "frames_decoded": tally.decoded,
        "files_of_a_kind": tally.files,
        "seconds": round(seconds, 3),
        "damaged": tally.damaged,
        "failed": tally.failed,
    }
    return result, console.EXIT_SOME_FAILED if tally.failed else console.EXIT_OK


def _left(sources, out, settings, failed, damaged):
    """Returns the sources that have no folder yet; fills in what is wrong.

    A folder that was made otherwise stops everything: half a data set of one
    kind and half of another is worse than none.
    """
    left = []
    for source in sources:
        folder = out / source.id
        if not folder.exists():
            left.append(source)
            continue
        record = extraction_record.read(folder)
        if record is None:
            raise console.UsageError(
                f"{folder} is there, but this command did not make it: name another "
                f"folder to write to, or delete that one"
            )
        try:
            difference = extraction_record.difference(record, source.path, settings)
        except OSError as error:
            failed[source.id] = (
                f"the video cannot be read any more: {error}; what was made of it is "
                f"in {folder}"
            )
            continue
        try:
            counts = {frames.count(folder, (p,)) for p in settings.prefixes}
        except (OSError, frames.FrameError) as error:
            failed[source.id] = f"{error}: delete {folder}, and it is made again"
            continue
        damage = record.get("damage")
        if damage and settings.damaged == "keep":
            damaged[source.id] = str(damage)
        elif damage and not difference:
            failed[source.id] = (
                f"{folder} is of a damaged video ({damage}): to accept it, add "
                f"--damaged keep"
            )
            continue
        if difference:
            raise console.UsageError(
                f"{folder} was made otherwise: {difference}. Name another folder to "
                f"write to, or delete that one"
            )
        if counts != {record["files"]}:
            failed[source.id] = (
                f"{folder} has lost files: its record says {record['files']} of each "
                f"kind, there are {sorted(counts)}: delete it, and it is made again"
            )
    return left


@contextlib.contextmanager
def _aside(out):
    """Yields this run's folder for unfinished work, which goes with the run."""
    host = socket.gethostname()
    root = out / ASIDE
    if root.is_dir():
        # What runs that were killed on this machine have left.
        for old in root.iterdir():
            name, _, process = old.name.rpartition("-")
            if name == host and process.isdecimal() and not _alive(int(process)):
                shutil.rmtree(old, ignore_errors=True)
    folder = root / f"{host}-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
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


def _run(request, sources, aside):
    """Yields the extraction_job.Result of each source as it is ready."""
    # The longest first, so that at the end no worker is left alone with one.
    sources = sorted(sources, key=_bytes, reverse=True)
    # Workers of a cluster have other working folders.
    out, aside = pathlib.Path(request.out).absolute(), aside.absolute()
    jobs = [
        (
            dataclasses.replace(source, path=source.path.absolute()),
            *(out, aside, request.settings),
        )
        for source in sources
    ]
    if request.scheduler:
        return _on_cluster(jobs, request.scheduler)
    workers = request.workers or joblib.cpu_count()
    if request.settings.on_device:
        # Ready before the progress of the videos is shown.
        engine = _engine(request.settings, workers)
        return _in_threads(jobs, engine, workers)
    # Cores that have no video of their own help with another's pairs.
    processes = min(workers, len(jobs))
    return _in_processes(jobs, processes, workers // processes, 1, processes > 1)


def _in_processes(jobs, processes, cores, sharing, child):
    # One video a task: they take seconds, and each is reported when done.
    parallel = joblib.Parallel(processes, return_as="generator_unordered", batch_size=1)
    return parallel(
        joblib.delayed(extraction_job.run)(*job, cores, sharing, child) for job in jobs
    )


def _on_cluster(jobs, address):
    with contextlib.ExitStack() as stack:
        client = _cluster(address, stack)
        stack.enter_context(joblib.parallel_config("dask", client=client))
        threads = client.nthreads().values()
        # Each thread of a worker has a video.
        results = _in_processes(jobs, sum(threads), max(threads), max(threads), True)
        # Closed before the cluster is, which stops the workers.
        yield from stack.enter_context(contextlib.closing(results))


def _in_threads(jobs, engine, workers):
    """Videos in threads of this process, which has the devices."""
    sharing = min(workers, len(jobs))
    pool = concurrent.futures.ThreadPoolExecutor(sharing)
    try:
        waiting = [
            pool.submit(extraction_job.run, *job, workers, sharing, False)
            for job in jobs
        ]
        for done in concurrent.futures.as_completed(waiting):
            yield done.result()
    finally:
        # What is under way ends at its next pair, and nothing else begins.
        engine.stop()
        pool.shutdown(cancel_futures=True)
        engine.close()


def _engine(settings, cores):
    """Loads Keras and compiles, which takes seconds; returns the engine."""
    with console.quiet_frameworks():
        from tsn_keras.data import devices, flow_device

        devices.leave_cores_to_lanes()
        engine = flow_device.of(settings, cores)
    console.say(f"flow by Keras on {devices.kind(settings.device)}: compiling")
    with console.quiet_frameworks():
        engine.warm_up(*reversed(settings.size))
    return engine


@contextlib.contextmanager
def _named_as(error):
    """Turns a cluster's error for a worker that died into joblib's."""
    try:
        yield
    except error as died:
        raise BrokenProcessPool(str(died)) from None


def _bytes(source):
    try:
        return source.path.stat().st_size
    except OSError:
        return 0


def _cluster(address, stack):
    """Connects to a Dask scheduler; the stack will close the connection."""
    try:
        import distributed
    except ImportError:
        raise console.UsageError(
            "--backend dask needs Dask: pip install 'dask[distributed]'"
        ) from None
    stack.enter_context(_named_as(distributed.scheduler.KilledWorker))
    try:
        client = stack.enter_context(distributed.Client(address, timeout="10s"))
    except (OSError, ValueError) as error:
        raise console.UsageError(
            f"no Dask scheduler answers at {address}: {error}"
        ) from None
    if not client.nthreads():
        raise console.UsageError(f"the Dask cluster at {address} has no workers")
    return client
