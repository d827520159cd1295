"""The first page: four doors, a field for codes, and the way to one's own door."""
