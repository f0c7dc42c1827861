"""Graphs of words: nearest neighbours as edges, and the convolution over them."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def knn_graph(vectors: Tensor, k: int) -> Tensor:
    """Return the normalised adjacency D^(−1/2) (A + I) D^(−1/2) [N,N] of the k nearest neighbours.

    ``vectors`` is [N,W]; neighbours are found by cosine, and edges are undirected. A node with a
    zero vector is isolated: it only has its self-loop. ``k`` is limited to N − 1.
    """
    unit = F.normalize(vectors, dim=-1)
    count = len(unit)
    there = unit.any(-1)
    cosine = unit @ unit.T
    cosine = cosine.masked_fill(~(there[:, None] & there[None]), -torch.inf)
    cosine.fill_diagonal_(-torch.inf)
    adjacency = torch.zeros_like(cosine)
    if count > 1 and k > 0:
        nearest = cosine.topk(min(k, count - 1), dim=1)
        adjacency.scatter_(1, nearest.indices, nearest.values.isfinite().to(cosine.dtype))
    adjacency = torch.maximum(adjacency, adjacency.T)
    adjacency.fill_diagonal_(1.0)
    root = adjacency.sum(1).rsqrt()
    return root[:, None] * adjacency * root[None]


class GraphConv(nn.Module):
    """Two graph convolutions: Â LeakyReLU(Â X W₁) W₂, [N,inputs] → [N,outputs]."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        """Make both layers; LeakyReLU has a slope of 0.2 below zero."""
        super().__init__()
        self.first, self.last = nn.Linear(inputs, hidden), nn.Linear(hidden, outputs)

    def forward(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        """Return the output of each node."""
        hidden = F.leaky_relu(adjacency @ self.first(nodes), 0.2)
        found: Tensor = adjacency @ self.last(hidden)
        return found
