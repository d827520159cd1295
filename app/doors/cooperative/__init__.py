"""The cooperative's desk: what needs a decision today, the numbers with what they are out of, and what is on sale where."""
