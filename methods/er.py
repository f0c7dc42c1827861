"""ER (Chen and Huang, ICCV 2021): elaborative rehearsal of definitions and of seen objects."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.errors import UserError
from bench.method import Batch, Classes, Context, Loss, Method


class ER(Method):
    """A video stream and an object stream, matched with the definition of each class.

    x [D] is the mean feature of a video's segments; e_c [E] is the encoded text "name: definition"
    of a class, e_p that of an object (frozen encoder); P are the video's 5 most probable objects
    (mean over its frames). Every text goes through one head T(e) = L2(Linear(dropout(e))), E → 512,
    where L2(x) = x/‖x‖. (Numbered here.)

    (1) streams: v = L2(Linear(x)), o = T(mean of e_p over p ∈ P), t_c = T(e_c), all [512].
    (2) gates: v' = L2(g_v ∘ v), o' = L2(g_o ∘ o), each g = sigmoid(MLP([v; o])) with an MLP of its
    own: 1024 → 512, ReLU, dropout, 512 → 512.
    (3) score(c) = v'·t_c + max(o'·t_c, 0).
    (4) L_cls = CE(v'·t/τ) + CE(o'·t/τ) + CE(score/τ) over all seen classes, τ = 0.1.
    (5) elaborative rehearsal: C is the union of the P of the batch, t_j = T(e_j). For each of the
    logits v'·t_j, o'·t_j and their plain sum, divided by τ, take the mean of −log softmax over C at
    j, over all pairs of a video and an object j of its P; L_ER is the sum of the three.
    (6) L = L_cls + L_ER.

    P only contains objects with a text and a probability above 0. A video without any has o' = 0
    and adds no pair to (5). Without objects v' = v and L = CE(v'·t/τ): the paper's model without
    its object stream.

    Exact: the streams, the gates, the score and both losses. From the released code: the sum in
    (5) is not clamped (unlike (3)), (5) is a mean over pairs, and the dropout of the gates.
    Approximated: the clip feature, the object tagger and the text encoder are the profile's (the
    paper: TSM-R50 on 8 segments, BiT on ImageNet-21k, BERT). The encoder is frozen (the paper
    trains BERT's last two layers), so dropout acts on the pooled text and not on its tokens. The
    five object texts are encoded one by one and averaged (the paper joins them, cut at 100 tokens).
    """

    label = "ER"
    needs = ("features", "texts")
    wants = ("objects",)
    approximates = "other clip feature and tagger; frozen text encoder; mean of five object texts"
    whole_batch = True  # the loss contrasts all objects of the batch

    width: int = 512  # of the joint space; published
    dropout: float = 0.5  # of texts and in the gates; published
    top_objects: int = 5  # |P|; published
    temperature: float = 0.1  # τ; published
    er_weight: float = 1.0  # of L_ER; published

    object_texts: Tensor
    has_text: Tensor

    def build(self, ctx: Context) -> None:
        """Make the two heads and, if there are objects, the gates."""
        _check_texts(ctx.seen)
        size = ctx.seen.inputs["texts"].shape[-1]
        self.video_head = nn.Linear(ctx.dims["features"], self.width)
        self.text_head = nn.Sequential(nn.Dropout(self.dropout), nn.Linear(size, self.width))
        objects = ctx.objects if "objects" in ctx.dims else None
        self.has_objects = objects is not None
        if objects is None:
            return
        texts = objects.inputs.get("texts")
        if texts is None:
            raise UserError("ER: the objects have no encoded texts; set inputs.objects.texts")
        has_text = texts.isfinite().all(-1) & texts.any(-1)
        if not has_text.any():
            raise UserError("ER: no object has an encoded text; set inputs.objects.texts")
        self.register_buffer("object_texts", texts.where(has_text.unsqueeze(-1), 0))
        self.register_buffer("has_text", has_text)
        self.gate_v, self.gate_o = self._gate(), self._gate()

    def loss(self, batch: Batch, seen: Classes) -> Loss:
        """Equation (6)."""
        t = self._text(seen.inputs["texts"])
        if not self.has_objects:
            l_cls = F.cross_entropy(self._video(batch) @ t.T / self.temperature, batch.y)
            return l_cls, {"L_cls": l_cls}
        chosen = self._chosen(batch)
        v, o = self._streams(batch, chosen)
        logits = (v @ t.T, o @ t.T, self.score(torch.cat([v, o], -1), t))
        l_cls = torch.stack([F.cross_entropy(s / self.temperature, batch.y) for s in logits]).sum()
        l_er = self._rehearsal(v, o, chosen)
        return l_cls + self.er_weight * l_er, {"L_cls": l_cls, "L_ER": l_er}

    def embed_video(self, batch: Batch) -> Tensor:
        """Return [v', o'], [B, 2·512]; o' = 0 without objects."""
        if not self.has_objects:
            v = self._video(batch)
            return torch.cat([v, torch.zeros_like(v)], -1)
        return torch.cat(self._streams(batch, self._chosen(batch)), -1)

    def embed_class(self, classes: Classes) -> Tensor:
        """Return t [K,512]."""
        _check_texts(classes)
        return self._text(classes.inputs["texts"])

    def score(self, video: Tensor, classes: Tensor) -> Tensor:
        """Equation (3), [B,K]."""
        v, o = video.chunk(2, dim=-1)
        return v @ classes.T + (o @ classes.T).clamp(min=0)

    def _gate(self) -> nn.Module:
        w = self.width
        first, last = nn.Linear(2 * w, w), nn.Linear(w, w)
        return nn.Sequential(first, nn.ReLU(), nn.Dropout(self.dropout), last, nn.Sigmoid())

    def _video(self, batch: Batch) -> Tensor:
        return F.normalize(self.video_head(batch.inputs["features"].mean(1)), dim=-1)

    def _text(self, encoded: Tensor) -> Tensor:
        return F.normalize(self.text_head(encoded), dim=-1)

    def _chosen(self, batch: Batch) -> Tensor:
        """Return P as a mask [B,O]."""
        p = batch.inputs["objects"].mean(1) * self.has_text
        top = p.topk(min(self.top_objects, p.shape[1]), dim=-1)
        return torch.zeros_like(p, dtype=torch.bool).scatter(1, top.indices, top.values > 0)

    def _streams(self, batch: Batch, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Return v' and o' of equation (2)."""
        v = self._video(batch)
        count = chosen.sum(-1, keepdim=True)
        pooled = chosen.to(v.dtype) @ self.object_texts / count.clamp(min=1)
        o = self._text(pooled) * (count > 0)
        joined = torch.cat([v, o], -1)
        v, o = self.gate_v(joined) * v, self.gate_o(joined) * o
        return F.normalize(v, dim=-1), F.normalize(o, dim=-1)

    def _rehearsal(self, v: Tensor, o: Tensor, chosen: Tensor) -> Tensor:
        """Equation (5)."""
        concepts = chosen.any(0)  # C
        if not concepts.any():
            return v.new_zeros(())
        t = self._text(self.object_texts[concepts])
        logits = torch.stack([v @ t.T, o @ t.T, (v + o) @ t.T]) / self.temperature
        return -logits.log_softmax(-1)[:, chosen[:, concepts]].mean(-1).sum()


def _check_texts(classes: Classes) -> None:
    texts = classes.inputs["texts"]
    good = texts.isfinite().all(-1) & texts.any(-1)
    if not good.all():
        name = classes.names[int(good.long().argmin())]
        raise UserError(f"ER: class '{name}' has no encoded text; add its definition")
