"""One file a figure: from the records (and runs, where there are any) to a ``parts.Figure``."""
