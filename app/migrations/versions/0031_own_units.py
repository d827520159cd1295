"""Row-level security is told an official's own units, and reads where an organisation lies from the organisation's row.

Until now it was told every place below them, 1,971 ids for a province, and asked which organisations lie in one of those: a
question over all organisations for the first row of anything.
"""

import re
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from app.migrations.rules import around, may, placed, sees

revision = "0031"
down_revision = "0030"

# What a place lies in never changes: units that move get a new id. So the province may stand beside it.
COLUMNS = """
ALTER TABLE places ADD COLUMN province_id uuid;
WITH RECURSIVE lying (id, province_id) AS (
    SELECT id, id FROM places WHERE parent_id IS NULL
    UNION ALL SELECT p.id, above.province_id FROM places p JOIN lying above ON above.id = p.parent_id
) UPDATE places p SET province_id = lying.province_id FROM lying WHERE lying.id = p.id;
ALTER TABLE places ALTER COLUMN province_id SET NOT NULL;
CREATE FUNCTION hoi_province_of_place() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'a place never comes to lie in another one' USING ERRCODE = '42501';
    END IF;
    NEW.province_id := CASE WHEN NEW.parent_id IS NULL THEN NEW.id
                            ELSE (SELECT province_id FROM places WHERE id = NEW.parent_id) END;
    RETURN NEW;
END $$;
CREATE TRIGGER places_province BEFORE INSERT ON places FOR EACH ROW EXECUTE FUNCTION hoi_province_of_place();
CREATE TRIGGER places_stay BEFORE UPDATE OF parent_id, province_id ON places FOR EACH ROW
    WHEN (OLD.parent_id IS DISTINCT FROM NEW.parent_id OR OLD.province_id <> NEW.province_id)
    EXECUTE FUNCTION hoi_province_of_place();

ALTER TABLE organisations ADD COLUMN province_id uuid CONSTRAINT fk_organisations_province_id_places REFERENCES places (id);
UPDATE organisations o SET province_id = p.province_id FROM places p WHERE p.id = coalesce(o.village_id, o.commune_id);
CREATE FUNCTION hoi_province_of_seat() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    NEW.province_id := (SELECT province_id FROM places WHERE id = coalesce(NEW.village_id, NEW.commune_id));
    RETURN NEW;
END $$;
CREATE TRIGGER organisations_province BEFORE INSERT OR UPDATE OF village_id, commune_id, province_id ON organisations
    FOR EACH ROW EXECUTE FUNCTION hoi_province_of_seat();
"""

FUNCTIONS = """
-- The units that an official answers for, by name; what lies below them is read from the rows.
CREATE FUNCTION hoi_units() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce(nullif(current_setting('hoi.units', true), ''), '{}')::uuid[] $$;

-- Only for who asks for the whole list: a policy asks about the organisation of its row, see migrations.rules.sees.
CREATE OR REPLACE FUNCTION hoi_overseen() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS
$$ SELECT id FROM organisations, (SELECT hoi_units() AS units) AS mine
    WHERE village_id = ANY (mine.units) OR commune_id = ANY (mine.units) OR province_id = ANY (mine.units) $$;

CREATE OR REPLACE FUNCTION hoi_confirmers(confirmations uuid[]) RETURNS TABLE (confirmation_id uuid, full_name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$ SELECT c.id, d.full_name
     FROM declared_confirmations c JOIN personal_data d ON d.person_id = c.confirmed_by
    WHERE c.id = ANY (confirmations) AND (SEES) $$;
"""

SYSTEM = "(SELECT hoi_is_system())"
HELD_BY_MANAGED = (
    "EXISTS (SELECT FROM memberships held WHERE held.person_id = {person} AND held.valid_to IS NULL"
    f" AND ({may('manage_people', 'held.organisation_id')}))"
)


def told_as(function: str) -> str:
    """How PostgreSQL spells a function's array that is read once a statement."""
    return rf"= ANY \(\( SELECT {function} AS \w+\)::uuid\[\]\)"


# What a policy says now, as PostgreSQL spells it, and what it shall say.
AGAIN: list[tuple[str, Callable[[re.Match[str]], str]]] = [
    (r"(\w+) IN \( SELECT hoi_overseen\(\) AS hoi_overseen\)", lambda m: around("hoi_units()", m[1])),
    (
        r"(\w+) IN \( SELECT hoi_lying_in\(hoi_may_at\('(\w+)'::text\)\) AS hoi_lying_in\)",
        lambda m: around(f"hoi_may_at('{m[2]}')", m[1]),
    ),
    ("village_id " + told_as(r"hoi_places\(\)"), lambda _: placed("hoi_units()", "village_id")),
    (
        "village_id " + told_as(r"hoi_may_at\('(\w+)'::text\)"),
        lambda m: placed(f"hoi_may_at('{m[1]}')", "village_id"),
    ),
    # Rights that were read once for each row.
    (r"= ANY \(hoi_organisations\(\)\)", lambda _: "= ANY ((SELECT hoi_organisations())::uuid[])"),
    (r"hoi_manages\(([\w.]+)\)", lambda m: f"({may('manage_people', m[1])})"),
    (r"hoi_manages_person\(([\w.]+)\)", lambda m: f"({SYSTEM} OR {HELD_BY_MANAGED.format(person=m[1])})"),
]


def upgrade() -> None:
    op.execute(COLUMNS)
    op.execute(FUNCTIONS.replace("SEES", sees("c.organisation_id")))
    own = " OR ".join(
        f"{level}_id = ANY ((SELECT hoi_units())::uuid[])" for level in ("village", "commune", "province")
    )
    op.execute(
        "ALTER POLICY organisations_read ON organisations USING (hoi_is_system()"
        " OR id = ANY ((SELECT hoi_organisations())::uuid[])"
        f" OR (kind <> 'household' AND hoi_kind() <> '') OR {own})"
    )
    op.execute(
        "ALTER POLICY personal_data_read ON personal_data USING (hoi_is_person(person_id) OR EXISTS"
        " (SELECT FROM memberships held WHERE held.person_id = personal_data.person_id"
        " AND held.organisation_id = ANY ((SELECT hoi_organisations())::uuid[])))"
    )
    op.execute(
        "ALTER POLICY scan_tallies_rows ON scan_tallies USING (hoi_is_system() OR"
        " (SELECT true FROM trace_codes seen WHERE seen.code = scan_tallies.code))"
    )
    _say_again()
    op.execute("DROP FUNCTION hoi_sees(uuid), hoi_oversees(uuid), hoi_lying_in(uuid[]), hoi_places(), hoi_knows(uuid)")


def _say_again() -> None:
    """Put the new words into every policy that has the old ones, whichever migration wrote it."""
    query = sa.text("SELECT tablename, policyname, qual, with_check FROM pg_policies WHERE schemaname = 'public'")
    for table, policy, qual, check in op.get_bind().execute(query).all():
        changed = [
            f"{clause} ({new})"
            for clause, old in (("USING", qual), ("WITH CHECK", check))
            if old is not None and (new := _in_new_words(old, table)) != old
        ]
        if changed:
            op.execute(f"ALTER POLICY {policy} ON {table} {' '.join(changed)}")


def _in_new_words(condition: str, table: str) -> str:
    condition = re.sub(r"hoi_manages_person\((\w+)\)", rf"hoi_manages_person({table}.\1)", condition)
    for old, new in AGAIN:
        condition = re.sub(old, new, condition)
    return condition
