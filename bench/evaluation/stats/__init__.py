"""What a table may say of repeated runs: each file is one question; docs/statistics.md explains."""
