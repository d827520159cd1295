"""The demo's goods, certificates, floors, accounts and listings."""

from datetime import timedelta
from uuid import UUID

from app.db import Words
from app.marketplace_sync import channel_accounts, declared, floors, listings
from app.marketplace_sync.channels.accounts import Credentials
from app.marketplace_sync.channels.woocommerce.channel import KIND
from app.marketplace_sync.credentials import seal
from app.marketplace_sync.models import ChannelAccount
from app.marketplace_sync.queries import floor_of_host
from app.marketplace_sync.schemas import (
    NewAccount,
    NewConfirmation,
    NewDeclared,
    NewFloor,
    NewFloorDecision,
    WantListing,
)
from app.products import certificates
from app.products import service as products
from app.products.certificates import months_after
from app.products.models import Scheme
from app.products.schemas import NewCertificate, NewProduct, NewVariant
from demo import cast
from demo.goods import GOODS, LIGHTER, Good
from demo.names import decision, key
from demo.season import manager_of
from demo.stage import Stage
from doubles.woocommerce.process import DEMO_KEY, DEMO_SECRET, TITLE

FLOOR_KEY = "san-nong-san-tinh-mo-phong"
SECOND_FLOOR = "Chợ nông sản số (mẫu)"
SECOND_HOST = "cho-nong-san.example"
OWN_SHOP = "Cửa hàng riêng Pò Pán (mẫu)"
OWN_HOST = "po-pan.example"
OCOP_MONTHS = 36
ISSUER = "UBND tỉnh Lạng Sơn (dữ liệu mẫu)"
ALL_GOODS = GOODS + tuple(one.good for one in LIGHTER)
CONNECTED = ("coop-story", "coop-passing", "coop-failing")


# --- goods -------------------------------------------------------------------------------------------------------


def load_goods(stage: Stage) -> None:
    with stage.at(stage.today - timedelta(days=300)):
        for number, good in enumerate(ALL_GOODS):
            _load_good(stage, good, number)


def _load_good(stage: Stage, good: Good, number: int) -> None:
    actor, holder = stage.act(manager_of(good.holder)), key("organisation", good.holder)
    products.create_product(
        stage.session,
        actor,
        NewProduct(
            id=key("product", good.key),
            organisation_id=holder,
            name_vi=good.name,
            name_en=good.english,
            description_vi=good.says,
            # Without a certificate it is no OCOP product; a group alone would say that its certificate was not recorded.
            ocop_group=good.group if good.stars else None,
            ocop_scheme_year=2023 if good.stars else None,
            alcoholic="Rượu" in good.name,
            photo_sha256=stage.picture(good.picture, good.key, manager_of(good.holder)),
            village_ids=(stage.villages[stage.seats[good.holder]],),
        ),
    )
    products.add_variant(
        stage.session,
        actor,
        NewVariant(
            id=key("variant", good.key),
            product_id=key("product", good.key),
            sku=good.sku,
            name_vi=good.pack,
            price_dong=good.price,
            net_quantity=good.net_quantity(),
            net_unit=good.net[1],
            weight_grams=good.grams,
            shelf_life_days=good.keeps,
        ),
    )
    if good.stars is None or good.ends is None:
        return
    decided = months_after(stage.today + timedelta(days=good.ends), -OCOP_MONTHS)
    certificates.record_certificate(
        stage.session,
        actor,
        NewCertificate(
            id=key("certificate", good.key),
            organisation_id=holder,
            product_id=key("product", good.key),
            scheme=Scheme.OCOP,
            issuer=ISSUER,
            decision_number=decision(100 + number, "UBND"),
            decided_on=decided,
            stars=good.stars,
            file_sha256=stage.picture("sheet", good.key, manager_of(good.holder)),
        ),
    )


# --- where it is sold --------------------------------------------------------------------------------------------


