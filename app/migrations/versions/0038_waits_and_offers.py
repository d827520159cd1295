"""Waits for the writers of many sites by one statement; indices in the order of diaries, of offers and of a village's news."""

from alembic import op

revision = "0038"
down_revision = "0037"

# A lock that was taken inside a block that raised is given back with it.
WAIT = """
CREATE FUNCTION hoi_wait_for_writers(site_ids uuid[]) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS
$$ DECLARE site uuid;
BEGIN
    FOREACH site IN ARRAY site_ids LOOP
        BEGIN
            PERFORM id FROM sites WHERE id = site FOR UPDATE;
            RAISE EXCEPTION USING ERRCODE = 'HOI01';
        EXCEPTION WHEN SQLSTATE 'HOI01' THEN NULL;
        END;
    END LOOP;
END $$
"""


def upgrade() -> None:
    op.execute(WAIT)
    op.create_index("ix_role_offers_person_id", "role_offers", ["person_id"])
    op.create_index("ix_village_facts_recorded_at", "village_facts", ["village_id", "recorded_at"])
    for holder in ("site_id", "organisation_id"):
        op.drop_index(f"ix_care_logs_{holder}", table_name="care_logs")
        op.create_index(f"ix_care_logs_{holder}", "care_logs", [holder, "happened_at", "position"])
