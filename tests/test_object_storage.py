"""Evaluation of data in an object store and on a web server, on loopback."""

import dataclasses
import functools
import http.server
import importlib.util
import json
import os
import pathlib
import threading

import clips
import numpy as np
import processes
import pytest
import shallow

from tsn_keras.common import console, storage
from tsn_keras.common.errors import InputError
from tsn_keras.datasets import hmdb51
from tsn_keras.datasets.records import Choice
from tsn_keras.scores import score_file

ROOT = pathlib.Path(__file__).parents[1]
BUCKET = "clips"
NAMES = {"a": "a b", "b": "class 1/b #[1]"}  # awkward ones

pytestmark = [
    pytest.mark.usefixtures("shallow_network"),
    pytest.mark.skipif(
        importlib.util.find_spec("tensorflow_io") is None,
        reason="needs tensorflow-io, which has no build for this Python",
    ),
]


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """Two videos with a list and weights, and their scores from local files."""
    root = tmp_path_factory.mktemp("case")
    clips.make_case(root, counts=(8, 30))
    for old, new in NAMES.items():
        (root / "data" / new).parent.mkdir(exist_ok=True)
        (root / "data" / old).rename(root / "data" / new)
    (root / "list.txt").write_text(f"{NAMES['a']} 8 0\n{NAMES['b']} 30 1\n")
    done, _ = evaluate(root, root / "local.h5")
    assert done.returncode == 0, done.stderr
    return root


def evaluate(place, target, *more, **variables):
    """Runs eval on a folder, a bucket or a web server."""
    argv = ["--dataset", "list", "--annotations", f"{place}/list.txt"]
    argv += ["--data", f"{place}/data", "--scores", str(target)]
    argv += ["--weights", f"{place}/rgb.weights.h5", f"{place}/flow.weights.h5"]
    argv += ["--snippets", "3"]  # Each file is a request or two.
    done = processes.run(
        [*shallow.START, "eval", *argv, *more],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
        env={**os.environ, **variables},
    )
    return done, json.loads(done.stdout.splitlines()[-1])


def check_same_scores(local, remote):
    for modality in ("rgb", "flow"):
        with (
            score_file.ScoreFile(local / f"local_{modality}.h5") as one,
            score_file.ScoreFile(remote / f"remote_{modality}.h5") as other,
        ):
            assert one.video_ids == other.video_ids == tuple(NAMES.values())
            assert one.about == other.about
            for video in one.video_ids:
                np.testing.assert_array_equal(one.read(video), other.read(video))


