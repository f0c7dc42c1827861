"""From embeddings to metrics, in numpy."""
