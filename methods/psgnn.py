"""PSGNN (Gao et al., TPAMI 2021): graph networks over objects for prototypes and samples."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.errors import UserError
from bench.method import Batch, Classes, Context, Loss, Method
from bench.models.graph import GraphConv, knn_graph


class PSGNN(Method):
    """Predict classifiers from a graph of actions and objects, and videos from a graph of objects.

    φ are word vectors at unit length, p_i(o) is object o's probability in frame i of n:
    (1) prototypes: P_c = the output at node c of a graph network over actions and objects, → E;
    (2) objects: q_o = the output at node o of a second network over only the objects, → E;
    (3) a frame: x_i = Σ_o p_i(o) q_o; a video: v = mean over i of the self-attention of x_1 … x_n;
    (4) score(v, c) = v·P_c; (5) L = CE of the scores over the seen classes. (Numbered here.)

    An object without a word vector is an isolated node with no input, and its q_o is 0. A seen
    class that is embedded again is not a second node. Exact: two branches, dot product,
    cross-entropy. Approximated: the graph joins the nearest word vectors (the paper takes
    ConceptNet), the object bank and vectors are the profile's, widths and depths; the paper weights
    a graph per video by its objects, here all videos share one graph and weight its nodes.
    """

    label = "PSGNN"
    needs = ("objects",)
    approximates = "word-vector graph, not ConceptNet; other object bank; one graph of samples"

    neighbours: int = 5  # not published here
    width: int = 128  # E; not published here

    object_vectors: Tensor
    object_graph: Tensor
    nodes: Tensor
    graph: Tensor

    def build(self, ctx: Context) -> None:
        """Make both graph networks and the attention."""
        if ctx.objects is None or not ctx.objects.vectors.any():
            raise UserError("PSGNN: no object name has a word vector; use other objects")
        self.register_buffer("object_vectors", F.normalize(ctx.objects.vectors, dim=-1))
        self.register_buffer("object_graph", knn_graph(self.object_vectors, self.neighbours))
        seen = F.normalize(ctx.seen.vectors, dim=-1)
        self.register_buffer("nodes", torch.cat([self.object_vectors, seen]))
        self.register_buffer("graph", knn_graph(self.nodes, self.neighbours))
        self.prototypes = GraphConv(ctx.word_dim, ctx.head, self.width)
        self.samples = GraphConv(ctx.word_dim, ctx.head, self.width)
        self.attention = nn.MultiheadAttention(self.width, 1, batch_first=True)

    def embed_video(self, batch: Batch) -> Tensor:
        """Return v [B,E]."""
        nodes = self.samples(self.object_vectors, self.object_graph)
        frames = batch.inputs["objects"] @ (nodes * self.object_vectors.any(-1, keepdim=True))
        attended: Tensor = self.attention(frames, frames, frames, need_weights=False)[0]
        return attended.mean(1)

    def embed_class(self, classes: Classes) -> Tensor:
        """Return P [K,E] over a graph of the objects, the seen classes and these."""
        own, first = F.normalize(classes.vectors, dim=-1), len(self.object_vectors)
        nearest = (own @ self.nodes[first:].T).max(1)
        new = nearest.values < 1 - 1e-6
        place = torch.where(new, len(self.nodes) + new.cumsum(0) - 1, first + nearest.indices)
        nodes = torch.cat([self.nodes, own[new]])
        found: Tensor = self.prototypes(nodes, knn_graph(nodes, self.neighbours))
        return found[place]

    def score(self, video: Tensor, classes: Tensor) -> Tensor:
        """Equation (4), [B,K]."""
        return video @ classes.T

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """Equation (5); in training the graph has the seen classes and the objects."""
        found = self.prototypes(self.nodes, self.graph)[len(self.object_vectors) :]
        scores = self.score(self.embed_video(batch), found)
        loss = F.cross_entropy(scores, batch.y)
        return loss, {"L_CE": loss}
