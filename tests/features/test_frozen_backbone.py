"""Features of a frozen backbone: of every segment; a broken video only loses its own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.config.paths import Layout
from bench.config.schema import Input, Network, Train
from bench.data.video.decode import VideoError
from bench.errors import UserError
from bench.features.frozen_backbone import FrozenBackbone, segment_features

DEVICE = torch.device("cpu")


class Clips:
    """Six videos of two segments whose pixels are the row's number; row 4 breaks when read."""

    dim, n = 0, 2
    failures = {1: "known to be broken"}

    def test(self, rows: list[int]) -> Tensor:
        if 4 in rows:
            raise VideoError(Path("four.avi"), "breaks when read")
        clips = torch.zeros(len(rows), 2, 4, 6, 6, 3, dtype=torch.uint8)
        for at, row in enumerate(rows):
            clips[at] += row
            clips[at, 1] += 100
        return clips


class Mean(nn.Module):
    dim = 1

    def forward(self, clips: Tensor) -> Tensor:
        return clips.mean((1, 2, 3, 4))[:, None]


def test_every_segment_in_order_and_only_the_broken_video_is_lost() -> None:
    failures: dict[int, str] = {}
    parts = list(segment_features(Mean(), Clips(), 6, failures, DEVICE))  # type: ignore[arg-type]
    features = np.concatenate(parts)
    assert features.shape == (6, 2, 1)
    assert failures == {1: "known to be broken", 4: "breaks when read"}
    assert not features[[1, 4]].any()
    whole = features[[0, 2, 3, 5], :, 0]
    assert (np.diff(whole, axis=0) > 0).all() and (np.diff(whole, axis=1) > 0).all()


def frozen(folder: Path, **network: object) -> FrozenBackbone:
    tiny = {"stem": 4, "widths": [4], "blocks": [1], "head": 4}
    settings = Network.model_validate(tiny | network)
    return FrozenBackbone(Layout(folder, "p"), settings, Train(), Input())


def test_without_weights_and_without_pretraining_it_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"give network\.weights .* or pretrain_on"):
        frozen(tmp_path).key("code")
    with pytest.raises(UserError, match="is missing; put the file there"):
        frozen(tmp_path, weights="w.safetensors").key("code")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"no weights", "damaged or no .safetensors"), (None, "'stem' is not finite")],
)
def test_weights_that_are_damaged_are_refused(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    from safetensors.torch import save

    nan = save({"stem": torch.full((2,), torch.nan)})
    (tmp_path / "w.safetensors").write_bytes(nan if content is None else content)
    backbone = frozen(tmp_path, weights="w.safetensors")
    with pytest.raises(UserError, match=f"network.weights .*{said}") as error:
        backbone.load("key", DEVICE)
    assert "\n" not in str(error.value)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"stem.0.weight": torch.zeros(2)}, tmp_path / "w.safetensors")
    backbone = frozen(tmp_path, weights="w.safetensors")
    key = backbone.key("code")
    assert key != backbone.key("other code")
    with pytest.raises(UserError, match="not those of the profile's network"):
        backbone.load(key, DEVICE)
