"""Chores that run by the clock alone: the verb, how often, and on which queue. Each verb is safe to run twice and in several processes."""

from dataclasses import dataclass
from typing import Any

WORK = "hoi"  # what follows from what people just did: nothing in it takes longer than a second or two
BULK = "hoi.bulk"  # jobs, rebuilds and chores: however long they take, a farmer's step does not wait for them
CALLS = "hoi.calls"  # work that waits for another company: a slow shop must not hold up a farmer's step
LOOKS = "hoi.looks"  # looks at what is on sale: thousands of pages must not hold up what somebody just put on sale
QUEUES = (WORK, BULK, CALLS, LOOKS)


@dataclass(frozen=True, slots=True)
class Chore:
    """`verb` takes (database, settings) and is named `module:function`, as in `worker/reactions.py`."""

    verb: str
    every_seconds: float
    queue: str = BULK


CHORES: dict[str, Chore] = {
    "make_partitions": Chore("worker.chores:make_partitions", 60),
    "forget_old_uploads": Chore("worker.chores:forget_old_uploads", 3600),
    "forget_account_checks": Chore("app.marketplace_sync.account_checks:forget", 3600),
    "forget_settled_events": Chore("worker.chores:forget_settled_events", 24 * 3600),
    "forget_sign_in_lines": Chore("worker.chores:forget_sign_in_lines", 24 * 3600),
    "forget_lists": Chore("worker.chores:forget_lists", 3600),
    "end_what_is_old": Chore("worker.chores:end_what_is_old", 3600),
    "mark_due_villages": Chore("worker.chores:mark_due_villages", 300),
    "derive_marked_villages": Chore("worker.chores:derive_marked_villages", 60),
    "look_at_listings": Chore("worker.chores:look_at_listings", 5, LOOKS),
}


def entries() -> dict[str, dict[str, Any]]:
    """As Celery's beat wants them. What was not begun before the next one is due is dropped."""
    return {
        name: {
            "task": "hoi.scheduled",
            "schedule": chore.every_seconds,
            "args": (name,),
            "options": {"expires": chore.every_seconds, "queue": chore.queue},
        }
        for name, chore in CHORES.items()
    }
