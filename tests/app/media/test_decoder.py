"""The decoder is bounded in pixels, scans, CPU, memory and time, and what kills it harms nobody else."""

import ast
import io
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from uuid import UUID

import pytest
from PIL import Image
from sqlalchemy.orm import Session

from app import media
from app.actor import Actor
from app.db import new_id
from app.errors import HoiError, Invalid, TooLarge, Unavailable
from app.media import MediaStore, PhotoRead, decoding
from app.media.decoder import scans_in
from app.media.pictures import LIMITS
from app.settings import ROOT, Settings
from tests.app.media.files import blobs, encoded, jpeg_with_scans, leaf, noise, send, stored_files

SENDER = new_id()


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Those of the decoders that this test starts; change them in place."""
    mine = dict(LIMITS)
    monkeypatch.setattr(decoding, "LIMITS", mine)
    return mine


def phone_photo(width: int, height: int, **options: object) -> bytes:
    """As large as a phone's, of little content, so that it is made fast."""
    return encoded(leaf(400, 300).resize((width, height), Image.Resampling.NEAREST), "JPEG", quality=60, **options)


@pytest.mark.parametrize(
    ("name", "width", "height"), [("48 MP", 8064, 6048), ("50 MP", 8160, 6144), ("108 MP", 12_000, 9000)]
)
def test_what_phones_take_today_is_taken_and_shrunk(store: MediaStore, name: str, width: int, height: int) -> None:
    read = media.read_photo(store, phone_photo(width, height), SENDER)
    assert max(read.width, read.height) == 1600, name
    with Image.open(io.BytesIO(read.large)) as large, Image.open(io.BytesIO(read.small)) as small:
        assert (large.size, small.size) == ((read.width, read.height), (read.small_width, read.small_height))
        assert large.convert("RGB").getpixel((5, 5))[0] > 180  # type: ignore[index]  # a pixel of RGB is three numbers


def test_large_pictures_with_transparency_are_flattened_within_the_memory(store: MediaStore) -> None:
    image = Image.new("RGBA", (8000, 5000), (0, 0, 0, 0))
    image.paste((200, 30, 20, 255), (4000, 0, 8000, 5000))
    read = media.read_photo(store, encoded(image, "PNG", compress_level=1), SENDER)
    with Image.open(io.BytesIO(read.large)) as large:
        left, right = large.getpixel((400, 500)), large.getpixel((1200, 500))
    assert (min(left) > 250, right[0] > 190, right[2] < 40) == (True, True, True)  # type: ignore[type-var, arg-type, index, operator]  # RGB


# --- scans -------------------------------------------------------------------------------------------------------


def test_scans_are_counted_to_the_end_of_the_picture_and_no_further() -> None:
    baseline, progressive = encoded(leaf(), "JPEG"), encoded(noise(64, 64), "JPEG", progressive=True)
    assert (scans_in(baseline, 100), scans_in(progressive, 100)) == (1, 10)
    assert scans_in(jpeg_with_scans(64, 64, 100), 100) == 100
    assert scans_in(jpeg_with_scans(64, 64, 5000), 100) == 101, "it stops counting"
    # Small copies in the notes and the film behind a moving photo hold such bytes by chance, and are no scans of it.
    noted = encoded(leaf(), "JPEG", exif=b"Exif\0\0" + b"\xff\xda" * 200)
    assert scans_in(noted + b"\xff\xda\x00\x02" * 500, 100) == 1
    for cut in range(0, len(progressive), 7):
        assert scans_in(progressive[:cut], 100) <= 10


def test_a_hundred_scans_are_opened_and_one_more_is_refused(store: MediaStore) -> None:
    assert media.read_photo(store, jpeg_with_scans(160, 160, 100), SENDER).width == 160
    with pytest.raises(Invalid, match="photo_too_many_scans"):
        media.read_photo(store, jpeg_with_scans(160, 160, 101), SENDER)


# --- killed by a limit -------------------------------------------------------------------------------------------


