"""The heads: shapes, and what follows the last layer."""

import torch
from torch import nn

from bench.models.heads import MLP, TextNet


def test_mlp_ends_in_a_batch_norm() -> None:
    torch.manual_seed(0)
    out = MLP(8, 16, 5)(torch.randn(64, 8))
    assert out.shape == (64, 5)
    assert torch.allclose(out.mean(0), torch.zeros(5), atol=1e-5)
    assert torch.allclose(out.var(0, correction=0), torch.ones(5), atol=1e-2)
    assert (out < 0).any()


def test_mlp_has_the_layers_of_the_paper() -> None:
    shapes = [tuple(p.shape) for p in MLP(512, 2048, 2048).parameters() if p.dim() == 2]
    assert shapes == [(2048, 512), (2048, 2048), (2048, 2048)]
    kinds = [type(m) for m in MLP(4, 4, 4).modules() if not list(m.children())]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.ReLU] * 2 + [nn.Linear, nn.BatchNorm1d]


def test_text_net_has_no_activation_before_its_mlp() -> None:
    torch.manual_seed(0)
    net = TextNet(300, 12, 16, 5).eval()
    vectors = torch.randn(7, 300)
    assert net(vectors).shape == (7, 5)
    assert torch.equal(net(vectors), net.mlp(net.regressor(vectors)))
    assert (net.regressor(vectors) < 0).any()
