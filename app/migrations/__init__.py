"""The database's shape, step by step; run under an advisory lock with short timeouts."""
