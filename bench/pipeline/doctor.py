"""What a run of a profile needs: what is there, what is missing, and where it is obtained."""

import importlib
import os
import platform
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.config.paths import Layout
from bench.config.profile import ONE_SPLIT, Config, DataSet
from bench.data.formats.index_file import IndexFile
from bench.data.reference import published_videos
from bench.experiments.cell_cache import is_done
from bench.experiments.method_registry import scan
from bench.experiments.plan import plan
from bench.utils.machine import cores

OK, TO_DO, NOTE, MISSING = "ok", "to do", "note", "missing"
# torchvision.ops needs the compiled operators, which a torch of another build does not find.
PACKAGES = {n: n for n in ("torch", "torchvision", "av", "decord", "gensim", "dvc")}
PACKAGES["torchvision"] = "torchvision.ops"
KINETICS = "by the scripts of cvdfoundation's kinetics-dataset repository"
SOURCES = {f"kinetics{size}": KINETICS for size in (400, 600, 700)} | {
    "ucf101": "as UCF101.rar from the UCF101 page of crcv.ucf.edu",
    "hmdb51": "as hmdb51_org.rar from the HMDB51 page of the Serre lab",
    "activitynet200": "as the download page of activity-net.org says",
}
GOOGLE_NEWS = "GoogleNews-vectors-negative300 from the word2vec project page"
TEST_LISTS = "it with the data set (UCF101TrainTestSplits-RecognitionTask, test_train_splits)"
_OWN = "it from its owner"
SIZES = {".bin": 3_644_258_522, ".gz": 1_647_046_227}  # bytes of GoogleNews


@dataclass(frozen=True)
class Finding:
    """One line of the report. ``state``: ok; to do (a stage makes it); note; missing (get it)."""

    state: str
    what: str
    detail: str
    how: str = ""


def examine(config: Config, layout: Layout) -> list[Finding]:
    """Return what is there and what is missing; without the latter the run can start."""
    return [
        *_software(),
        *_machine(config, layout.root),
        *_repository(layout.root),
        *_dvc_cache(),
        *(f for name, one in config.profile.datasets.items() for f in _data(name, one, layout)),
        *_words(config, layout.root),
        *_other_files(config, layout.root),
        *_stages(config, layout),
        *_inputs(config, layout),
        _cells(config, layout),
    ]


def _gpus(config: Config) -> list[str]:
    """Return name and memory of each GPU that the profile may use."""
    if config.profile.train.device == "cpu":
        return []
    import torch

    found = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    return [f"{one.name}, {one.total_memory / 2**30:.0f} GiB" for one in found]


def _software() -> Iterator[Finding]:
    yield Finding(OK, "python", platform.python_version())
    for name, module in PACKAGES.items():
        try:
            found = version(name)
            importlib.import_module(module)
        except PackageNotFoundError:
            state = NOTE if name == "decord" else MISSING  # a backend that nothing asks for unasked
            yield Finding(state, name, "is not installed", "run 'make install'")
        except Exception as error:  # a broken binary raises anything
            reason = " ".join(str(error).split())[:200]
            how = "run 'make install', which takes torch and torchvision together"
            yield Finding(MISSING, name, f"{found} cannot be imported ({reason})", how)
        else:
            yield Finding(OK, name, found)


def _machine(config: Config, root: Path) -> Iterator[Finding]:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    free = shutil.disk_usage(root).free / 1e9
    yield Finding(
        OK, "machine", f"{cores()} cores, {memory:.0f} GiB memory, {free:.0f} GB free here"
    )
    try:
        found = _gpus(config)
    except Exception:
        return  # torch is broken, which has a line of its own
    lacking = not found and config.profile.train.device == "cuda"
    detail = "; ".join(found) or "torch sees none; train.device 'auto' trains on the CPU"
    yield Finding(MISSING if lacking else OK, "GPU", detail)


def _repository(root: Path) -> Iterator[Finding]:
    try:
        is_git = not subprocess.run(["git", "status"], cwd=root, capture_output=True).returncode
    except OSError:
        is_git = False
    for name, there in (("git", is_git), ("dvc", (root / ".dvc").is_dir())):
        how = "" if there else f"'dvc repro' needs one: clone the project, or '{name} init'"
        yield Finding(OK if there else MISSING, f"{name} repository", str(root), how)


def _dvc_cache() -> Iterator[Finding]:
    """Say where other users can write what DVC unpickles (CVE-2025-69872 of its diskcache)."""
    set_to = os.environ.get("DVC_SITE_CACHE_DIR")
    if not set_to and platform.system() != "Linux":
        return  # elsewhere DVC's own folder is the user's
    folder = Path(set_to or "/var/tmp/dvc").absolute()
    if any(_only_mine(one) for one in (folder, *folder.parents)):
        yield Finding(OK, "dvc cache", str(folder))
        return
    detail = (
        f"other users of this machine can write to {folder}, which holds pickles that DVC reads"
    )
    how = "if they are not trusted, set DVC_SITE_CACHE_DIR to a folder of mode 700, as 'make' does"
    yield Finding(NOTE, "dvc cache", detail, how)


