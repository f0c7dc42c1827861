"""params.yaml as checked objects, and where a profile's files are."""
