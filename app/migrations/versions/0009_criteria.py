"""Criteria: facts that people record of villages, the province's choices, and derived answers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations import rules
from app.migrations.columns import identifier, moment, points

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Spelled so that the actor's places are read once a query, not once a row.
OF_THE_PLACE = "hoi_is_system() OR village_id IN (SELECT unnest(hoi_places()))"


def upgrade() -> None:
    op.create_table(
        "village_facts",
        identifier("id"),
        identifier("village_id"),
        sa.Column("kind", sa.Text(), nullable=False),
        identifier("subject"),
        sa.Column("value", postgresql.JSONB(), nullable=False),
        sa.Column("observed_on", sa.Date(), nullable=False),
        moment("recorded_at"),
        identifier("person_id"),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        identifier("supersedes_id", nullable=True),
        sa.CheckConstraint(
            "kind IN ('digital_group', 'group_activity', 'channel', 'feedback', 'wifi', 'digital_address', 'model',"
            " 'no_model')",
            name=op.f("ck_village_facts_kind"),
        ),
        sa.CheckConstraint(
            "witness IN ('village', 'digital_group', 'commune', 'province', 'officer')",
            name=op.f("ck_village_facts_witness"),
        ),
        points("village_facts", "village_id", "places"),
        points("village_facts", "person_id", "people"),
        points("village_facts", "supersedes_id", "village_facts"),
        sa.PrimaryKeyConstraint("id", name="pk_village_facts"),
    )
    op.create_index("ix_village_facts_village_id", "village_facts", ["village_id", "kind"])
    op.create_index("uq_village_facts_supersedes_id", "village_facts", ["supersedes_id"], unique=True)
    rules.guarded_rows("village_facts", OF_THE_PLACE, rules.APPEND_ONLY)

    op.create_table(
        "parameter_choices",
        identifier("id"),
        sa.Column("pack_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        moment("recorded_at"),
        identifier("person_id"),
        points("parameter_choices", "person_id", "people"),
        sa.PrimaryKeyConstraint("id", name="pk_parameter_choices"),
    )
    op.create_index("ix_parameter_choices_pack_id", "parameter_choices", ["pack_id", "name"])
    rules.open_rows("parameter_choices", rules.APPEND_ONLY)

    op.create_table(
        "village_assessments",
        identifier("id"),
        identifier("village_id"),
        sa.Column("pack_id", sa.Text(), nullable=False),
        sa.Column("pack_version", sa.Text(), nullable=False),
        sa.Column("pack_sha256", sa.Text(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        moment("computed_at"),
        moment("confirmed_at"),
        sa.Column("overall", sa.Text(), nullable=False),
        sa.Column("values", postgresql.JSONB(), nullable=False),
        sa.Column("met", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("result", postgresql.JSONB(), nullable=False),
        sa.Column("flags", postgresql.JSONB(), nullable=False),
        sa.Column("answer_sha256", sa.Text(), nullable=False),
        sa.Column("next_change_on", sa.Date(), nullable=True),
        sa.Column("current", sa.Boolean(), nullable=False),
        points("village_assessments", "village_id", "places"),
        sa.PrimaryKeyConstraint("id", name="pk_village_assessments"),
    )
    op.create_index(
        "uq_village_assessments_current",
        "village_assessments",
        ["village_id", "pack_id"],
        unique=True,
        postgresql_where=sa.text('"current"'),
    )
    op.create_index("ix_village_assessments_village_id", "village_assessments", ["village_id", "computed_at"])
    op.create_index(
        "ix_village_assessments_next_change_on",
        "village_assessments",
        ["next_change_on"],
        postgresql_where=sa.text('"current"'),
    )
    rules.grant("village_assessments", rules.APPEND_ONLY)
    # An answer is never rewritten; only its being the newest, and having been confirmed again, may change.
    op.execute('GRANT UPDATE ("current", confirmed_at, next_change_on) ON village_assessments TO hoi_app')
    op.execute("ALTER TABLE village_assessments ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY village_assessments_rows ON village_assessments TO hoi_app USING ({OF_THE_PLACE})")
