"""Class names, labels and reasons of any text: words, and tables that they cannot break out of."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fuzzing import Target, fuzz
from hostile import NAMES
from hypothesis import strategies as st

from bench.config.profile import row_id
from bench.data.folders import inside
from bench.data.reference.class_names import finder, key
from bench.data.words.class_vectors import class_words
from bench.errors import UserError
from bench.features.text_encoder import spoken, words_in
from bench.reports.tables import FORMATS, render
from bench.reports.tables.typed_table import Table

_NAME = (
    st.sampled_from(NAMES)
    | st.text(max_size=40)
    | st.text("<>&\"'%_\\$#{}^~|*`=+-@\t\r\n-", max_size=9)
)


def _words(names: list[str], folder: Path) -> None:
    for dataset in ("ucf101", "kinetics700", "toy", names[0]):
        words = class_words(dataset, names)
        assert list(words) == list(dict.fromkeys(names))
        assert all(word and not re.search(r"\s", word) for of in words.values() for word in of)
    find = finder("class", names)
    for name in names:
        assert key(find(name)) == key(name)
        spoken(name), words_in(name), row_id(name, {name: name})
    with pytest.raises(UserError):
        find("no such name")


def _paths(name: str, folder: Path) -> None:
    plain = inside(name, "list.csv")
    assert (folder / plain).resolve().is_relative_to(folder.resolve())


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags = set[str]()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)


def _rendered(names: list[str], folder: Path) -> None:
    a, b, c = names[0], names[-1], names[len(names) // 2]
    columns = [("", "method"), (a, b), ("measured", c)]
    table = Table(a, [b], columns, [[a, b, c], [c, b, a]], [c], [{"method": a}])
    texts = {fmt: render(table, fmt) for fmt in FORMATS}
    for text in texts.values():
        text.encode()
    tags = _Tags()
    tags.feed(texts["html"])
    assert tags.tags <= {"html", "head", "meta", "title", "style", "body", "h1", "p", "table",
                         "thead", "tbody", "tr", "th", "td", "ul", "li"}  # fmt: skip
    body = [line for line in texts["latex"].splitlines() if line.endswith(r" \\")]
    assert len(body) == 3 + (r"\multicolumn" in texts["latex"]) or len(body) in (3, 4)
    for line in body:
        bare = re.sub(r"\\[&%$#_{}]", "", line)
        assert ("%" not in bare and bare.count("&") == 2) or r"\multicolumn" in bare, line
    lines = [line for line in texts["md"].splitlines() if line.startswith("|")]
    assert len(lines) == 4, texts["md"]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1, lines
    for row in csv.reader(io.StringIO(texts["csv"], newline="")):
        for cell in row:
            assert not re.match(r"[=@\t\r]|[+-](?![\d.∞])", cell), cell
    json.loads(texts["json"])


_NAMES = st.lists(_NAME, min_size=1, max_size=5)
TARGETS = [
    Target("class names", _NAMES, _words, share=3, short=20),
    Target("paths in lists", _NAME, _paths, share=6, short=60),
    Target("names in tables, every format", _NAMES, _rendered, share=8, short=60),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.name)
def test_names(target: Target, tmp_path: Path) -> None:
    assert sum(fuzz(target, tmp_path, target.short).values())


def test_half_a_surrogate_pair_can_be_written_in_every_format(tmp_path: Path) -> None:
    _rendered(["\ud800", "`"], tmp_path)  # the first of the cells is the JSON form's as well
