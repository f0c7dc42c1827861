"""Which test classes a row's training or pre-training has seen: ``bench audit``."""
