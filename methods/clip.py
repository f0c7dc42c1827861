"""CLIP (Radford et al., ICML 2021): frozen image and text towers, frame by frame."""

from torch import Tensor
from torch.nn import functional as F

from bench.method import Batch, Classes, Method


class CLIP(Method):
    """Zero-shot classification by a frozen image-text model; a video is the mean over its frames.

    With x_i the projected image embeddings of n frames and t_c the class's text embedding [D]
    (numbered here):

    (1) v = (1/n) Σ_i x_i / ‖x_i‖,  (2) score(v, c) = v·t_c / (‖v‖ ‖t_c‖).

    t_c comes with the input: the mean of the unit text embeddings of the class's name in the
    templates, at unit length. CLIP's temperature does not change the ranking and is left out.

    Exact: both towers, the prompt ensemble and the cosine. CLIP classifies images; the mean over
    frames is how its authors and others apply it to videos. Pre-training on uncontrolled image-text
    pairs from the web may have shown the test classes, so the row is listed apart.
    Approximated: nothing, given a checkpoint.
    """

    label = "CLIP"
    needs = ("clip",)
    learning = "none"
    modern = True

    def embed_video(self, batch: Batch) -> Tensor:
        """Return v [B,D] of equation (1)."""
        return F.normalize(batch.inputs["clip"], dim=-1).mean(1)

    def embed_class(self, classes: Classes) -> Tensor:
        """Return the text embeddings t [K,D]."""
        return classes.inputs["clip"]
