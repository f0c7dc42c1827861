"""Results against what they claim: cells trained again, tables built again, two trainings."""
