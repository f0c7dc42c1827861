"""GCN (Wang, Ye and Gupta, CVPR 2018): classifiers from a graph of word vectors."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.method import Batch, Classes, Context, Loss, Method
from bench.models.graph import GraphConv, knn_graph


class GCN(Method):
    """Two graph convolutions over class vectors predict each class's linear classifier.

    x [D] is a video's mean feature at unit length, U [K,D] the classifiers of the seen classes,
    learned with a scale η, and P the graph network's outputs for them (numbered here):
    (1) L_cls = CE(η cos(x, u_k)) over the seen classes; (2) P = GCN(S, Â), Â the normalised graph
    of the 5 nearest neighbours; (3) L_reg = mean of ‖P_k/‖P_k‖ − u_k/‖u_k‖‖² over the seen classes,
    with U held fixed; (4) L = L_cls + L_reg; (5) score(x, c) = cos(x, P_c).

    A class without neighbours has only its self-loop.

    Exact: leaky ReLU 0.2, outputs and targets at unit length, regression of classifier weights, a
    graph of nearest word vectors as in ER's comparison (WordNet in the paper). Approximated: the
    targets are classifiers on the profile's frozen features, learned in the same run (ER takes the
    last layer of its pre-trained backbone); test classes enter the graph when they are embedded,
    not in training; two layers (six in the paper and in ER's released settings), 5 neighbours
    besides the node (ER counts the node itself), symmetric normalisation (ER normalises rows and
    gives self-loops their own weights), no dropout.
    """

    label = "GCN"
    needs = ("features",)
    approximates = "word-vector graph; classifiers of other features, learned in the same run"

    neighbours: int = 5  # published in ER's comparison
    scale: float = 10.0  # η; not published

    seen_vectors: Tensor

    def build(self, ctx: Context) -> None:
        """Make U and the graph network."""
        self.register_buffer("seen_vectors", F.normalize(ctx.seen.vectors, dim=-1))
        size = ctx.dims["features"]
        self.classifiers = nn.Parameter(torch.randn(len(ctx.seen), size) / size**0.5)
        self.gcn = GraphConv(ctx.word_dim, ctx.head, size)

    def embed_video(self, batch: Batch) -> Tensor:
        """Return x [B,D]."""
        return F.normalize(batch.inputs["features"].mean(1), dim=-1)

    def embed_class(self, classes: Classes) -> Tensor:
        """Return P [K,D] over a graph of the seen classes and these, without duplicate nodes."""
        own = F.normalize(classes.vectors, dim=-1)
        # A duplicate of a seen class would take the place of a neighbour.
        others = (self.seen_vectors @ own.T < 1 - 1e-6).all(1)
        return self._over(torch.cat([self.seen_vectors[others], own]))[-len(own) :]

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """Equation (4)."""
        unit = F.normalize(self.classifiers, dim=-1)
        l_cls = F.cross_entropy(self.scale * self.embed_video(batch) @ unit.T, batch.y)
        apart = F.normalize(self._over(self.seen_vectors), dim=-1) - unit.detach()
        l_reg = apart.square().sum(-1).mean()
        return l_cls + l_reg, {"L_cls": l_cls, "L_reg": l_reg}

    def _over(self, nodes: Tensor) -> Tensor:
        found: Tensor = self.gcn(nodes, knn_graph(nodes, self.neighbours))
        return found
