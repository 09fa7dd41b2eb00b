"""Hours of video through `predict`, and the memory that it takes.

    python tests/support/long_video.py WEIGHTS SHORT.mp4 LONG.mp4

looks at both once a second with the network of small_network.py, and prints a JSON
line for each: snippets, and the largest memory so far, in MiB.
"""

import json
import pathlib
import resource
import sys

import small_worker


def main(weights, *videos):
    small_worker.add()
    from tsn_keras import predict

    for path in videos:
        out = pathlib.Path(path).with_suffix("")
        argv = [path, "--weights", weights, "--every", "1s", "--crops", "1"]
        argv += ["--along", f"{out}.jsonl", "--plot", f"{out}.html"]
        _, status = predict.main(argv)
        lines = pathlib.Path(f"{out}.jsonl").read_text().splitlines()
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        found = {"status": status, "snippets": len(lines), "memory": used}
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
