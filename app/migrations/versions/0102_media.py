"""Media: photos and files by their content, and uploads that go on where they broke off."""

from app.migrations import columns as c
from app.migrations import rules

revision = "0102"
down_revision = "0101"


def upgrade() -> None:
    c.table(
        "media_blobs",
        c.text("sha256", primary=True),
        c.text("kind", "media_type"),
        c.number("size"),
        c.number("width", "height", nullable=True),
        c.moment("stored_at"),
        c.text("source_sha256"),
        c.text("thumb_sha256", nullable=True),
        c.check("sha256", "sha256 ~ '^[0-9a-f]{64}$'"),
        c.one_of("kind", "photo thumb pdf import"),
    )
    c.index("media_blobs", "source_sha256")
    # A blob belongs to whoever's row points to it; the routes ask those rows before they send a byte. Blobs stay for ever,
    # but for a list that was never applied: it may hold what should not have been sent.
    told = {"read": rules.ANYBODY, "add": rules.SOMEBODY, "change": rules.NOBODY}
    rules.rows("media_blobs", "SELECT, INSERT, DELETE", **told, remove="kind = 'import' AND hoi_is_system()")

    c.table(
        "uploads",
        c.key(),
        c.identifier("person_id"),
        c.number("size"),
        c.text("sha256"),
        c.number("received"),
        c.moment("created_at"),
        c.moment("finished_at", nullable=True),
        c.text("blob_sha256", to="media_blobs.sha256", nullable=True),
        c.check("received", "received BETWEEN 0 AND size"),
    )
    c.indices("uploads", "person_id", "blob_sha256")
    c.index("uploads", "created_at", named="open", where="finished_at IS NULL")
    rules.one_rule("uploads", rules.FREE, "hoi_is_person(person_id)")
