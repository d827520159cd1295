"""Files that arrive in parts."""

import threading
from datetime import timedelta
from hashlib import sha256

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app import clock, media
from app.actor import SYSTEM
from app.db import Database, new_id
from app.errors import Conflict, HoiError, Invalid, NotFound, TooLarge, TooMany, Unauthenticated
from app.media import MediaStore, Upload
from app.media.uploads import MAX_PART_BYTES
from app.settings import Settings
from tests.app.media.files import SessionFor, blobs, encoded, finish, kept_file, leaf, noise, person, send, stored_files


def test_a_photo_sent_in_parts_becomes_a_blob(session_for: SessionFor, store: MediaStore) -> None:
    actor, raw = person(), encoded(noise(200, 150), "JPEG")
    with session_for(actor) as session:
        upload = send(session, actor, store, raw)
        done = finish(session, actor, store, upload.id)
        again = finish(session, actor, store, upload.id)
        assert done.blob_sha256 == again.blob_sha256 == kept_file(session, store, raw).sha256
        assert done.finished_at is not None
        assert media.uploaded_by(session, actor, done.blob_sha256)
        assert not media.uploaded_by(session, person(), done.blob_sha256)


def test_what_comes_with_a_form_is_remembered_with_its_sender_once(session_for: SessionFor, store: MediaStore) -> None:
    """Whether the file was there already or not; what SYSTEM stores is nobody's."""
    first, second, raw = person(), person(), encoded(noise(60, 40), "JPEG")
    pdf = b"%PDF-1.7\nbody\n%%EOF"

    def uploads(session: Session) -> int:
        return session.scalar(select(func.count()).select_from(Upload)) or 0

    with session_for(SYSTEM) as session:
        digests = {kept_file(session, store, raw).sha256, kept_file(session, store, pdf).sha256}
        before = uploads(session)
    for actor in (first, second):
        with session_for(actor) as session:
            for _twice in range(2):
                assert {kept_file(session, store, raw).sha256, kept_file(session, store, pdf).sha256} == digests
            assert [media.uploaded_by(session, actor, digest) for digest in sorted(digests)] == [True, True]
    with session_for(SYSTEM) as session:
        assert uploads(session) == before + 4


def test_what_came_in_parts_is_remembered_by_its_upload_alone(session_for: SessionFor, store: MediaStore) -> None:
    actor, raw = person(), encoded(noise(60, 40), "JPEG")
    with session_for(actor) as session:
        finish(session, actor, store, send(session, actor, store, raw).id)
        assert session.scalar(select(func.count()).where(Upload.person_id == actor.person_id)) == 1


def test_only_files_of_the_kind_that_were_sent_or_are_seen_are_attachable(
    session_for: SessionFor, store: MediaStore
) -> None:
    actor, other = person(), person()
    pdf = b"%PDF-1.7\nbody\n%%EOF"
    with session_for(other) as session:
        theirs = kept_file(session, store, encoded(noise(60, 40), "JPEG")).sha256
    with session_for(actor) as session:
        mine = kept_file(session, store, encoded(noise(60, 40), "JPEG")).sha256
        paper = kept_file(session, store, pdf).sha256
        asked = [mine, theirs, paper, "f" * 64]

        def ask(*, kinds: tuple[str, ...] = ("photo",), seen: str = "") -> set[str]:
            return media.attachable(session, actor, asked, sees=lambda _s, _a, digest: digest == seen, kinds=kinds)

        assert (ask(), ask(kinds=("photo", "pdf")), ask(seen=theirs)) == ({mine}, {mine, paper}, {mine, theirs})
        assert media.attachable(session, SYSTEM, asked, sees=lambda *_: False) == {mine, theirs}
        assert media.attachable(session, actor, [], sees=lambda *_: True) == set()


