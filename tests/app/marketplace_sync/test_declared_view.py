"""A line of the declared links, decided without a page: what each look says, and what its reader may do."""

from datetime import date
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from app.actor import Actor
from app.db import Words
from app.marketplace_sync.declared_view import LinkRow, link_row
from app.marketplace_sync.models import DeclaredListing
from app.marketplace_sync.queries import Look, Looks

ME, OTHER, SELLER = (UUID(int=n) for n in range(1, 4))
DAY = date(2026, 11, 3)


def row(
    looks: Looks, *, declared_by: UUID = OTHER, confirms: bool = True, sells: bool = False, **opened: Look
) -> LinkRow:
    actor = SimpleNamespace(person_id=ME, may_somewhere=lambda _right: confirms)
    link = SimpleNamespace(declared_by=declared_by, organisation_id=SELLER)
    return link_row(
        cast("Actor", actor),
        cast("DeclaredListing", link),
        looks,
        product=Words(vi="Na dai"),
        floor=Words(vi="Sàn thử"),
        opened={UUID(name.removeprefix("look_")): look for name, look in opened.items()},
        selling_for={SELLER} if sells else (),
    )


def look(*, on_sale: bool, by_colleague: bool) -> Any:
    return SimpleNamespace(id=OTHER, on_sale=on_sale, by_colleague=by_colleague, seen_on=DAY)


@pytest.mark.parametrize(
    ("on_sale", "by_colleague", "status", "word"),
    [
        (True, False, "declared", "Đang bán"),
        (False, False, "unmet", "Không thấy bán"),
        (True, True, "not_counted", "Cùng đơn vị: đang bán"),
        (False, True, "not_counted", "Cùng đơn vị: không thấy bán"),
    ],
)
def test_a_look_says_what_was_seen_and_whether_it_can_count(
    status: str, word: str, *, on_sale: bool, by_colleague: bool
) -> None:
    seen = look(on_sale=on_sale, by_colleague=by_colleague)
    found = row(Looks(colleague=seen) if by_colleague else Looks(outside=seen))
    (shown,) = found.looks
    assert (shown.status, shown.word.text("vi"), shown.look, found.waits) == (status, word, None, by_colleague)


def test_who_looked_is_shown_where_it_may_be_opened() -> None:
    opened = Look("Mai", on_sale=True, seen_on=DAY, photo_sha256="0" * 64, by_colleague=False)
    found = row(Looks(outside=look(on_sale=True, by_colleague=False)), **{f"look_{OTHER}": opened})
    assert found.looks[0].look is opened


@pytest.mark.parametrize(
    ("declared_by", "confirms", "shown"),
    [
        (OTHER, True, (True, False)),
        (ME, True, (False, True)),
        (OTHER, False, (False, False)),
        (ME, False, (False, False)),
    ],
)
def test_nobody_confirms_what_they_declared(declared_by: UUID, shown: tuple[bool, bool], *, confirms: bool) -> None:
    found = row(Looks(), declared_by=declared_by, confirms=confirms)
    assert (found.may_confirm, found.asks_others) == shown


@pytest.mark.parametrize("sells", [True, False])
def test_a_link_is_withdrawn_by_its_seller(*, sells: bool) -> None:
    assert row(Looks(), sells=sells).may_withdraw == sells
