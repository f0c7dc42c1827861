"""Class splits: protocols, the overlap exclusion, official test lists."""
