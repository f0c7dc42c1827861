"""Blocks of a profile in params.yaml: `input`, `network`, `train` and `inputs`."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bench.typing import Count, Natural, NotNegative, Positive, Seed, Share


class Settings(BaseModel):
    """A block of params.yaml: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Input(Settings):
    """How a video becomes tensors (paper: 16 consecutive frames of 112×112, 1 clip)."""

    length: Count = 16
    size: Count = 112
    test_clips: Count = 1
    short_side: Count | None = None  # E2E (128): resize to it, ratio kept, and crop size × size
    flip: bool = False  # E2E: mirror half of the training clips
    jpeg: bool = False  # re-encode every frame as JPEG (quality 75), as the released pipeline does
    seen_per_class: Natural = 20  # training videos a class embedded for the metrics on seen classes
    store: bool = False  # decode every video once into a memory-mapped array (small data sets)
    workers: Natural = 0  # processes that read clips ahead of the training step
    backend: Literal["auto", "pyav", "decord"] = "auto"  # the frames are the same with each

    @model_validator(mode="after")
    def _crop_fits(self) -> Self:
        if self.short_side is not None and self.short_side <= self.size:
            raise ValueError(
                f"short_side {self.short_side} must be more than the crop, size {self.size}: sides "
                "are rounded down when a video is resized, and may be a pixel less"
            )
        if self.short_side is not None and self.store:
            raise ValueError("store holds frames of one size; with short_side set store: false")
        return self

    def numbers(self) -> dict[str, object]:
        """The part that decides the outcome, for fingerprints."""
        return self.model_dump(mode="json", exclude={"workers", "store", "backend"})


class Network(Settings):
    """The visual backbone and the width of the heads (paper: R(2+1)D-18, 2048)."""

    stem: Count = 45  # mid planes of the stem
    stem_stride: Count = 2
    widths: tuple[Count, ...] = (64, 128, 256, 512)
    blocks: tuple[Natural, ...] = (2, 2, 2, 2)
    align: Count = 1  # mid planes are rounded down to a multiple of this
    dropout: Share = 0.05
    head: Count = 2048
    # How a trained R(2+1)D embeds: as it is; with batch normalisations folded into convolutions
    # (equal up to rounding, faster on a CPU); or that in bfloat16 (three digits, several times).
    inference: Literal["plain", "folded", "bf16"] = "plain"
    pretrain_steps: Natural = 0  # of the frozen backbone, on the profile's pretrain_on data set
    weights: Path | None = None  # .safetensors of a pretrained backbone, instead of pretraining

    @model_validator(mode="after")
    def _stages_fit(self) -> Self:
        if len(self.widths) != len(self.blocks) or not self.blocks or not self.blocks[-1]:
            raise ValueError("blocks needs one number for each of widths, the last at least 1")
        return self


class Train(Settings):
    """The schedule (paper: 150 epochs of ⌊100000/256⌋ iterations at batch 256).

    The rate rises over ``warmup`` steps, from 0 or, with ``warmup_law: geometric``, from
    lr / batch by a constant factor (ER). It then falls along half a cosine or, with
    ``milestones``, by ``milestone_factor`` at each of those steps.
    """

    steps: Count = 58_500
    batch: Count = 256
    optimiser: Literal["sgd", "adam"] = "sgd"
    lr: Positive = 0.05
    momentum: Share = 0.9  # of SGD; Adam keeps torch's defaults
    weight_decay: NotNegative = 1e-4
    # bf16: matrix products and convolutions in bfloat16 (autocast), weights and sums in float32.
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False  # the step by torch.compile: minutes to begin with, and other rounding
    # Clips that pass the backbone at a time (null: the batch, halved as long as memory runs out);
    # loss and gradient are those of the whole batch but for batch statistics, as on several GPUs.
    micro_batch: Count | None = None
    grad_clip: NotNegative = 0.0  # largest norm of the gradient; 0: not clipped
    warmup: Natural = 390
    warmup_law: Literal["linear", "geometric"] = "linear"
    milestones: tuple[Count, ...] = ()
    milestone_factor: Annotated[float, Field(gt=0, le=1)] = 0.1
    first_update_at_full_rate: bool = True  # the released scheduler steps after the optimiser
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0,)
    log_every: Count = 50
    eval_every: Natural = 0  # > 0: keep also the checkpoint that is best on the test sets
    checkpoint_every: Natural = 0  # steps between states that a killed training resumes from
    keep_model: bool = True
    device: Literal["auto", "cpu", "cuda"] = "auto"
    stall_s: Natural = 3600  # a cell that ends no step and no video for so long fails; 0: no limit

    def numbers(self) -> dict[str, object]:
        """The part that decides the outcome of one seed, for fingerprints."""
        ignored = {"seeds", "checkpoint_every", "keep_model", "device", "stall_s"}
        return self.model_dump(mode="json", exclude=ignored)


class Features(Settings):
    """Features of segments, by the frozen backbone: ``network.weights`` or ``pretrain_on``."""

    segments: Count = 1  # clips a video, spaced as test clips are


class Sentences(Settings):
    """The sentence encoder: mean word vectors, or a Hugging Face model ``folder``."""

    kind: Literal["words", "transformers"] = "words"
    folder: Path | None = None

    @model_validator(mode="after")
    def _has_a_folder(self) -> Self:
        if (self.kind == "transformers") != (self.folder is not None):
            raise ValueError(
                "kind transformers requires 'folder: MODEL DIRECTORY'; no other kind allows it"
            )
        return self


class Texts(Settings):
    """Definitions of classes: generated (embedded world), or ``files``: data set -> .json.

    A .json maps a class to its text, to a list of texts, or is a list of {"label", "text"}-like
    objects. ``sentences`` encodes "name: definition".
    """

    kind: Literal["generated", "json"]
    files: dict[str, Path] = {}
    sentences: Sentences = Sentences()


class Objects(Settings):
    """Object probabilities of frames.

    ``shapes``: a small classifier of the embedded world. ``classifier``: a torchvision ImageNet
    ``model`` with ``weights`` (a file, or "download"). ``scores``: ``files``, data set -> .npz with
    ``scores`` and ``names``. ``texts``: a .json of definitions of the objects.
    """

    kind: Literal["shapes", "classifier", "scores"]
    frames: Count = 8
    model: str = "resnet50"
    weights: Path | None = None
    files: dict[str, Path] = {}
    texts: Path | None = None


class Boxes(Settings):
    """Detections on frames by a torchvision COCO detector."""

    model: str = "fasterrcnn_resnet50_fpn"
    weights: Path
    frames: Count = 8
    most: Count = 20  # boxes a frame


class Clip(Settings):
    """A CLIP directory of transformers or open_clip; a class is the mean over the ``templates``."""

    folder: Path
    frames: Count = 8
    templates: tuple[str, ...] = Field(("a video of a person {}.",), min_length=1)


class Inputs(Settings):
    """Inputs that a profile provides to methods besides videos."""

    features: Features = Features()
    texts: Texts | None = None
    objects: Objects | None = None
    signatures: Path | None = None  # .json: class -> its attributes (objects) in their order
    boxes: Boxes | None = None
    clip: Clip | None = None
