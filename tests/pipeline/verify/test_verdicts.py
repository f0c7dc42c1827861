"""Identical, within tolerance, different: what a repeat of a record is called."""

from typing import Any

import pytest

from bench.experiments.record import Coverage, Record
from bench.pipeline.verify.rerun import compare

HERE = {"device": "cpu", "capability": "AVX512", "torch": "2.14.1"}


def record(**other: Any) -> Record:
    values: dict[str, Any] = {
        "profile": "mini", "row": "aurl", "method": "aurl", "label": "AURL", "split": "transfer",
        "seed": 0, "status": "ok", "environment": HERE, "parts": {"core": "c", "method": "m"},
        "metrics": {"ucf.full.top1": 80.0, "ucf.full.closeness": 0.25},
        "embeddings": {"ucf": "e"}, "videos": {"ucf.full": {"full": 8}},
        "right": {"ucf.full": {"full": "f0"}}, "steps": 100, "data": {"ucf": "d"},
        "coverage": {"ucf": Coverage(digest="d", expected=8, scored=8)},
        "parameters": {"train": {"lr": 0.1}, "input": {"size": 24, "workers": 0}},
    }  # fmt: skip
    return Record(**(values | other))


def near(top1: float, closeness: float = 0.25, **other: Any) -> Record:
    metrics = {"ucf.full.top1": top1, "ucf.full.closeness": closeness}
    return record(metrics=metrics, embeddings={"ucf": "f"}, **other)


ELSEWHERE = {"environment": HERE | {"capability": "AVX2"}}


@pytest.mark.parametrize(
    ("again", "word", "said"),
    [
        (record(), "identical", "2 metrics, 1 sets of embeddings, to the last bit"),
        (record(**ELSEWHERE), "identical", "capability AVX2, recorded AVX512"),
        (record(environment={"cpu": "named only now"}), "identical", ""),
        (record(parts={"core": "c", "method": "given in full"}), "identical", ""),
        (record(parameters={"train": {"lr": 0.1}, "input": {"size": 24, "workers": 8}}),
         "identical", ""),
        (near(80.5, **ELSEWHERE), "within tolerance", "tolerance 1 points, 0.01 of a distance"),
        (near(80.5), "different", "ucf.full.top1: 80.5, recorded 80 (+0.5)"),
        (near(78.5, **ELSEWHERE), "different", "ucf.full.top1: 78.5, recorded 80 (-1.5)"),
        (near(80, 0.27, **ELSEWHERE), "different", "ucf.full.closeness: 0.27, recorded 0.25"),
        (record(embeddings={"ucf": "f"}), "different", "the metrics agree, embeddings of ucf"),
        (record(right={"ucf.full": {"full": "0f"}}), "different", "the metrics agree, right"),
        (record(metrics={"ucf.full.top1": 80.0}), "different", "closeness: recorded, not measured"),
        (record(parts={"core": "d", "method": "m"}), "identical", "other code: core"),
        (record(parts={"core": "c", "method": "m", "words": "w"}), "different",
         "not made as recorded: words"),
        (record(embeddings={}), "different", "the metrics agree, embeddings of ucf"),
        (record(metrics_best_on_test={"ucf.full.top1": 90.0}), "different",
         "best on test, ucf.full.top1: measured now, not recorded"),
        (record(coverage={"ucf": Coverage(digest="d", expected=8, scored=7)}, **ELSEWHERE),
         "different", "not made as recorded: coverage"),
        (record(steps=99), "different", "not made as recorded: steps"),
        (record(data={"ucf": "other"}), "different", "not made as recorded: data"),
        (record(parameters={"train": {"lr": 0.2}, "input": {"size": 24, "workers": 0}}),
         "different", "not made as recorded: parameters.train"),
    ],
)  # fmt: skip
def test_the_verdict(again: Record, word: str, said: str) -> None:
    found = compare(record(), again, points=1.0)
    assert (found.word, found.stands) == (word, word != "different")
    assert said in "; ".join(found.details)


def test_no_tolerance_at_all() -> None:
    assert compare(record(), near(80.001, **ELSEWHERE), points=0).word == "different"


def test_five_metrics_are_named_the_worst_first() -> None:
    metrics = {f"ucf.{i}.top1": float(i) for i in range(8)}
    found = compare(record(metrics=metrics), record(metrics={k: 0.0 for k in metrics}), 1.0)
    assert found.details[0].startswith("ucf.7.top1: 0, recorded 7")
    assert found.details[-1] == "and 2 more metrics"
