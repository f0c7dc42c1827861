"""Which cells a profile asks for, their fingerprints, records and run folders."""
