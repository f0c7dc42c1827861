"""From embeddings to metrics: scoring, statistics of repeated runs, leakage of test classes."""
