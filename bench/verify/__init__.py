"""Results against what they claim: a cell trained again, tables built again, records of two trainings."""
