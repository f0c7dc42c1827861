"""Used by every room: atomic file I/O, hashing, locks, processes, the terminal."""
