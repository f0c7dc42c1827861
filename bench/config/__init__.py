"""params.yaml as validated objects, and the paths of a profile's files."""
