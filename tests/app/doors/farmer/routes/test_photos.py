"""Photos of a step."""

import io
import re

from PIL import Image

from app.actor import SYSTEM
from app.db import Database
from app.media import MediaBlob
from tests.app.doors.farmer.forms import form, photo, text_of, with_photo
from tests.worlds.phone import PhoneOf, World


def test_a_photo_is_kept_without_its_position_and_shown_to_the_household_only(world: World, phone_of: PhoneOf) -> None:
    phone, sent = phone_of("lanh"), form(world)
    assert phone.post("/nong-dan/ghi/observing", data=with_photo(sent, photo())).status_code == 303
    [log] = world.logs()
    [digest] = log.photos
    seen = phone.get(f"/anh/{digest}")
    assert seen.status_code == 200
    with Image.open(io.BytesIO(seen.data)) as stored:
        assert (stored.size, dict(stored.getexif())) == ((900, 600), {})
    assert phone_of("xa").get(f"/anh/{digest}").status_code == 404


def test_a_photo_survives_a_mistake_elsewhere_in_the_form(world: World, phone_of: PhoneOf) -> None:
    phone, sent = phone_of("lanh"), form(world, day="other")
    answer = phone.post("/nong-dan/ghi/observing", data=with_photo(sent, photo("red")))
    assert answer.status_code == 422
    assert "Đã giữ 1 ảnh" in text_of(answer)
    kept = re.findall(r'name="photos" value="([0-9a-f]{64})"', answer.text)
    phone.post("/nong-dan/ghi/observing", data=form(world, photos=kept))
    assert [log.photos for log in world.logs()] == [kept]


def test_what_is_no_photo_is_refused_and_nothing_is_stored(world: World, phone_of: PhoneOf, database: Database) -> None:
    answer = phone_of("lanh").post("/nong-dan/ghi/observing", data=with_photo(form(world), b"<svg></svg>"))
    assert answer.status_code == 422
    assert "Tệp này không phải ảnh chụp" in text_of(answer)
    assert world.logs() == []
    with database.transaction(SYSTEM) as session:
        assert session.query(MediaBlob).count() == 0
