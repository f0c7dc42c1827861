"""The report: what the records, tables and runs show, as data, figures and one page."""
