"""Background processes: the relay, the Celery worker and its schedule."""
