"""From a cell (method × seed × split) to its embeddings."""
