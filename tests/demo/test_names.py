"""Invented names are always the same, and visibly invented."""

from itertools import islice

import phonenumbers

from demo import cast, names
from demo.goods import GOODS, LIGHTER


def test_the_same_commune_always_gets_the_same_villages_and_none_twice() -> None:
    first = list(islice(names.village_names("06463"), 40))
    assert first == list(islice(names.village_names("06463"), 40))
    assert len(set(first)) == 40
    assert first != list(islice(names.village_names("06253"), 40))


def test_villages_are_spread_to_exactly_the_wanted_total() -> None:
    sizes = names.spread(1700, 65, 12, "communes")
    assert (len(sizes), sum(sizes)) == (65, 1700)
    assert min(sizes) >= 12


def test_ids_are_made_from_names() -> None:
    assert names.key("person", "nong-dan") == names.key("person", "nong-dan")
    assert names.key("person", "nong-dan") != names.key("person", "nong-dan-2")


def test_every_player_has_a_phone_of_the_made_up_range_that_parses() -> None:
    phones = [p.phone for p in cast.PLAYERS]
    assert len(set(phones)) == len(phones)
    for phone in phones:
        assert phone.startswith("+8490000")
        assert phonenumbers.is_valid_number(phonenumbers.parse(phone))


def test_every_organisation_says_that_it_is_a_sample() -> None:
    companies = cast.COMPANIES + tuple(one.company for one in LIGHTER)
    assert [c.name for c in companies if "dữ liệu mẫu" not in c.name] == []
    assert names.decision(12, "UBND") == "MẪU-12/QĐ-UBND"


def test_goods_have_keys_and_skus_of_their_own() -> None:
    goods = GOODS + tuple(one.good for one in LIGHTER)
    assert len({g.key for g in goods}) == len(goods)
    assert len({g.sku for g in goods}) == len(goods)
