"""An end for what grows here: the harvests of batches and the steps that nothing needs any more, and the bodies of pages.

The law says for how long at least; that anything of the diary goes afterwards is the province's own decision, and none is
"keep". The two functions of the database hold the rule, ask for the decision and take no date from us (migration 0107).
"""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from app import clock
from app.retention import Step, whole

BODIES_KEPT = timedelta(days=90)  # a page that is asked for again is rendered again
STALE_KEPT = timedelta(days=7)  # it may not be served any more
PAGES = 2000  # looked at in one transaction
LOTS = 200


def end_records(session: Session, _onward: str) -> Step:
    """Let go of the harvests of batches whose time is over; none that is recalled, on hold, in stock or still certified."""
    return whole(int(session.scalar(text("SELECT hoi_end_records(:most)"), {"most": LOTS}) or 0), LOTS)


def forget_steps(session: Session, _onward: str) -> Step:
    """Delete steps of five years ago, whole chains of corrections, that no batch with records and no decision needs."""
    gone = int(session.scalar(text("SELECT hoi_forget_steps(:most)"), {"most": LOTS}) or 0)
    return whole(gone, LOTS)  # counted in rows, chosen by chains: at least as many


def forget_bodies(session: Session, onward: str) -> Step:
    """Drop the bodies of pages that nobody has asked for anew for three months, or that are stale for a week."""
    rows = session.execute(
        text(
            "WITH looked AS (SELECT code, language, rendered_at, body IS NOT NULL AS has_body,"
            " body_version IS DISTINCT FROM wanted_version AS stale FROM public_pages WHERE code > :onward"
            " ORDER BY code LIMIT :most),"
            " old AS (SELECT p.code, p.language FROM public_pages p JOIN looked l USING (code, language)"
            " WHERE l.has_body AND (l.rendered_at < :unasked OR (l.stale AND l.rendered_at < :stale))"
            " FOR NO KEY UPDATE OF p SKIP LOCKED),"
            " gone AS (UPDATE public_pages p SET body = NULL, etag = NULL, body_version = NULL FROM old"
            " WHERE p.code = old.code AND p.language = old.language RETURNING 1)"
            " SELECT (SELECT count(*) FROM gone) AS gone, (SELECT count(*) FROM looked) AS looked,"
            " (SELECT max(code) FROM looked) AS last"
        ),
        {
            "onward": onward,
            "most": PAGES,
            "unasked": clock.machine_now() - BODIES_KEPT,
            "stale": clock.machine_now() - STALE_KEPT,
        },
    ).one()
    return Step(int(rows.gone), str(rows.last) if rows.looked == PAGES else None)
