"""Results against what they claim: a cell trained again, the tables built again."""
