"""Pages of batches: from a product to a batch with a code, decisions, the list, labels."""

import re
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from app import clock
from app.actor import SYSTEM
from app.db import Database, new_id
from app.products.models import Product, Variant
from app.trace.codes import grouped
from app.trace.models import Batch, CareLog, StockMovement, TraceCode
from tests.app.boxes import named_in_box
from tests.app.trace.desk import MakeClient, a_batch, count, only, photo
from tests.worlds.farm import NOON, World, a_log, write


def test_from_a_product_to_a_batch_with_a_code(client_of: MakeClient, database: Database, world: World) -> None:
    client = client_of(world.manager)
    for path in ("/san-pham", "/san-pham/moi", "/thua", "/thua/moi", "/lo", "/lo/moi"):
        assert client.get(path).status_code == 200, path

    form = {"id": new_id(), "organisation_id": world.cooperative, "name_vi": "Na dai Đồng Mẫu", "ocop_group": "1",
            "village_ids": [world.village, world.second_village], "description_vi": "Na dai.\n\nNgọt.",
            "photo": (photo(), "na.jpg")}  # fmt: skip
    answer = client.post("/san-pham/moi", data=form)
    assert (answer.status_code, answer.location) == (303, f"/san-pham/{form['id']}")
    product = only(database, Product)
    assert product.description.vi == "Na dai.\n\nNgọt."
    assert product.photo_sha256
    page = client.get(answer.location).text
    assert "Chưa ghi chứng nhận nào" in page
    assert "thôn Nà Mẫu, xã Đồng Mẫu, tỉnh Thử" in page
    assert client.get(f"/anh/{product.photo_sha256}").status_code == 200

    pack = {"id": new_id(), "name_vi": "Hộp 1 kg", "sku": "na-1kg", "price_dong": "60.000", "net_quantity": "1",
            "net_unit": "kg", "shelf_life_days": "5", "gtin": "4006381333931"}  # fmt: skip
    assert client.get(f"/san-pham/{product.id}/goi-moi").status_code == 200
    assert client.post(f"/san-pham/{product.id}/goi-moi", data=pack).status_code == 303
    variant = only(database, Variant)
    assert (variant.sku, variant.price_dong, variant.gtin) == ("NA-1KG", 60000, "04006381333931")
    assert client.get(f"/goi-hang/{variant.id}/sua").status_code == 200

    certificate = {"id": new_id(), "scheme": "ocop", "stars": "4", "decision_number": "12/QĐ-UBND",
                   "issuer": "UBND tỉnh Thử", "decided_on": "2024-03-01"}  # fmt: skip
    assert client.get(f"/san-pham/{product.id}/chung-nhan-moi").status_code == 200
    assert client.post(f"/san-pham/{product.id}/chung-nhan-moi", data=certificate).status_code == 303
    shown = client.get(f"/san-pham/{product.id}").text
    assert "01/03/2024 – 01/03/2027" in shown
    assert "Còn hạn" in shown

    site = {"id": new_id(), "organisation_id": world.household, "name": "Vườn trên", "kind": "orchard",
            "village_id": world.village, "area": "2,5", "area_unit": "sao"}  # fmt: skip
    answer = client.post("/thua/moi", data=site)
    assert answer.location == f"/thua/{site['id']}"
    cycle = {"id": new_id(), "crop_vi": "na dai", "product_id": product.id, "started_on": "2026-08-01"}
    assert client.get(f"/thua/{site['id']}/vu-moi").status_code == 200
    assert client.post(f"/thua/{site['id']}/vu-moi", data=cycle).status_code == 303

    step = {"id": new_id(), "kind": "harvesting", "day": "2026-11-19", "hour": "07:30", "quantity": "120",
            "unit": "kg", "cycle_id": cycle["id"], "photo": (photo(), "thu.jpg"), "performed_by": world.farmer.person_id}  # fmt: skip
    assert client.get(f"/thua/{site['id']}/ghi").status_code == 200
    assert client.post(f"/thua/{site['id']}/ghi", data=step).status_code == 303
    log = only(database, CareLog)
    assert clock.local(log.happened_at).strftime("%d/%m/%Y %H:%M") == "19/11/2026 07:30"
    diary = client.get(f"/thua/{site['id']}?kind=harvesting&cycle={cycle['id']}&first=2026-11-01&last=19/11/2026").text
    assert "120 kg" in diary
    assert "120 kg" not in client.get(f"/thua/{site['id']}?last=2026-11-18").text

    correction = {"id": new_id(), "kind": "harvesting", "day": "2026-11-19", "hour": "07:30", "quantity": "110",
                  "unit": "kg", "cycle_id": cycle["id"], "reason": "cân lại"}  # fmt: skip
    assert client.get(f"/dong-nhat-ky/{log.id}/sua").status_code == 200
    assert client.post(f"/dong-nhat-ky/{log.id}/sua", data=correction).status_code == 303
    chain = client.get(f"/dong-nhat-ky/{log.id}").text
    assert "120 kg" in chain
    assert "110 kg" in chain
    assert "cân lại" in chain

    offered = client.get(f"/lo/moi?product={product.id}").text
    assert "còn 110 kg" in offered
    assert "NA-1126-01" in offered
    batch = {"id": new_id(), "product_id": product.id, "variant_id": variant.id, "lot": "NA-1126-01",
             "quantity": "100", "unit": "kg", "source": [log.id], f"amount-{log.id}": "100,5"}  # fmt: skip
    answer = client.post("/lo/moi", data=batch)
    assert answer.location == f"/lo/{batch['id']}"
    made = only(database, Batch)
    assert (made.expires_on - made.made_on).days == 5
    page = client.get(answer.location).text
    assert "Lô chưa có mã" in page
    assert "100,5 kg" in page

    assert client.post(f"/lo/{made.id}/ma", data={"kind": "short"}).status_code == 303
    assert client.post(f"/lo/{made.id}/ma", data={"kind": "gs1"}).status_code == 303
    assert client.post(f"/lo/{made.id}/ma", data={"kind": "short"}).status_code == 303
    with database.transaction(SYSTEM) as session:
        codes = {c.kind: c.code for c in session.scalars(select(TraceCode))}
    assert codes["gs1"] == "04006381333931/NA-1126-01"
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{13}", codes["short"])
    page = client.get(f"/lo/{made.id}").text
    assert grouped(codes["short"]) in page
    assert f"/tem/{made.id}/to-in?loai=short" in page
    assert client.get(f"/tem/{made.id}.png").mimetype == "image/png"

    packing = {"id": new_id(), "variant_id": variant.id, "kind": "packed", "units": "40"}
    assert client.post(f"/lo/{made.id}/kho", data=packing).status_code == 303
    assert "còn 40 gói" in client.get(f"/lo/{made.id}").text
    movement = only(database, StockMovement)
    assert client.get(f"/lo/{made.id}/kho/{movement.id}/hoan").status_code == 200
    back = {"id": new_id(), "reason": "ghi nhầm lô"}
    assert client.post(f"/lo/{made.id}/kho/{movement.id}/hoan", data=back).status_code == 303
    assert "còn 0 gói" in client.get(f"/lo/{made.id}").text
    for kind in ("held", "released", "recalled", "recall_lifted"):
        decision = {"id": new_id(), "kind": kind, "reason": "kiểm tra dư lượng"}
        assert client.post(f"/lo/{made.id}/quyet-dinh", data=decision).status_code == 303
    assert "Bình thường" in client.get(f"/lo/{made.id}").text
    assert "NA-1126-01" in client.get("/lo").text
    assert "Na dai Đồng Mẫu" in client.get("/san-pham?q=na+dai+dong").text


