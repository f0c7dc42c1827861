"""MUFI against a float64 reference in plain loops."""

import numpy as np
import pytest
import torch

from bench.config.schema import Network
from bench.errors import UserError
from bench.method import Batch, Classes, Context
from bench.models.r2plus1d import new_backbone
from methods.base_ls import BaseLS
from methods.mufi import MUFI

B, N, K, BANK, W, D, HEAD = 5, 2, 4, 3, 6, 7, 8
RNG = np.random.default_rng(0)
SEEN, WORDS = RNG.normal(size=(K, W)), RNG.normal(size=(BANK, W))
X, P = RNG.normal(size=(B, N, D)), RNG.random((B, N, BANK))
Y = [0, 3, 1, 1, 2]


def built(objects: np.ndarray | None = WORDS, kind: type[MUFI] | type[BaseLS] = MUFI) -> MUFI:
    torch.manual_seed(0)
    backbone, dim = new_backbone(Network(head=HEAD), D)
    own = None if objects is None else Classes(["o"] * BANK, torch.from_numpy(objects))
    dims = {"video": D} | ({} if own is None else {"objects": BANK})
    method = kind()
    method.build(Context(seen(), dims, HEAD, backbone, dim, own))
    return method.double().eval()  # type: ignore[return-value]


def seen() -> Classes:
    return Classes([f"c{i}" for i in range(K)], torch.from_numpy(SEEN))


def batch(p: np.ndarray = P) -> Batch:
    inputs = {"video": torch.from_numpy(X), "objects": torch.from_numpy(p)}
    return Batch(inputs, torch.tensor(Y))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def heads(method: MUFI) -> tuple[np.ndarray, np.ndarray]:
    with torch.no_grad():
        u = method.f_v(torch.from_numpy(X).flatten(0, 1)).view(B, N, W).mean(1)
        r = method.f_r(torch.from_numpy(X).flatten(0, 1)).view(B, N, W).mean(1)
    return u.numpy(), r.numpy()


def test_both_losses() -> None:
    method = built()
    u, r = heads(method)
    intra, inter = 0.0, 0.0
    for i, y in enumerate(Y):
        logits = [10 * cosine(u[i], c) for c in SEEN]
        intra += (np.log(sum(np.exp(s) for s in logits)) - logits[y]) / B
        q = np.zeros(W)
        for o in range(BANK):
            q += P[i, :, o].mean() * WORDS[o] / np.sqrt(WORDS[o] @ WORDS[o])
        inter += (1 - cosine(r[i], q)) / B
    method.inter_weight = 0.7
    loss, parts = method.loss(batch(), seen())
    assert parts["L_intra"].item() == pytest.approx(intra)
    assert parts["L_inter"].item() == pytest.approx(inter)
    assert loss.item() == pytest.approx(intra + 0.7 * inter)


def test_the_video_embedding_shares_both_heads() -> None:
    method = built()
    u, r = heads(method)
    method.inter_share = 0.25
    found = method.embed_video(batch()).detach().numpy()
    for i in range(B):
        wanted = 0.75 * u[i] / np.linalg.norm(u[i]) + 0.25 * r[i] / np.linalg.norm(r[i])
        assert found[i] == pytest.approx(wanted)


def test_without_objects_it_is_base_ls() -> None:
    ours, base = built(None), built(None, BaseLS)
    assert ours.loss(batch(), seen())[0].item() == base.loss(batch(), seen())[0].item()
    assert torch.equal(ours.embed_video(batch()), base.embed_video(batch()))


def test_an_object_without_a_word_vector_suggests_nothing() -> None:
    words = WORDS.copy()
    words[1] = 0
    p = P.copy()
    p[..., 1] *= 5
    found = [built(words).loss(batch(one), seen())[1]["L_inter"].item() for one in (P, p)]
    assert found[0] == found[1]


def test_videos_without_objects_are_left_out_of_the_inter_facet_loss() -> None:
    p = P.copy()
    p[1:] = 0
    method = built()
    alone = method.loss(batch(p), seen())[1]["L_inter"].item()
    q = torch.from_numpy(P[0].mean(0) @ (WORDS / np.linalg.norm(WORDS, axis=1, keepdims=True)))
    assert alone == pytest.approx(1 - cosine(heads(method)[1][0], q.numpy()))
    assert method.loss(batch(0 * P), seen())[1]["L_inter"].item() == 0


def test_objects_without_any_word_vector_are_refused() -> None:
    with pytest.raises(UserError, match="no object name has a word vector"):
        built(0 * WORDS)
