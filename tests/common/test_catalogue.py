"""Records by name, and what is said of names that are not there."""

import dataclasses

import pytest

from tsn_keras.common.catalogue import Catalogue
from tsn_keras.common.errors import InputError


@dataclasses.dataclass(frozen=True)
class Fruit:
    name: str


def test_find():
    fruits = Catalogue("fruit", (Fruit("apple"), Fruit("pear")))
    assert list(fruits) == ["apple", "pear"]
    assert fruits.find("pear") is fruits["pear"]
    for name in ("plum", None, 3, ["apple"], "x" * 500):
        with pytest.raises(InputError, match="there is no fruit") as error:
            fruits.find(name, where="a.h5")
        assert str(error.value).startswith("a.h5: there is no fruit ")
        assert str(error.value).endswith("; there are: apple, pear")
        assert len(str(error.value)) < 200


def test_two_records_of_one_name():
    with pytest.raises(ValueError, match="two records of the kind fruit"):
        Catalogue("fruit", (Fruit("apple"), Fruit("apple")))
