"""CLIP against the mean of unit frame embeddings, and its cosine."""

import torch

from bench.method import Batch, Classes
from methods.clip import CLIP


def test_a_frame_counts_by_its_direction_not_by_its_length() -> None:
    frames = torch.tensor([[[3.0, 4.0], [0.0, 100.0]], [[1.0, 0.0], [1.0, 0.0]]])
    wanted = torch.tensor([[0.3, 0.9], [1.0, 0.0]])
    found = CLIP().embed_video(Batch({"clip": frames}, torch.zeros(0)))
    assert torch.allclose(found, wanted)


def test_classes_are_their_text_embeddings_and_the_score_is_the_cosine() -> None:
    texts = torch.randn(3, 2)
    classes = Classes(["a", "b", "c"], torch.zeros(3, 5), {"clip": texts})
    assert torch.equal(CLIP().embed_class(classes), texts)
    assert CLIP.score is None


def test_one_empty_frame_leaves_a_finite_video() -> None:
    frames = torch.tensor([[[0.0, 0.0], [0.0, 2.0]]])
    found = CLIP().embed_video(Batch({"clip": frames}, torch.zeros(0)))
    assert found.tolist() == [[0.0, 0.5]]
