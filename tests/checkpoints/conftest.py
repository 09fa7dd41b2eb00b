"""What the tests of PyTorch's files share."""

import resource
import time

import pytest
from torch_writer import FORMS

from tsn_keras.checkpoints import torch_file


@pytest.fixture(params=FORMS)
def form(request):
    return FORMS[request.param]


@pytest.fixture
def read(tmp_path):
    """Function that reads bytes as a file is read, within seconds and memory."""

    def read(data):
        path = tmp_path / "a.pth"
        path.write_bytes(data)
        begin, before = time.process_time(), _peak()
        try:
            return torch_file.read(path)
        finally:
            assert time.process_time() - begin < 5
            assert _peak() - before < 2**29

    return read


def _peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
