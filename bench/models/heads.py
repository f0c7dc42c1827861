"""Heads that map video features and class vectors into the shared embedding space."""

from torch import Tensor, nn


class MLP(nn.Module):
    """``Linear-BN-ReLU``, ``Linear-BN-ReLU``, ``Linear-BN``: ``[N, inputs]`` to ``[N, outputs]``.

    Nothing follows the last BN: no ReLU, no L2 norm. In training N must be at least 2.
    """

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        """Build the three layers (the paper: 512, 2048, 2048)."""
        super().__init__()
        self.l1 = nn.Sequential(nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.ReLU())
        self.l2 = nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU())
        self.l3 = nn.Sequential(nn.Linear(width, outputs), nn.BatchNorm1d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return the un-normalised embeddings ``[N, outputs]``."""
        y: Tensor = self.l3(self.l2(self.l1(x)))
        return y


class TextNet(nn.Module):
    """The semantic side: ``Linear(words, inputs)`` without activation, then an ``MLP`` of its own.

    One forward pass takes the vectors ``[K, words]`` of all K classes, so in training the BN
    statistics are computed over the classes.
    """

    def __init__(self, words: int, inputs: int, width: int, outputs: int) -> None:
        """Build the net for ``words``-d class vectors (the paper: 300, 512, 2048, 2048)."""
        super().__init__()
        self.regressor = nn.Linear(words, inputs)
        self.mlp = MLP(inputs, width, outputs)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the un-normalised class embeddings ``[K, outputs]``."""
        y: Tensor = self.mlp(self.regressor(vectors))
        return y
