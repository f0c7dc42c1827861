"""One file a figure: from records and runs/ to a ``Figure``."""
