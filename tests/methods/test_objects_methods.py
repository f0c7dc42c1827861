"""Objects2action, SAOE, OPCL and DASZL by hand."""

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bench.errors import UserError
from bench.method import Batch, Classes, Context, Method, create
from bench.models.objects import divergence, spatial_histogram
from methods.daszl import DASZL
from methods.objects2action import Objects2Action
from methods.opcl import OPCL
from methods.saoe import SAOE

OBJECTS, W, K, N = 6, 5, 3, 4
NAMES = ["person", "ball", "rope", "horse", "drum", "unheard"]


def world(**classes: Tensor) -> tuple[Classes, Classes, Tensor]:
    torch.manual_seed(0)
    vectors = torch.randn(OBJECTS, W)
    vectors[-1] = 0
    tests = Classes([f"c{i}" for i in range(K)], torch.randn(K, W), classes)
    return Classes(NAMES, vectors), tests, torch.rand(2, N, OBJECTS).softmax(-1)


def made(kind: type[Method], objects: Classes, boxes: bool = False, **values: Any) -> Any:
    method = create(kind, values)
    seen = Classes(["s"], torch.randn(1, W))
    dims = {"objects": OBJECTS} | ({"boxes": 6} if boxes else {})
    method.build(Context(seen, dims, 8, torch.nn.Identity, 0, objects))
    return method


def scores(method: Any, inputs: dict[str, Tensor], tests: Classes) -> Tensor:
    batch = Batch(inputs, torch.empty(0))
    found: Tensor = method.score(method.embed_video(batch), method.embed_class(tests))
    return found


def test_objects2action_by_hand() -> None:
    objects, tests, p = world()
    found = scores(made(Objects2Action, objects, top=2), {"objects": p}, tests)
    for b, k in product(range(2), range(K)):
        mean = p[b].mean(0)
        total = 0.0
        for o in mean.argsort(descending=True)[:2].tolist():
            if objects.vectors[o].any():
                near = F.cosine_similarity(objects.vectors[o], tests.vectors[k], dim=0)
                total += float(mean[o] * near)
        assert float(found[b, k]) == pytest.approx(total, abs=1e-6)


def test_saoe_without_boxes_takes_the_top_of_the_action() -> None:
    objects, tests, p = world()
    found = scores(made(SAOE, objects, top=2), {"objects": p}, tests)
    near = F.normalize(tests.vectors, dim=-1) @ F.normalize(objects.vectors, dim=-1).T
    for b, k in product(range(2), range(K)):
        top = near[k].argsort(descending=True)[:2]
        assert float(found[b, k]) == pytest.approx(float((near[k] * p[b].mean(0))[top].sum()))


def test_saoe_adds_the_person_beside_the_right_object() -> None:
    objects, tests, p = world()
    prior = [0.1, 0, 0, 0.2, 0.4, 0.3, 0, 0, 0]
    near = F.normalize(tests.vectors, dim=-1) @ F.normalize(objects.vectors, dim=-1).T
    best = near.argmax(1)
    thing = next(int(o) for o in best if o != 0)
    method = made(SAOE, objects, True, priors={NAMES[thing]: prior}, reach=0.1)
    person, close = [0, 0.9, 0.4, 0.4, 0.6, 0.6], [thing, 0.5, 0.55, 0.4, 0.7, 0.6]
    far, none = [thing, 0.8, 0.9, 0.9, 1.0, 1.0], [-1, 0, 0, 0, 0, 0]
    one = torch.tensor([[person, close, far, none]]).float()
    boxes = torch.stack([one, torch.full_like(one, -1.0)]).repeat(1, 2, 1, 1)
    found = scores(method, {"objects": p, "boxes": boxes}, tests)
    plain = scores(made(SAOE, objects), {"objects": p}, tests)
    place = spatial_histogram(torch.tensor(person[2:]), torch.tensor(close[2:]))
    fits = 1 - float(divergence(torch.tensor(prior), place))
    for k in range(K):
        local = 0.9 + (float(near[k, thing]) * 0.5 * fits if best[k] == thing else 0)
        tube = (2 * local + 1) / 2  # two equal frames, linked by an overlap of 1
        assert float(found[0, k] - plain[0, k]) == pytest.approx(tube, abs=1e-5)
    assert torch.allclose(found[1], plain[1])  # nobody in the second video


def test_saoe_of_boxes_needs_a_person_and_priors_that_are_shares() -> None:
    objects, _, _ = world()
    nobody = Classes(["x", *NAMES[1:]], objects.vectors)
    with pytest.raises(UserError, match="no object named 'person'"):
        made(SAOE, nobody, True)
    with pytest.raises(UserError, match="priors of 'ball' must be nine shares"):
        made(SAOE, objects, priors={"ball": [1.0, 0.5]})


def test_opcl_lowers_objects_that_suit_every_action() -> None:
    objects, tests, _ = world()
    tests = Classes(tests.names, objects.vectors[1].expand(K, W).clone())
    alike = made(OPCL, objects).embed_class(tests)
    assert float(alike[:, 1].abs().max()) < 1e-5  # near to all, so it tells nothing
    assert torch.isfinite(alike).all()


def test_opcl_counts_ambiguous_names_less() -> None:
    objects, _, _ = world()
    objects.vectors[2] = objects.vectors[3] = objects.vectors[4]
    sure = made(OPCL, objects, neighbours=2)._certain()
    assert sure[2] == pytest.approx(0, abs=1e-5) and sure[1] > sure[2] and sure[-1] == 0


@pytest.mark.parametrize("kind", [Objects2Action, SAOE, OPCL])
def test_objects_without_any_word_vector(kind: type[Method]) -> None:
    objects, _, _ = world()
    with pytest.raises(UserError, match="no object's name has a word vector"):
        made(kind, Classes(objects.names, objects.vectors * 0))


def test_daszl_is_the_best_monotone_alignment() -> None:
    signatures = torch.tensor([[1, 2, -1], [3, 1, 4], [0, -1, -1]])
    objects, tests, p = world(signatures=signatures)
    found = scores(made(DASZL, objects), {"objects": p}, tests)
    for b, k in product(range(2), range(K)):
        own = [s for s in signatures[k].tolist() if s >= 0]
        best = -float("inf")
        for steps in product((0, 1), repeat=N - 1):
            path = [sum(steps[:i]) for i in range(N)]
            if path[-1] == len(own) - 1:
                logs = [float(p[b, i, own[at]].log()) for i, at in enumerate(path)]
                best = max(best, sum(logs) / N)
        assert float(found[b, k]) == pytest.approx(best, abs=1e-5)


def test_daszl_of_a_video_shorter_than_the_signature() -> None:
    objects, tests, p = world(signatures=torch.tensor([[1, 2, 3]] * K))
    found = scores(made(DASZL, objects), {"objects": p[:, :2]}, tests)
    wanted = (p[:, 0, 1].log() + p[:, 1, 2].log()) / 2
    assert torch.allclose(found[:, 0], wanted, atol=1e-5)


def test_daszl_names_a_class_without_signature() -> None:
    objects, tests, _ = world(signatures=torch.tensor([[1], [-1], [2]]))
    with pytest.raises(UserError, match="class 'c1' has an empty signature"):
        made(DASZL, objects).embed_class(tests)
