"""Draw docs/figures/data-flow-{light,dark}.svg: the pipeline's stages, each with what it made.

Everything shown is from profile mini as it was run here: frames, vectors, splits, curves, numbers.
`make picture`; it needs data/mini and runs/mini (`dvc repro` or `dvc pull`).
"""

import base64
import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parents[1]
DATA, RUNS, RESULTS = ROOT / "data" / "mini", ROOT / "runs" / "mini", ROOT / "results"
CARD, TALL, GAP, LANE = 238, 210, 24, 44  # width and height of a card, between them, between rows
WIDTH, HEIGHT = 4 * CARD + 3 * GAP + 2, 2 * TALL + LANE + 2
LIGHT = {"ink": "#1f2933", "soft": "#52606d", "line": "#b8c2cc", "card": "#ffffff"}
DARK = {"ink": "#e6eaee", "soft": "#a3afbb", "line": "#4a5560", "card": "#161b22"}
LIGHT |= {"blue": "#0072b2", "orange": "#d55e00", "green": "#00805e"}  # told apart by colour-blind
DARK |= {"blue": "#56b4e9", "orange": "#e69f00", "green": "#2fbf8f"}
ABLATION = ("base_mse", "base_ls", "base_ls_e2e", "aurl", "aurl_no_cg")
SHOWN = ("bar bouncing", "circle swinging", "star rising", "arrow falling", "ring rising")
Colours = dict[str, str]


def text(x: float, y: float, words: str, colour: str, size: float = 13, more: str = "") -> str:
    """Return one line of text."""
    where = f'x="{x:.1f}" y="{y:.1f}"'
    return f'<text {where} fill="{colour}" font-size="{size}"{more}>{escape(words)}</text>'


def rect(x: float, y: float, w: float, h: float, fill: str, more: str = "") -> str:
    """Return a rectangle."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" fill="{fill}"{more}/>'


def dot(x: float, y: float, r: float, fill: str, more: str = "") -> str:
    """Return a circle."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" fill="{fill}"{more}/>'


def data(c: Colours) -> Iterator[str]:
    """Four frames of two videos."""
    from PIL import Image

    from bench.data.video.decode import read_frames

    for row, name in enumerate(("star rising", "circle swinging")):
        path = DATA / "index" / "mini_ucf" / name.replace(" ", "_") / "001.mp4"
        for column, frame in enumerate(read_frames(path, [0, 4, 8, 12])):
            file = io.BytesIO()
            Image.fromarray(np.asarray(frame)).save(file, "JPEG", quality=85)
            code = base64.b64encode(file.getvalue()).decode()
            x, y = column * 54, row * 54
            yield (
                f'<image x="{x}" y="{y}" width="50" height="50" '
                f'href="data:image/jpeg;base64,{code}"/>'
            )


def words(c: Colours) -> Iterator[str]:
    """The first 20 numbers of the vectors of five classes."""
    given = np.load(DATA / "words" / "classes.npz")
    names = given["mini_ucf.names"].tolist()
    vectors = given["mini_ucf.vectors"]
    largest = np.abs(vectors[:, :20]).max()
    for row, name in enumerate(SHOWN):
        yield text(0, row * 22 + 13, name, c["ink"], 12.5)
        for column, value in enumerate(vectors[names.index(name)][:20]):
            colour = c["blue"] if value > 0 else c["orange"]
            share = f' fill-opacity="{abs(value) / largest:.2f}"'
            yield rect(98 + column * 6, row * 22, 5.5, 17, colour, share)


def splits(c: Colours) -> Iterator[str]:
    """Training classes with those that τ leaves out, and the ten halves of mini_ucf."""
    found = json.loads((ROOT / "splits/mini/overlap.json").read_text())["classes"]
    for i, one in enumerate(sorted(found, key=lambda one: one["distance"])):
        x, y = i % 22 * 9.9, i // 22 * 10
        out = f' stroke="{c["orange"]}" stroke-width="1.4"'
        yield rect(x, y, 7, 7, c["blue"] if one["kept"] else "none", "" if one["kept"] else out)
    kept = sum(one["kept"] for one in found)
    yield text(0, 34, f"{kept} of {len(found)} training classes: τ", c["soft"], 12)
    halves = json.loads((ROOT / "splits/mini/mini_ucf.half10.json").read_text())["splits"]
    names = sorted({name for one in halves for name in one["unseen"]})
    for row, one in enumerate(halves):
        for column, name in enumerate(names):
            faint = "" if name in one["unseen"] else ' fill-opacity="0.18"'
            yield rect(column * 6.2, 43 + row * 6.2, 5, 5, c["green"], faint)
    yield text(132, 62, "10 halves of", c["soft"], 12)
    yield text(132, 77, f"{len(names)} test classes", c["soft"], 12)


