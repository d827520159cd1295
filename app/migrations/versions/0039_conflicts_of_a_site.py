"""What came under a taken id names the site, so that a site's are asked for alone, in the order of their list."""

from alembic import op

from app.migrations.columns import identifier

revision = "0039"
down_revision = "0038"

# A stranger's id tells nothing, not even where the other step was done: there the site is the one that was sent.
FILL = """
UPDATE conflicting_submissions c SET site_id = coalesce(
    (SELECT s.id FROM sites s WHERE l.organisation_id <> c.organisation_id AND s.organisation_id = c.organisation_id
                                AND CAST(s.id AS text) = c.body ->> 'site_id'), l.site_id)
  FROM care_logs l WHERE l.id = c.care_log_id
"""


def upgrade() -> None:
    op.add_column("conflicting_submissions", identifier("site_id", nullable=True))
    op.execute(FILL)
    op.alter_column("conflicting_submissions", "site_id", nullable=False)
    named = op.f("fk_conflicting_submissions_site_id_sites")
    op.create_foreign_key(named, "conflicting_submissions", "sites", ["site_id"], ["id"])
    op.drop_index("ix_conflicting_submissions_organisation_id", table_name="conflicting_submissions")
    for holder in ("organisation_id", "site_id"):
        op.create_index(
            f"ix_conflicting_submissions_{holder}", "conflicting_submissions", [holder, "received_at", "id"]
        )
