"""Leaks made up on purpose, one of each kind, and what the audit must not claim."""

import json
from pathlib import Path
from typing import Any

import leaky
import numpy as np
import pytest
from project import ROOT, Bench, split_json

from bench.evaluation.leakage import Named, compare

FEATURES = "profiles.leaky.pretrained.features"


@pytest.fixture
def audited(project: Path, bench: Bench) -> Any:
    """Give a function that audits the made-up profile from the command line."""

    def run(*words: str) -> Any:
        ended = bench("audit", *words, "--json")
        assert ended.code == 0, ended
        return json.loads(ended.out)

    return run


def seen(found: Any, source: str, dataset: str = "test") -> dict[str, str]:
    return {one["name"]: one["by"] for one in found["sources"][source]["tests"][dataset]["seen"]}


def row(found: Any, name: str) -> Any:
    return next(one for one in found["rows"] if one["row"] == name)


def named(name: str, *vector: float) -> Named:
    return Named(name, frozenset(name.lower().split()), np.array(vector) if vector else None)


def test_a_class_is_seen_by_its_name_in_any_spelling_and_order() -> None:
    tests = [named("swinging circle"), named("Pull-Ups"), named("star rising")]
    found = compare(tests, [named("circle swinging"), named("pull_ups")], 0.05)["seen"]
    assert [(one["name"], one["by"]) for one in found] == [
        ("Pull-Ups", "name"), ("swinging circle", "words"),
    ]  # fmt: skip
    assert {one["distance"] for one in found} == {None}


@pytest.mark.parametrize(("angle", "count"), [(0.31, 1), (0.32, 0)])  # 1 − cos: 0.0477, 0.0508
def test_a_class_is_seen_below_tau_and_not_above(angle: float, count: int) -> None:
    near = named("b", np.cos(angle), np.sin(angle))
    found = compare([named("a", 1, 0)], [near, named("c", 0, 1)], 0.05)
    assert len(found["seen"]) == count
    assert found["nearest"] == {
        "name": "a", "source": "b", "distance": pytest.approx(1 - np.cos(angle), abs=1e-6),
    }  # fmt: skip


def test_with_tau_off_the_training_set_holds_test_classes(project: Path, audited: Any) -> None:
    leaky.transfer(project, tau=0)
    leaky.built(project)
    found = audited("aurl")
    assert (found["tau"], found["excluded"]) == (0.05, False)
    assert seen(found, "training") == {"Juggling": "name", "square bouncing": "distance"}
    (flag,) = row(found, "aurl")["flags"]
    assert flag == (
        "2 of 3 test classes of test seen in training: Juggling (the same name), "
        "square bouncing (0.000 from box bouncing)"
    )


def test_what_tau_left_out_was_not_seen(project: Path, audited: Any) -> None:
    leaky.transfer(project, tau=0.05)
    leaky.built(project, kept={"box bouncing": False})
    found = audited("aurl")
    assert seen(found, "training") == {"Juggling": "name"}  # far apart by its vector, so τ keeps it
    assert found["sources"]["training"]["left_out"] == 1


def test_without_vectors_the_overlap_file_has_the_distances(project: Path, audited: Any) -> None:
    leaky.transfer(project, tau=0)
    leaky.built(project, words=False)
    assert seen(audited(), "training") == {"Juggling": "name", "square bouncing": "distance"}


def test_the_pretext_concerns_the_methods_that_take_its_features(
    project: Path, audited: Any
) -> None:
    leaky.transfer(project, tau=0.05, pretrain_on="pretext")
    leaky.built(project, {c: False for c in leaky.TRAIN}, {"Diving": (0, 0, 1)})
    found = audited()
    assert seen(found, "features") == {"diving": "name"}
    assert row(found, "aurl")["flags"] == []
    (flag,) = row(found, "eszsl")["flags"]
    assert "seen in pre-training (features: network trained on pretext): diving" in flag


