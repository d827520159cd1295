"""Notices: what people are told, and what each carrier still owes."""

from alembic import op

from app.migrations import columns as c
from app.migrations import rules

revision = "0105"
down_revision = "0104"


def upgrade() -> None:
    c.table(
        "notices",
        c.key(),
        c.identifier("person_id", to="people"),
        c.text("key", "reason", "urgency"),
        c.data("title", "body"),
        c.text("link", nullable=True),
        c.moment("created_at"),
        c.moment("seen_at", nullable=True),
        c.one_of("urgency", "low normal high"),
        c.unique("person_id", "key"),
    )
    in_order = "person_id, created_at, id"
    c.index("notices", in_order)
    c.index("notices", "created_at")
    # The bell is told from an index alone, and the notice that cannot wait is found without reading those that can.
    c.index("notices", in_order, named="unseen", where="seen_at IS NULL", include="reason, key")
    c.index("notices", in_order, named="urgent", where="seen_at IS NULL AND urgency = 'high'")

    c.table(
        "notice_deliveries",
        c.identifier("notice_id", to="notices"),
        c.text("carrier", "state"),
        c.number("attempts"),
        c.moment("lease_until", "sent_at", nullable=True),
        c.text("error", nullable=True),
        c.one_of("state", "waiting sending sent refused"),
        c.primary("notice_id", "carrier"),
    )
    rules.one_rule("notice_deliveries", rules.FREE, "hoi_is_system()")

    # Anybody who acts may cause a notice for somebody else; only that person reads it, and may only mark it seen.
    rules.grant("notices", "SELECT, INSERT, DELETE, UPDATE (seen_at)")
    op.execute("ALTER TABLE notices ENABLE ROW LEVEL SECURITY")
    rules.policy("notices", "add", "FOR INSERT TO hoi_app WITH CHECK (hoi_kind() IN ('system', 'person'))")
    rules.policy("notices", "read", "FOR SELECT TO hoi_app USING (hoi_is_person(person_id))")
    rules.policy("notices", "see", "FOR UPDATE TO hoi_app USING (hoi_is_person(person_id))")
    rules.policy("notices", "forget", "FOR DELETE TO hoi_app USING (hoi_is_system())")
