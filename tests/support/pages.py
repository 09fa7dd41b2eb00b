"""Score files for report pages, and what stands in a page."""

import html.parser
import json
import re

import numpy as np

from tsn_keras.scores import score_file
from tsn_keras.scores.score_file import VideoScores

HOSTILE = "</script><img src=x onerror=window.hacked=1>&\"'`{{7*7}}\u202e"


def names(classes):
    return [f"class_{k}" for k in range(classes)]


def draw(videos, classes, seed, sets=None):
    """Random scores that favour the labels: float32 [V, C]; labels k % C."""
    random = np.random.default_rng(seed)
    scores = random.normal(size=(videos, classes)).astype(np.float32)
    for k in range(videos):
        scores[k, list(sets[k]) if sets else k % classes] += 2
    return scores


def write(path, scores, *, classes=None, sets=None, ids=None, about=None, loss=None):
    """Writes a score file of one snippet and crop; returns its path as text."""
    videos, count = scores.shape
    ids = ids or [f"video_{k}" for k in range(videos)]
    told = {"dataset": "set", "split": 1, "modality": path.stem, **(about or {})}
    if loss:
        told["loss"] = loss
    rows = [
        VideoScores(
            *(ids[k], (sets[k] or (-1,))[0] if sets else k % count, 30),
            *(scores[k][None, None], tuple(sets[k]) if sets else ()),
        )
        for k in range(videos)
    ]
    score_file.write(path, rows, classes=classes or names(count), about=told, failed={})
    return str(path)


class Parsed(html.parser.HTMLParser):
    """A page: its elements, its texts, the data of its script.

    Attributes:
        tags: {name of an element: how many there are}.
        attributes: list of (element, attribute, value).
        words: all texts but scripts and styles.
        scripts: texts of the scripts that run.
        data: the JSON.
    """

    def __init__(self, content):
        super().__init__()
        self.tags, self.attributes, self.scripts = {}, [], []
        self.words, self._in, self._json = "", None, ""
        self.feed(content.decode())
        self.close()
        self.data = json.loads(self._json)

    def handle_starttag(self, tag, attrs):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.attributes += [(tag, *pair) for pair in attrs]
        self._in = tag
        if tag == "script":
            self._in = dict(attrs).get("type", "script")
            self.scripts += [""] if self._in == "script" else []

    def handle_endtag(self, tag):
        self._in = None

    def handle_data(self, data):
        if self._in == "application/json":
            self._json += data
        elif self._in == "script":
            self.scripts[-1] += data
        elif self._in != "style":
            self.words += data

    @property
    def policy(self):
        """The page's Content-Security-Policy."""
        contents = [value for _, name, value in self.attributes if name == "content"]
        return next(value for value in contents if "default-src" in value)

    @property
    def addresses(self):
        """What elements would load, without pictures that are in the page."""
        loading = ("src", "href", "srcset", "action", "data")
        found = [value for _, name, value in self.attributes if name in loading]
        return [one for one in found if not re.match(r"#|data:image/jpeg;", one)]