def test_videos_are_the_same_by_digest_or_by_youtube_id(project: Path, audited: Any) -> None:
    sets = {
        "kinetics400": {"kind": "videos", "root": "k"},
        "activitynet200": {"kind": "videos", "root": "a", "protocols": ["full"]},
    }
    leaky.write(
        project,
        {"title": "ids", "datasets": sets, "train_on": "kinetics400", "words": {"kind": "corpus"}},
    )
    ids = {"x/abcdefghijk_000012_000022.mp4": "", "x/other.mp4": "5e"}
    leaky.index(project, "kinetics400", ids, ["x"])
    theirs = {"y/v_abcdefghijk.mp4": "", "y/v_zzzzzzzzzzz.mp4": "5e", "y/plain.mp4": ""}
    leaky.index(project, "activitynet200", theirs, ["y"])
    shared = audited()["sources"]["training"]["videos"]["activitynet200"]
    assert shared == {
        "by": "digest, YouTube id", "compared": 2, "shared": 2,
        "names": ["y/v_abcdefghijk.mp4", "y/v_zzzzzzzzzzz.mp4"],
    }  # fmt: skip


def test_shared_videos_are_no_clean_row_and_each_copy_counts(project: Path, bench: Bench) -> None:
    leaky.transfer(project, tau=0.05)
    leaky.built(project, {c: False for c in leaky.TRAIN})
    leaky.index(project, "train", {"chess/a.mp4": "5e"}, list(leaky.TRAIN))
    copies = {"diving/b.mp4": "5e", "diving/c.mp4": "5e", "diving/d.mp4": "6f"}
    leaky.index(project, "test", copies, list(leaky.TEST))
    lines = bench("audit", "aurl").out.splitlines()
    assert "  videos of test: 2 of 3 shared by digest (diving/b.mp4, diving/c.mp4)" in lines
    assert next(one for one in lines if one.startswith("aurl ")).split("  ")[1] == (
        "training: 2 videos (test)"
    )


def test_names_alone_are_no_measured_none(project: Path, bench: Bench) -> None:
    leaky.transfer(project, tau=0.05, pretrain_on="pretext")
    leaky.built(project, {c: False for c in leaky.TRAIN}, words=False)
    last = bench("audit", "eszsl").out.splitlines()[-1]
    assert "features: none by name" in last


def test_an_input_that_the_profile_does_not_describe_is_said(project: Path, bench: Bench) -> None:
    leaky.transfer(project, tau=0.05)
    leaky.built(project, {c: False for c in leaky.TRAIN})
    last = bench("audit", "eszsl").out.splitlines()[-1]
    assert "training: none; features: unknown, the profile does not" in last


def test_videos_without_ids_are_not_said_to_be_apart(project: Path, bench: Bench) -> None:
    leaky.transfer(project)
    leaky.built(project)
    assert "video ids: the profile has no lists" in bench("audit").out


def test_a_backbone_that_nobody_describes_cannot_be_excluded(project: Path, audited: Any) -> None:
    leaky.transfer(project, tau=0.05, network={"weights": "w.safetensors"})
    leaky.built(project, {c: False for c in leaky.TRAIN})
    found = audited()
    assert FEATURES in found["sources"]["features"]["unknown"]
    (flag,) = row(found, "eszsl")["flags"]
    assert flag.startswith("cannot be excluded") and "w.safetensors" in flag
    assert row(found, "aurl")["flags"] == []


def test_a_declared_class_list_is_compared(project: Path, audited: Any) -> None:
    more = {"network": {"weights": "w"}, "pretrained": {"features": ["own.txt", "kinetics400"]}}
    leaky.transfer(project, tau=0.05, **more)
    leaky.built(project)
    (project / "own.txt").write_text("Diving\n\nchess\n")
    found = audited()
    assert seen(found, "features") == {"diving": "name"}  # Kinetics-400 has other names
    assert found["sources"]["features"]["classes"] == 402


def test_an_audit_of_another_class_list_does_not_count(project: Path, bench: Bench) -> None:
    more = {"network": {"weights": "w"}, "pretrained": {"features": ["own.txt"]}}
    leaky.transfer(project, tau=0.05, **more)
    leaky.built(project)
    (project / "own.txt").write_text("chess\n")
    assert bench("stage", "audit").code == 0
    assert "from the audit stage" in bench("audit").out
    (project / "own.txt").write_text("Diving\n")
    assert "computed now" in bench("audit").out


def test_wrong_declarations_are_one_line(project: Path, bench: Bench) -> None:
    for declared, said in (("kinetics4000", "did you mean 'kinetics400'?"), ("a.txt", "cannot be")):
        more = {"network": {"weights": "w"}, "pretrained": {"features": [declared]}}
        leaky.transfer(project, **more)
        ended = bench("audit")
        assert (ended.code, ended.out) == (2, "")
        assert said in ended.err and ended.err.count("\n") == 1


