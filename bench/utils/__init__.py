"""What every room uses: atomic file I/O, hashing, locks, processes, the terminal."""
