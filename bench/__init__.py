"""Benchmarks: each prints one JSON object last. Run them with `./hoi bench NAME`."""
