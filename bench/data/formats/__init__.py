"""JSON files of the pipeline as pydantic models: one file per format, read and written here."""