def test_a_photo_that_takes_too_much_cpu_is_refused_for_good(
    store: MediaStore, limits: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits |= {"seconds": 1, "scans": 10_000}
    bomb = jpeg_with_scans(6320, 6320, 1500)
    began = time.monotonic()
    with pytest.raises(TooLarge, match="photo_too_heavy") as refused:
        media.read_photo(store, bomb, SENDER)
    assert (refused.value.field, time.monotonic() - began < 20) == ("file", True)
    monkeypatch.setattr(decoding, "_run", lambda _raw: pytest.fail("the same bytes were decoded again"))
    with pytest.raises(TooLarge, match="photo_too_heavy"):
        media.read_photo(store, bomb, new_id())


def test_a_photo_that_takes_too_much_memory_is_refused(store: MediaStore, limits: dict[str, int]) -> None:
    limits["memory_bytes"] = 140 * 1024 * 1024
    with pytest.raises(TooLarge, match="photo_too_heavy"):
        media.read_photo(store, encoded(Image.new("RGB", (6300, 6300)), "PNG", compress_level=1), SENDER)
    with pytest.raises(TooLarge, match="photo_too_heavy"):
        media.read_photo(store, phone_photo(8000, 6000, progressive=True), SENDER)
    assert media.read_photo(store, phone_photo(8000, 6000), SENDER).width == 1600, "read in rows, it needs little"


def test_who_waits_in_vain_is_told_to_come_again_and_nothing_is_held_against_the_photo(
    store: MediaStore, limits: dict[str, int], settings: Settings
) -> None:
    limits["wall_seconds"] = 0
    with pytest.raises(Unavailable, match="photos_at_once") as away:
        media.read_photo(store, encoded(leaf(), "JPEG"), SENDER)
    assert away.value.retry_after_seconds == 5
    assert stored_files(settings) == []
    limits["wall_seconds"] = 30
    assert media.read_photo(store, encoded(leaf(), "JPEG"), SENDER).width == 640


def test_a_decoder_that_somebody_else_killed_says_nothing_of_the_photo(
    store: MediaStore, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    killed = tmp_path / "killed.py"
    killed.write_text("import os; os.kill(os.getpid(), 9)")
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "PROGRAM", killed)
        with pytest.raises(Unavailable, match="photos_at_once"):
            media.read_photo(store, encoded(leaf(), "JPEG"), SENDER)
        killed.write_text("import os; os.abort()")
        with pytest.raises(TooLarge, match="photo_too_heavy"):
            media.read_photo(store, encoded(leaf(2, 2), "PNG"), SENDER)
        killed.write_text("import no_such_thing")
        with pytest.raises(RuntimeError, match="no_such_thing"):
            media.read_photo(store, encoded(leaf(), "JPEG"), SENDER)
    assert media.read_photo(store, encoded(leaf(), "JPEG"), SENDER).width == 640
    assert len(stored_files(settings)) == 1, "only the one that killed its decoder is remembered"


def test_the_decoder_sees_no_key_of_ours(store: MediaStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "spy.py"
    program.write_text(
        "import json, os\n"
        "seen = any(name.startswith(('HOI_', 'PYTHON')) for name in os.environ)\n"
        "print(json.dumps({'refused': 'photo_broken' if seen else 'not_a_photo'}))\n"
    )
    monkeypatch.setattr(decoding, "PROGRAM", program)
    monkeypatch.setenv("HOI_SECRET_KEY", "a secret of invented people, forty characters")
    with pytest.raises(Invalid, match="not_a_photo"):
        media.read_photo(store, encoded(leaf(), "JPEG"), SENDER)


def test_the_decoder_writes_no_file(tmp_path: Path) -> None:
    spy = (
        "import json, runpy, sys\n"
        "program = runpy.run_path(sys.argv[2])\n"
        "program['bound'](program['Limits'](**json.loads(sys.argv[1])))\n"
        "open(sys.argv[3], 'wb').write(b'x' * 9)\n"
    )
    asked = [sys.executable, "-I", "-c", spy, json.dumps(LIMITS), str(decoding.PROGRAM), str(tmp_path / "written")]
    subprocess.run(asked, capture_output=True, check=False)
    assert (tmp_path / "written").read_bytes() == b""


# --- turns -------------------------------------------------------------------------------------------------------


def test_one_sender_never_holds_both_decoders(store: MediaStore, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    seen: list[bytes] = []
    run = decoding._run

    def slow(raw: bytes) -> PhotoRead:
        seen.append(raw)
        if raw != honest:
            assert go_on.wait(60)
        return run(raw)

    monkeypatch.setattr(decoding, "_run", slow)
    honest = encoded(leaf(60, 60), "PNG")
    crowd = decoding.Decoders(places=4)
    with ThreadPoolExecutor(4) as threads:
        try:
            hostile = [threads.submit(crowd.decode, encoded(leaf(50, 40 + n), "PNG"), SENDER) for n in range(2)]
            while not seen:
                assert not any(one.done() for one in hostile)
            with pytest.raises(Unavailable, match="photos_at_once"):
                crowd.decode(encoded(leaf(9, 9), "PNG"), SENDER)
            assert threads.submit(crowd.decode, honest, new_id()).result(30).width == 60
            assert len(seen) == 2, "one hostile photo and the honest one"
        finally:
            go_on.set()
        assert [one.result(30).width for one in hostile] == [50, 50]
    assert (crowd._here.total(), crowd._running.total()) == (0, 0)


@pytest.mark.parametrize(
    ("workers", "gib", "wanted"), [(1, 1, 2), (2, 2, 1), (2, 4, 1), (2, 5, 2), (16, 24, 1), (16, 64, 2)]
)
def test_the_decoders_of_several_web_processes_fit_into_the_machine_together(
    workers: int, gib: int, wanted: int
) -> None:
    assert decoding.at_once(workers, gib * 1024) == wanted
    assert wanted == 1 or workers == 1 or workers * wanted * 400 <= gib * 1024 // 3


# --- everywhere --------------------------------------------------------------------------------------------------

# Who draws pictures of our own; nothing that came from outside is opened there.
DRAWS = {"app/media/decoder.py", "app/trace/labels.py", "demo/pictures.py"}
READS = {"read_photo", "read_photo_or_pdf", "decode"}


@cache
def modules() -> dict[str, ast.Module]:
    paths = [p for top in ("app", "worker", "demo") for p in (ROOT / top).rglob("*.py")]
    return {p.relative_to(ROOT).as_posix(): ast.parse(p.read_text(encoding="utf-8")) for p in paths}


def imported(tree: ast.AST) -> set[str]:
    found = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    return found | {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}


def called(tree: ast.AST) -> set[str]:
    calls = [n.func for n in ast.walk(tree) if isinstance(n, ast.Call)]
    return {f.attr if isinstance(f, ast.Attribute) else f.id for f in calls if isinstance(f, ast.Attribute | ast.Name)}


def test_pictures_are_opened_in_the_decoder_only() -> None:
    found = {name for name, tree in modules().items() if any(i.split(".")[0] == "PIL" for i in imported(tree))}
    assert found == DRAWS
    importers = [name for name, tree in modules().items() if "app.media.decoder" in imported(tree)]
    assert importers == [], "it is a program of its own"


def test_no_photo_is_read_while_a_transaction_is_open() -> None:
    """Of every `with transaction()`: nothing that it calls, however far away, reads a photo."""
    trees = modules()
    bodies = [
        (node.name, called(node))
        for name, tree in trees.items()
        if "/routes" in name or name.startswith("app/doors/shared/")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and not node.decorator_list  # a route is called by nobody
    ]
    reading = set(READS) - {"decode"}
    while grown := {name for name, calls in bodies if calls & reading} - reading:
        reading |= grown
    assert {"sent_photo", "sent_photos", "_sent_paper", "sent_proofs", "_finish"} <= reading
    wrong = [
        f"{name}:{node.lineno}"
        for name, tree in trees.items()
        if "/routes" in name
        for node in ast.walk(tree)
        if isinstance(node, ast.With) and any("transaction" in ast.unparse(i.context_expr) for i in node.items)
        for statement in node.body
        if called(statement) & reading
    ]
    assert wrong == []


def test_a_refused_upload_stays_and_the_next_try_costs_nothing(
    store: MediaStore, limits: dict[str, int], session_for: AbstractContextManager[Session]
) -> None:
    actor = Actor(kind="person", person_id=UUID(int=7))
    limits |= {"seconds": 1, "scans": 10_000}
    bomb = jpeg_with_scans(6320, 6320, 1500)
    with session_for(actor) as session:  # type: ignore[operator]
        upload = send(session, actor, store, bomb, part=len(bomb))
        raw = media.whole_upload(session, actor, store, upload_id=upload.id)
        assert raw == bomb
        for _ in range(2):
            began = os.times().children_user
            with pytest.raises(HoiError, match="photo_too_heavy"):
                media.read_photo_or_pdf(store, bomb, actor.person_id)
        assert os.times().children_user - began < 0.1, "the second try was answered from memory"
        assert (upload.finished_at, blobs(session)) == (None, 0)
