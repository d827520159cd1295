"""A thing of a village has one first record, so that of two people who write it at once only one is taken."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

# Two first rows of one subject become one story: the later one corrects the last row of the earlier one.
CHAIN = """
WITH RECURSIVE story (head, id) AS (
    SELECT id, id FROM village_facts WHERE supersedes_id IS NULL
    UNION ALL
    SELECT s.head, f.id FROM story s JOIN village_facts f ON f.supersedes_id = s.id
), heads AS (
    SELECT id, lag(id) OVER (PARTITION BY village_id, kind, subject ORDER BY recorded_at, id) AS before
      FROM village_facts WHERE supersedes_id IS NULL
)
UPDATE village_facts f SET supersedes_id = s.id
  FROM heads h JOIN story s ON s.head = h.before
 WHERE f.id = h.id AND NOT EXISTS (SELECT FROM village_facts l WHERE l.supersedes_id = s.id)
"""


def upgrade() -> None:
    op.execute(CHAIN)
    op.create_index(
        "uq_village_facts_first",
        "village_facts",
        ["village_id", "kind", "subject"],
        unique=True,
        postgresql_where=sa.text("supersedes_id IS NULL"),
    )
