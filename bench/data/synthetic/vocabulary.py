"""The names of the embedded world: which shape-and-motion pairs are seen, tested or pretext."""

SHAPES = ("circle", "square", "triangle", "star", "cross", "ring", "bar", "arrow")
MOTIONS = (
    *("bouncing", "spinning", "sliding", "growing", "falling", "shaking"),
    *("swinging", "blinking", "rising", "orbiting", "shrinking", "zigzagging"),
)
PRETEXT_SHAPES = ("heart", "crescent", "hexagon", "wedge", "letter")
PRETEXT_MOTIONS = ("drifting", "tumbling", "pulsing", "circling", "hopping", "resting")
SYNONYMS = {
    "circle": "disc",
    "square": "box",
    "ring": "hoop",
    "bar": "stick",
    "falling": "dropping",
    "spinning": "rotating",
}
NEAR_DUPLICATES = ("swinging circle", "rising star", "box bouncing", "square spinning")
VIDEOS_PER_CLASS = {"mini_kinetics": 30, "mini_ucf": 20, "mini_hmdb": 20, "mini_pretext": 24}

_SECOND_TEST_MOTIONS = ("swinging", "falling", "spinning", "orbiting")
_CANONICAL = {synonym: word for word, synonym in SYNONYMS.items()}


def world_classes() -> dict[str, list[str]]:
    """Return the class names of each dataset of the embedded world, in a fixed order.

    Shape i and motion j fall in group k = (j + 7i) mod 12, so that every shape and every motion is
    seen in training while no tested pair is. ``mini_kinetics`` ends with the four near-duplicates
    of test classes that the τ filter has to remove; ``mini_hmdb`` is renamed with synonyms.
    """
    seen, first, second = [], [], []
    for i, shape in enumerate(SHAPES):
        for j, motion in enumerate(MOTIONS):
            k = (j + 7 * i) % 12
            if k < 5:
                seen.append(f"{shape} {motion}")
            elif k < 7 or (k == 7 and i % 2):
                first.append(f"{shape} {motion}")
            elif k >= 8 and motion in _SECOND_TEST_MOTIONS:
                second.append(f"{SYNONYMS.get(shape, shape)} {SYNONYMS.get(motion, motion)}")
    return {
        "mini_kinetics": [*seen, *NEAR_DUPLICATES],
        "mini_ucf": first,
        "mini_hmdb": second[:10],
        "mini_pretext": [
            f"{shape} {motion}" for shape in PRETEXT_SHAPES for motion in PRETEXT_MOTIONS
        ],
    }


def canonical(class_name: str) -> tuple[str, str]:
    """Return the (shape, motion) that a class name stands for, in either order and by synonym.

    Raises ``ValueError`` when the name is not one shape and one motion.
    """
    words = [_CANONICAL.get(word, word) for word in class_name.split()]
    shapes = [word for word in words if word in SHAPES + PRETEXT_SHAPES]
    motions = [word for word in words if word in MOTIONS + PRETEXT_MOTIONS]
    if len(words) != 2 or len(shapes) != 1 or len(motions) != 1:
        raise ValueError(f"'{class_name}' is not one shape and one motion of the embedded world")
    return shapes[0], motions[0]
