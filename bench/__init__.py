"""AURL-Bench: a reproducibility benchmark for zero-shot video classification."""

__version__ = "0.1.0"
