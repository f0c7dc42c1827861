"""DEM's map from the word space into the visual space, by hand in float64."""

import torch

from bench.method import Classes, Context, create
from methods.dem import DEM


def test_a_class_lands_where_relu_features_live() -> None:
    torch.manual_seed(0)
    seen = Classes(["a", "b", "c"], torch.randn(3, 5, dtype=torch.float64))
    method = create(DEM, {})
    assert isinstance(method, DEM)
    method.build(Context(seen, {"features": 16}, 8, torch.nn.Identity, 0))
    method.double()
    first, last = (m for m in method.f if isinstance(m, torch.nn.Linear))
    hidden = (seen.vectors @ first.weight.T + first.bias).clamp(min=0)
    wanted = (hidden @ last.weight.T + last.bias).clamp(min=0)
    assert torch.allclose(method.embed_class(seen), wanted) and (wanted == 0).any()
