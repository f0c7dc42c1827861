"""Facts from the literature as data: published numbers with their sources, class names and words.

``published.csv``: one published number per row. ``tau_filtered`` is 1 if the training classes near
a test class were left out (the star of the poster's table). An empty data set means that the
source does not state on which classes the number was measured; ``note`` says what else the source
omits.
``classes.csv``: the class names of the public data sets and the words whose mean is the class
vector (names and words as the released code of AURL and E2E makes them). ``exception`` is 1 if
that code replaces the name by hand, so that no rule yields these words.
``datasets.csv``: the numbers of classes and videos with which each public data set was published.
``splits.csv``: published class splits, one row per class of a list. Letter i of ``sides`` is the
side of the class in split i: s seen, u unseen (tested), v validation. The lists and their sources:

* ``xu50``: the 50 random halves of Xu et al., IJCV 2017 (UCF101: 47 distinct ones).
* ``truze``: TruZe, Gowda et al. 2021, as listed in its repository (UCF101 70/31, HMDB51 29/22).
  Its slips are read as the classes that they must mean: "Basketball Shooting" as Basketball,
  "Salsa Spins" as SalsaSpin, and HMDB51's "Swing Basketball" as swing_baseball.
* ``truze67``: the version in most papers' files (UCF101 67/34: BaseballPitch, CuttingInKitchen
  and Punch are tested; HMDB51 as before).
* ``k220``: the 220 classes of Kinetics-600 that are not in Kinetics-400, split three times into
  60 validation and 160 test classes by Chen & Huang, ICCV 2021 (ER). The 12 other new names in
  Kinetics-600 are renamed classes of Kinetics-400.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources

from bench.errors import unknown

UNSTATED = "unstated"


@dataclass(frozen=True)
class Published:
    """One published number: accuracies in percent, closeness and dispersion as cosine distances."""

    method: str
    label: str
    table: str  # ablation, sota or modern
    dataset: str  # "" where the source does not state the class set
    protocol: str
    splits: int | None
    train: str  # data set that it was trained on, or "none"
    clips: int | None  # clips a video at test time
    metric: str
    value: float
    std: float | None
    tau_filtered: bool
    source: str
    note: str

    @property
    def key(self) -> str:
        """Return ``<data set>.<protocol>.<metric>``, the name of a metric in records."""
        return f"{self.dataset or UNSTATED}.{self.protocol}.{self.metric}"


def table(name: str) -> list[dict[str, str]]:
    """Return the rows of one of this folder's CSV files."""
    text = resources.files(__name__).joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def published() -> tuple[Published, ...]:
    """Read every published number, in the order of its source's table."""
    return tuple(
        Published(
            method=row["method"],
            label=row["label"],
            table=row["table"],
            dataset=row["dataset"],
            protocol=row["protocol"],
            splits=int(row["splits"]) if row["splits"] else None,
            train=row["train"],
            clips=int(row["clips"]) if row["clips"] else None,
            metric=row["metric"],
            value=float(row["value"]),
            std=float(row["std"]) if row["std"] else None,
            tau_filtered=row["tau_filtered"] == "1",
            source=row["source"],
            note=row["note"],
        )
        for row in table("published.csv")
    )


def class_lists() -> set[str]:
    """Return the public data sets whose classes are known."""
    return {row["dataset"] for row in table("classes.csv")}


def classes(dataset: str) -> dict[str, list[str]]:
    """Return the words of each class of a public data set, classes sorted by code point.

    Raises UserError for an unknown data set, with the nearest known name.
    """
    rows = table("classes.csv")
    found = {row["class"]: row["words"].split() for row in rows if row["dataset"] == dataset}
    if not found:
        raise unknown("class list", dataset, class_lists())
    return found


def pretraining_classes(dataset: str) -> list[str]:
    """Return the class names of ``imagenet1k`` or ``coco`` in the network's order; else [].

    They are torchvision's, in lower case, without the numbers that COCO leaves unused.
    """
    rows = table("pretraining_classes.csv")
    return [row["class"] for row in rows if row["data set"] == dataset]


def published_size(dataset: str) -> tuple[int, int, str] | None:
    """Return the published numbers of classes and videos and their source; None if unknown."""
    for row in table("datasets.csv"):
        if row["dataset"] == dataset:
            return int(row["classes"]), int(row["videos"]), row["source"]
    return None


def published_videos(dataset: str) -> int:
    """Return the published number of videos of a data set, 0 if it is unknown."""
    size = published_size(dataset)
    return size[1] if size else 0


def exceptions(dataset: str) -> set[str]:
    """Return the classes of a public data set whose words do not follow the rule."""
    rows = table("classes.csv")
    return {row["class"] for row in rows if row["dataset"] == dataset and row["exception"]}


def published_splits(published: str, dataset: str) -> list[dict[str, list[str]]]:
    """Return the splits of a list: each {"seen", "unseen", "validation"} -> names, some empty.

    Raises UserError for a data set that is not in the list.
    """
    rows = [row for row in table("splits.csv") if row["list"] == published]
    own = [row for row in rows if row["dataset"] == dataset]
    if not own:
        raise unknown(f"data set of {published}", dataset, {row["dataset"] for row in rows})
    sides = {"seen": "s", "unseen": "u", "validation": "v"}
    return [
        {side: [row["class"] for row in own if row["sides"][i] == s] for side, s in sides.items()}
        for i in range(len(own[0]["sides"]))
    ]
