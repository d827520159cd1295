"""Stored files: kept once, whole, and never changed."""

import io
from hashlib import sha256

import pytest
from PIL import Image
from sqlalchemy import update
from sqlalchemy.orm import Session

from app import media
from app.errors import Invalid, NotFound, Unavailable
from app.media import MediaBlob, MediaStore
from app.settings import Settings
from tests.app.media.files import blobs, encoded, kept_file, leaf, noise, stored_files, zipped


def test_a_large_photo_is_kept_at_1600_pixels_with_a_small_copy(db_session: Session, store: MediaStore) -> None:
    photo = kept_file(db_session, store, encoded(leaf(3000, 2000), "JPEG"))
    assert (photo.width, photo.height) == (1600, 1067)
    large = media.open_blob(db_session, store, photo.sha256)
    small = media.open_blob(db_session, store, photo.sha256, small=True)
    assert (large.media_type, small.media_type) == ("image/jpeg", "image/webp")
    with Image.open(io.BytesIO(large.data)) as opened:
        assert (opened.format, opened.size) == ("JPEG", (1600, 1067))
    with Image.open(io.BytesIO(small.data)) as opened:
        assert (opened.format, opened.size) == ("WEBP", (480, 320))
    assert photo.thumb_sha256 == small.sha256 == sha256(small.data).hexdigest()


def test_the_small_copy_of_the_busiest_picture_still_fits_a_scan_page(db_session: Session, store: MediaStore) -> None:
    photo = kept_file(db_session, store, encoded(noise(1200, 900), "JPEG", quality=70))
    assert len(media.open_blob(db_session, store, photo.sha256, small=True).data) <= media.THUMB_BYTES


def test_the_same_photo_twice_is_stored_once(db_session: Session, store: MediaStore, settings: Settings) -> None:
    raw = encoded(leaf(), "JPEG")
    first = kept_file(db_session, store, raw)
    kept = stored_files(settings)
    again = kept_file(db_session, store, raw)
    assert first == again
    assert blobs(db_session) == 2
    assert stored_files(settings) == kept
    assert [p.name for p in kept] == sorted([first.sha256, first.thumb_sha256], key=lambda d: (d[:2], d))


def test_the_same_pixels_in_another_wrapping_share_their_bytes(db_session: Session, store: MediaStore) -> None:
    first = kept_file(db_session, store, encoded(leaf(), "PNG"))
    exif = Image.Exif()
    exif[0x010F] = "Khac"
    second = kept_file(db_session, store, encoded(leaf(), "PNG", exif=exif))
    assert first.sha256 == second.sha256
    assert blobs(db_session) == 2


def test_bytes_that_changed_in_the_store_are_never_sent(
    db_session: Session, store: MediaStore, settings: Settings
) -> None:
    photo = kept_file(db_session, store, encoded(leaf(), "JPEG"))
    path = settings.var / "media" / "blobs" / photo.sha256[:2] / photo.sha256
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(Unavailable) as damage:
        media.open_blob(db_session, store, photo.sha256)
    assert damage.value.code == "media_damaged"


def test_an_unknown_hash_is_not_found(db_session: Session, store: MediaStore) -> None:
    with pytest.raises(NotFound):
        media.open_blob(db_session, store, "0" * 64)


def test_a_pdf_is_kept_as_it_came(db_session: Session, store: MediaStore) -> None:
    raw = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
    digest = kept_file(db_session, store, raw).sha256
    opened = media.open_blob(db_session, store, digest, small=True)
    assert (opened.kind, opened.media_type, opened.data) == ("pdf", "application/pdf", raw)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"%PDF-1.7 without an end", "not_pdf"),
        (b"x%PDF-1.7\n%%EOF", "not_a_photo"),
        (b"%PDF-1.7\n%%EOF" + zipped(), "not_pdf"),
    ],
)
def test_what_is_no_whole_pdf_is_refused(db_session: Session, store: MediaStore, raw: bytes, code: str) -> None:
    with pytest.raises(Invalid, match=code):
        kept_file(db_session, store, raw)
    assert blobs(db_session) == 0


def test_blobs_can_be_added_but_never_changed_by_the_application(db_session: Session, store: MediaStore) -> None:
    kept_file(db_session, store, encoded(leaf(), "JPEG"))
    with pytest.raises(Exception, match="permission denied"), db_session.begin_nested():
        db_session.execute(update(MediaBlob).values(media_type="text/html"))