def load_floors(stage: Stage) -> None:
    """Two floors that count, by a decision of the province; the own shop is on no list and never can be."""
    since = stage.today - timedelta(days=250)
    with stage.at(since):
        stage.act(None)
        known = {
            FLOOR_KEY: floors.install_floor(
                stage.session,
                key=FLOOR_KEY,
                name=Words(vi=TITLE, en="The province's farm market (simulated)"),
                hosts=[f"127.0.0.1:{stage.settings.double_port}"],
            )
        }
        actor = stage.act(key("person", "tinh"))
        for name, host, kind in ((SECOND_FLOOR, SECOND_HOST, "marketplace"), (OWN_SHOP, OWN_HOST, "own_site")):
            new = NewFloor.model_validate({"id": key("floor", name), "name": name, "hosts": host, "kind": kind})
            known[name] = floors.add_floor(stage.session, actor, new)
        for name in (FLOOR_KEY, SECOND_FLOOR):
            floors.decide_floor(
                stage.session,
                actor,
                NewFloorDecision(
                    id=key("floor-decision", name),
                    floor_id=known[name],
                    counted=True,
                    effective_on=since,
                    legal_basis=f"Quyết định {decision(77, 'UBND')} (dữ liệu mẫu)",
                ),
            )
    stage.floors = known


def base_url(stage: Stage) -> str:
    return f"http://127.0.0.1:{stage.settings.double_port}"


def load_accounts(stage: Stage) -> None:
    """An account of each larger holder on the simulated floor. The keys are those printed in its source."""
    with stage.at(stage.today - timedelta(days=120)):
        for company in CONNECTED:
            channel_accounts.connect_account(
                stage.session,
                stage.act(manager_of(company)),
                stage.settings,
                NewAccount(
                    id=key("account", company),
                    organisation_id=key("organisation", company),
                    channel=KIND,
                    name=TITLE,
                    credentials=dict(_credentials(stage).values),
                ),
            )


def _credentials(stage: Stage) -> Credentials:
    return Credentials({"base_url": base_url(stage), "consumer_key": DEMO_KEY, "consumer_secret": DEMO_SECRET})


def follow_port(stage: Stage) -> None:
    """The simulated floor may have another port at each start; its floor and the accounts on it go along."""
    stage.act(None)
    here = base_url(stage)
    if floor_of_host(stage.session, here) is None:
        floors.install_floor(stage.session, key=FLOOR_KEY, name=Words(vi=TITLE), hosts=[here.removeprefix("http://")])
    for company in CONNECTED:
        account = stage.session.get(ChannelAccount, key("account", company))
        if account is not None and account.base_url != here:
            account.base_url, account.credentials_sealed = here, seal(stage.settings, _credentials(stage))


def load_sales(stage: Stage) -> None:
    """What is on sale where. The story's own product is on sale nowhere yet: listing it is part of the story."""
    with stage.at(stage.today - timedelta(days=2)):
        _want(stage, "tinh-dau")
        _want(stage, "mat-po-pan")
        _declare(stage, "hoi-kho", SECOND_FLOOR, f"https://{SECOND_HOST}/hoa-hoi-kho-ban-luong", confirmed=True)
        _declare(stage, "thach-den", OWN_SHOP, f"https://{OWN_HOST}/thach-den-1kg", confirmed=True)
        _declare(stage, "na-say", SECOND_FLOOR, f"https://{SECOND_HOST}/na-say-deo-na-mau", confirmed=False)


def _want(stage: Stage, good: str) -> None:
    holder = next(g.holder for g in ALL_GOODS if g.key == good)
    listings.want_live(
        stage.session,
        stage.act(manager_of(holder)),
        WantListing(id=key("listing", good), account_id=key("account", holder), variant_id=key("variant", good)),
    )


def _declare(stage: Stage, good: str, floor: str, url: str, *, confirmed: bool) -> None:
    holder = next(g.holder for g in ALL_GOODS if g.key == good)
    declared_id = key("declared", good)
    declared.declare(
        stage.session,
        stage.act(manager_of(holder)),
        NewDeclared(id=declared_id, product_id=key("product", good), floor_id=stage.floors[floor], url=url),
    )
    if confirmed:
        declared.confirm(
            stage.session,
            stage.act(_official_near(holder)),
            NewConfirmation(
                id=key("confirmation", good),
                declared_listing_id=declared_id,
                on_sale=True,
                seen_on=stage.today - timedelta(days=2),
                photo_sha256=stage.picture("sheet", good, _official_near(holder)),
            ),
        )


def _official_near(company: str) -> UUID:
    """Somebody else than the seller who may look: an official of the seller's place."""
    places = {cast.MAIN_COOPERATIVE.key: "xa", cast.SECOND_COOPERATIVE.key: "truong-thon-2"}
    return key("person", places.get(company, "xa"))
