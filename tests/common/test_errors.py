"""Messages name settings as Python does; commands put their own words there."""

import pytest

from tsn_keras.common import console
from tsn_keras.common.errors import InputError, spelled

WORDS = {"data": "--data", "allow_missing=True": "--allow-missing", "split": "--split"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name it with `data`", "name it with --data"),
        ("or `allow_missing=True`: go", "or --allow-missing: go"),
        ("`split` is 4 of `data`", "--split is 4 of --data"),
        # The setting's word where its value has none.
        ('`data="x y"`', "--data"),
        ("`unknown`, `data.root`, data, ``", "`unknown`, `data.root`, data, ``"),
    ],
)
def test_spelled(text, expected):
    assert spelled(text, WORDS) == expected


def test_a_command_spells_errors_and_results():
    class Missing(InputError):
        pass

    @console.command(WORDS)
    def main(argv=None):
        if argv:
            raise Missing("where is `data`?")
        return {"failed": {"v": ["add `allow_missing=True`"]}, "count": 3}, 1

    with pytest.raises(Missing, match="^where is --data\\?$"):
        main(["x"])
    assert main() == ({"failed": {"v": ["add --allow-missing"]}, "count": 3}, 1)
