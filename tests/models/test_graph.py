"""The graph of nearest neighbours against a hand-made one."""

import torch

from bench.models.graph import GraphConv, knn_graph

VECTORS = torch.tensor([[1.0, 0.0], [2.0, 0.2], [0.0, 1.0], [0.0, 0.0]])


def test_nearest_neighbours_both_ways_and_normalised() -> None:
    edges = torch.tensor([[1.0, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1]])
    degree = edges.sum(1)
    wanted = edges / (degree[:, None] * degree[None]).sqrt()
    assert torch.allclose(knn_graph(VECTORS, 1), wanted)


def test_more_neighbours_than_nodes_and_a_single_node() -> None:
    whole = knn_graph(VECTORS, 50)
    assert (whole[:3, :3] > 0).all() and whole[3].tolist() == [0, 0, 0, 1]
    assert knn_graph(VECTORS[:1], 5).tolist() == [[1.0]]


def test_a_long_vector_is_no_nearer_than_a_short_one() -> None:
    vectors = torch.tensor([[1.0, 0.0], [1.0, 0.1], [30.0, 40.0]])
    edges = knn_graph(vectors, 1) > 0
    assert edges.tolist() == [[True, True, False], [True, True, True], [False, True, True]]


def test_two_layers_by_hand() -> None:
    torch.manual_seed(0)
    net, graph = GraphConv(2, 8, 3).double(), knn_graph(VECTORS.double(), 1)
    hidden = graph @ (VECTORS.double() @ net.first.weight.T + net.first.bias)
    bent = torch.where(hidden > 0, hidden, 0.2 * hidden)
    wanted = graph @ (bent @ net.last.weight.T + net.last.bias)
    assert torch.allclose(net(VECTORS.double(), graph), wanted, rtol=1e-12)


def test_a_convolution_mixes_neighbours_alone() -> None:
    torch.manual_seed(0)
    net, graph = GraphConv(2, 8, 3), knn_graph(VECTORS, 1)
    before = net(VECTORS, graph)
    moved = VECTORS.clone()
    moved[0, 0] += 1
    after = net(moved, graph)
    assert not torch.allclose(before[2], after[2])  # two steps away
    assert torch.equal(before[3], after[3])
