"""Work that is shared out to a Dask cluster."""

import asyncio
import concurrent.futures
import contextlib
import itertools
import logging
import pickle
import socket

from tsn_keras.common.errors import InputError

_CONNECTING = "10s"
_PATIENCE = 30  # seconds without a result, after which somebody asks for workers
# Jobs for each thread that are on their way: one runs, one waits beside it.
_AHEAD = 2
_LOGGERS = ("asyncio", "tornado.application", "distributed")


class WorkerLost(Exception):
    """The cluster gave the work up; the text says why."""


# What ends the work of a cluster early without a fault of the videos.
LOST = (WorkerLost, ImportError)


def words_for(error) -> str:
    """Says of one of `LOST` what has happened."""
    if isinstance(error, ImportError):
        return f"a worker of the cluster lacks a package: {error}"
    return str(error)


@contextlib.contextmanager
def connected(address):
    """Connects to a Dask scheduler.

    Args:
        address: the scheduler's, such as "tcp://host:8786".

    Yields:
        distributed.Client, of a cluster that has workers.

    Raises:
        InputError: Dask is not installed, or no scheduler or worker is there.
        WorkerLost: several workers died of one job, or the scheduler has gone.
    """
    try:
        import distributed
    except ImportError:
        raise InputError(
            "a Dask cluster needs Dask: pip install 'dask[distributed]'"
        ) from None
    try:
        client = distributed.Client(address, timeout=_CONNECTING)
    except (OSError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers at {address}: {error}") from None
    lost = (
        distributed.comm.CommClosedError,
        concurrent.futures.CancelledError,
        asyncio.CancelledError,
    )
    with contextlib.ExitStack() as ends, client:
        if not client.nthreads():
            raise InputError(f"the Dask cluster at {address} has no workers")
        try:
            yield client
        except KeyboardInterrupt:
            # Calls of Dask's threads that are cut off would be logged with tracebacks.
            ends.enter_context(_muted())
            raise
        except distributed.scheduler.KilledWorker:
            # Dask tries a job on four.
            raise WorkerLost(
                "several workers died of one job: were they killed, or did memory run "
                "out?"
            ) from None
        except lost:
            raise WorkerLost(
                f"the Dask scheduler at {address} does not answer any more"
            ) from None


@contextlib.contextmanager
def _muted():
    """Until its end, what Dask and its event loop log is not seen."""
    loggers = [logging.getLogger(n) for n in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def share_out(client, function, jobs, listener):
    """Runs jobs on the workers; those of a worker that dies run on others.

    Args:
        client: what `connected` yields.
        function: of a job, defined in a module that the workers can import.
        jobs: iterable of jobs; taken as the workers need them.
        listener: progress.Silent; is told when no worker is left.

    Yields:
        what the function returned, in the order in which the jobs end.

    Raises:
        whatever the function raises.
    """
    from distributed import wait

    jobs, running, is_alone = iter(jobs), set(), False

    def start(count):
        for job in itertools.islice(jobs, count):
            call = pickle.dumps(_Call(function, job))
            # Without a key of its own a job that was done before would not run.
            running.add(client.submit(pickle.loads, call, pure=False))

    start(_AHEAD * sum(client.nthreads().values()))
    while running:
        try:
            done = wait(running, timeout=_PATIENCE, return_when="FIRST_COMPLETED").done
        except (TimeoutError, asyncio.TimeoutError):
            if not client.nthreads() and not is_alone:
                listener.say("the Dask cluster has no workers any more: waiting")
            is_alone = not client.nthreads()
            continue
        for future in done:
            running.remove(future)
            start(1)
            yield future.result()


class _Call:
    """Calls a function when it is unpickled, and becomes what that returns.

    Only inside a job is a package that a worker lacks an error that comes back: where
    Dask itself unpickles a job, the worker ends. The scheduler needs no package then.
    """

    def __init__(self, function, job):
        self._function, self._job = function, job

    def __reduce__(self):
        return self._function, (self._job,)


def demand(is_there, path):
    """Refuses to work where a worker does not see what the others see.

    Args:
        is_there: whether it does.
        path: a file or folder.

    Raises:
        InputError: it does not.
    """
    if not is_there:
        raise InputError(
            f"the worker on {socket.gethostname()} does not see {path}: all workers "
            f"of a cluster need frames and weights at the same paths as this machine"
        )
