"""How long the 50 draws of fifty-fifty take for one method on UCF101-sized features.

python benchmarks/draws.py eszsl devise      # makes random features in a temporary folder
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
CLASSES, VIDEOS, WIDTH, DRAWS = 101, 13_320, 2048, 50


def main() -> None:
    """Print, for each method named, the minutes and the CPU-seconds of all draws."""
    methods = sys.argv[1:] or ["eszsl", "devise", "base_ls"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("bench", "methods"):
            shutil.copytree(ROOT / part, folder / part)
        shutil.copy(ROOT / "dvc.yaml", folder)
        raw = YAML(typ="safe").load(ROOT / "params.yaml")
        raw["profiles"]["big"] = raw["profiles"]["ucf15"] | {
            "datasets": {
                "big": {"kind": "features", "file": "big.npz", "protocols": ["fifty-fifty"]}
            },
            "words": {"kind": "class_vectors", "files": {"big": "words.npz"}},
            "inputs": {},
        }
        raw["profile"] = "big"
        YAML(typ="safe").dump(raw, folder / "params.yaml")
        rng = np.random.default_rng(0)
        labels = np.sort(rng.integers(0, CLASSES, VIDEOS))
        centres = rng.normal(size=(CLASSES, WIDTH))
        features = np.maximum(centres[labels] + rng.normal(size=(VIDEOS, WIDTH)), 0)
        names = np.array([f"class {i:03d}" for i in range(CLASSES)])
        np.savez(folder / "big.npz", features=features.astype(np.float16), labels=names[labels])
        np.savez(folder / "words.npz", names=names, vectors=rng.normal(size=(CLASSES, 300)))
        for stage in ("data", "words", "splits", "inputs"):
            _bench(folder, "stage", stage)
        for method in methods:
            start = time.monotonic()
            _bench(folder, "train", method)
            minutes = (time.monotonic() - start) / 60
            print(f"{method}: {DRAWS} draws of {VIDEOS} x {WIDTH} features, {minutes:.1f} min")


def _bench(folder: Path, *words: str) -> None:
    code = "from bench.cli.main import main; main()"
    subprocess.run([sys.executable, "-c", code, *words], cwd=folder, check=True, stdout=-3)


if __name__ == "__main__":
    main()
