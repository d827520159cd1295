"""Consent that is asked, dated, kept and withdrawable."""

import hashlib

import pytest

from app.accounts import consents, queries
from app.accounts.models import Purpose
from app.actor import PUBLIC, SYSTEM
from app.errors import Conflict, NotFound
from tests.worlds.organisations import Province


def test_every_purpose_says_what_for_whom_and_what_a_no_costs_in_two_languages() -> None:
    assert set(consents.ASKED) == set(Purpose) - {Purpose.PHOTO_PUBLIC}
    for asked in consents.ASKED.values():
        for words in (asked.title, asked.data, asked.use, asked.who, asked.without):
            assert words.vi
            assert words.speaks("en")


def test_nothing_is_agreed_before_somebody_says_so(province: Province) -> None:
    with province.database.transaction(province.actor("lanh")) as session:
        assert queries.consents_now(session, province["lanh"]) == {}
        assert len(consents.unasked(session, province["lanh"])) == 4


def test_a_yes_and_a_later_no_are_both_kept(province: Province) -> None:
    lanh = province.actor("lanh")
    with province.database.transaction(lanh) as session:
        changed = consents.answer_consents(session, lanh, {Purpose.ACCOUNT, Purpose.PUBLIC_NAME})
        assert set(changed) == set(consents.ASKED)
    with province.database.transaction(PUBLIC) as session:
        assert queries.public_person_labels(session, [province["lanh"]]) == {province["lanh"]: "bác Lành"}
    with province.database.transaction(lanh) as session:
        consents.withdraw(session, lanh, Purpose.PUBLIC_NAME)
    with province.database.transaction(PUBLIC) as session:
        assert queries.public_person_labels(session, [province["lanh"]]) == {province["lanh"]: "một người của hộ"}
    rows = province.rows("SELECT given FROM consents WHERE purpose = 'public_name' ORDER BY recorded_at, id")
    assert [r.given for r in rows] == [True, False]
    assert province.one("SELECT count(*) FROM consents WHERE purpose = 'diary'") == 1


def test_saying_the_same_again_writes_nothing(province: Province) -> None:
    lanh = province.actor("lanh")
    for expected in (4, 0):
        with province.database.transaction(lanh) as session:
            assert len(consents.answer_consents(session, lanh, {Purpose.ACCOUNT})) == expected
    assert province.one("SELECT count(*) FROM outbox_events WHERE name = 'accounts.consent_changed'") == 1


def test_a_consent_is_never_rewritten(province: Province) -> None:
    lanh = province.actor("lanh")
    with province.database.transaction(lanh) as session:
        consents.answer_consents(session, lanh, {Purpose.ACCOUNT})
    rights = province.rows(
        "SELECT privilege_type FROM information_schema.role_table_grants"
        " WHERE grantee = 'hoi_app' AND table_name = 'consents' ORDER BY 1"
    )
    assert [r.privilege_type for r in rights] == ["INSERT", "SELECT"]


def test_a_no_to_the_account_is_erasing(province: Province) -> None:
    lanh = province.actor("lanh")
    with province.database.transaction(lanh) as session:
        consents.answer_consents(session, lanh, {Purpose.ACCOUNT})
    with pytest.raises(Conflict) as refused, province.database.transaction(lanh) as session:
        consents.withdraw(session, lanh, Purpose.ACCOUNT)
    assert refused.value.code == "account_needs_erasing"
    assert province.one("SELECT count(*) FROM consents") == 4


def test_a_first_no_to_the_account_is_not_kept_as_if_it_went_on(province: Province) -> None:
    lanh = province.actor("lanh")
    with pytest.raises(Conflict) as refused, province.database.transaction(lanh) as session:
        consents.answer_consents(session, lanh, {Purpose.DIARY})
    assert refused.value.code == "account_needs_erasing"
    assert province.one("SELECT count(*) FROM consents") == 0
    assert province.one("SELECT count(*) FROM outbox_events WHERE name = 'accounts.consent_changed'") == 0


def test_taking_one_back_leaves_the_others_unanswered(province: Province) -> None:
    lanh = province.actor("lanh")
    with province.database.transaction(lanh) as session:
        consents.withdraw(session, lanh, Purpose.DIARY)
    told = province.one("SELECT body FROM outbox_events WHERE name = 'accounts.consent_changed'")
    assert told == {"person_id": str(province["lanh"]), "purposes": ["diary"]}
    assert province.rows("SELECT purpose, given FROM consents") == [("diary", False)]
    with province.database.transaction(SYSTEM) as session:
        assert {a.purpose for a in consents.unasked(session, province["lanh"])} == set(consents.ASKED) - {Purpose.DIARY}


def test_what_is_asked_no_more_cannot_be_answered(province: Province) -> None:
    lanh = province.actor("lanh")
    with pytest.raises(NotFound), province.database.transaction(lanh) as session:
        consents.withdraw(session, lanh, Purpose.PHOTO_PUBLIC)
    assert province.one("SELECT count(*) FROM consents") == 0


@pytest.mark.parametrize(
    ("purpose", "version", "vi", "en"),
    [
        (Purpose.ACCOUNT, "2026-12", "92f9c57f27f4b12f", "6dbad26374af3567"),
        (Purpose.DIARY, "2026-12", "c7eb6cae1e33cedf", "f955f4ba227e69e2"),
        (Purpose.PUBLIC_NAME, "2026-11", "d777a2043c7fc7f2", "d8c5cfd48647d8a6"),
        (Purpose.NOTICES_EMAIL, "2026-12", "8dcac4d7a3067989", "9bf3fb50afdd67ab"),
    ],
)
def test_another_text_is_another_version(purpose: Purpose, version: str, vi: str, en: str) -> None:
    """Whoever changes a word of what people agree to, also in the catalogue, sets the version anew."""
    asked = consents.ASKED[purpose]
    assert (asked.version, asked.sha256("vi")[:16], asked.sha256("en")[:16]) == (version, vi, en)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_evidence_is_of_the_words_that_were_shown(province: Province, language: str) -> None:
    lanh = province.actor("lanh")
    with province.database.transaction(lanh) as session:
        consents.answer_consents(
            session, lanh, {Purpose.ACCOUNT}, language=language, shown={Purpose.ACCOUNT: "2026-12"}
        )
    asked = consents.ASKED[Purpose.ACCOUNT]
    shown = "\n".join(w.text(language) for w in (asked.title, asked.data, asked.use, asked.who, asked.without))
    row = province.rows("SELECT purpose, given, text_version, text_sha256, language FROM consents")
    assert row == [("account", True, "2026-12", hashlib.sha256(shown.encode()).hexdigest(), language)]


@pytest.mark.parametrize(
    "shown", [{Purpose.ACCOUNT: "2025-01"}, {Purpose.ACCOUNT: "2026-12", Purpose.PHOTO_PUBLIC: "2026-11"}]
)
def test_an_answer_to_an_older_text_is_not_taken(province: Province, shown: dict[Purpose, str]) -> None:
    lanh = province.actor("lanh")
    with pytest.raises(Conflict) as refused, province.database.transaction(lanh) as session:
        consents.answer_consents(session, lanh, {Purpose.ACCOUNT}, shown=shown)
    assert refused.value.code == "text_changed"
    assert province.one("SELECT count(*) FROM consents") == 0
