"""ER against a float64 reference in plain loops, and its bad inputs."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from bench.errors import UserError
from bench.method import Batch, Classes, Context
from methods.er import ER

B, N, D, E, K, BANK, WIDTH, TAU = 4, 3, 6, 5, 3, 8, 7, 0.1
RNG = np.random.default_rng(0)
X, P = RNG.normal(size=(B, N, D)), RNG.random((B, N, BANK))
CLASSES, OBJECTS = RNG.normal(size=(K, E)), RNG.normal(size=(BANK, E))
Y = [2, 0, 1, 0]
Array = np.ndarray


def classes(texts: Array = CLASSES) -> Classes:
    names = [f"class {i}" for i in range(len(texts))]
    return Classes(names, torch.zeros(len(texts), 2), {"texts": torch.from_numpy(texts)})


def objects(texts: Array | None = OBJECTS) -> Classes:
    inputs = {} if texts is None else {"texts": torch.from_numpy(texts)}
    return Classes([f"object {i}" for i in range(BANK)], torch.zeros(BANK, 2), inputs)


def built(of: Classes | None, seen: Classes | None = None, top: int = 2) -> ER:
    torch.manual_seed(0)
    method = ER()
    method.width, method.top_objects = WIDTH, top
    dims = {"features": D} | ({} if of is None else {"objects": BANK})
    method.build(Context(seen or classes(), dims, 16, nn.Identity, 1, of))
    return method.double().eval()


def batch(p: Array = P) -> Batch:
    return Batch({"features": torch.from_numpy(X), "objects": torch.from_numpy(p)}, torch.tensor(Y))


def unit(x: Array) -> Array:
    length = np.sqrt(sum(v * v for v in x))
    return x / length if length else x


def linear(layer: nn.Module) -> Callable[[Array], Array]:
    w, b = (layer.get_parameter(n).detach().numpy() for n in ("weight", "bias"))
    return lambda x: w @ x + b


def gate(layers: nn.Module, x: Array) -> Array:
    first, last = (m for m in layers.modules() if isinstance(m, nn.Linear))
    return 1 / (1 + np.exp(-linear(last)(np.maximum(linear(first)(x), 0))))


def reference(method: ER, p: Array, top: int) -> tuple[list[Array], list[Array], list[set[int]]]:
    """Return v', o' and P of each video."""
    video, text = linear(method.video_head), linear(method.text_head[1])
    vs, os, chosen = [], [], []
    for i in range(B):
        mean = p[i].mean(0)
        order = sorted(range(BANK), key=lambda o: -mean[o])[:top]
        own = {o for o in order if mean[o] > 0}
        v = unit(video(X[i].mean(0)))
        o = unit(text(sum(OBJECTS[j] for j in own) / len(own))) if own else np.zeros(WIDTH)
        joined = np.concatenate([v, o])
        vs.append(unit(gate(method.gate_v, joined) * v))
        os.append(unit(gate(method.gate_o, joined) * o))
        chosen.append(own)
    return vs, os, chosen


def log_softmax(scores: list[float], at: int) -> float:
    return scores[at] / TAU - np.log(sum(np.exp(s / TAU) for s in scores))


def test_score() -> None:
    method = built(objects())
    vs, os, _ = reference(method, P, 2)
    text = linear(method.text_head[1])
    found = method.score(method.embed_video(batch()), method.embed_class(classes()))
    for i in range(B):
        for k in range(K):
            t = unit(text(CLASSES[k]))
            assert found[i, k].item() == pytest.approx(vs[i] @ t + max(os[i] @ t, 0))
    assert (torch.tensor(np.stack(os)) @ method.embed_class(classes()).T < 0).any()  # clamps one


def test_both_losses() -> None:
    method = built(objects())
    vs, os, chosen = reference(method, P, 2)
    text = linear(method.text_head[1])
    ts = [unit(text(c)) for c in CLASSES]
    l_cls = 0.0
    for v, o, y in zip(vs, os, Y, strict=True):
        for score in (
            [v @ t for t in ts],
            [o @ t for t in ts],
            [v @ t + max(o @ t, 0) for t in ts],
        ):
            l_cls -= log_softmax(score, y) / B
    concepts = sorted(set().union(*chosen))
    of = [unit(text(OBJECTS[j])) for j in concepts]
    pairs = [(i, concepts.index(j)) for i in range(B) for j in sorted(chosen[i])]
    l_er = 0.0
    for i, at in pairs:
        for x in (vs[i], os[i], vs[i] + os[i]):
            l_er -= log_softmax([x @ t for t in of], at) / len(pairs)
    method.er_weight = 0.6
    loss, parts = method.loss(batch(), classes())
    assert len(concepts) < BANK and len(pairs) == 2 * B
    assert parts["L_cls"].item() == pytest.approx(l_cls)
    assert parts["L_ER"].item() == pytest.approx(l_er)
    assert loss.item() == pytest.approx(l_cls + 0.6 * l_er)


def test_without_objects_it_is_a_softmax_over_definitions() -> None:
    method = built(None)
    video, text = linear(method.video_head), linear(method.text_head[1])
    scores = [[unit(video(x.mean(0))) @ unit(text(c)) for c in CLASSES] for x in X]
    wanted = -np.mean([log_softmax(row, y) for row, y in zip(scores, Y, strict=True)])
    assert method.loss(batch(), classes())[0].item() == pytest.approx(wanted)
    found = method.score(method.embed_video(batch()), method.embed_class(classes()))
    assert found.detach().numpy() == pytest.approx(np.array(scores))


def test_objects_without_probability_are_not_in_the_video() -> None:
    p = P.copy()
    p[0] = 0  # none
    p[1, :, 1:] = 0  # one
    method = built(objects(), top=3)
    vs, os, chosen = reference(method, p, 3)
    assert [len(own) for own in chosen] == [0, 1, 3, 3]
    found = method.embed_video(batch(p)).detach().numpy()
    assert found == pytest.approx(np.concatenate([np.stack(vs), np.stack(os)], 1))
    assert not found[0, WIDTH:].any()
    loss, parts = method.loss(batch(0 * P), classes())
    assert loss.isfinite() and parts["L_ER"].item() == 0


def test_an_object_without_text_is_never_chosen() -> None:
    texts = OBJECTS.copy()
    texts[3], texts[5] = 0, np.nan
    p = P.copy()
    p[..., [3, 5]] = 9
    method, without = built(objects(texts)), P.copy()
    without[..., [3, 5]] = 0
    assert torch.equal(method.embed_video(batch(p)), method.embed_video(batch(without)))
    assert method.loss(batch(p), classes())[0].isfinite()


def test_more_objects_asked_for_than_there_are() -> None:
    assert built(objects(), top=BANK + 1).embed_video(batch()).isfinite().all()


def test_training_drops_text_but_not_the_video() -> None:
    method = built(None).train()
    assert not torch.equal(
        method._text(torch.ones(1, E).double()), method._text(torch.ones(1, E).double())
    )
    assert torch.equal(method.embed_video(batch()), method.embed_video(batch()))


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_class_without_text_is_named(value: float) -> None:
    texts = CLASSES.copy()
    texts[1] = value
    with pytest.raises(UserError, match="class 'class 1' has no encoded text"):
        built(None, classes(texts))
    with pytest.raises(UserError, match="class 'class 1' has no encoded text"):
        built(None).embed_class(classes(texts))


@pytest.mark.parametrize("texts", [None, 0 * OBJECTS])
def test_objects_without_texts_are_refused(texts: Array | None) -> None:
    with pytest.raises(UserError, match="encoded text"):
        built(objects(texts))
