"""OPCL's weights of objects against a float64 reference in plain loops."""

import numpy as np
import pytest
import torch

from bench.method import Batch, Classes, Context
from methods.opcl import OPCL

B, N, K, W = 4, 2, 5, 6
NAMES = ["dog", "golden retriever", "person", "baseball_bat", "old grey wool sock", "kite"]
RNG = np.random.default_rng(0)
WORDS, CLASSES = RNG.normal(size=(len(NAMES), W)), RNG.normal(size=(K, W))
P = RNG.random((B, N, len(NAMES)))


def built(words: np.ndarray = WORDS, boxes: bool = False, **parameters: float) -> OPCL:
    method = OPCL()
    for name, value in parameters.items():
        setattr(method, name, value)
    dims = {"objects": len(NAMES)} | ({"boxes": 6} if boxes else {})
    seen = Classes(["seen"], torch.zeros(1, W, dtype=torch.float64))
    objects = Classes(NAMES, torch.from_numpy(words))
    method.build(Context(seen, dims, 8, torch.nn.Identity, 0, objects))
    return method


def scores(method: OPCL, classes: np.ndarray = CLASSES, **inputs: torch.Tensor) -> np.ndarray:
    batch = Batch({"objects": torch.from_numpy(P), **inputs}, torch.zeros(0))
    of_class = method.embed_class(Classes([""] * len(classes), torch.from_numpy(classes)))
    return method.score(method.embed_video(batch), of_class).numpy()


def weights(words: np.ndarray, classes: np.ndarray, margin: float, naming: float) -> np.ndarray:
    def near(k: int, o: int) -> float:
        a, b = classes[k], words[o]
        return float(a @ b / np.sqrt((a @ a) * (b @ b))) if b.any() else 0.0

    found = np.zeros((len(classes), len(words)))
    for o, further in enumerate([0, 1, 0, 1, 3, 0]):
        for k in range(len(classes)):
            others = [near(c, o) for c in range(len(classes)) if c != k]
            own = near(k, o) - (margin * max(others) if others else 0)
            found[k, o] = naming**further * own
    return found


@pytest.mark.parametrize(("margin", "naming"), [(1.0, 0.5), (0.0, 1.0), (0.6, 1.0), (0.0, 0.2)])
@pytest.mark.parametrize("top", [100, 2])
def test_score(margin: float, naming: float, top: int) -> None:
    found = scores(built(discrimination=margin, naming=naming, top=top))
    weight = weights(WORDS, CLASSES, margin, naming)
    for b in range(B):
        for k in range(K):
            ranked = sorted(range(len(NAMES)), key=lambda o: -weight[k, o])[:top]
            wanted = sum(weight[k, o] * P[b, :, o].mean() for o in ranked)
            assert found[b, k] == pytest.approx(wanted)


def test_one_class_has_no_other_to_be_told_from() -> None:
    wanted = P.mean(1) @ weights(WORDS, CLASSES[:1], 1.0, 0.5).T
    assert scores(built(), CLASSES[:1]) == pytest.approx(wanted)


def test_two_classes_of_one_name_score_the_same() -> None:
    found = scores(built(), CLASSES[[0, 1, 1]])
    assert found[:, 1] == pytest.approx(found[:, 2])


def test_an_object_without_a_word_vector_adds_nothing() -> None:
    words = WORDS.copy()
    words[1] = 0
    assert scores(built(words)) == pytest.approx(P.mean(1) @ weights(words, CLASSES, 1.0, 0.5).T)


def test_boxes_add_the_tube_of_plain_similarities() -> None:
    person, kite = [2, 0.9, 0.4, 0.4, 0.6, 0.9], [5, 0.5, 0.4, 0.1, 0.6, 0.3]
    boxes = torch.tensor([[[person, kite]]] * B, dtype=torch.float64)
    added = scores(built(boxes=True, reach=60.0), boxes=boxes) - scores(built())
    for k in range(K):
        near = weights(WORDS, CLASSES, 0.0, 1.0)[k]
        kites = near[5] if near[5] > max(near[0], near[3]) else 0.0  # boxes name these alone
        assert added[:, k] == pytest.approx(0.9 + 0.5 * kites)
