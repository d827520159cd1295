"""Numbers inside names sort as numbers; a name is the same only with its tones."""

import sqlalchemy as sa
from alembic import op

from app.db import sort_key

revision = "0026"
down_revision = "0025"

FUNCTIONS = r"""
-- The order of names: every number padded to ten digits. Give it a folded name.
CREATE FUNCTION vn_numbered(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT regexp_replace(regexp_replace(value, '([0-9]+)', '0000000000\1', 'g'), '0*([0-9]{10,})', '\1', 'g') $$;

-- What makes two names the same, as identity() in app/db/texts.py: letters and tones, not case nor the place of the tone.
CREATE FUNCTION vn_identity(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT normalize(regexp_replace(lower(replace(normalize(btrim(regexp_replace(value, '\s+', ' ', 'g')), NFD), 'Đ', 'đ')),
          '([\u0300\u0301\u0303\u0309\u0323])([a-zđ\u0302\u0306\u031b]+)', '\2\1', 'g'), NFC) $$;

-- Whoever types a phone number learns nothing but whether the name typed beside it is the right one. A name typed without
-- any mark says nothing of tones, so it may be anyone's of these letters; one typed with marks is that name alone.
CREATE OR REPLACE FUNCTION hoi_person_with(wanted text, name text) RETURNS TABLE (person_id uuid, same boolean) LANGUAGE sql
STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT CASE WHEN c.same THEN d.person_id END, c.same
     FROM personal_data d
    CROSS JOIN LATERAL (SELECT vn_identity(d.full_name) = vn_identity(name)
                            OR (name ~ '^[\x01-\x7f]*$' AND vn_fold(d.full_name) = vn_fold(name)) AS same) c
    WHERE d.phone = wanted $$;
"""


def upgrade() -> None:
    op.execute(FUNCTIONS)
    connection = op.get_bind()
    places = connection.execute(sa.text("SELECT id, name FROM places")).all()
    if places:
        connection.execute(
            sa.text("UPDATE places SET sort_key = :key WHERE id = :id"),
            [{"id": row.id, "key": sort_key(row.name)} for row in places],
        )