def test_a_recall_says_first_what_it_will_do_and_does_nothing_until_it_is_sent(
    client_of: MakeClient, database: Database, world: World
) -> None:
    client = client_of(world.manager)
    batch, variant = a_batch(client, database, world)
    client.post(f"/lo/{batch}/kho", data={"id": new_id(), "variant_id": variant, "kind": "sold", "units": "3"})
    assert f'href="/lo/{batch}/quyet-dinh?kind=recalled"' in client.get(f"/lo/{batch}").text
    page = client.get(f"/lo/{batch}/quyet-dinh?kind=recalled").text
    assert re.findall(r"<dd>(\d+) (gói|mã|người)", page) == [("3", "gói"), ("1", "gói"), ("1", "mã"), ("2", "người")]
    assert "Bình thường" in client.get(f"/lo/{batch}").text
    answer = client.post(f"/lo/{batch}/quyet-dinh?kind=recalled", data={"id": new_id(), "kind": "recalled"})
    assert (answer.status_code, "Điều sẽ xảy ra" in answer.text) == (422, True)
    decision = {"id": new_id(), "kind": "recalled", "reason": "kiểm tra dư lượng"}
    assert client.post(f"/lo/{batch}/quyet-dinh", data=decision).status_code == 303
    answer = client.post(f"/lo/{batch}/quyet-dinh", data=decision | {"id": new_id()})
    assert (answer.status_code, "tình trạng này rồi" in answer.text) == (409, True)
    assert client.get(f"/lo/{batch}/quyet-dinh?kind=created").status_code == 200
    assert client_of(world.official).get(f"/lo/{batch}/quyet-dinh?kind=recalled").status_code == 403


