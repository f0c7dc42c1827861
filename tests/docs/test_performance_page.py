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


def test_the_page_has_the_rows_and_the_machine_and_keeps_its_text(perf: ModuleType) -> None:
    machine = dict.fromkeys(("python", *perf.PACKAGES), "1") | {"cores": "2", "formats": "avx2"}
    machine |= {"processor": "Xeon", "gpu": "", "cuda": ""}
    lost = {"module": "words", "work": "words", "why": "No module named 'gensim'"}
    kept = {"day": "2026-01-02", "quick": False, "machine": machine, "rows": [ROW, lost]}
    perf.KEPT.write_text(json.dumps(kept))
    begin, end = perf.MARKS
    perf.PAGE.write_text(f"above\n{begin}\nold\n{end}\nbelow\n")
    perf.write_page()
    text = perf.PAGE.read_text()
    assert text.startswith(f"above\n{begin}\nMeasured on 2026-01-02: Xeon, 2 cores")
    assert text.endswith(f"{end}\nbelow\n") and "old" not in text
    assert f"| `step` | a / b | 4.00 | 3.50–4.25 | 7 | 2 s | 500 ms | {perf.AIMS['step']} |" in text
    assert "| `words` | words | not measured: No module named 'gensim' |" in text


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
