"""Data sets: their descriptions, their manifests and the embedded world."""
