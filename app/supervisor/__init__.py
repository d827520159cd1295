"""Keeps the processes of one installation alive: starts them, waits until they answer, restarts the fallen, ends them in order."""

from app.supervisor.children import bulk, caller, double, looker, relay, scheduler, web, worker
from app.supervisor.holding import announce, announced, clear_leftovers, only_one
from app.supervisor.keeper import Child, Supervisor, vietnamese_seconds
from app.supervisor.ports import answers, free_port, reached_at