def test_a_lost_answer_is_mended_by_sending_the_part_again(session_for: SessionFor, store: MediaStore) -> None:
    actor, raw = person(), encoded(leaf(), "JPEG")
    with session_for(actor) as session:
        upload = media.begin_upload(session, actor, upload_id=new_id(), size=len(raw), digest=sha256(raw).hexdigest())
        for _ in range(3):
            media.append_upload(session, actor, store, upload_id=upload.id, offset=0, data=raw[:1000])
        assert upload.received == 1000
        with pytest.raises(Conflict, match="1000"):
            media.append_upload(session, actor, store, upload_id=upload.id, offset=1500, data=raw[1500:])
        assert upload.received == 1000
        with pytest.raises(Conflict, match="1000 of"):
            finish(session, actor, store, upload.id)
        media.append_upload(session, actor, store, upload_id=upload.id, offset=1000, data=raw[1000:])
        assert finish(session, actor, store, upload.id).blob_sha256 is not None


def test_a_part_written_before_a_crash_is_overwritten_by_what_is_sent_next(
    session_for: SessionFor, store: MediaStore
) -> None:
    actor, raw = person(), encoded(leaf(), "JPEG")
    with session_for(actor) as session:
        upload = media.begin_upload(session, actor, upload_id=new_id(), size=len(raw), digest=sha256(raw).hexdigest())
        store.put(f"uploads/{upload.id}/{0:012d}", b"bytes of a transaction that never committed")
        media.append_upload(session, actor, store, upload_id=upload.id, offset=0, data=raw[:700])
        media.append_upload(session, actor, store, upload_id=upload.id, offset=700, data=raw[700:])
        assert finish(session, actor, store, upload.id).blob_sha256 is not None


def test_the_same_announcement_again_resumes_and_another_file_under_it_is_refused(
    session_for: SessionFor, store: MediaStore
) -> None:
    actor, raw = person(), encoded(leaf(), "JPEG")
    identifier, digest = new_id(), sha256(raw).hexdigest()
    with session_for(actor) as session:
        media.begin_upload(session, actor, upload_id=identifier, size=len(raw), digest=digest)
        media.append_upload(session, actor, store, upload_id=identifier, offset=0, data=raw[:100])
        assert media.begin_upload(session, actor, upload_id=identifier, size=len(raw), digest=digest).received == 100
        with pytest.raises(Conflict, match="upload_id_taken"):
            media.begin_upload(session, actor, upload_id=identifier, size=len(raw), digest="0" * 64)


def test_somebody_elses_upload_is_neither_seen_nor_taken_over(session_for: SessionFor, store: MediaStore) -> None:
    owner, other, raw = person(), person(), encoded(leaf(), "JPEG")
    with session_for(owner) as session:
        upload_id = send(session, owner, store, raw).id
    with session_for(other) as session:
        assert session.scalar(select(func.count()).select_from(Upload)) == 0
        with pytest.raises(NotFound):
            media.upload_state(session, other, upload_id)
        with pytest.raises(NotFound):
            media.append_upload(session, other, store, upload_id=upload_id, offset=0, data=b"x")
        with pytest.raises(Conflict, match="upload_id_taken"):
            media.begin_upload(session, other, upload_id=upload_id, size=len(raw), digest=sha256(raw).hexdigest())
    with session_for(owner) as session:
        assert media.upload_state(session, owner, upload_id).received == len(raw)


def test_damaged_overlong_and_false_uploads_are_refused(session_for: SessionFor, store: MediaStore) -> None:
    actor, raw = person(), encoded(leaf(), "JPEG")
    with session_for(actor) as session:
        wrong = media.begin_upload(session, actor, upload_id=new_id(), size=len(raw), digest="a" * 64)
        media.append_upload(session, actor, store, upload_id=wrong.id, offset=0, data=raw)
        with pytest.raises(Invalid, match="upload_damaged"):
            finish(session, actor, store, wrong.id)
        short = media.begin_upload(session, actor, upload_id=new_id(), size=10, digest="b" * 64)
        with pytest.raises(Invalid, match="upload_overflow"):
            media.append_upload(session, actor, store, upload_id=short.id, offset=0, data=b"x" * 11)
        with pytest.raises(TooLarge, match="part_too_large"):
            media.append_upload(session, actor, store, upload_id=short.id, offset=0, data=b"x" * (MAX_PART_BYTES + 1))
        false = send(session, actor, store, b"not a photo at all")
        with pytest.raises(Invalid, match="not_a_photo"):
            finish(session, actor, store, false.id)
        assert blobs(session) == 0


