"""A fact says since when a later one corrects it, so that what stands is found without reading what stood before."""

import sqlalchemy as sa
from alembic import op

from app.migrations.columns import moment

revision = "0040"
down_revision = "0039"

# The row itself is never edited: this says of it what its successor says, whoever writes that.
KEEP = """
CREATE FUNCTION hoi_fact_was_superseded() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE village_facts SET superseded_on = NEW.observed_on, superseded_at = NEW.recorded_at
     WHERE id = NEW.supersedes_id AND (village_id, kind, subject) = (NEW.village_id, NEW.kind, NEW.subject);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a fact corrects one of its own subject' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER village_facts_superseded AFTER INSERT OR UPDATE OF supersedes_id ON village_facts
    FOR EACH ROW WHEN (NEW.supersedes_id IS NOT NULL) EXECUTE FUNCTION hoi_fact_was_superseded();
"""
FILL = """
UPDATE village_facts f SET superseded_on = l.observed_on, superseded_at = l.recorded_at
  FROM village_facts l WHERE l.supersedes_id = f.id
"""


def upgrade() -> None:
    op.add_column("village_facts", sa.Column("superseded_on", sa.Date(), nullable=True))
    op.add_column("village_facts", moment("superseded_at", nullable=True))
    op.execute(FILL)
    op.execute(KEEP)
    for since in ("superseded_on", "superseded_at"):
        op.create_index(f"ix_village_facts_{since}", "village_facts", ["village_id", since])
