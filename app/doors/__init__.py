"""Pages that put several parts together, one folder for each audience."""
