"""Lists begin where the page before ended: an index in the order of each long one, and names found without reading all rows."""

from alembic import op

revision = "0037"
down_revision = "0036"

# A rule of rows is asked before a condition that could tell of hidden ones, so the index of names is of no use under it. Labels
# are public, and no household's holds personal data; an id opens nothing. A number of twelve digits is a person's: it finds nobody.
NAMED = """
CREATE FUNCTION hoi_organisations_named(pattern text, code text, most integer) RETURNS TABLE (id uuid) LANGUAGE sql
STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$ SELECT o.id FROM organisations o
    WHERE hoi_kind() <> '' AND (o.name_folded LIKE pattern OR (o.tax_code = code AND length(o.tax_code) <> 12)) LIMIT most $$
"""


def upgrade() -> None:
    op.execute(NAMED)
    op.create_index("ix_organisations_of_commune", "organisations", ["commune_id", "name_sorted", "id"])
    op.drop_index("ix_organisations_commune_id", table_name="organisations")
    op.drop_index("ix_jobs_person_id", table_name="jobs")
    op.create_index("ix_jobs_person_id", "jobs", ["person_id", "queued_at", "id"])
    op.drop_index("ix_notices_person_id", table_name="notices")
    op.create_index("ix_notices_person_id", "notices", ["person_id", "created_at", "id"])
    op.drop_index("ix_notices_unseen", table_name="notices")
    op.execute("CREATE INDEX ix_notices_unseen ON notices (person_id, created_at, id) WHERE seen_at IS NULL")
    op.drop_index("ix_memberships_person_id", table_name="memberships")
    op.create_index("ix_memberships_person_id", "memberships", ["person_id", "recorded_at", "id"])
