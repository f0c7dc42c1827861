"""The page as text: whole, closed, escaped, and clear about what it lacks."""

import base64
import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from made_report import made_report

from bench.reports.page.html import page
from bench.reports.report_model import Figure, Report
from bench.reports.tables import Table


class Read(HTMLParser):
    """What a browser would see: ids, links, elements, and the text of table cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[dict[str, str | None]] = []
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.attributes |= found.keys()
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag == "a":
            self.links.append(found)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return made_report(tmp_path_factory.mktemp("splits"))


@pytest.fixture(scope="module")
def html(report: Report) -> str:
    return page(report)


@pytest.fixture(scope="module")
def read(html: str) -> Read:
    return Read(html)


def test_hostile_names_are_text(html: str, read: Read) -> None:
    assert read.tags.count("script") == 1
    assert not {name for name in read.attributes if name.startswith("on")}
    assert html.count("&lt;script&gt;alert(&#39;x&#39;)") > 10
    assert "\u202e" not in html and "\\u202e" in html
    assert "עברית" in html


def test_nothing_comes_from_elsewhere(html: str) -> None:
    """Only links, which are followed by hand, name other files; the policy allows nothing else."""
    assert not re.findall(r"<(?:link|img|script|iframe)[^>]*(?:src|href)=\"(?!data:)", html)
    assert "url(" not in html and "@import" not in html
    script = html.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy and f"script-src 'sha256-{digest}'" in policy[0]
    assert policy[0].startswith("default-src 'none';")


def test_ids_are_unique_and_every_inner_link_has_its_target(read: Read) -> None:
    assert len(read.ids) == len(set(read.ids))
    targets = {str(link["href"])[1:] for link in read.links if str(link["href"]).startswith("#")}
    assert targets <= set(read.ids)


def test_every_measured_mean_leads_to_its_records(report: Report, html: str, read: Read) -> None:
    keyed = [link for link in read.links if link.get("data-key", "-") != "-"]
    (ablation,) = (table for table in report.tables if table.title.startswith("Ablation"))
    place = ablation.columns.index(("measured", "mini_ucf"))
    for row, data in zip(ablation.texts, ablation.data, strict=True):
        mean = row[place].split()[0]
        found = data["metrics"]["mini_ucf.full.top1"]
        assert any(
            link["data-key"] == "mini_ucf.full.top1"
            and f"n = {found['n']} seeds" in str(link["data-tip"])
            and f"mean {found['mean']:.3f}".rstrip("0").rstrip(".") in str(link["data-tip"])
            for link in keyed
        ), mean
    assert "records-aurl" in {str(link["href"])[1:] for link in keyed}
    assert 'href="../../../results/records/mini/aurl.transfer.seed0.json"' in html


def test_a_published_number_leads_to_its_source(read: Read) -> None:
    tips = [str(link["data-tip"]) for link in read.links if "published-" in str(link["href"])]
    assert any("top1: 44.4" in tip and "Source: AURL poster" in tip for tip in tips)
    assert any("top1: 46.8" in tip and "25 clips" in tip for tip in tips)


def test_the_embedded_world_is_said_above_and_beside_its_numbers(
    report: Report, html: str, read: Read
) -> None:
    assert "no evidence about the paper" in html
    assert html.count(">measured, embedded world</th>") >= 2
    real = replace(report, is_embedded_world=False, tables=())
    assert "mbedded world" not in page(real)


def test_links_fit_the_place_of_the_page(report: Report) -> None:
    html = page(report, root="../..", figures="mini/figures")
    assert 'href="mini/figures/plane.png"' in html
    assert 'href="../../results/records/mini/aurl.transfer.seed0.json"' in html


def test_what_lacks_is_a_sentence(report: Report) -> None:
    html = page(report)
    assert "runs/ is not here; run &#39;x&#39;" in html
    empty = Table("Ablation, profile mini", [], [("", "method")], [], [], [])
    bare = Report("mini", "tiny", False, "no record", (empty,), (), (), {}, (), ())
    html = page(bare)
    for text in ("No record is here", "No rows", "No figures", "No clips", "dvc repro"):
        assert text in html
    assert "No tables" in page(replace(bare, tables=()))
    silent = Figure("x", "X", "text")
    assert "No reason is given" in page(replace(bare, figures=(silent,)))
    gone = replace(bare, videos_lacking="data/ is not here; run 'dvc pull'")
    assert "data/ is not here; run &#39;dvc pull&#39;" in page(gone)


def test_records_that_say_little_or_more_are_shown(report: Report) -> None:
    odd = {"x": {"x.transfer.seed0": {"status": "failed", "reason": "diverged", "decoder": "av"}}}
    html = page(replace(report, records=odd))
    assert "failed: diverged" in html and "1 record, 1 not ok" in html
    assert '<th scope="col">decoder</th>' in html
    assert "data-key=" not in html.partition('id="records"')[0]  # no row of a table is this one


def test_rows_whose_names_differ_in_marks_only_keep_apart(report: Report) -> None:
    records = {name: {f"{name}.seed0": {"status": "ok"}} for name in ("a b", "a/b", "a\nb")}
    read = Read(page(replace(report, records=records)))
    assert len([one for one in read.ids if one.startswith("records-a")]) == 3


def test_the_same_report_is_the_same_page(report: Report, html: str) -> None:
    assert page(report) == html


def test_pages_are_made_without_heavy_libraries() -> None:
    code = (
        "import sys, json, bench.reports.page.html;"
        "print(json.dumps(sorted({'torch', 'pandas', 'matplotlib'} & {*sys.modules})))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == []
