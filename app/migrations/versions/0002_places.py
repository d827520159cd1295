"""places: dated units, names, lineage, attributes, premises, imports."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations import rules

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Places are the same for everybody; the verbs decide who changes them, and this keeps visitors without a sign-in out.
SOMEBODY = "(SELECT hoi_is_system() OR hoi_person() IS NOT NULL)"


def upgrade() -> None:
    op.create_table(
        "places",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("kind_word", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_folded", sa.Text(), sa.Computed("vn_fold(name)", persisted=True), nullable=False),
        sa.Column("sort_key", sa.Text(collation="C"), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("level IN ('province', 'district', 'commune', 'village')", name=op.f("ck_places_level")),
        sa.CheckConstraint("valid_to >= valid_from", name=op.f("ck_places_order")),
        sa.CheckConstraint("(level = 'province') = (parent_id IS NULL)", name=op.f("ck_places_parent")),
        sa.ForeignKeyConstraint(["parent_id"], ["places.id"], name="fk_places_parent_id_places"),
        sa.PrimaryKeyConstraint("id", name="pk_places"),
    )
    op.execute(
        "ALTER TABLE places ADD CONSTRAINT ex_places_code"
        " EXCLUDE USING gist (code WITH =, daterange(valid_from, valid_to, '[]') WITH &&)"
    )
    op.create_index("ix_places_parent_id", "places", ["parent_id"])
    op.create_index("ix_places_level", "places", ["level", "sort_key"])
    op.create_index(
        "ix_places_name_folded",
        "places",
        ["name_folded"],
        postgresql_using="gin",
        postgresql_ops={"name_folded": "gin_trgm_ops"},
    )
    rules.guarded_rows("places", "true", rules.DATED, SOMEBODY)

    op.create_table(
        "place_names",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("kind_word", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("valid_to >= valid_from - 1", name=op.f("ck_place_names_order")),
        sa.ForeignKeyConstraint(["place_id"], ["places.id"], name="fk_place_names_place_id_places"),
        sa.PrimaryKeyConstraint("id", name="pk_place_names"),
    )
    op.create_index("ix_place_names_place_id", "place_names", ["place_id"])
    rules.guarded_rows("place_names", "true", rules.DATED, SOMEBODY)

    op.create_table(
        "place_lineage",
        sa.Column("old_id", sa.Uuid(), nullable=False),
        sa.Column("new_id", sa.Uuid(), nullable=False),
        sa.Column("partial", sa.Boolean(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["old_id"], ["places.id"], name="fk_place_lineage_old_id_places"),
        sa.ForeignKeyConstraint(["new_id"], ["places.id"], name="fk_place_lineage_new_id_places"),
        sa.PrimaryKeyConstraint("old_id", "new_id", name="pk_place_lineage"),
    )
    op.create_index("ix_place_lineage_new_id", "place_lineage", ["new_id"])
    rules.guarded_rows("place_lineage", "true", rules.APPEND_ONLY, SOMEBODY)

    op.create_table(
        "place_attributes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("valid_to >= valid_from - 1", name=op.f("ck_place_attributes_order")),
        sa.CheckConstraint(
            "key <> 'commune_group' OR value IN ('1', '2', '3')", name=op.f("ck_place_attributes_commune_group")
        ),
        sa.ForeignKeyConstraint(["place_id"], ["places.id"], name="fk_place_attributes_place_id_places"),
        sa.PrimaryKeyConstraint("id", name="pk_place_attributes"),
    )
    op.create_index(
        "uq_place_attributes_open",
        "place_attributes",
        ["place_id", "key"],
        unique=True,
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    rules.guarded_rows("place_attributes", "true", rules.DATED, SOMEBODY)

    op.create_table(
        "premises",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("village_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("label_folded", sa.Text(), sa.Computed("vn_fold(label)", persisted=True), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("kind IN ('household', 'office', 'culture_house')", name=op.f("ck_premises_kind")),
        sa.CheckConstraint("valid_to >= valid_from - 1", name=op.f("ck_premises_order")),
        sa.CheckConstraint("(valid_to IS NULL) = (ended_at IS NULL)", name=op.f("ck_premises_ended")),
        sa.ForeignKeyConstraint(["village_id"], ["places.id"], name="fk_premises_village_id_places"),
        sa.PrimaryKeyConstraint("id", name="pk_premises"),
    )
    op.create_index("ix_premises_village_id", "premises", ["village_id"])
    op.create_index(
        "uq_premises_open",
        "premises",
        ["village_id", "kind", "label_folded"],
        unique=True,
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    rules.guarded_rows("premises", "true", rules.DATED, SOMEBODY)

    op.create_table(
        "place_imports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("blob_sha256", sa.Text(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("summary", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint("kind IN ('villages', 'premises')", name=op.f("ck_place_imports_kind")),
        sa.PrimaryKeyConstraint("id", name="pk_place_imports"),
    )
    op.create_index("ix_place_imports_person_id", "place_imports", ["person_id"])
    rules.person_rows("place_imports")
