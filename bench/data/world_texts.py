"""Definitions of the embedded world's classes and shapes, from what its corpus says of each word."""

from bench.data.world_names import PRETEXT_SHAPES, SHAPES, canonical, world_classes
from bench.words.corpus import PROPERTIES


def definitions() -> dict[str, str]:
    """Return a definition of every class of the embedded world and of every shape.

    Of a class: its own two words, each followed by all the properties of the word that it stands
    for. Every class is described in the same way, tested or not.
    """
    found = {shape: f"a {PROPERTIES[shape]} thing" for shape in (*SHAPES, *PRETEXT_SHAPES)}
    for names in world_classes().values():
        for name in names:
            shape, motion = canonical(name)
            found[name] = f"a {PROPERTIES[shape]} thing that moves {PROPERTIES[motion]}"
    return found
