"""A page as one HTML file: text, data, script and pictures."""

import base64
import hashlib
import importlib.metadata
import importlib.resources
import json
import platform

import jinja2
import markupsafe

import tsn_keras
from tsn_keras.common.errors import printable
from tsn_keras.reports import drawing
from tsn_keras.reports.contents import Contents
from tsn_keras.reports.gathering import MOST_PICTURES
from tsn_keras.reports.records import Page

_FOLDER = "templates"
_SCRIPTS = ("tables.js", "videos.js", "confusion.js", "charts.js")
_PACKAGES = ("numpy", "jinja2")
# What an HTML parser would take for the end of a script, or for markup.
_UNSAFE = {ord(c): f"\\u{ord(c):04x}" for c in "<>&"}


def html(page: Page) -> bytes:
    """The page as the bytes of an HTML file that needs no other, and no network.

    A policy in it (Content-Security-Policy) lets no script run but its own, by their
    digests, and nothing be loaded: names of videos and classes may be strangers'.
    """
    # As many pictures, however many tests.
    most = max(1, MOST_PICTURES // len(page.tests))
    tests = [Contents(test, most) for test in page.tests]
    # In a block: names of the scripts do not meet.
    vega = f"(function(){{{_harmless(drawing.script())}}})();"
    own = f"(function(){{'use strict';\n{_own_script()}}})();"
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tsn_keras.reports", _FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = printable
    text = environment.get_template("report.html").render(
        page=page,
        tests=tests,
        headings=page.rows[0].headings,
        versions=versions(),
        style=markupsafe.Markup(_read("report.css")),
        scripts=[markupsafe.Markup(one) for one in (vega, own)],
        digests=[_digest(one) for one in (vega, own)],
        data=markupsafe.Markup(encoded([one.data() for one in tests])),
    )
    # Names may have halves of characters, which UTF-8 has not.
    return text.encode("utf-8", "replace")


def encoded(values) -> str:
    """JSON that may stand in a script element.

    Example:
        >>> print(encoded({"a": "</script>"}))
        {"a":"\\u003c/script\\u003e"}
    """
    text = json.dumps(values, allow_nan=False, separators=(",", ":"))
    return text.translate(_UNSAFE)


def versions() -> dict[str, str]:
    """{package: version} of what made the page."""
    return {
        "tsn_keras": tsn_keras.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
        **drawing.versions(),
    }


def _harmless(script):
    """JavaScript without what would end its element; the same to a browser."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _own_script():
    return _harmless("\n".join(map(_read, _SCRIPTS)))


def _read(name):
    folder = importlib.resources.files("tsn_keras.reports") / _FOLDER
    return (folder / name).read_text(encoding="utf-8")


def _digest(script):
    """What the policy says of a script that may run."""
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
