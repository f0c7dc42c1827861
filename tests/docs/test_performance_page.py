"""`make perf`: what it measures reaches the page, and what cannot be measured says why."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from project import ROOT

ROW = {
    "module": "step", "work": "a | b", "plain_s": 2.0, "fast_s": 0.5, "low": 3.5, "high": 4.25,
    "rounds": 7, "times": 4.0,
}  # fmt: skip


@pytest.fixture
def perf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Give benchmarks/perf.py as a module whose files lie in a folder of the test."""
    spec = importlib.util.spec_from_file_location("perf", ROOT / "benchmarks" / "perf.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, file in (("ROOT", ""), ("KEPT", "perf.json"), ("PAGE", "page.md")):
        monkeypatch.setattr(module, name, tmp_path / file)
    return module


def keep(perf: ModuleType, processor: str, rows: list[dict[str, object]]) -> None:
    machine = dict.fromkeys(("python", *perf.PACKAGES), "1") | {"cores": "2", "formats": "avx2"}
    machine |= {"processor": processor, "gpu": "", "cuda": ""}
    kept = {"day": "2026-01-02", "quick": False, "machine": machine, "rows": rows}
    perf.KEPT.write_text(json.dumps(kept))


def test_the_page_has_the_rows_and_the_machine_and_keeps_its_text(perf: ModuleType) -> None:
    lost = {"module": "words", "work": "words", "why": "No module named 'gensim'"}
    keep(perf, "Xeon", [ROW, lost])
    begin, end = perf.MARKS
    perf.PAGE.write_text(f"above\n{begin}\n{end}\nbelow\n")
    perf.write_page()
    text = perf.PAGE.read_text()
    assert text.startswith(
        f"above\n{begin}\n### Xeon (avx2), no GPU\n\nMeasured on 2026-01-02 on 2"
    )
    assert text.endswith(f"{end}\nbelow\n")
    assert f"| `step` | a / b | 4.00 | 3.50–4.25 | 7 | 2 s | 500 ms | {perf.AIMS['step']} |" in text
    assert "| `words` | words | not measured: No module named 'gensim' |" in text


def test_a_machine_measured_again_replaces_its_own_section_alone(perf: ModuleType) -> None:
    begin, end = perf.MARKS
    perf.PAGE.write_text(f"{begin}\n### Xeon (avx2), no GPU\n\nold\n\n### EPYC\n\nkept\n{end}\n")
    keep(perf, "Xeon", [ROW])
    perf.write_page()
    text = perf.PAGE.read_text()
    assert text.count("### Xeon") == 1 and "old" not in text
    assert text.endswith(f"|\n\n### EPYC\n\nkept\n{end}\n")


def test_a_benchmark_that_breaks_keeps_its_rows_and_says_why(
    perf: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {name: value for name, value in ROW.items() if name not in ("module", "times")}
    (tmp_path / "odd.py").write_text(
        "from ratio import Ratio\n"
        "def rows(quick):\n"
        f"    yield Ratio(**{fields})\n"
        "    raise RuntimeError('no GPU')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    first, second = perf.measured("odd", quick=True)
    assert first == ROW | {"module": "odd"}
    assert second["why"] == "RuntimeError: no GPU"


def test_the_committed_page_has_its_marks(perf: ModuleType) -> None:
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert all(page.count(mark) == 1 for mark in perf.MARKS)