def test_same_names_of_other_words_pass_the_exclusion_of_the_paper(
    project: Path, audited: Any
) -> None:
    names = {"kinetics700": (), "ucf101": ("full",), "hmdb51": ("full",)}
    sets = {n: {"kind": "videos", "root": n, "protocols": list(p)} for n, p in names.items()}
    profile = {"title": "", "datasets": sets, "train_on": "kinetics700", "tau": 0.05}
    leaky.write(project, profile | {"words": {"kind": "corpus"}})
    found = audited()
    assert found["sources"]["training"]["left_out"] == 36
    assert set(seen(found, "training", "ucf101")) == {
        "PullUps", "Shotput", "SkateBoarding", "SkyDiving", "TaiChi",
    }  # fmt: skip
    assert set(seen(found, "training", "hmdb51")) == {"pushup"}


def test_image_text_pairs_from_the_web_cannot_be_excluded(project: Path, audited: Any) -> None:
    leaky.transfer(project, tau=0.05, inputs={"clip": {"folder": "vit"}})
    leaky.built(project, {c: False for c in leaky.TRAIN})
    (flag,) = row(audited("clip"), "clip")["flags"]
    assert flag.startswith("cannot be excluded") and "clip: vit (image-text pairs" in flag


def test_seen_and_unseen_classes_of_a_draw_may_be_near_twins(project: Path, audited: Any) -> None:
    sets = {"test": {"kind": "features", "file": "f.npz", "protocols": ["fifty-fifty"]}}
    words = {"kind": "class_vectors", "files": {"test": "w.npz"}}
    leaky.write(project, {"title": "draws", "datasets": sets, "words": words, "tau": 0})
    leaky.built(project)
    splits = [
        {"name": "00", "seen": ["square bouncing", "diving"], "unseen": ["Juggling"]},
        {"name": "01", "seen": ["Juggling"], "unseen": ["square bouncing", "diving"]},
    ]
    names = ["Juggling", "square bouncing", "diving"]
    vectors = np.array([(1, 0, 0), (1, 0.1, 0), (0, 0, 1)], np.float32)
    np.savez(
        project / "data/leaky/words/classes.npz",
        **{"test.names": np.array(names), "test.vectors": vectors},
    )
    file = project / "splits/leaky/test.fifty-fifty.json"
    file.write_text(split_json({"definition": "", "digest": "x", "splits": splits}))
    found = audited()
    twins = found["sources"]["training test.fifty-fifty"]["tests"]["test"]["seen"]
    assert [(one["name"], one["source"], one["draws"]) for one in twins] == [
        ("Juggling", "square bouncing", 1), ("square bouncing", "Juggling", 1),
    ]  # fmt: skip
    flags = row(found, "base_ls")["flags"]
    assert len(flags) == 2  # the twins; and what made f.npz is not declared
    assert any(flag.startswith("cannot be excluded") and "f.npz" in flag for flag in flags)


def test_a_damaged_audit_is_said_and_one_of_other_splits_does_not_count(
    project: Path, bench: Bench
) -> None:
    leaky.transfer(project, tau=0)
    leaky.built(project)
    assert bench("stage", "audit").code == 0
    assert "from the audit stage" in bench("audit").out
    stored = project / "results/audit/leaky.json"
    whole = stored.read_text()
    stored.write_text(whole.replace('"what"', '"that"', 1))
    ended = bench("table")
    assert ended.code == 2 and "damaged" in ended.err and ended.err.count("\n") == 1
    stored.write_text(whole)
    file = project / "splits/leaky/test.full.json"
    file.write_text(file.read_text().replace('"digest": "f"', '"digest": "g"'))
    assert "computed now" in bench("audit").out


def test_the_committed_audit_of_mini_finds_its_pretext_disjoint(
    bench: Bench, project: Path
) -> None:
    found = json.loads((ROOT / "results/audit/mini.json").read_text())
    assert set(found["sources"]) == {"training", "features", "objects"}
    for name, source in found["sources"].items():
        for compared in source["tests"].values():
            assert (compared["seen"], compared["measured"]) == ([], compared["tested"]), name
        for shared in source.get("videos", {}).values():
            assert (shared["by"], shared["shared"]) == ("digest", 0)
    nearest = found["sources"]["features"]["tests"]["mini_ucf"]["nearest"]
    assert nearest["distance"] > 0.3
