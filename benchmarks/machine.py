"""Facts about the machine and the libraries, for the rows of a result file."""

import csv
import datetime
import importlib.metadata
import os
import pathlib
import platform

BACKENDS = ("tensorflow", "jax", "torch")
LIBRARIES = (
    *(*BACKENDS, "keras", "numpy", "onnxruntime", "openvino"),
    *("opencv-contrib-python-headless", "av", "decord"),
)


def facts():
    """Dict of date, processor, cores, instruction sets and versions."""
    cpu, flags = platform.processor(), set()
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                cpu = value.strip()
            if key.strip() == "flags":
                flags |= set(value.split())
    known = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    versions = []
    for name in LIBRARIES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "instructions": " ".join(flag for flag in known if flag in flags),
        "python": platform.python_version(),
        "versions": "; ".join(versions),
    }


def append(path, rows):
    """Appends rows (dicts of the same keys) to a CSV file, with a header."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        if new:
            writer.writeheader()
        writer.writerows(rows)
