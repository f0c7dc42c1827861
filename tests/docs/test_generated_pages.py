"""Pages that `make docs` writes are what it would write now, and so are numbers in the others."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest
from project import ROOT, run_bench
from ruamel.yaml import YAML


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    """Give benchmarks/reference.py as a module."""
    path = ROOT / "benchmarks" / "reference.py"
    spec = importlib.util.spec_from_file_location("reference", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_the_commands(reference: ModuleType) -> None:
    made = reference.commands()
    there = {path.name: page(f"cli/{path.name}") for path in (ROOT / "docs" / "cli").iterdir()}
    assert there == made, "run 'make docs'"


def test_the_rooms(reference: ModuleType) -> None:
    assert page("architecture.md") == reference.rooms(), "run 'make docs'"


@pytest.mark.usefixtures("committed_results")
def test_the_seeds_and_the_width_that_the_statistics_quote() -> None:
    command = "compare aurl base_ls -p mini -d mini_ucf"
    out = run_bench(ROOT, *command.split(), "--resamples", "100").out
    low, high = re.findall(r"(?m)^  t +-(\S+) to +\+(\S+)", out)[0]
    seeds, allowed = re.findall(r"1 point +(\d+) per row .* allows (.*)", out)[0]
    stays = re.findall(r"with more seeds +about ± (\S+)", out)[0]
    text = " ".join(page("statistics.md").split())
    half = (float(low) + float(high)) / 2
    assert f"{seeds} seeds per row for 1 point ({allowed})" in text
    assert (
        f"about ± {stays} of the ± {half:.1f} stays however many are run (`bench {command}`)"
        in text
    )


@pytest.mark.usefixtures("committed_results")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sweeps.md", "sweep tau -p mini -f md"),
        ("tutorial.md", "table -w ablation -p mini -f md"),
    ],
)
def test_committed_rows_that_a_page_shows(name: str, words: str) -> None:
    def rows(text: str) -> list[list[str]]:
        lines = [line for line in text.splitlines() if line.startswith("| ") and " ± " in line]
        return [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines]

    committed = rows(run_bench(ROOT, *words.split()).out)
    shown = [row for row in rows(page(name)) if row[0] in {one[0] for one in committed}]
    assert shown
    for row in shown:  # a page may leave columns out
        assert any(set(row) <= set(one) for one in committed), row


def test_every_stage_stands_in_the_architecture_and_in_the_picture() -> None:
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    picture = page("figures/data-flow-light.svg")
    for name in stages:
        assert f"| `{name}` |" in page("architecture.md")
        assert name in picture


@pytest.mark.parametrize("name", ["light", "dark"])
def test_the_picture_holds_all_it_shows(name: str) -> None:
    path: Path = ROOT / "docs" / "figures" / f"data-flow-{name}.svg"
    assert path.stat().st_size < 100_000
    for element in ElementTree.parse(path).iter():
        for attribute, value in element.attrib.items():
            if attribute.endswith("href"):
                assert value.startswith("data:image/jpeg;base64,")
