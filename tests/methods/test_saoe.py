"""SAOE's two terms against a float64 reference in plain loops."""

from itertools import pairwise, product
from math import hypot, log2
from typing import Any

import numpy as np
import pytest
import torch

from bench.errors import UserError
from bench.method import Batch, Classes, Context
from methods.saoe import SAOE

B, N, M, K, W = 4, 3, 6, 5, 6
NAMES = ["balloon", "person", "dog", "Tennis-Racket", "kite"]  # boxes cannot name a balloon
BANK = len(NAMES)
RNG = np.random.default_rng(1)
WORDS, CLASSES = RNG.normal(size=(BANK, W)), RNG.normal(size=(K, W))
P = RNG.random((B, N, BANK))
LOW = RNG.random((B, N, M, 2)) * 0.7
CORNERS = np.concatenate([LOW, LOW + 0.05 + 0.2 * RNG.random((B, N, M, 2))], -1)
WHAT = RNG.integers(-1, BANK, (B, N, M, 1)).astype(float)
WHAT[:, :, :2] = 1
BOXES = np.concatenate([WHAT, RNG.random((B, N, M, 1)), CORNERS], -1)
PRIORS = {"dog": RNG.dirichlet(np.ones(9)).tolist(), "tennis racket": [0.0] * 5 + [1.0] + [0.0] * 3}


def built(boxes: bool = True, names: list[str] = NAMES, **parameters: Any) -> SAOE:
    method = SAOE()
    for name, value in parameters.items():
        setattr(method, name, value)
    objects = Classes(names, torch.from_numpy(WORDS))
    dims = {"objects": BANK} | ({"boxes": 6} if boxes else {})
    seen = Classes(["seen"], torch.zeros(1, W, dtype=torch.float64))
    method.build(Context(seen, dims, 8, torch.nn.Identity, 0, objects))
    return method


def scores(method: SAOE, boxes: np.ndarray = BOXES) -> np.ndarray:
    inputs = {"objects": torch.from_numpy(P), "boxes": torch.from_numpy(boxes)}
    video = method.embed_video(Batch(inputs, torch.zeros(0)))
    classes = method.embed_class(Classes([""] * K, torch.from_numpy(CLASSES)))
    assert video.ndim == classes.ndim == 2
    return method.score(video, classes).numpy()


def near(k: int, o: int) -> float:
    a, b = CLASSES[k], WORDS[o]
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def of_whole_video(top: int) -> np.ndarray:
    found = np.zeros((B, K))
    for b, k in product(range(B), range(K)):
        ranked = sorted(range(BANK), key=lambda o: -near(k, o))[:top]
        found[b, k] = sum(near(k, o) * P[b, :, o].mean() for o in ranked)
    return found


def length(low: float, high: float) -> float:
    return max(high - low, 0.0)


def place(a: np.ndarray, o: np.ndarray) -> list[float]:
    found = []
    for y, y2 in pairwise([-9, a[1], a[3], 9]):
        for x, x2 in pairwise([-9, a[0], a[2], 9]):
            across, down = length(max(x, o[0]), min(x2, o[2])), length(max(y, o[1]), min(y2, o[3]))
            found.append(across * down / ((o[2] - o[0]) * (o[3] - o[1])))
    return found


def jsd(p: list[float], q: list[float]) -> float:
    pairs = list(zip(p, q, strict=True))
    one = sum(a * log2(2 * a / (a + b)) for a, b in pairs if a)
    return (one + sum(b * log2(2 * b / (a + b)) for a, b in pairs if b)) / 2


def of_person(frame: np.ndarray, person: np.ndarray, k: int, top: int, reach: float) -> float:
    """Return s(b|a) with w = 0.8."""
    score = float(person[1])
    for o in sorted((2, 3, 4), key=lambda o: -near(k, o))[:top]:
        best: np.ndarray | None = None
        for thing in frame:
            gap = [
                length(person[i + 2], thing[i]) + length(thing[i + 2], person[i]) for i in (2, 3)
            ]
            close = hypot(320 * gap[0], 240 * gap[1]) <= reach
            if thing[0] == o and close and (best is None or thing[1] > best[1]):
                best = thing
        if best is not None:
            prior = {2: PRIORS["dog"], 3: PRIORS["tennis racket"]}.get(o)
            fits = 1.0 if prior is None else 1 - jsd(prior, place(person[2:], best[2:]))
            score += 0.8 * near(k, o) * best[1] * fits
    return score


