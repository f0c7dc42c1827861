"""The stages of the pipeline, one file each; every one reads files and writes its own."""
