"""Places: dated units, names, lineage, attributes, premises, imports; in which province each lies."""

import sqlalchemy as sa
from alembic import op

from app.migrations import columns as c
from app.migrations import rules

revision = "0103"
down_revision = "0102"

# What a place lies in never changes: units that move get a new id. So the province may stand beside it.
PROVINCE_OF_PLACE = """
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
"""


def upgrade() -> None:
    _places()
    _of_places()
    _premises()


def _everybodys(table: str, rights: str = rules.DATED) -> None:
    """Places are the same for everybody; the province alone changes them."""
    rules.rows(table, rights, read=rules.ANYBODY, add=rules.PROVINCE, change=rules.PROVINCE)


def _places() -> None:
    c.table(
        "places",
        c.key(),
        c.text("code", "level", "kind_word", "name"),
        c.computed("name_folded", "vn_fold(name)"),
        sa.Column("sort_key", sa.Text(collation="C"), nullable=False),
        c.identifier("parent_id", to="places", nullable=True),
        c.day("valid_from", "valid_to", nullable=True),
        c.moment("recorded_at"),
        c.moment("ended_at", nullable=True),
        c.identifier("province_id"),
        c.one_of("level", "province district commune village"),
        c.check("order", "valid_to >= valid_from"),
        c.check("ended", "(valid_to IS NULL) = (ended_at IS NULL)"),
        c.check("parent", "(level = 'province') = (parent_id IS NULL)"),
    )
    op.execute(
        "ALTER TABLE places ADD CONSTRAINT ex_places_code"
        " EXCLUDE USING gist (code WITH =, daterange(valid_from, valid_to, '[]') WITH &&)"
    )
    c.indices("places", "parent_id", "level, sort_key")
    c.trigrams("places", "name_folded")
    op.execute(PROVINCE_OF_PLACE)
    _everybodys("places")


def _of_places() -> None:
    c.table(
        "place_names",
        c.key(),
        c.identifier("place_id", to="places"),
        c.text("kind_word", "name"),
        c.day("valid_from", "valid_to", nullable=True),
        c.moment("recorded_at"),
        c.identifier("person_id", nullable=True),
        c.moment("ended_at", nullable=True),
        c.dated(),
    )
    c.index("place_names", "place_id")
    _everybodys("place_names")

    c.table(
        "place_lineage",
        c.identifier("old_id", "new_id", to="places"),
        c.flag("partial"),
        c.text("decision"),
        c.day("effective_on"),
        c.primary("old_id", "new_id"),
    )
    c.index("place_lineage", "new_id")
    _everybodys("place_lineage", rules.APPEND_ONLY)

    c.table(
        "place_attributes",
        c.key(),
        c.identifier("place_id", to="places"),
        c.text("key", "value"),
        c.span(),
        c.text("basis"),
        c.moment("recorded_at"),
        c.identifier("person_id", nullable=True),
        c.moment("ended_at", nullable=True),
        c.dated(),
        c.check("commune_group", "key <> 'commune_group' OR value IN ('1', '2', '3')"),
    )
    c.one_open("place_attributes", "place_id, key")
    _everybodys("place_attributes")

    # The decision that ended a village.
    c.table(
        "place_endings",
        c.key(),
        c.identifier("place_id", to="places"),
        c.day("last_day"),
        c.text("decision"),
        c.moment("recorded_at"),
        c.identifier("person_id", nullable=True),
    )
    c.index("place_endings", "place_id", unique=True)
    rules.rows("place_endings", rules.APPEND_ONLY, read=rules.ANYBODY, add=rules.PROVINCE, change=rules.NOBODY)


def _premises() -> None:
    """Labels are told apart by their tones (`label_key`, see db.identity): “Hộ Pá Lâu” and “Hộ Pá Lầu” are two households."""
    c.table(
        "premises",
        c.key(),
        c.identifier("village_id", to="places"),
        c.text("kind", "label"),
        c.computed("label_folded", "vn_fold(label)"),
        c.span(),
        c.moment("recorded_at"),
        c.moment("ended_at", nullable=True),
        c.identifier("person_id", nullable=True),
        c.text("label_key"),
        c.one_of("kind", "household office culture_house"),
        c.dated(),
    )
    c.index("premises", "village_id")
    c.one_open("premises", "village_id, kind, label_key")
    _everybodys("premises")

    c.table(
        "place_imports",
        c.key(),
        c.text("kind"),
        c.identifier("person_id"),
        c.text("file_name", "blob_sha256"),
        c.day("effective_on"),
        c.moment("created_at"),
        c.identifier("job_id", nullable=True),
        c.moment("applied_at", nullable=True),
        c.data("summary", nullable=True),
        c.one_of("kind", "villages premises"),
    )
    c.index("place_imports", "person_id")
    rules.one_rule("place_imports", rules.DATED, "hoi_is_person(person_id)")
