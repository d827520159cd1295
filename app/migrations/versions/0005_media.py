"""media: content-addressed blobs and resumable uploads."""

import sqlalchemy as sa
from alembic import op

from app.migrations import rules

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "media_blobs",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source_sha256", sa.Text(), nullable=False),
        sa.Column("thumb_sha256", sa.Text(), nullable=True),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_media_blobs_sha256")),
        sa.CheckConstraint("kind IN ('photo', 'thumb', 'pdf', 'import')", name=op.f("ck_media_blobs_kind")),
        sa.PrimaryKeyConstraint("sha256", name="pk_media_blobs"),
    )
    op.create_index("ix_media_blobs_source_sha256", "media_blobs", ["source_sha256"])
    # A blob belongs to whoever's row points to it; the routes ask those rows before they send a byte.
    rules.open_rows("media_blobs", rules.APPEND_ONLY)

    op.create_table(
        "uploads",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blob_sha256", sa.Text(), nullable=True),
        sa.CheckConstraint("received BETWEEN 0 AND size", name=op.f("ck_uploads_received")),
        sa.ForeignKeyConstraint(["blob_sha256"], ["media_blobs.sha256"], name="fk_uploads_blob_sha256_media_blobs"),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
    )
    op.create_index("ix_uploads_person_id", "uploads", ["person_id"])
    op.create_index("ix_uploads_blob_sha256", "uploads", ["blob_sha256"])
    op.create_index("ix_uploads_open", "uploads", ["created_at"], postgresql_where=sa.text("finished_at IS NULL"))
    rules.person_rows("uploads", rules.FREE)
