"""Network blocks from which methods are built."""
