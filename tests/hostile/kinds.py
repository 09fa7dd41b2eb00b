"""The kinds of files that commands read: good ones, bad ones, and their readers."""

import annotation_kinds
import array_kinds
import download_kinds
import foreign_kinds
import hdf5_kinds
import mat_kinds
import picture_kinds
import text_kinds
from harness import Kind

MODULES = (
    hdf5_kinds,
    array_kinds,
    foreign_kinds,
    download_kinds,
    text_kinds,
    annotation_kinds,
    mat_kinds,
    picture_kinds,
)


def every():
    """The kinds; {name: function that makes its Kind}."""
    return {
        name: lambda name=name, suffix=suffix, make=make, read=read: Kind(
            name, suffix, *make(), read
        )
        for module in MODULES
        for name, (suffix, make, read) in module.kinds().items()
    }
