"""Definitions of the embedded world's classes and shapes: what its corpus says of each word."""

from bench.data.synthetic.vocabulary import PRETEXT_SHAPES, SHAPES, SYNONYMS, world_classes

_STANDS_FOR = {synonym: word for word, synonym in SYNONYMS.items()}


def definitions() -> dict[str, str]:
    """Return a definition of every class of the embedded world and of every shape.

    Each word of the name, then all properties of it or, for a synonym, of the word that it stands
    for. One rule for all classes, tested or not; all its words are the corpus's.
    """
    from bench.data.synthetic.corpus import PROPERTIES  # imports gensim, a second

    def meaning(word: str) -> str:
        return f"{word} means {', '.join(PROPERTIES[_STANDS_FOR.get(word, word)].split())}"

    names = [*SHAPES, *PRETEXT_SHAPES, *(name for one in world_classes().values() for name in one)]
    return {name: "; ".join(map(meaning, name.split())) for name in names}
