"""The names of the objects that scores and boxes count in."""

from pathlib import Path

from bench.config.profile import Profile
from bench.data.reference.class_names import key
from bench.data.synthetic.vocabulary import PRETEXT_SHAPES, SHAPES


def scored_names(profile: Profile, root: Path) -> list[str]:
    """Return the names of the objects that the input ``objects`` has probabilities of."""
    described = profile.inputs.objects
    if described is None:
        return []
    if described.kind == "shapes":
        return [*SHAPES, *PRETEXT_SHAPES]
    if described.kind == "scores":
        from bench.features.classifier import score_names

        return score_names({d: root / f for d, f in described.files.items()})
    from bench.features.classifier import categories

    return categories(described.model)


def object_names(profile: Profile, root: Path) -> list[str]:
    """Return the names of the profile's objects: the scores' own, then what boxes add to them."""
    names = scored_names(profile, root)
    described = profile.inputs.boxes
    if described is None:
        return names
    from bench.features.detector import categories as detected

    own = {key(name) for name in names}
    return [*names, *(name for name in detected(described.model) if key(name) not in own)]