def iou(a: np.ndarray, b: np.ndarray) -> float:
    shared = length(max(a[0], b[0]), min(a[2], b[2])) * length(max(a[1], b[1]), min(a[3], b[3]))
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return float(shared / (sum(areas) - shared))


def of_tube(boxes: np.ndarray, k: int, top: int, reach: float) -> float:
    scored = [
        [(of_person(f, p, k, top, reach), p[2:]) for p in f if p[0] == 1]
        for f in boxes
        if (f[:, 0] == 1).any()
    ]
    values = []
    for tube in product(*scored):
        links = [s + t + iou(p, q) for (s, p), (t, q) in pairwise(tube)]
        values.append((sum(links) if links else tube[0][0], np.mean([s for s, _ in tube])))
    return float(max(values)[1])


def test_without_boxes_it_is_the_global_term() -> None:
    assert scores(built(boxes=False, top=3)) == pytest.approx(of_whole_video(3))


@pytest.mark.parametrize(("top", "reach"), [(1, 25.0), (2, 25.0), (3, 0.0), (3, 500.0)])
def test_score_with_boxes(top: int, reach: float) -> None:
    found = scores(built(local_top=top, reach=reach, weight=0.8, priors=PRIORS))
    wanted = of_whole_video(BANK)
    for b, k in product(range(B), range(K)):
        wanted[b, k] += of_tube(BOXES[b], k, top, reach)
    assert found == pytest.approx(wanted)


def test_as_many_frames_and_boxes_as_a_data_set_has() -> None:
    method = built(weight=0.8, priors=PRIORS)
    found = scores(method, BOXES[:, :2, :5])
    assert found[3, 1] - of_whole_video(BANK)[3, 1] == pytest.approx(
        of_tube(BOXES[3, :2, :5], 1, 1, 25)
    )


def test_a_video_without_people_has_the_global_term_alone() -> None:
    nobody = BOXES.copy()
    nobody[0, ..., 0] = np.where(nobody[0, ..., 0] == 1, 2, nobody[0, ..., 0])
    nobody[1, ..., 0] = -1
    found = scores(built(), nobody)
    assert found[:2] == pytest.approx(of_whole_video(BANK)[:2])


def test_boxes_of_a_bank_without_coco_names_may_name_any_object() -> None:
    renamed = built(names=["red thing", "person", "blue thing", "green thing", "ring"])
    assert renamed.boxed.tolist() == [True, False, True, True, True]
    assert built().boxed.tolist() == [False, False, True, True, True]


@pytest.mark.parametrize(
    ("right", "below", "counts"),
    [
        (0.075, 0.0, True),
        (0.08, 0.0, False),
        (0.0, 0.1, True),
        (0.0, 0.11, False),
        (0.06, 0.08, False),
    ],
)
def test_within_25_pixels_of_320_by_240(right: float, below: float, counts: bool) -> None:
    x, y = 0.5 + right, 0.5 + below
    pair = [[1, 0.9, 0.4, 0.4, 0.5, 0.5], [4, 0.6, x, y, x + 0.1, y + 0.1]]
    found = built().beside(torch.tensor([[pair]], dtype=torch.float64))
    assert found[0, 0, 0, 4].item() == pytest.approx(0.6 if counts else 0)


def test_boxes_need_a_person() -> None:
    names = [name.replace("person", "somebody") for name in NAMES]
    with pytest.raises(UserError, match="no object is named 'person'"):
        built(names=names)
    built(boxes=False, names=names)


@pytest.mark.parametrize(
    ("name", "shares", "why"),
    [
        ("dog", [1.0], "nine numbers"),
        ("dog", [0.2] * 9, "sum to 1"),
        ("dog", [2.0, -1.0] + [0.0] * 7, "nine numbers"),
        ("dog", [float("nan")] * 9, "nine numbers"),
        ("cat", [1.0] + [0.0] * 8, "'cat'"),
    ],
)
def test_priors_are_checked(name: str, shares: list[float], why: str) -> None:
    with pytest.raises(UserError, match=why):
        built(priors={name: shares})
