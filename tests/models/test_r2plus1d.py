"""The backbone: torchvision's net by default, and the plain Conv3d result in every shape."""

import pytest
import torch
import torch.nn.functional as F

from bench.models import r2plus1d as folded
from bench.models.r2plus1d import FactorisedConv3d, R2Plus1D, quick_backbones

video = pytest.importorskip("torchvision.models.video")


def test_default_is_torchvisions_r2plus1d_18() -> None:
    torch.manual_seed(0)
    theirs, ours = video.r2plus1d_18(), R2Plus1D()
    weights = {k: v for k, v in theirs.state_dict().items() if not k.startswith("fc.")}
    assert {k: v.shape for k, v in weights.items()} == {
        k: v.shape for k, v in ours.state_dict().items()
    }
    for name, value in ours.state_dict().items():
        if value.dim() == 5:
            assert float(value.std() / weights[name].std()) == pytest.approx(1, rel=0.1), name
        else:
            assert torch.equal(value, weights[name]), name
    ours.load_state_dict(weights)
    theirs.fc = torch.nn.Identity()
    clips = torch.randn(2, 3, 4, 32, 32)
    with torch.no_grad():
        assert torch.allclose(ours.eval()(clips), theirs.eval()(clips), rtol=1e-4, atol=1e-5)


def small_net() -> R2Plus1D:
    """Give a net whose batch normalisations do something."""
    torch.manual_seed(0)
    net = R2Plus1D((8, 16), (1, 1), stem_mid=6)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias)
            assert module.running_mean is not None and module.running_var is not None
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return net.eval()


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)])
def test_folded_features_are_those_of_the_net(dtype: torch.dtype, most: float) -> None:
    net, clips = small_net(), torch.randn(3, 3, 4, 24, 24)
    with torch.inference_mode():
        wanted = net(clips)
        with quick_backbones(torch.nn.ModuleDict({"g": net}), dtype):
            found = net(clips)
        assert torch.equal(net(clips), wanted)  # as it was again
    assert found.dtype == torch.float32
    assert not torch.equal(found, wanted)
    assert float((found - wanted).norm() / wanted.norm()) < most


def test_folded_features_of_parts_are_those_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    net, clips = small_net(), torch.randn(3, 3, 4, 24, 24)
    with torch.inference_mode():
        wanted = folded.folded(net)(clips)
        for clips_at_a_time in (0, 1, 2):
            monkeypatch.setattr(folded, "VOXELS", clips_at_a_time * 4 * 24 * 24)
            assert torch.allclose(folded.folded(net)(clips), wanted, rtol=1e-4, atol=1e-6)


def test_a_batch_in_parts_gives_the_gradients_of_its_parts() -> None:
    """Each part has its own batch statistics; the running ones are updated once a part."""
    clips = torch.randn(6, 3, 4, 24, 24)
    whole, parts = small_net().train(), small_net().train()
    parts.chunk = 2
    for net in (whole, parts):
        net.dropout = torch.nn.Identity()  # type: ignore[assignment]
    plain = torch.cat([whole(part) for part in clips.split(2)])  # type: ignore[no-untyped-call]
    found = parts(clips)
    assert torch.allclose(found, plain, atol=1e-6)
    plain.square().sum().backward()
    found.square().sum().backward()
    for (name, ours), theirs in zip(parts.named_parameters(), whole.parameters(), strict=True):
        assert ours.grad is not None and theirs.grad is not None
        assert torch.allclose(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5), name
    for (name, ours), theirs in zip(parts.named_buffers(), whole.buffers(), strict=True):
        if "num_batches" not in name:
            assert torch.allclose(ours, theirs, atol=1e-6), name


@pytest.mark.parametrize(
    ("kernel", "stride"),
    [
        ((1, 7, 7), (1, 2, 2)),
        ((1, 3, 3), (1, 1, 1)),
        ((3, 1, 1), (2, 1, 1)),
        ((1, 1, 1), (2, 2, 2)),
    ],
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_convolution_and_gradients_equal_conv3d(
    kernel: tuple[int, int, int], stride: tuple[int, int, int], layout: torch.memory_format
) -> None:
    torch.manual_seed(0)
    conv = FactorisedConv3d(3, 5, kernel, stride).double()
    x = torch.randn(2, 3, 5, 9, 7, dtype=torch.float64).to(memory_format=layout).requires_grad_()
    ours = conv(x)
    plain = F.conv3d(x, conv.weight, None, conv.stride, conv.padding)
    torch.testing.assert_close(ours, plain)
    grad = torch.randn_like(plain)
    for got, want in zip(
        torch.autograd.grad(ours, (x, conv.weight), grad),
        torch.autograd.grad(plain, (x, conv.weight), grad),
        strict=True,
    ):
        torch.testing.assert_close(got, want)


def test_small_instance() -> None:
    torch.manual_seed(0)
    net = R2Plus1D((4, 8, 16), (0, 1, 2), stem_mid=3, stem_stride=4, align=4, dropout=0.5)
    clips = torch.randn(2, 3, 8, 24, 24)
    assert net(clips).shape == (2, net.dim) == (2, 16)
    assert not torch.equal(net(clips), net(clips))
    net.eval()
    assert torch.equal(net(clips), net(clips))
    mids = {m.out_channels for n, m in net.named_modules() if n.endswith(".conv1.0.0")}
    assert all(mid % 4 == 0 for mid in mids)
