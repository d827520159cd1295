"""Criteria: what a letter asks of a village, what the records answer, and what is still missing by name."""
