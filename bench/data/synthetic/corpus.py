"""The words of the embedded world: its class names, a text corpus and vectors trained on it.

A class is a pair of a shape and a motion; seen, test and pretext classes share both parts.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

import bench
from bench.errors import UserError
from bench.utils.io import replacing

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


# Sentences use a word and its synonym alike; nothing else makes the two neighbours.
PROPERTIES = {
    "circle": "round curved smooth wheel coin plate radius edgeless",
    "square": "cornered fourfold equal tile crate boxy rightangled parcel",
    "triangle": "threefold pointed pyramid slanted roof sail trilateral gable",
    "star": "night sky sparkle fivefold points twinkle spiky badge",
    "cross": "plus crossed intersecting perpendicular junction grave medic sum",
    "ring": "hollow finger hole annular tyre donut bangle jewel",
    "bar": "long thin narrow rod beam plank straight baton",
    "arrow": "pointing direction bow shaft target sign archer tip",
    "bouncing": "floor springy rebound ball trampoline elastic again upward",
    "spinning": "axis turntable whirl pivoting dizzy propeller spindle gyrating",
    "sliding": "sideways gliding ice smoothly rail across sledge slippery",
    "growing": "bigger larger expanding inflating swelling enlarging widening more",
    "falling": "down gravity downward dropped below ground plunging landing",
    "shaking": "trembling jitter vibrating nervous quake rattling shiver tremor",
    "swinging": "pendulum hanging rope playground hammock dangling pivot fro",
    "blinking": "flashing lamp flicker vanishing beacon off signal strobe",
    "rising": "up balloon ascending lifting sunrise climbing higher smoke",
    "orbiting": "planet moon satellite revolving around encircling circuit comet",
    "shrinking": "smaller tiny contracting deflating diminishing lessening narrowing wool",
    "zigzagging": "slalom sawtooth lightning alternating weaving skier jagged swerving",
    "heart": "love valentine beating pulse romance chest blood card",
    "crescent": "lunar croissant sickle waning bent dusk horn banana",
    "hexagon": "sixfold honeycomb bee nut cell bolt snowflake lattice",
    "wedge": "cheese slice doorstop cake splitting ramp taper axe",
    "letter": "alphabet writing text spelling printed word envelope capital",
    "drifting": "wandering slowly cloud raft afloat aimless current lazily",
    "tumbling": "somersault acrobat laundry headlong clumsy rolling gymnast topple",
    "pulsing": "throbbing rhythm beat breathing speaker swell heartbeat periodic",
    "circling": "loop vulture racetrack carousel lap roundabout shark hovering",
    "hopping": "rabbit frog leap kangaroo jumping legged puddle skip",
    "resting": "still motionless asleep calm waiting parked quiet idle",
}
COLOURS = ("red", "green", "blue", "yellow", "orange", "purple", "pink", "white")
SIZES = ("small", "large", "bright", "plain", "pale", "glossy")
PLACES = ("left", "right", "middle", "top", "bottom", "corner")
SCENES = ("dark", "dim", "grey", "cloudy", "noisy", "textured")
SHARE_OF_CAPTIONS = 0.35
DIMENSIONS = 300
EPOCHS = 10
# OpenBLAS picks its kernel by CPU, and kernels sum a dot product in different orders. Prescott's
# needs only SSE3, so every x86-64 CPU has it, and the vectors come out with the same bytes.
KERNEL = {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "1"}


def sentences(count: int = 20_000, seed: int = 0) -> list[list[str]]:
    """Return ``count`` sentences, as lists of words, that cover every class name of the world.

    Captions draw shape and motion independently, so that no tested pair is favoured; property
    sentences say of a word, or of its synonym, what only that word is like.
    """
    rng = random.Random(seed)
    shapes, motions = SHAPES + PRETEXT_SHAPES, MOTIONS + PRETEXT_MOTIONS
    return [
        _caption(rng, rng.choice(shapes), rng.choice(motions))
        if rng.random() < SHARE_OF_CAPTIONS
        else _property(rng, rng.choice(shapes + motions))
        for _ in range(count)
    ]


def train_vectors(path: Path, seed: int = 0) -> None:
    """Train skip-gram vectors (300-d, float32) on the sentences; save as word2vec binary.

    The same seed gives the same bytes on every x86-64 CPU: a child process trains with one worker
    and a fixed BLAS kernel (the environment decides the kernel before NumPy is loaded, so this
    process cannot change its own). Raises UserError if the child fails.
    """
    home = Path(bench.__file__).parents[1]
    path = path.resolve()
    paths = os.pathsep.join(filter(None, [str(home), os.environ.get("PYTHONPATH")]))
    with replacing(path) as part:
        # -P: import bench from `home`, not from a folder of that name in the working directory.
        child = subprocess.run(
            [sys.executable, "-P", "-m", "bench.data.synthetic.corpus", str(part), str(seed)],
            env={**os.environ, **KERNEL, "PYTHONPATH": paths},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        if child.returncode:
            reason = (child.stderr.strip().splitlines() or [f"exit code {child.returncode}"])[-1]
            raise UserError(f"{path}: training the word vectors failed ({reason}); run again")


def _train(path: Path, seed: int) -> None:
    """Train and save the vectors with the BLAS kernel of this process.

    Hierarchical softmax: negative sampling from so few words gives all of them one common direction
    (mean cosine between class vectors 0.70; 0.35 here, 0.21 for UCF101's with GoogleNews).
    """
    from gensim.models import Word2Vec  # a second to import

    model = Word2Vec(
        sentences(seed=seed),
        vector_size=DIMENSIONS,
        sg=1,
        window=5,
        min_count=1,
        epochs=EPOCHS,
        hs=1,
        negative=0,
        alpha=0.05,
        sample=1e-4,
        seed=seed,
        workers=1,
    )
    model.wv.save_word2vec_format(str(path), binary=True)


def _said(rng: random.Random, word: str) -> str:
    """Return ``word`` or, half of the time, its synonym if it has one."""
    return rng.choice((word, SYNONYMS.get(word, word)))


def _caption(rng: random.Random, shape: str, motion: str) -> list[str]:
    shape, motion = _said(rng, shape), _said(rng, motion)
    colour, size, place = rng.choice(COLOURS), rng.choice(SIZES), rng.choice(PLACES)
    return rng.choice(
        (
            f"a {size} {colour} {shape} is {motion} near the {place}",
            f"the {colour} {shape} keeps {motion} on a {rng.choice(SCENES)} background",
            f"{motion} in a {rng.choice(SCENES)} scene we see a {colour} {shape}",
        )
    ).split()


def _property(rng: random.Random, word: str) -> list[str]:
    first, second, third, fourth = rng.sample(PROPERTIES[word].split(), 4)
    said = _said(rng, word)
    return rng.choice(
        (
            f"{first} {second} {said} {third} {fourth}",
            f"{said} means {first} {second} and {third}",
            f"think of {first} {second} {third} and {fourth} for {said}",
        )
    ).split()


_STANDS_FOR = {synonym: word for word, synonym in SYNONYMS.items()}


def definitions() -> dict[str, str]:
    """Return a definition of every class of the embedded world and of every shape.

    Each word of the name, then all properties of it or, for a synonym, of the word it replaces.
    The rule is the same for seen and unseen classes, and all words are in the corpus.
    """

    def meaning(word: str) -> str:
        return f"{word} means {', '.join(PROPERTIES[_STANDS_FOR.get(word, word)].split())}"

    names = [*SHAPES, *PRETEXT_SHAPES, *(name for one in world_classes().values() for name in one)]
    return {name: "; ".join(map(meaning, name.split())) for name in names}


if __name__ == "__main__":
    _train(Path(sys.argv[1]), int(sys.argv[2]))
