"""The tables of the pages are those of the benchmarks' results."""

import re

import pytest
import write_tables as tables


@pytest.mark.parametrize("page", tables.PAGES, ids=lambda page: page.parent.name)
def test_pages_are_up_to_date(page):
    text = page.read_text(encoding="utf-8")
    assert "<!-- table " in text
    assert tables.written(text) == text


def test_every_table_stands_somewhere():
    pages = "".join(page.read_text(encoding="utf-8") for page in tables.PAGES)
    assert set(re.findall(r"<!-- table (\w+) -->", pages)) == set(tables.TABLES)


def test_another_number_is_found(tmp_path):
    table = tables.Table(
        "x.csv",
        (("what", "what", str), ("ours over it", "ratio", tables._ratio)),
        {"what": ("a", "b")},
    )
    head = "date,cpu,cores,instructions,versions,what,ratio\n"
    about = "AMD,2,avx2,keras 3"
    rows = [
        f"2026-01-02,{about},a,1.0",
        f"2026-01-02,{about},b,1.416",
        f"2026-01-02,{about},c,2",
        f"2025-01-02,{about},a,9",  # an older sitting
    ]
    (tmp_path / "x.csv").write_text(head + "\n".join(rows))
    page = "text\n<!-- table t -->\nold\n<!-- end -->\nmore\n"
    found = tables.written(page, {"t": table}, tmp_path)
    assert found == (
        "text\n<!-- table t -->\n| what | ours over it |\n|---|---|\n| a |  |\n"
        "| b | 1.42 |\n\n(2026-01-02, AMD, 2 cores, avx2; keras 3)\n<!-- end -->\n"
        "more\n"
    )
    assert tables.written(found, {"t": table}, tmp_path) == found


def test_a_table_that_was_not_measured_yet(tmp_path):
    page = "<!-- table t -->\n<!-- end -->\n"
    found = tables.written(page, {"t": tables.Table("x.csv", ())}, tmp_path)
    assert found == "<!-- table t -->\n(not measured yet)\n<!-- end -->\n"
    assert tables.written(found, {"t": tables.Table("x.csv", ())}, tmp_path) == found