def inputs(c: Colours) -> Iterator[str]:
    """The most probable objects of one video."""
    names = np.load(DATA / "inputs" / "objects" / "objects.npz")["names"].tolist()
    scores = np.load(DATA / "inputs" / "objects" / "mini_ucf.npy")
    mean = scores.reshape(len(scores), -1, len(names))[_first("circle swinging")].mean(0)
    for row, i in enumerate(np.argsort(-mean)[:5]):
        yield text(0, row * 22 + 13, names[i], c["ink"], 12.5)
        yield rect(62, row * 22, max(1.0, 112 * float(mean[i])), 16, c["blue"])
        yield text(180, row * 22 + 13, f"{mean[i]:.2f}", c["soft"], 12)


def audit(c: Colours) -> Iterator[str]:
    """The distance of each training class to its nearest test class."""
    found = json.loads((ROOT / "splits/mini/overlap.json").read_text())["classes"]
    scale = 214 / 0.4
    heights: dict[int, int] = {}
    for one in sorted(found, key=lambda one: one["distance"]):
        place = int(one["distance"] * scale // 8)
        heights[place] = heights.get(place, 0) + 1
        fill = c["blue"] if one["kept"] else "none"
        ring = "" if one["kept"] else f' stroke="{c["orange"]}" stroke-width="1.6"'
        yield dot(place * 8 + 4, 88 - heights[place] * 8.4, 3.4, fill, ring)
    x = 0.05 * scale
    yield f'<path d="M{x:.1f} 4V88" stroke="{c["orange"]}" stroke-dasharray="3 3"/>'
    yield text(x + 5, 13, "τ = 0.05", c["orange"], 12)
    yield f'<path d="M0 88H214" stroke="{c["line"]}"/>'
    yield text(0, 104, "distance to the nearest test class", c["soft"], 12)


def train(c: Colours) -> Iterator[str]:
    """AURL's loss over the steps, three seeds."""
    for seed in range(3):
        rows = list(csv.DictReader((RUNS / f"aurl.transfer.seed{seed}/log.csv").open()))
        points = [(int(r["step"]) / 600 * 214, 92 - float(r["loss"]) / 12 * 92) for r in rows]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        style = f'stroke="{c["blue"]}" stroke-width="1.8" stroke-opacity="{1 - seed * 0.28:.2f}"'
        yield f'<polyline points="{line}" fill="none" {style}/>'
    yield f'<path d="M0 0V92H214" stroke="{c["line"]}" fill="none"/>'
    yield text(46, 16, "L_S + L_C + L_US, 3 seeds", c["soft"], 12)
    yield text(160, 106, "600 steps", c["soft"], 12)


def score(c: Colours) -> Iterator[str]:
    """Videos and classes of mini_ucf in the plane of the two largest variances."""
    given = load_file(RUNS / "aurl.transfer.seed0" / "embeddings.safetensors")
    index = sorted(np.load(DATA / "words" / "classes.npz")["mini_ucf.names"].tolist())
    chosen = [index.index(name) for name in SHOWN]
    videos, labels = given["mini_ucf.video"], given["mini_ucf.label"]
    unit = videos / np.linalg.norm(videos, axis=1, keepdims=True)
    unit, labels = unit[np.isin(labels, chosen)], labels[np.isin(labels, chosen)]
    classes = given["mini_ucf.class"][chosen]
    classes = classes / np.linalg.norm(classes, axis=1, keepdims=True)
    middle = unit.mean(0)
    axes = np.linalg.svd(unit - middle, full_matrices=False)[2][:2].T
    both = np.concatenate([(unit - middle) @ axes, (classes - middle) @ axes])
    low, high = both.min(0), both.max(0)
    flat = (both - low) / (high - low) * (202, 82) + (6, 6)
    fills = [c["blue"], c["orange"], c["green"], c["soft"], c["ink"]]
    for (x, y), label in zip(flat, labels, strict=False):
        yield dot(x, y, 2.4, fills[chosen.index(label)], ' fill-opacity="0.6"')
    for (x, y), fill in zip(flat[len(unit) :], fills, strict=True):
        shape = f"M{x:.1f} {y - 7:.1f}l6.5 6.5l-6.5 6.5l-6.5 -6.5z"
        yield f'<path d="{shape}" fill="{fill}" stroke="{c["card"]}" stroke-width="1.5"/>'
    yield text(0, 110, f"◆ {len(SHOWN)} of {len(index)} classes, • their videos", c["soft"], 12)


def table(c: Colours) -> Iterator[str]:
    """The ablation's rows with their spread."""
    rows = {r["method"]: r for r in json.loads((RESULTS / "tables/mini/ablation.json").read_text())}
    for i, name in enumerate(ABLATION):
        row, y = rows[name], i * 18
        found = row["metrics"]["mini_ucf.full.top1"]
        yield text(0, y + 12, row["label"], c["ink"], 11.5)
        mean, std = (112 + 102 * v / 100 for v in (found["mean"], found["std"]))
        spread = std - 112
        yield rect(112, y + 2, mean - 112, 12, c["blue"], ' fill-opacity="0.35"')
        ends = f"M{mean - spread:.1f} {y + 8}H{mean + spread:.1f}"
        yield f'<path d="{ends}" stroke="{c["blue"]}" stroke-width="2"/>'
        yield dot(mean, y + 8, 2.6, c["blue"])
    yield text(0, 106, "top-1 on mini_ucf, ± over 3 seeds", c["soft"], 12)


def _first(name: str) -> int:
    import pyarrow.parquet as parquet

    rows = parquet.read_table(DATA / "index" / "mini_ucf.parquet").column("class").to_pylist()
    return int(rows.index(name))


Drawing = Callable[[Colours], Iterator[str]]
CARDS: list[tuple[str, str, str, Drawing]] = [
    ("data", "videos, every frame counted", "data/mini/index", data),
    ("words", "class names as vectors", "data/mini/words", words),
    ("splits", "which classes are tested", "splits/mini", splits),
    ("inputs", "objects, features, texts", "data/mini/inputs", inputs),
    ("audit", "seen before the test?", "results/audit", audit),
    ("train", "method × seed × split", "runs/mini", train),
    ("score", "embeddings to records", "results/records", score),
    ("table, report", "numbers with spread", "results/tables", table),
]


def card(i: int, c: Colours) -> str:
    """Return the i-th card: the stage, what it does, what it made, where that lies."""
    name, what, where, drawing = CARDS[i]
    x, y = 1 + i % 4 * (CARD + GAP), 1 + i // 4 * (TALL + LANE)
    mono = ' font-family="ui-monospace, Consolas, monospace"'
    parts: list[Any] = [
        rect(x, y, CARD, TALL, c["card"], f' rx="8" stroke="{c["line"]}"'),
        text(x + 12, y + 25, name, c["ink"], 17, ' font-weight="600"'),
        text(x + 12, y + 44, what, c["soft"], 13.5),
        f'<g transform="translate({x + 12} {y + 60})">{"".join(drawing(c))}</g>',
        text(x + 12, y + TALL - 12, where, c["soft"], 12.5, mono),
    ]
    return "".join(parts)


def arrows(c: Colours) -> str:
    """Return the way from card to card."""
    heads = []
    for i in (0, 1, 2, 4, 5, 6):
        x, y = 1 + i % 4 * (CARD + GAP) + CARD + 4, 1 + i // 4 * (TALL + LANE) + TALL / 2
        heads.append(f"M{x} {y}h14m-6 -6l6 6l-6 6")
    down, half, left = 1 + 3 * (CARD + GAP) + CARD / 2, TALL + 1 + LANE / 2, 1 + CARD / 2
    heads.append(f"M{down} {TALL + 3}V{half}H{left}V{TALL + LANE - 3}m-6 -6l6 6l6 -6")
    return f'<path d="{"".join(heads)}" fill="none" stroke="{c["soft"]}" stroke-width="1.8"/>'


def picture(c: Colours) -> str:
    """Return the whole picture."""
    names = ", ".join(name for name, *_ in CARDS)
    font = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" role="img" font-family="{font}">'
        f"<title>The pipeline: {names}; each stage with what it made in profile mini</title>"
    )
    return head + "".join(card(i, c) for i in range(len(CARDS))) + arrows(c) + "</svg>\n"


def main() -> None:
    """Write both pictures."""
    for needed in (DATA, RUNS):
        if not needed.is_dir():
            raise SystemExit(f"{needed} is not here; run 'dvc repro' or 'dvc pull'")
    for name, colours in (("light", LIGHT), ("dark", DARK)):
        path = ROOT / "docs" / "figures" / f"data-flow-{name}.svg"
        path.write_text(picture(colours), encoding="utf-8")


if __name__ == "__main__":
    main()
