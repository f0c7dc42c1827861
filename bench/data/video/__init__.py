"""Video files: writing, exact reading, clip sampling, the store of decoded frames."""
