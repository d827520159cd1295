"""Criteria: facts that people record of villages, the province's choices, derived answers, villages to derive."""

from alembic import op

from app.migrations import columns as c
from app.migrations import rules
from app.migrations.rules import placed

revision = "0109"
down_revision = "0108"

# The row itself is never edited: this says of it what its successor says, whoever writes that.
SUPERSEDED = """
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

# Of answers older than two years what stood at the end of each month stays, and each change with what it replaced; and
# always the one that stands. What goes in between said the same of every criterion as the row before and after it.
THIN_ASSESSMENTS = """
CREATE FUNCTION hoi_thin_assessments(villages uuid[], most integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    cut timestamptz := (date_trunc('month', now() AT TIME ZONE 'Asia/Ho_Chi_Minh') - interval '24 months')
        AT TIME ZONE 'Asia/Ho_Chi_Minh';
    gone integer;
BEGIN
    IF NOT hoi_is_system() THEN
        RAISE EXCEPTION 'only the system thins answers' USING ERRCODE = 'insufficient_privilege';
    END IF;
    WITH old AS (
        SELECT id, "current", (overall, values) = lag((overall, values)) OVER line AS as_before,
               (overall, values) = lead((overall, values)) OVER line AS as_after,
               date_trunc('month', computed_at AT TIME ZONE 'Asia/Ho_Chi_Minh')
               = lead(date_trunc('month', computed_at AT TIME ZONE 'Asia/Ho_Chi_Minh')) OVER line AS more_in_month
          FROM village_assessments
         WHERE village_id = ANY (villages) AND computed_at < cut
        WINDOW line AS (PARTITION BY village_id, pack_id ORDER BY computed_at, id)
    ), between_equals AS (
        SELECT id FROM old WHERE NOT "current" AND as_before AND as_after AND more_in_month LIMIT most
    )
    DELETE FROM village_assessments a USING between_equals b WHERE a.id = b.id;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;
"""

OF_THE_PLACE = f"{rules.SYSTEM} OR {placed('hoi_units()')}"


def upgrade() -> None:
    _facts()
    _choices()
    _assessments()
    _to_derive()


def _facts() -> None:
    """A thing of a village has one first record, so that of two people who write it at once only one is taken."""
    c.table(
        "village_facts",
        c.key(),
        c.identifier("village_id", to="places"),
        c.text("kind"),
        c.identifier("subject"),
        c.data("value"),
        c.day("observed_on"),
        c.moment("recorded_at"),
        c.identifier("person_id", to="people"),
        c.text("witness"),
        c.data("evidence"),
        c.text("note"),
        c.flag("withdrawn"),
        c.identifier("supersedes_id", to="village_facts", nullable=True),
        c.day("superseded_on", nullable=True),
        c.moment("superseded_at", nullable=True),
        c.one_of("kind", "digital_group group_activity channel feedback wifi digital_address model no_model"),
        c.one_of("witness", "village digital_group commune province officer"),
    )
    c.index("village_facts", "village_id, kind")
    c.index("village_facts", "village_id, recorded_at", named="recorded_at")
    # What stands is found without reading what stood before.
    for since in ("superseded_on", "superseded_at"):
        c.index("village_facts", f"village_id, {since}", named=since)
    c.index("village_facts", "supersedes_id", unique=True)
    c.index("village_facts", "village_id, kind, subject", named="first", unique=True, where="supersedes_id IS NULL")
    op.execute(SUPERSEDED)
    record = rules.SYSTEM
    for witness in ("digital_group", "village", "officer", "commune", "province"):
        there = placed(f"hoi_may_at('record_as_{witness}')")
        record += f" OR (witness = '{witness}' AND {there})"
    rules.rows("village_facts", rules.APPEND_ONLY, read=OF_THE_PLACE, add=record, change=rules.NOBODY)


def _choices() -> None:
    c.table(
        "parameter_choices",
        c.key(),
        c.text("pack_id", "name"),
        c.data("value"),
        c.day("valid_from"),
        c.text("decided_by"),
        c.moment("recorded_at"),
        c.identifier("person_id", to="people"),
    )
    c.index("parameter_choices", "pack_id, name")
    rules.rows("parameter_choices", rules.APPEND_ONLY, read=rules.ANYBODY, add=rules.PROVINCE, change=rules.SYSTEM)


def _assessments() -> None:
    c.table(
        "village_assessments",
        c.key(),
        c.identifier("village_id", to="places"),
        c.text("pack_id", "pack_version", "pack_sha256"),
        c.day("as_of"),
        c.moment("computed_at", "confirmed_at"),
        c.text("overall"),
        c.data("values"),
        c.number("met", "total"),
        c.data("result", "flags"),
        c.text("answer_sha256"),
        c.day("next_change_on", nullable=True),
        c.flag("current"),
        c.moment("next_change_at", nullable=True),
        c.data("tallies"),
    )
    c.index("village_assessments", "village_id, computed_at")
    c.index("village_assessments", "next_change_at", where='"current"')
    c.index("village_assessments", "village_id, pack_id", named="current", unique=True, where='"current"')
    rules.rows("village_assessments", rules.APPEND_ONLY, read=OF_THE_PLACE, add=rules.SYSTEM, change=rules.SYSTEM)
    # An answer is never rewritten; only its being the newest, and having been confirmed again, may change.
    op.execute(
        'GRANT UPDATE ("current", confirmed_at, next_change_on, next_change_at, tallies) ON village_assessments TO hoi_app'
    )
    op.execute(THIN_ASSESSMENTS)


def _to_derive() -> None:
    c.table(
        "villages_to_derive",
        c.identifier("village_id", to="places"),
        c.text("pack_id"),
        c.moment("asked_at"),
        c.flag("awaited"),
        c.number("times"),
        c.primary("village_id", "pack_id"),
    )
    rules.one_rule("villages_to_derive", rules.FREE, "hoi_is_system()")
