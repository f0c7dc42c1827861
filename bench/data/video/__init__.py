"""Video files: exact decoding, the store of decoded frames, clips for training and test."""
