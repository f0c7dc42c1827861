"""Check results: train cells again, rebuild tables, compare two trainings."""
