"""Makers of what methods ask for beside the videos themselves."""
