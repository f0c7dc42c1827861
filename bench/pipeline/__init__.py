"""The stages of the pipeline, and what is done with a finished run."""
