"""The report: one HTML page with the tables, figures and records of a profile."""