@pytest.fixture(scope="module")
def store(case):
    """A local S3 server that holds the case; returns (client, environment)."""
    moto = pytest.importorskip("moto.server")
    import boto3

    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    variables = {
        "S3_ENDPOINT": f"http://{host}:{port}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }
    client = boto3.client(
        "s3",
        endpoint_url=variables["S3_ENDPOINT"],
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )
    client.create_bucket(Bucket=BUCKET)
    for path in case.rglob("*"):
        if path.is_file() and "local" not in path.name:
            client.upload_file(str(path), BUCKET, path.relative_to(case).as_posix())
    yield client, variables
    server.stop()


def test_object_store(case, store, tmp_path):
    _, variables = store
    done, result = evaluate(f"s3://{BUCKET}", tmp_path / "remote.h5", **variables)
    assert done.returncode == 0, done.stderr
    assert [r["videos"] for r in result["results"]] == [2, 2, 2]
    check_same_scores(case, tmp_path)
    # Neither the libraries' noise nor their end.
    assert "pure virtual" not in done.stderr
    assert "Unable to register" not in done.stderr


def fetch(address, cache, variables):
    """Copies a file into a cache; returns its name and contents."""
    os.environ.update(variables, TSN_KERAS_CACHE=str(cache))
    from tsn_keras.checkpoints import folders

    path = folders.local_copy(storage.path(address))
    assert list(path.parent.iterdir()) == [path]
    return path.name, path.read_bytes()


def test_weights_are_those_that_are_there_now(store, tmp_path):
    """Other weights of the same network are files of the same length."""
    client, variables = store

    def fetched(name="file.bin"):
        return processes.apart(fetch, f"s3://{BUCKET}/{name}", tmp_path, variables)

    client.put_object(Bucket=BUCKET, Key="file.bin", Body=b"one")
    assert fetched() == ("file.bin", b"one")
    client.put_object(Bucket=BUCKET, Key="file.bin", Body=b"two")
    assert fetched() == ("file.bin", b"two")
    with pytest.raises(FileNotFoundError, match=f"there is no s3://{BUCKET}/missing"):
        fetched("missing")


def test_what_is_missing_in_the_store_is_named(case, store, tmp_path):
    client, variables = store
    key = f"data/{NAMES['b']}/img_00020.jpg"
    client.delete_object(Bucket=BUCKET, Key=key)
    only_rgb = ("--modality", "rgb", "--weights", f"s3://{BUCKET}/rgb.weights.h5")
    target = tmp_path / "s.h5"
    done, result = evaluate(f"s3://{BUCKET}", target, *only_rgb, **variables)
    client.upload_file(str(case / key), BUCKET, key)
    assert done.returncode == console.EXIT_SOME_FAILED
    assert "img_00020.jpg is missing" in result["results"][0]["failed"][NAMES["b"]]
    # A folder that is not there at all.
    done, result = evaluate(f"s3://{BUCKET}/nothing", target, **variables)
    assert done.returncode == console.EXIT_USAGE
    assert f"s3://{BUCKET}/nothing" in result["error"]
    assert "Traceback" not in done.stderr


def official(data, variables):
    """The test videos of HMDB51's split 1, and what of the first five is there."""
    os.environ.update(variables)
    from tsn_keras.common import progress
    from tsn_keras.datasets import selection

    choice = Choice("hmdb51", 1, root=data)
    test = selection.find_test_set(choice, progress.SILENT)
    # Only two of 1530 have folders; asking for five is enough.
    few = dataclasses.replace(test, videos=test.videos[:5])
    return test.videos, selection.select(few, ("img_",), True)


def test_official_layouts_in_the_store(request, store):
    """Split files and frames of HMDB51, by folders of a bucket."""
    clips = request.getfixturevalue("clips")
    client, variables = store
    for path in (clips / "annotations" / "hmdb51").glob("*_split1.txt"):
        client.upload_file(str(path), BUCKET, f"hmdb51/annotations/{path.name}")
    folder = clips / "annotations" / "hmdb51"
    local = hmdb51.read_split(folder, 1)
    for number, video in enumerate(local.test[:2]):
        for k in range(1, 3 + number):
            key = f"hmdb51/{video.folder}/{video.id}/img_{k:05d}.jpg"
            client.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    videos, found = processes.apart(official, f"s3://{BUCKET}/hmdb51", variables)
    assert videos == local.test
    assert [f.id for f in found.folders] == [v.id for v in local.test[:2]]
    assert [f.files for f in found.folders] == [2, 3]
    assert len(found.missing) == 3


def test_endpoint_without_scheme_is_refused_at_once(store, tmp_path):
    _, variables = store
    bad = {**variables, "S3_ENDPOINT": variables["S3_ENDPOINT"].split("//")[1]}
    done, result = evaluate(f"s3://{BUCKET}", tmp_path / "s.h5", **bad)
    assert done.returncode == console.EXIT_USAGE
    assert "must begin with http:// or https://" in result["error"]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server(case):
    """A web server of the case's folder; returns its address."""
    handler = functools.partial(Quiet, directory=str(case))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_web_server(case, server, tmp_path):
    """Numbers of files are the list's: a web server lists no folders."""
    done, _ = evaluate(server, tmp_path / "remote.h5")
    assert done.returncode == 0, done.stderr
    check_same_scores(case, tmp_path)


def test_what_a_web_server_lacks_is_named(case, server, tmp_path):
    (case / "long.txt").write_text(f"{NAMES['a']} 8 0\n{NAMES['b']} 60 1\n")
    argv = ("--modality", "rgb", "--weights", f"{server}/rgb.weights.h5")
    argv += ("--annotations", f"{server}/long.txt")
    done, result = evaluate(server, tmp_path / "s.h5", *argv)
    assert done.returncode == console.EXIT_SOME_FAILED
    (reason,) = result["results"][0]["failed"].values()
    assert "/img_000" in reason
    assert "no such file" in reason
    done, result = evaluate(server, tmp_path / "t.h5", "--dataset", "hmdb51")
    assert done.returncode == console.EXIT_USAGE
    assert "does not list its folders" in result["error"]


def test_nobody_answers(tmp_path):
    done, result = evaluate("http://127.0.0.1:9", tmp_path / "s.h5")
    assert done.returncode == console.EXIT_USAGE
    assert "http://127.0.0.1:9" in result["error"]
    assert "Traceback" not in done.stderr


def test_paths_and_addresses():
    assert storage.path("a/b") == pathlib.Path("a/b")
    assert storage.path("~") == pathlib.Path.home()
    address = storage.path("s3://bucket/data/")
    assert str(address / "x #1" / "y.jpg") == "s3://bucket/data/x #1/y.jpg"
    assert address / "" == address
    assert (address / "y.jpg").name == "y.jpg"
    assert str(storage.path("http://h/d") / "x #1/é") == "http://h/d/x%20%231/%C3%A9"
    assert not storage.is_remote("C:/data")
    for bad in ("ftp://host/x", "file:///etc/passwd", "S3://bucket/x"):
        with pytest.raises(InputError, match="is not one of s3://"):
            storage.path(bad)
