"""Shops are asked in the background, and work under way gives signs of life."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations import rules

revision = "0029"
down_revision = "0027"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.add_column("outbox_deliveries", sa.Column("alive_at", moment, nullable=True))
    op.add_column("jobs", sa.Column("alive_at", moment, nullable=True))
    op.create_table(
        "account_checks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("renews", sa.Boolean(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("stock_buffer", sa.Integer(), nullable=False),
        sa.Column("shown", postgresql.JSONB(), nullable=False),
        sa.Column("credentials_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asking_until", moment, nullable=True),
        sa.Column("error", postgresql.JSONB(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_field", sa.Text(), nullable=True),
        sa.Column("shop_name", sa.Text(), nullable=True),
        sa.Column("issues", postgresql.JSONB(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("finished_at", moment, nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'done', 'refused')", name=op.f("ck_account_checks_state")),
        sa.CheckConstraint(
            "(state = 'waiting') = (credentials_sealed IS NOT NULL)", name=op.f("ck_account_checks_credentials_sealed")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_account_checks_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["asked_by"], ["people.id"], name="fk_account_checks_asked_by_people"),
        sa.PrimaryKeyConstraint("id", name="pk_account_checks"),
    )
    op.create_index("ix_account_checks_organisation_id", "account_checks", ["organisation_id"])
    op.create_index(
        "ix_account_checks_waiting", "account_checks", ["id"], postgresql_where=sa.text("state = 'waiting'")
    )
    rules.guarded_rows("account_checks", rules.may("sell"), rules.FREE)
