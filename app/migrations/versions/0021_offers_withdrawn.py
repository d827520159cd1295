"""An offer of a role may be taken back while nobody has answered it."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.add_column("role_offers", sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("role_offers", sa.Column("withdrawn_by", sa.Uuid(), nullable=True))
    op.create_check_constraint(
        op.f("ck_role_offers_withdrawn"), "role_offers", "withdrawn_at IS NULL OR answered_at IS NULL"
    )
    op.drop_index("uq_role_offers_open", "role_offers")
    op.create_index(
        "uq_role_offers_open",
        "role_offers",
        ["person_id", "organisation_id", "role"],
        unique=True,
        postgresql_where=sa.text("answered_at IS NULL AND withdrawn_at IS NULL"),
    )
    op.execute("GRANT UPDATE (withdrawn_at, withdrawn_by) ON role_offers TO hoi_app")
    # The person answers, as before; whoever may take an offer back writes no answer and wipes none.
    op.execute("""
        CREATE POLICY role_offers_withdraw ON role_offers FOR UPDATE TO hoi_app
        USING (answered_at IS NULL
               AND ((SELECT hoi_holds('administrator')) OR hoi_manages(organisation_id) OR hoi_is_person(offered_by)))
        WITH CHECK (answered_at IS NULL AND withdrawn_at IS NOT NULL)""")
