"""A village's page, decided without a page: what of each criterion is lacking, where it is mended, and the shortest way."""

from datetime import date
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from app.criteria.packs import shipped
from app.criteria.rules import Fact, Item, ItemSet, evaluate
from app.db import Words
from app.doors.official.queries import Clause, FactLine, Named, ProductLine, VillageView
from app.doors.official.routes.proof_views import fact_views, product_views
from app.doors.official.routes.village_views import Reader, clause_views, months, shortest_way
from app.factory import create_app
from app.settings import Settings
from tests.app.criteria.rules.letter import LETTER, village
from tests.app.criteria.rules.small_pack import TODAY, fact

VILLAGE = UUID(int=7)
RECORDS = f"/thon/{VILLAGE}/ghi"


@pytest.fixture(autouse=True)
def _in_a_page(settings: Settings) -> Any:
    with create_app(settings).test_request_context():
        yield


def reader(*, may_record: bool = True) -> Reader:
    return Reader(VILLAGE, {"ngay": date(2026, 11, 1), "biet_den": None}, may_record)


def things(kind: str, many: int) -> tuple[Item, ...]:
    return tuple(Item(f"{kind}-{n:02}", kind, f"Thứ {n:02}", Words(vi="Chưa thấy.")) for n in range(many))


def view(points: int = 2, **facts: Fact | None) -> VillageView:
    answer = evaluate(shipped()[LETTER], village(**facts), {}, TODAY)
    found = {r.id: r.answer for r in answer.results}
    clauses = [
        Clause(
            criterion=c,
            answer=found[c.id],
            choices=(),
            missing=tuple(
                Named(
                    i, who="HTX Nà Mẫu" if i.kind == "product" else "", form="" if i.kind == "product" else "phan-anh"
                )
                for i in found[c.id].missing
            ),
            form="" if c.id == "ocop-tren-san" else "phan-anh",
            to_do=c.what_to_do,
        )
        for c in answer_pack()
    ]
    by_id = {c.criterion.id: c for c in clauses}
    shown = SimpleNamespace(
        clauses=clauses,
        shortest=[by_id[r.id] for r in answer.shortest_path()],
        points=[(date(2026, n + 1, 1), n) for n in range(points)],
    )
    return cast("VillageView", shown)


def answer_pack() -> Any:
    return shipped()[LETTER].criterion


def clause_of(shown: VillageView, criterion_id: str, **asked: bool) -> Any:
    return next(c for c in clause_views(shown, reader(**asked)) if c.clause.criterion.id == criterion_id)


def test_the_first_things_that_are_lacking_are_named_and_the_record_names_the_others() -> None:
    shown = view(feedback_answered_in_time=fact(ItemSet(missing=things("feedback", 14))))
    clause = clause_of(shown, "nen-tang-so")
    assert [row.text for row in clause.lacking] == [*(f"Thứ {n:02}" for n in range(6)), "và 8 mục nữa"]
    assert clause.lacking[0].url == f"{RECORDS}/phan-anh?muc=feedback-00"
    assert clause.lacking[-1].url == clause.url == f"/thon/{VILLAGE}/tieu-chi/nen-tang-so?ngay=2026-11-01"
    assert (clause.status, clause.add_url) == ("unmet", f"{RECORDS}/phan-anh")


def test_who_only_reads_is_led_to_no_form() -> None:
    shown = view(feedback_answered_in_time=fact(ItemSet(missing=things("feedback", 1))))
    clause = clause_of(shown, "nen-tang-so", may_record=False)
    assert (clause.add_url, [row.url for row in clause.lacking]) == (None, [None])
    stop = next(s for s in shortest_way(shown, reader(may_record=False)) if s.url)
    assert stop.url == clause.url  # the record is open to every reader


def test_a_product_that_is_lacking_leads_to_what_is_known_of_it() -> None:
    sold = fact(ItemSet(missing=things("product", 1)))
    shown = view(ocop_products=fact(ItemSet(have=things("product", 1))), ocop_products_live=sold)
    clause = clause_of(shown, "ocop-tren-san")
    (row,) = clause.lacking
    assert (row.url, row.who, row.why) == (f"{clause.url}#p-product-00", "HTX Nà Mẫu", "Chưa thấy.")
    assert (clause.add_url, clause.meter[:2]) == (None, (0, 1))
    (stop,) = shortest_way(shown, reader())
    assert (stop.url, stop.who.split(" · ")[:2]) == (clause.url, ["Thứ 00", "HTX Nà Mẫu"])


def test_of_a_choice_that_is_met_only_what_met_it_is_shown() -> None:
    chosen = clause_of(view(), "mo-hinh-chuyen-doi-so")
    assert [p.value.value for p in chosen.parts] == ["met"]
    open_ones = clause_of(
        view(models_smart_agriculture=None, smart_agriculture_households=None), "mo-hinh-chuyen-doi-so"
    )
    assert len(open_ones.parts) == len(open_ones.clause.answer.children) > 1


