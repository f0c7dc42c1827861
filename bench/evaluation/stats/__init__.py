"""Statistics of repeated runs; docs/statistics.md explains the choices."""
