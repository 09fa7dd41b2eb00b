"""Jobs on several cores, on a device, or on a cluster."""

import concurrent.futures
import contextlib
import dataclasses
import warnings

import joblib

from tsn_keras.common import cluster, console
from tsn_keras.common.cores import cores
from tsn_keras.extraction import video_job
from tsn_keras.extraction.video_job import Crew


@dataclasses.dataclass(frozen=True)
class Workers:
    """Who makes the files.

    Attributes:
        count: cores to use, or None for all.
        scheduler: address of a Dask cluster's scheduler, or None for this machine.
    """

    count: int | None = None
    scheduler: str | None = None

    def run(self, jobs, listener):
        """Yields the video_job.Result of each job as it is ready.

        Args:
            jobs: list of video_job.Job, of the same settings.
            listener: progress.Silent.

        Raises:
            InputError: the cluster does not answer, or a device is not there.
        """
        if self.scheduler:
            return _on_cluster(jobs, self.scheduler)
        count = self.count or cores()
        settings = jobs[0].settings
        if settings.on_device:
            # Compiled before the progress of the videos is shown.
            return _in_threads(jobs, _engine(settings, count, listener), count)
        # Cores without a video of their own compute pairs of another.
        processes = min(count, len(jobs))
        crew = Crew(count // processes, sharing=1, child=processes > 1)
        return _in_processes(jobs, processes, crew)


def _in_processes(jobs, processes, crew):
    # One video a task: they take seconds, and each is reported when done.
    parallel = joblib.Parallel(processes, return_as="generator_unordered", batch_size=1)
    results = parallel(joblib.delayed(video_job.run)(job, crew) for job in jobs)
    try:
        for result in results:  # noqa: UP028 - closed below
            yield result
    finally:
        with warnings.catch_warnings():
            # Warnings about dropped work: the caller reports an early stop itself.
            warnings.simplefilter("ignore")
            results.close()


def _on_cluster(jobs, address):
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(cluster.connected(address))
        stack.enter_context(joblib.parallel_config("dask", client=client))
        threads = client.nthreads().values()
        # Each thread of a worker has a video.
        crew = Crew(max(threads), sharing=max(threads), child=True)
        results = _in_processes(jobs, sum(threads), crew)
        # Closed before the cluster is, which stops the workers.
        yield from stack.enter_context(contextlib.closing(results))


def _in_threads(jobs, engine, count):
    """Videos in threads of this process, which has the devices."""
    crew = Crew(count, sharing=min(count, len(jobs)))
    pool = concurrent.futures.ThreadPoolExecutor(crew.sharing)
    try:
        waiting = [pool.submit(video_job.run, job, crew) for job in jobs]
        for done in concurrent.futures.as_completed(waiting):
            yield done.result()
    finally:
        # Running videos end at their next pair, and no other starts.
        engine.stop()
        pool.shutdown(cancel_futures=True)
        engine.close()


def _engine(settings, cores, listener):
    """Loads Keras and compiles, which takes seconds; returns the engine."""
    with console.quiet_frameworks():
        from tsn_keras.flow import devices
        from tsn_keras.flow import engine as flow_engine

        devices.leave_cores_to_lanes()
        engine = flow_engine.of(settings.flow, cores)
    listener.say(f"flow by Keras on {devices.kind(settings.flow.device)}: compiling")
    with console.quiet_frameworks():
        engine.warm_up(*reversed(settings.size))
    return engine
