"""Whether split files are what params.yaml asks for: τ or the draws may have changed since."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.config.profile import FiftyFifty
from bench.data.splits import protocols
from bench.data.splits.overlap import Nearest
from bench.errors import UserError


def fits_tau(overlap: Mapping[str, Any], tau: float) -> bool:
    """Tell whether τ keeps the very classes that an overlap file keeps."""
    if overlap.get("tau", tau) == tau:
        return True
    return all(
        one["kept"]
        == Nearest(*(one[k] for k in ("class", "nearest", "dataset", "distance"))).kept(tau)
        for one in overlap["classes"]
    )


def fits_draws(name: str, splits: Sequence[Mapping[str, Any]], draws: FiftyFifty) -> bool:
    """Tell whether a data set's splits are the draws; of those of a file only the number is known.

    They are drawn again, for a split file does not say its seed.
    """
    if draws.file or not splits:
        return 0 < len(splits) <= draws.draws
    classes = sorted([*splits[0]["seen"], *splits[0]["unseen"]])
    try:
        drawn = (
            protocols.published(draws.published, name, classes)[: draws.draws]
            if draws.published
            else protocols.fifty_fifty(classes, draws.draws, draws.seed)
        )
    except UserError:  # no such list for these classes, as the stage splits will say
        return False
    wanted, found = (
        [(one["name"], one["seen"], one["unseen"]) for one in of] for of in (drawn, splits)
    )
    return wanted == found
