"""Labels of premises are told apart by their tones: “Hộ Pá Lâu” and “Hộ Pá Lầu” are two households."""

import re
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"

_TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")
_SYLLABLE = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f])*")


def upgrade() -> None:
    op.add_column("premises", sa.Column("label_key", sa.Text(), nullable=True))
    rows = op.get_bind().execute(sa.text("SELECT id, label FROM premises")).all()
    if rows:
        op.get_bind().execute(
            sa.text("UPDATE premises SET label_key = :key WHERE id = :id"),
            [{"id": row.id, "key": _key(row.label)} for row in rows],
        )
    op.alter_column("premises", "label_key", nullable=False)
    op.drop_index("uq_premises_open", "premises")
    op.create_index(
        "uq_premises_open",
        "premises",
        ["village_id", "kind", "label_key"],
        unique=True,
        postgresql_where=sa.text("valid_to IS NULL"),
    )


def _key(label: str) -> str:
    """As `app.db.identity` was on this day."""
    text = unicodedata.normalize("NFD", " ".join(unicodedata.normalize("NFC", label).split()).casefold())
    return unicodedata.normalize("NFC", _SYLLABLE.sub(lambda m: _tone_last(m.group()), text))


def _tone_last(letters: str) -> str:
    return "".join(c for c in letters if c not in _TONES) + "".join(c for c in letters if c in _TONES)
