"""Channels: one folder per marketplace software, all behind the interface in `base`."""
