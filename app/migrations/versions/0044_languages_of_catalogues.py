"""An account keeps any language that has a catalogue: which ones there are, the form knows, not the schema."""

from alembic import op

revision = "0044"
down_revision = "0043"


def upgrade() -> None:
    name = op.f("ck_personal_data_language")
    op.drop_constraint(name, "personal_data", type_="check")
    op.create_check_constraint(name, "personal_data", "language ~ '^[a-z]{2,3}(_[A-Za-z]+)*$'")
