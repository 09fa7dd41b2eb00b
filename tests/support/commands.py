"""The files of the commands whose names the package gives to functions."""

import importlib

NAMES = ("extract", "fuse", "train")
extract, fuse, train = (importlib.import_module(f"tsn_keras.{n}") for n in NAMES)
