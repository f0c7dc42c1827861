"""Network blocks that the methods are built from."""
