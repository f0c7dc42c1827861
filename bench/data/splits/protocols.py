"""Evaluation protocols as lists of class splits by name."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from bench.config.profile import FiftyFifty
from bench.data.formats.split_file import Split
from bench.data.reference import published_splits
from bench.data.reference.class_names import finder
from bench.errors import UserError

DEFINITIONS = {
    "full": "every class and every video of the test data set",
    "half10": "for s = 0…9 the classes RandomState(s).permutation(C)[:C//2] of the sorted list",
    "official3": "every class, the videos of the data set's three test lists alone",
    "k220": "the classes of Kinetics-600 that Kinetics-400 lacks: 160 for test, 60 for validation",
    "fifty-fifty": "train on one half of the data set's classes, test on the other",
    "gzsl": "fifty-fifty, tested on the unseen videos and 20 % of each seen class's, all classes",
    "truze": "TruZe as its repository lists it: no test class overlaps Kinetics",
    "truze67": "TruZe in the other version that circulates: UCF101 67/34",
}
HELD_OUT = 0.2  # share of each seen class's videos in the test pool of gzsl


def full(classes: Sequence[str], seen: Sequence[str]) -> list[Split]:
    """All classes at once."""
    return [Split(name="full", seen=sorted(seen), unseen=sorted(classes))]


def half10(classes: Sequence[str], seen: Sequence[str]) -> list[Split]:
    """Ten halves of the sorted class list, drawn as E2E and AURL drew them."""
    ordered = sorted(classes)
    count = len(ordered)
    return [
        Split(
            name=f"{s}",
            seen=sorted(seen),
            unseen=sorted(
                ordered[i] for i in np.random.RandomState(s).permutation(count)[: count // 2]
            ),
        )
        for s in range(10)
    ]


def fifty_fifty(classes: Sequence[str], draws: int, seed: int) -> list[Split]:
    """``draws`` random halves; for an odd count the seen half has one more (UCF101: 51/50)."""
    ordered = sorted(classes)
    random = np.random.RandomState(seed)
    splits = []
    for draw in range(draws):
        order = random.permutation(len(ordered))
        cut = len(ordered) // 2
        splits.append(
            Split(
                name=f"{draw:02d}",
                seen=sorted(ordered[i] for i in order[cut:]),
                unseen=sorted(ordered[i] for i in order[:cut]),
            )
        )
    return splits


def official3(
    classes: Sequence[str], seen: Sequence[str], lists: Sequence[Sequence[str]]
) -> list[Split]:
    """All classes at once, one split per test list of video names."""
    return [
        Split(name=f"{i}", seen=sorted(seen), unseen=sorted(classes), videos=sorted(videos))
        for i, videos in enumerate(lists, 1)
    ]


def k220(dataset: str, classes: Sequence[str], seen: Sequence[str]) -> list[Split]:
    """Three splits of the 220 new classes of Kinetics-600; a UserError if one of them is seen."""
    find = finder("class", classes)
    splits = []
    for i, one in enumerate(published_splits("k220", dataset), 1):
        unseen, validation = (sorted(map(find, one[side])) for side in ("unseen", "validation"))
        both = sorted({*unseen, *validation} & set(seen))
        if both:
            raise UserError(f"k220 tests '{both[0]}', a training class: train_on kinetics400")
        splits.append(Split(name=f"{i}", seen=sorted(seen), unseen=unseen, validation=validation))
    return splits


def published(which: str, dataset: str, classes: Sequence[str]) -> list[Split]:
    """Return the splits of a published list (xu50, truze, truze67) in the data set's spelling."""
    splits = published_splits(which, dataset)
    named = splits if len(splits) > 1 else [{**splits[0], "name": "1"}]
    return given_splits(named, dataset, classes, f"{which} of {dataset}")


def gzsl(halves: Sequence[Split], videos: Mapping[str, Sequence[str]], seed: int) -> list[Split]:
    """Hold a fifth of each seen class's ``videos`` (class -> names) out: at least one, never all.

    One RandomState(seed) serves all splits and, within one, the seen classes in sorted order:
    permutation(n)[:n/5] of a class's sorted names (halves up).
    """
    random = np.random.RandomState(seed)
    splits = []
    for one in halves:
        held: list[str] = []
        for name in one["seen"]:
            ordered = sorted(videos[name])
            if len(ordered) < 2:
                raise UserError(f"gzsl needs two videos of every class; '{name}' has fewer")
            count = max(1, int(HELD_OUT * len(ordered) + 0.5))
            held += (ordered[i] for i in random.permutation(len(ordered))[:count])
        splits.append(Split(**one, held_out=sorted(held)))
    return splits


def given_splits(raw: Any, dataset: str, classes: Sequence[str], where: str) -> list[Split]:
    """Check splits read from a file: a list of {"seen"|"train": […], "unseen"|"test": […]}, or a
    dict of such lists by data set. Names may be spelled as
    ``bench.data.reference.class_names`` allows.

    Raises UserError for a class that is not in the data set or that is listed twice.
    """
    if isinstance(raw, Mapping):
        raw = raw.get(dataset)
    if not isinstance(raw, list) or not raw:
        raise UserError(f"{where}: no list of splits for data set {dataset}")
    find = finder(f"class of {dataset}", classes)
    splits: list[Split] = []
    for i, one in enumerate(raw):
        at = f"{where}: split {i}"
        if not isinstance(one, Mapping):
            raise UserError(f"{at} is not an object with 'seen' and 'unseen'")
        sides = [one.get("seen", one.get("train")), one.get("unseen", one.get("test"))]
        for side in sides:
            if not side or not isinstance(side, list):
                raise UserError(f"{at} has no 'seen' or no 'unseen' classes")
            if not all(isinstance(name, str) for name in side):
                raise UserError(f"{at}: a class is not a name")
        try:
            seen, unseen = (sorted(map(find, side)) for side in sides)
        except UserError as error:
            raise UserError(f"{at}: {error}") from None
        for side in (seen, unseen):
            twice = [a for a, b in pairwise(side) if a == b]
            if twice:
                raise UserError(f"{at}: class '{twice[0]}' is listed twice on one side")
        both = sorted(set(seen) & set(unseen))
        if both:
            raise UserError(f"{at}: class '{both[0]}' is on both sides")
        name = str(one.get("name", f"{i:02d}"))
        if "/" in name or not name:
            raise UserError(f"{at}: its name '{name}' is empty or has a /")
        if name in {done["name"] for done in splits}:
            raise UserError(f"{at}: its name '{name}' is not the first")
        splits.append(Split(name=name, seen=seen, unseen=unseen))
    return splits


def fits_draws(name: str, splits: Sequence[Mapping[str, Any]], draws: FiftyFifty) -> bool:
    """Return whether the splits of a data set match ``draws``.

    A split file does not store its seed, so the splits are drawn again and compared. For
    draws from a file, only their number is compared.
    """
    if draws.file or not splits:
        return 0 < len(splits) <= draws.draws
    classes = sorted([*splits[0]["seen"], *splits[0]["unseen"]])
    try:
        drawn = (
            published(draws.published, name, classes)[: draws.draws]
            if draws.published
            else fifty_fifty(classes, draws.draws, draws.seed)
        )
    except UserError:  # no such list for these classes, as the stage splits will say
        return False
    wanted, found = (
        [(one["name"], one["seen"], one["unseen"]) for one in of] for of in (drawn, splits)
    )
    return wanted == found