def _only_mine(folder: Path) -> bool:
    try:
        found = folder.stat()
    except OSError:
        return False
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IXGRP | stat.S_IXOTH)


def _data(name: str, one: DataSet, layout: Layout) -> Iterator[Finding]:
    if one.generate:
        yield Finding(OK, name, "generated by the stage data")
        return
    if one.kind == "features":
        yield _file(name, layout.root / (one.file or ""), _OWN)
        return
    root, source = (layout.root / (one.root or "")).resolve(), SOURCES.get(name, "from its owner")
    index = IndexFile.read(layout.index / f"{name}.json")
    get = f"get it {source}, unpack to FOLDER/CLASS/VIDEO"
    command = f"'bench data index {name} --root FOLDER'"
    if not root.is_dir():
        yield Finding(MISSING, name, f"no folder {root}", f"{get}; {command}")
    elif one.manifest and not (layout.root / one.manifest).is_file():
        yield Finding(MISSING, name, f"no manifest {layout.root / one.manifest}", command)
    elif index is None:
        yield Finding(OK, name, f"{root}, not indexed yet")
    elif index.videos < (published := published_videos(name)):
        yield Finding(NOTE, name, f"{index.videos} of {published} published videos", get)
    else:
        yield Finding(OK, name, f"{root}, {index.videos} videos")


def _words(config: Config, root: Path) -> Iterator[Finding]:
    words = config.profile.words
    if words.kind == "corpus":
        yield Finding(OK, "word vectors", "trained by the stage words")
    for name, path in words.files.items():
        yield _file(f"class vectors of {name}", root / path, _OWN)
    if words.kind == "word2vec":
        path = (root / (words.file or "GoogleNews-vectors-negative300.bin.gz")).resolve()
        found = _file("word vectors", path, GOOGLE_NEWS)
        whole = SIZES.get(path.suffix, 0)
        if found.state == OK and path.stat().st_size < whole:
            short = f"{path} has {path.stat().st_size / 1e9:.2f} GB, GoogleNews {whole / 1e9:.2f}"
            found = Finding(NOTE, "word vectors", short, f"the published setting is {GOOGLE_NEWS}")
        yield found


def _other_files(config: Config, root: Path) -> Iterator[Finding]:
    profile = config.profile
    files = {f"test lists of {name}": one.lists for name, one in profile.datasets.items()}
    files |= {"backbone weights": profile.network.weights, "draws": profile.fifty_fifty.file}
    for what, path in files.items():
        if path:
            yield _file(what, root / path, TEST_LISTS if what.startswith("test lists") else _OWN)


def _file(what: str, path: Path, source: str) -> Finding:
    path = path.resolve()
    if path.exists():
        return Finding(OK, what, str(path))
    return Finding(
        MISSING, what, f"nothing at {path}", f"get {source}; set its path in params.yaml"
    )


def _stages(config: Config, layout: Layout) -> Iterator[Finding]:
    datasets = config.profile.datasets
    outputs = {
        "data": [layout.index / f"{name}.json" for name in datasets],
        "words": [layout.words / "classes.npz"],
        "splits": [
            layout.splits / f"{n}.{p}.json" for n, one in datasets.items() for p in one.protocols
        ],
        "inputs": [layout.inputs_status],
    }
    for stage, files in outputs.items():
        there = sum(path.is_file() for path in files)
        state = OK if there == len(files) else TO_DO
        how = "" if state == OK else f"'dvc repro', or 'bench stage {stage} -p {config.name}'"
        yield Finding(state, f"stage {stage}", f"{there} of {len(files)} outputs there", how)


def _inputs(config: Config, layout: Layout) -> Iterator[Finding]:
    """List the methods that miss an input: their rows have no numbers, the others run."""
    lacking: dict[str, list[str]] = {}
    for cell in plan(config, layout) if _are_split(config, layout) else ():
        if cell.missing and cell.method not in lacking.setdefault(cell.missing, []):
            lacking[cell.missing].append(cell.method)
    for reason, methods in lacking.items():
        yield Finding(NOTE, ", ".join(methods), reason, "the other methods run without it")


def _are_split(config: Config, layout: Layout) -> bool:
    kinds = config.profile.per_split()
    return all((layout.splits / f"{name}.{protocol}.json").is_file() for name, protocol in kinds)


def _cells(config: Config, layout: Layout) -> Finding:
    profile = config.profile
    if _are_split(config, layout):
        cells = [c for c in plan(config, layout, config.readings.run) if not c.missing]
        total = len(cells)
        left = sum(not (c.problem or is_done(layout, c)) for c in cells)
    else:
        splits = 1 if profile.train_on else 0
        for _, protocol in profile.per_split():
            splits += 1 if protocol in ONE_SPLIT else profile.fifty_fifty.draws
        files = scan(layout.root).values()
        seeds = (len(profile.train_of(f.name).seeds) if f.learning == "steps" else 1 for f in files)
        total = left = splits * sum(seeds)
    done = f"{total - left} of {total} done"
    return Finding(TO_DO if left else OK, "cells", done, "'dvc repro'" if left else "")
