"""Inputs besides clips: features, texts, objects, boxes, signatures, image-text embeddings."""
