"""Notices: who is told what, and by which carrier."""
