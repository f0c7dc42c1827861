"""E2E, PS-ZSAR, TARN and Action2Vec: scores and losses by hand, one segment, one seen class."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from bench.errors import UserError
from bench.method import Batch, Classes, Context, Method, create
from methods.action2vec import Action2Vec
from methods.e2e import E2E
from methods.ps_zsar import PSZSAR
from methods.tarn import TARN

K, D, W, B = 5, 6, 4, 3


def made(kind: type[Method], segments: int = 3, seen: int = K) -> tuple[Any, Batch, Classes]:
    torch.manual_seed(0)
    classes = Classes([str(i) for i in range(seen)], torch.randn(seen, W))
    method = create(kind, {})
    name = "video" if "video" in kind.needs else "features"
    method.build(Context(classes, {name: D}, 8, torch.nn.Identity, D))
    y = torch.tensor([0, 1, 2]).clamp(max=seen - 1)
    return method.eval(), Batch({name: torch.randn(B, segments, D)}, y), classes


def test_e2e_is_the_mean_squared_error_of_unit_vectors() -> None:
    method, batch, seen = made(E2E)
    v = method.f(batch.video.mean(1))
    total = 0.0
    for i, y in enumerate(batch.y.tolist()):
        apart = v[i] / v[i].norm() - seen.vectors[y] / seen.vectors[y].norm()
        total += float(apart.square().mean())
    assert float(method.loss(batch, seen)[0]) == pytest.approx(total / B, rel=1e-5)


def test_e2e_has_one_dropout_whatever_its_input() -> None:
    assert isinstance(made(E2E)[0].dropout, torch.nn.Dropout)
    clips = create(E2E, {})
    seen = Classes(["s"], torch.randn(1, W))
    clips.build(Context(seen, {"video": 0}, 8, torch.nn.Identity, D))  # the backbone has its own
    assert isinstance(clips.dropout, torch.nn.Identity)


def test_ps_zsar_scores_each_pair_by_one_network(monkeypatch: pytest.MonkeyPatch) -> None:
    method, batch, seen = made(PSZSAR)
    v, c = method.embed_video(batch), method.embed_class(seen)
    first = torch.cat([method.of_video.weight, method.of_class.weight], 1)
    for i in range(B):
        for k in range(K):
            pair = torch.cat([v[i], c[k]])
            wanted = method.last(F.relu(first @ pair + method.of_video.bias))
            assert float(method.score(v, c)[i, k]) == pytest.approx(float(wanted), abs=1e-5)
    whole = method.score(v, c)
    monkeypatch.setattr("methods.ps_zsar._PAIRS", K)  # one video at a time
    assert torch.allclose(method.score(v, c), whole, atol=1e-6)


def test_tarn_averages_the_comparisons_of_the_segments() -> None:
    method, batch, seen = made(TARN)
    h = method.embed_video(batch).view(B, 3, method.width)
    z = method.embed_class(seen)
    found = method.score(method.embed_video(batch), z)
    for i in range(B):
        for k in range(K):
            relations = []
            for j in range(3):
                alike = h[i, j] / h[i, j].norm() * z[k] / z[k].norm()
                relations.append(method.compare(torch.cat([alike, (h[i, j] - z[k]).square()])))
            assert float(found[i, k]) == pytest.approx(
                float(torch.stack(relations).mean()), abs=1e-5
            )


def test_an_episode_has_the_batchs_classes_and_others() -> None:
    method, batch, _ = made(TARN)
    method.episode = 4
    drawn = {tuple(sorted(method._episode(batch.y, 9).tolist())) for _ in range(20)}
    assert all({0, 1, 2} < set(one) and len(one) == 4 for one in drawn) and len(drawn) > 1
    method.episode = 2
    assert sorted(method._episode(batch.y, 9).tolist()) == [0, 1, 2]


def test_tarn_needs_an_even_width() -> None:
    method = create(TARN, {"width": 7})
    seen = Classes(["s"], torch.randn(1, W))
    with pytest.raises(UserError, match="width 7 must be even"):
        method.build(Context(seen, {"features": D}, 8, torch.nn.Identity, 0))


def test_action2vecs_loss_by_hand() -> None:
    method, batch, seen = made(Action2Vec)
    v = method.embed_video(batch)
    ranking = 0.0
    for i, y in enumerate(batch.y.tolist()):
        cos = [float(F.cosine_similarity(v[i], c, dim=0)) for c in seen.vectors]
        ranking += sum(max(0, 0.2 - cos[y] + cos[c]) for c in range(K) if c != y)
    entropy = float(F.cross_entropy(method.classify(v), batch.y))
    assert float(method.loss(batch, seen)[0]) == pytest.approx(ranking / B + entropy, rel=1e-5)


@pytest.mark.parametrize("kind", [TARN, Action2Vec, E2E, PSZSAR])
@pytest.mark.parametrize(("segments", "seen"), [(1, K), (9, K), (3, 1)])
def test_any_number_of_segments_and_one_seen_class(
    kind: type[Method], segments: int, seen: int
) -> None:
    method, batch, classes = made(kind, segments, seen)
    loss, _ = method.loss(batch, classes)
    assert loss.isfinite() and method.embed_video(batch).isfinite().all()