@pytest.mark.parametrize(
    ("size", "digest", "kind"),
    [
        (0, "a" * 64, Invalid),
        (media.MAX_PHOTO_BYTES + 1, "a" * 64, TooLarge),
        (10, "A" * 64, Invalid),
        (10, "abc", Invalid),
    ],
)
def test_an_announcement_that_cannot_end_well_is_refused_at_once(
    session_for: SessionFor, size: int, digest: str, kind: type[HoiError]
) -> None:
    actor = person()
    with session_for(actor) as session:
        with pytest.raises(kind):
            media.begin_upload(session, actor, upload_id=new_id(), size=size, digest=digest)
        assert session.scalar(select(func.count()).select_from(Upload)) == 0


def test_one_person_cannot_leave_uploads_half_sent_without_end(
    session_for: SessionFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.media.uploads.MAX_OPEN_UPLOADS", 2)
    actor, first = person(), new_id()
    with session_for(actor) as session:
        media.begin_upload(session, actor, upload_id=first, size=5, digest="a" * 64)
        media.begin_upload(session, actor, upload_id=new_id(), size=5, digest="b" * 64)
        with pytest.raises(TooMany):
            media.begin_upload(session, actor, upload_id=new_id(), size=5, digest="c" * 64)
        assert media.begin_upload(session, actor, upload_id=first, size=5, digest="a" * 64).id == first


def test_nobody_uploads_without_a_sign_in(db_session: Session) -> None:
    with pytest.raises(Unauthenticated):
        media.begin_upload(db_session, SYSTEM, upload_id=new_id(), size=5, digest="a" * 64)


def test_a_pdf_sent_in_parts_is_kept_too(session_for: SessionFor, store: MediaStore) -> None:
    actor, raw = person(), b"%PDF-1.4\n" + b"x" * 3000 + b"\n%%EOF"
    with session_for(actor) as session:
        done = finish(session, actor, store, send(session, actor, store, raw).id)
        assert done.blob_sha256 == sha256(raw).hexdigest()


def test_week_old_uploads_and_their_parts_go_and_blobs_stay(
    session_for: SessionFor, store: MediaStore, settings: Settings
) -> None:
    actor, raw = person(), encoded(leaf(), "JPEG")
    with session_for(actor) as session:
        old = send(session, actor, store, raw).id
        blob = finish(session, actor, store, old).blob_sha256 or ""
        young = send(session, actor, store, raw).id
    with session_for(SYSTEM) as session:
        session.execute(
            update(Upload).where(Upload.id == old).values(created_at=clock.machine_now() - timedelta(days=7, minutes=1))
        )
        assert media.forget_old_uploads(session, store) == 1
        assert media.forget_old_uploads(session, store) == 0
        assert session.scalars(select(Upload.id)).all() == [young]
        assert media.open_blob(session, store, blob).kind == "photo"
    assert not any(str(old) in str(p) for p in stored_files(settings))
    assert any(str(young) in str(p) for p in stored_files(settings))


def test_two_phones_finishing_at_once_store_one_blob(fresh_database: Database, store: MediaStore) -> None:
    actor, raw = person(), encoded(leaf(), "JPEG")
    with fresh_database.transaction(actor) as session:
        upload_id = send(session, actor, store, raw).id
    read = media.read_photo_or_pdf(store, raw, actor.person_id)
    seen: list[str | None] = []

    def record() -> None:
        with fresh_database.transaction(actor) as session:
            done = media.finish_upload(session, actor, store, upload_id=upload_id, read=read)
            seen.append(done.blob_sha256)

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(seen) == 4
    assert len(set(seen)) == 1
    with fresh_database.transaction(SYSTEM) as session:
        assert blobs(session) == 2