def test_nothing_is_lacking_where_it_is_met() -> None:
    assert [c.lacking for c in clause_views(view(), reader())] == [[]] * len(answer_pack())
    assert shortest_way(view(), reader()) == []


@pytest.mark.parametrize(
    ("points", "label", "told"),
    [
        (0, "", "Chưa có số liệu: chưa tiêu chí nào đủ dữ liệu."),
        (1, "", "Mới có số liệu từ tháng này. Các tháng trước chưa ai ghi, chúng tôi không điền thay."),
        (
            2,
            "Số tiêu chí đạt cuối mỗi tháng, 0 rồi 1, từ 01/2026",
            "Số tiêu chí đạt cuối mỗi tháng, từ 01/2026. Trước đó chưa đủ dữ liệu, chúng tôi không điền thay.",
        ),
        (12, "Số tiêu chí đạt cuối mỗi tháng, 0 rồi 11, từ 01/2026", "Số tiêu chí đạt cuối mỗi tháng, từ 01/2026."),
    ],
)
def test_one_month_makes_no_line(points: int, label: str, told: str) -> None:
    found = months(view(points))
    assert (found.label, found.told) == (label, told)


def line(name: str, value: Any) -> FactLine:
    items = value if isinstance(value, ItemSet) else None
    return FactLine(name, "nơi có mã", fact(value), items, value if type(value) is int else None)


@pytest.mark.parametrize(("value", "said"), [(True, "Có"), (False, "Không"), (1200, "1.200")])
def test_a_fact_without_things_is_said(value: Any, said: str) -> None:
    (found,) = fact_views([line("premises", value)])
    assert (found.title, found.said, found.groups) == ("Nơi có mã", said, [])


def test_things_of_a_fact_stand_in_groups_and_many_that_count_are_folded() -> None:
    few, many = things("product", 12), things("premises", 13)
    groups = fact_views([line("ocop_products", ItemSet(have=few, missing=things("left", 1)))])[0].groups
    assert [(g.title, g.tone, g.is_open) for g in groups] == [
        ("Được tính", "met", True),
        ("Không còn được tính", "na", True),
    ]
    (folded, open_one) = fact_views([line("premises", ItemSet(have=many, missing=things("left", 13)))])[0].groups
    assert [(g.title, g.is_open) for g in (folded, open_one)] == [("Được tính", False), ("Chưa được tính", True)]


def product(certificates: Any = (), evidence: Any = (), **facts: Any) -> ProductLine:
    usual = {"left": None, "left_on": None, "lapsed_on": None, "mistaken_on": None}
    found = SimpleNamespace(product=SimpleNamespace(**usual | facts), certificates=certificates, evidence=evidence)
    return cast("ProductLine", found)


@pytest.mark.parametrize(
    ("facts", "status", "why"),
    [
        ({"lapsed_on": TODAY}, "lapsed", "Chứng nhận OCOP hết hạn từ 24/11/2026."),
        ({"mistaken_on": TODAY}, "not_counted", "Chứng nhận OCOP ghi nhầm, đã sửa ngày 24/11/2026."),
        ({}, "not_counted", "Chưa có chứng nhận OCOP, nên không tính ở tiêu chí này."),
    ],
)
def test_a_product_without_a_certificate_says_why(facts: Any, status: str, why: str) -> None:
    (shown,) = product_views([product(**facts)], set())
    assert shown.without == (status, why)


@pytest.mark.parametrize(("left", "why"), [("retired", "Chủ thể ngừng làm"), ("moved", "Ngừng sản xuất ở thôn này")])
def test_a_product_that_left_says_why(left: str, why: str) -> None:
    (shown,) = product_views([product(left=left, left_on=TODAY)], set())
    assert shown.left.startswith(why)


def place(**facts: Any) -> Any:
    usual = {
        "counted": True, "state": "no", "seen_at": None, "witness": "person", "declared_id": None, "look_id": None,
    }  # fmt: skip
    return SimpleNamespace(**usual | facts)


@pytest.mark.parametrize(
    ("facts", "counts", "state"),
    [
        ({"state": "live"}, "counted", "live"),
        ({"state": "stale", "counted": False}, "not_counted", "unknown"),
        ({"seen_at": fact(value=True).as_of}, "counted", "gone"),
        ({"declared_id": VILLAGE}, "counted", "unconfirmed"),
        ({}, "counted", "unknown"),
    ],
)
def test_a_place_says_whether_it_counts_and_what_was_seen(facts: Any, counts: str, state: str) -> None:
    (shown,) = product_views([product(evidence=[place(**facts)])], set())[0].places
    assert (shown.counts[0], shown.state[0]) == (counts, state)


def test_who_looked_is_told_to_whom_it_may_be_told() -> None:
    looks = [place(look_id=VILLAGE), place()]
    shown = product_views([product(evidence=looks)], {VILLAGE})[0].places
    hidden = product_views([product(evidence=looks)], set())[0].places
    assert [(p.look_id, p.hidden_look) for p in shown] == [(VILLAGE, False), (None, False)]
    assert [(p.look_id, p.hidden_look) for p in hidden] == [(None, True), (None, False)]
