"""Published class splits as data: who stands on which side, one letter a split.

``splits.csv``: one row a class of a list; letter i of ``sides`` is its side in split i: s seen, u
unseen (tested), v validation. Lists and their sources:

* ``xu50``: the 50 random halves of Xu et al., IJCV 2017 (UCF101: 47 distinct ones).
* ``truze``: TruZe, Gowda et al. 2021, as its repository lists it (UCF101 70/31, HMDB51 29/22). Its
  slips read as the classes they must be: "Basketball Shooting" as Basketball, "Salsa Spins" as
  SalsaSpin, and HMDB51's "Swing Basketball" as swing_baseball.
* ``truze67``: the version that most papers' files hold (UCF101 67/34: BaseballPitch,
  CuttingInKitchen and Punch are tested; HMDB51 as before).
* ``k220``: the 220 classes of Kinetics-600 that Kinetics-400 lacks, split three times into 60
  validation and 160 test classes by Chen & Huang, ICCV 2021 (ER). The 12 others that K600 has by
  a new name are renamed classes of K400.
"""

from bench.data.reference import table
from bench.errors import unknown


def published_splits(published: str, dataset: str) -> list[dict[str, list[str]]]:
    """Return the splits of a list: each {"seen", "unseen", "validation"} -> names, some empty.

    A data set that the list does not have is a ``UserError`` that names those it has.
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
