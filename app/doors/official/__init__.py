"""The official's door: province, commune and village, down to the record."""