def test_batches_are_listed_by_their_state(client_of: MakeClient, database: Database, world: World) -> None:
    client = client_of(world.manager)
    lots = {lot: a_batch(client, database, world, lot)[0] for lot in ("MOT", "HAI", "BA")}
    for lot, kinds in (("HAI", ["held"]), ("BA", ["held", "recalled"])):
        for kind in kinds:
            client.post(f"/lo/{lots[lot]}/quyet-dinh", data={"id": new_id(), "kind": kind, "reason": "kiểm tra"})

    def listed(state: str) -> list[str]:
        return sorted(re.findall(r'<th scope="row"><a href="[^"]+">(\w+)</a>', client.get(f"/lo?state={state}").text))

    assert [listed(s) for s in ("open", "held", "recalled", "")] == [
        ["MOT"],
        ["HAI"],
        ["BA"],
        ["BA", "HAI", "MOT"],
    ]
    client.post(f"/lo/{lots['BA']}/quyet-dinh", data={"id": new_id(), "kind": "recall_lifted", "reason": "đã rõ"})
    assert [listed(s) for s in ("held", "recalled")] == [["BA", "HAI"], []]


def test_labels_are_offered_to_those_who_may_print_them(
    client_of: MakeClient, database: Database, world: World
) -> None:
    batch, _variant = a_batch(client_of(world.manager), database, world)
    for actor, offered in ((world.manager, True), (world.purchaser, True), (world.official, False)):
        client = client_of(actor)
        page = client.get(f"/lo/{batch}").text
        assert (f'<img src="/tem/{batch}.svg?loai=short"' in page, f"/tem/{batch}/to-in" in page) == (offered, offered)
        assert (client.get(f"/tem/{batch}/to-in?loai=short").status_code == 200) is offered


def test_a_new_batch_shows_the_newest_harvests_by_site_folds_the_older_and_adds_up_what_was_ticked(
    client_of: MakeClient, database: Database, world: World, site: UUID, product: UUID
) -> None:
    logs = [
        a_log(site, "harvesting", quantity=10 + n, unit="kg", happened_at=NOON - timedelta(days=n)) for n in range(11)
    ]
    bare = a_log(site, "harvesting", happened_at=NOON - timedelta(days=20))
    assert set(write(database, world.farmer, *logs, bare)) == {"stored"}
    client = client_of(world.manager)
    text = client.get(f"/lo/moi?product={product}").text
    newest, _, folded = text.partition("Các lần thu trước: 3")
    shown = [re.findall(r'name="source" value="([^"]+)"', part) for part in (newest, folded)]
    assert shown == [[str(log.id) for log in logs[:8]], [str(log.id) for log in logs[8:]]]
    assert text.count("<h3>") == 2
    assert f'href="/dong-nhat-ky/{bare.id}/sua"' in folded
    assert ("Chưa chọn lần thu nào." in text, "<details open>" in text) == (True, False)
    form = {"id": new_id(), "product_id": product, "lot": "NA-7", "quantity": "", "unit": "kg", "tally": "1",
            "source": [logs[0].id, logs[9].id], f"amount-{logs[9].id}": "2,5"}  # fmt: skip
    again = client.post("/lo/moi", data=form)
    assert (again.status_code, "Đã chọn 2 lần thu: 12,5 kg" in again.text) == (200, True)
    assert ("<details open>" in again.text, str(form["id"]) in again.text, 'value="2,5"' in again.text) == (True,) * 3
    assert len(re.findall(r'name="source" value="[^"]+" checked', again.text)) == 2
    assert count(database, Batch) == 0
    wrong = client.post("/lo/moi", data=form | {"tally": "1", f"amount-{logs[9].id}": "nhiều"})
    assert (wrong.status_code, "Đã chọn 2 lần thu: 10 kg" in wrong.text) == (200, True)


def test_an_amount_that_is_no_number_is_told_beside_its_harvest_with_what_else_is_wrong(
    client_of: MakeClient, database: Database, world: World, site: UUID, product: UUID
) -> None:
    first, second = (a_log(site, "harvesting", days_ago=n, quantity=10, unit="kg") for n in (1, 2))
    assert write(database, world.farmer, first, second) == ["stored", "stored"]
    client = client_of(world.manager)
    amount = f"amount-{second.id}"
    form = {"id": new_id(), "product_id": product, "lot": "NA-7", "quantity": "5", "unit": "kg",
            "source": [first.id, second.id], amount: "nhiều"}  # fmt: skip
    named = (amount, "Lấy bao nhiêu của ngày 18/11/2026, Vườn trên")
    for sent, others in ((form, []), (form | {"quantity": ""}, [("quantity", "Khối lượng lô")])):
        answer = client.post("/lo/moi", data=sent)
        assert named_in_box(answer) == [*others, named]
        assert re.findall(r'class="error" id="(amount-[^"]+)"', answer.text) == [f"{amount}-error"]
        assert f'value="nhiều" aria-invalid="true" aria-describedby="{amount}-error"' in answer.text
    assert count(database, Batch) == 0
    assert client.post("/lo/moi", data=form | {amount: "2,5"}).status_code == 303
