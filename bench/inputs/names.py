"""The names of the objects that scores and boxes count in."""

from pathlib import Path

from bench.config import Profile
from bench.data.world_names import PRETEXT_SHAPES, SHAPES
from bench.facts.names import key


def object_names(profile: Profile, root: Path) -> list[str]:
    """Return the names of the profile's objects: the scores' own, then what boxes add to them."""
    described = profile.inputs
    names: list[str] = []
    if described.objects is not None:
        if described.objects.kind == "shapes":
            names = [*SHAPES, *PRETEXT_SHAPES]
        elif described.objects.kind == "scores":
            from bench.inputs.classifier import score_names

            names = score_names({d: root / f for d, f in described.objects.files.items()})
        else:
            from bench.inputs.classifier import categories

            names = categories(described.objects.model)
    if described.boxes is not None:
        from bench.inputs.detector import categories as detected

        own = {key(name) for name in names}
        names += [name for name in detected(described.boxes.model) if key(name) not in own]
    return names
