"""The table of what hostile files did, under the tests' summary."""

COLUMNS = (
    *("kind", "files", "results", "errors", "slowest", "MiB"),
    *("hang", "memory", "traceback", "executed"),
)


def pytest_terminal_summary(terminalreporter):
    rows = [
        values
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, ())
        for name, values in getattr(report, "user_properties", ())
        if name == "hostile"
    ]
    if not rows:
        return
    terminalreporter.section("hostile files")
    rows.insert(0, {name: name for name in COLUMNS})
    widths = [max(len(str(row[name])) for row in rows) for name in COLUMNS]
    for row in rows:
        cells = zip((row[name] for name in COLUMNS), widths, strict=True)
        terminalreporter.write_line("  ".join(f"{c!s:>{w}}" for c, w in cells))
