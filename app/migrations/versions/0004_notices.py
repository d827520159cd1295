"""Notices: what people are told, and what each carrier still owes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations import rules

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("urgency", sa.Text(), nullable=False),
        sa.Column("title", postgresql.JSONB(), nullable=False),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        sa.Column("link", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("urgency IN ('low', 'normal', 'high')", name=op.f("ck_notices_urgency")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_notices_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("person_id", "key", name=op.f("uq_notices_person_id_key")),
    )

    op.create_index("ix_notices_person_id", "notices", ["person_id", "created_at"], unique=False)

    op.create_index(
        "ix_notices_unseen", "notices", ["person_id"], unique=False, postgresql_where=sa.text("seen_at IS NULL")
    )

    op.create_table(
        "notice_deliveries",
        sa.Column("notice_id", sa.Uuid(), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'sending', 'sent', 'refused')", name=op.f("ck_notice_deliveries_state")
        ),
        sa.ForeignKeyConstraint(["notice_id"], ["notices.id"], name=op.f("fk_notice_deliveries_notice_id_notices")),
        sa.PrimaryKeyConstraint("notice_id", "carrier", name=op.f("pk_notice_deliveries")),
    )
    # Anybody who acts may cause a notice for somebody else; only that person reads it, and may only mark it seen.
    rules.grant("notices", rules.APPEND_ONLY)
    op.execute("GRANT UPDATE (seen_at) ON notices TO hoi_app")
    op.execute("GRANT DELETE ON notices TO hoi_app")
    op.execute("ALTER TABLE notices ENABLE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY notices_add ON notices FOR INSERT TO hoi_app WITH CHECK (hoi_kind() IN ('system', 'person'))"
    )
    op.execute("CREATE POLICY notices_read ON notices FOR SELECT TO hoi_app USING (hoi_is_person(person_id))")
    op.execute("CREATE POLICY notices_see ON notices FOR UPDATE TO hoi_app USING (hoi_is_person(person_id))")
    op.execute("CREATE POLICY notices_forget ON notices FOR DELETE TO hoi_app USING (hoi_is_system())")
    rules.guarded_rows("notice_deliveries", "hoi_is_system()", rules.FREE)
