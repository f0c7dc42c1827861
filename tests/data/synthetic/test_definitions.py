"""Definitions of the embedded world: all there, in the corpus's words, by one rule."""

from bench.data.synthetic.corpus import (
    PRETEXT_SHAPES,
    PROPERTIES,
    SHAPES,
    SYNONYMS,
    canonical,
    definitions,
    sentences,
    world_classes,
)
from bench.features.text_encoder import words_in

FOUND = definitions()
CLASSES = [name for names in world_classes().values() for name in names]


def test_every_class_and_shape_has_one() -> None:
    assert set(FOUND) == {*CLASSES, *SHAPES, *PRETEXT_SHAPES}
    assert len(set(FOUND.values())) == len(FOUND)
    assert definitions() == FOUND


def test_every_word_has_a_vector() -> None:
    known = {word for sentence in sentences() for word in sentence}
    assert {word for text in FOUND.values() for word in words_in(text)} <= known


def test_a_class_is_said_to_be_what_its_words_are_said_to_be() -> None:
    for name in CLASSES:
        words = words_in(FOUND[name])
        shape, motion = canonical(name)
        properties = PROPERTIES[shape].split() + PROPERTIES[motion].split()
        assert sorted(words) == sorted([*name.split(), "means", "means", *properties])


def test_a_synonym_has_its_own_word_and_the_same_properties() -> None:
    renamed = [name for name in CLASSES if set(name.split()) & set(SYNONYMS.values())]
    assert len(renamed) > 5
    for name in renamed:
        assert not set(SYNONYMS) & set(words_in(FOUND[name]))


def test_one_rule_for_all() -> None:
    assert FOUND["ring"].startswith("ring means hollow, finger, ")
    assert FOUND["box bouncing"].startswith("box means cornered, fourfold, ")
    assert FOUND["swinging circle"].startswith("swinging means pendulum, ")
    assert "; circle means round, curved, " in FOUND["swinging circle"]
