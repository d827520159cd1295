"""The one interface to every marketplace: frozen values, what can go wrong, and the verbs a channel must have.

ChannelError
├── Retryable          nothing was changed; the same call may work after `after`
│   └── RateLimited    the shop asks us to slow down
├── OutcomeUnknown     a write was sent and its answer lost: look it up before any other write
├── AuthExpired        the access token has run out; a refresh may mend it
├── AuthRevoked        the shop no longer accepts these keys; a person must act
├── WrongCurrency      the shop does not sell in đồng: every price there would be another than ours; a person must act
├── Validation         a field is not acceptable; `field` is a field of ListingDraft or of the account
├── Rejected           the marketplace decided against the item; `reasons` say why
├── Locked             the item cannot be changed for now (campaign, review)
├── NotFound           no such item there
├── Conflict           another item holds the SKU; `existing_remote_id` names it where known
└── Permanent          anything else that repeating will not mend

A channel makes one attempt and keeps no state: waiting, repeating and remembering belong to the caller.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import ClassVar, Literal, Self

from stdnum import ean

from app.errors import HoiError

OUT_OF_STOCK = "out_of_stock"  # the reason of a page that opens, with nothing left to buy


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is so, as a stable code and a sentence in two languages."""

    code: str
    vi: str
    en: str


@dataclass(frozen=True, slots=True)
class Issue:
    """A field that the channel would refuse; known before anything is sent."""

    field: str
    code: str
    vi: str
    en: str


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What opens one account, by field name of the channel's `spec()`; opaque to everybody else."""

    values: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Credentials({', '.join(sorted(self.values))}: hidden)"

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name) or default


@dataclass(frozen=True, slots=True)
class Image:
    """A picture by content and by the public address from which the shop may copy it."""

    sha256: str
    url: str


@dataclass(frozen=True, slots=True)
class ListingDraft:
    """What we want the listing to say. Money in whole đồng, stock absolute, weight in grams, texts in NFC or not.

    `known_stock`: the numbers the shop may have if nothing was sold there meanwhile (more than one after a lost answer, none
    when we never wrote there). What it has less than these, but for `recorded_ahead` sales that the ledger may know of, is
    taken off `stock`, so that no write puts sold goods up again.
    """

    listing_id: str
    sku: str
    name: str
    description_html: str
    price_vnd: int
    stock: int
    weight_grams: int | None = None
    images: tuple[Image, ...] = ()
    category: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    gtin: str | None = None
    known_stock: tuple[int, ...] = ()
    recorded_ahead: int = 0


def sold_since(known_stock: Iterable[int], there: int, recorded_ahead: int) -> tuple[int, int]:
    """How many the shop sold since we knew its number: recorded ahead, and not recorded; (0, below zero) where it rose.

    Of several possible beginnings the one that leaves the fewest unrecorded sales is believed, then the nearest. What is
    recorded ahead counts from the first of them, the number that was read; the others were sent with it taken off.
    """
    changes = [known - there for known in known_stock]
    falls = [(max(fall - (0 if place else recorded_ahead), 0), fall) for place, fall in enumerate(changes) if fall >= 0]
    if not falls:
        return 0, max(changes, default=0)
    unrecorded, fall = min(falls)
    return fall - unrecorded, unrecorded


def number_to_send(draft: ListingDraft, there: int) -> int:
    """The stock less what was sold there meanwhile and is not recorded; `there` itself when that is right already."""
    _, unrecorded = sold_since(draft.known_stock, there, draft.recorded_ahead)
    wanted = draft.stock - max(unrecorded, 0)
    return there if wanted == there else max(wanted, 0)


@dataclass(frozen=True, slots=True)
class RemoteStatus:
    """What the marketplace itself said; never inferred from our own success. `seen_at`: when we asked, so never too late.

    `raw` is the marketplace's own word ("gone" where it denies the item). `live`: a buyer can open the page now.
    `buyable`: live, and it can be put in a basket. `verified` False means that the page could not be asked, so
    `live` False is no observation: keep the earlier one until it ages. `evidence` is what was read, as plain JSON.
    `stock_before`: after a write, the stock that was read before it; None where none was read or it was never ours.
    """

    remote_id: str
    raw: str
    live: bool
    buyable: bool
    url: str | None
    price_vnd: int | None
    stock: int | None
    reasons: tuple[Reason, ...]
    seen_at: datetime
    verified: bool = True
    sku: str | None = None
    name: str | None = None
    listing_id: str | None = None
    image_shas: tuple[str, ...] = ()
    stock_before: int | None = None
    evidence: Mapping[str, str | int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """Hard limits of texts and counts."""

    name_max: int
    description_max: int
    sku_max: int
    images_max: int
    status_batch: int


@dataclass(frozen=True, slots=True)
class AccountField:
    """One field of the form that connects an account."""

    name: str
    kind: Literal["url", "text", "secret", "choice"]
    vi: str
    en: str
    help_vi: str = ""
    help_en: str = ""
    required: bool = True
    choices: tuple[str, ...] = ()
    default: str = ""


@dataclass(frozen=True, slots=True)
class Spec:
    """What a person must fill in to connect a shop, and what the channel can do."""

    kind: str
    vi: str
    en: str
    fields: tuple[AccountField, ...]
    limits: Limits
    abilities: frozenset[str]

    def json_schema(self) -> dict[str, object]:
        """The account form as JSON Schema; titles are Vietnamese, `x-en` holds the English ones."""
        properties: dict[str, object] = {}
        for item in self.fields:
            shape: dict[str, object] = {"type": "string", "title": item.vi, "x-en": item.en}
            if item.help_vi:
                shape["description"] = item.help_vi
            if item.kind == "url":
                shape["format"] = "uri"
            if item.kind == "secret":
                shape["writeOnly"] = True
            if item.choices:
                shape["enum"] = list(item.choices)
            if item.default:
                shape["default"] = item.default
            properties[item.name] = shape
        return {
            "type": "object",
            "title": self.vi,
            "additionalProperties": False,
            "properties": properties,
            "required": [item.name for item in self.fields if item.required],
        }


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The account works; `issues` are settings of the shop that a person should look at, though nothing is stopped."""

    shop_name: str
    shop_url: str
    issues: tuple[Issue, ...]


class ChannelError(HoiError):
    """Never raised directly. `raw` is the shop's own answer, shortened and without secrets.

    `wrote`: the stock had been written there already, and only what came after it failed.
    """

    status = 502
    wrote = False

    def __init__(self, code: str, *, vi: str, en: str, raw: str = "", field: str | None = None) -> None:
        super().__init__(code, vi=vi, en=en, field=field)
        self.raw = raw


class Retryable(ChannelError):
    """Nothing was changed there. `after` None leaves the waiting time to the caller."""

    def __init__(self, code: str, *, vi: str, en: str, raw: str = "", after: timedelta | None = None) -> None:
        super().__init__(code, vi=vi, en=en, raw=raw)
        self.after = after


class RateLimited(Retryable):
    """Too many calls; wait `after` (None: the shop did not say)."""


class OutcomeUnknown(ChannelError):
    """The write may or may not have happened."""


class AuthExpired(ChannelError):
    """The token has run out."""


class AuthRevoked(ChannelError):
    """The keys are no longer accepted."""


class WrongCurrency(ChannelError):
    """A number of đồng would be read as so many of another currency."""


class Validation(ChannelError):
    """`field` cannot be accepted as it is."""


class Rejected(ChannelError):
    """The marketplace decided against the item."""

    def __init__(self, code: str, *, vi: str, en: str, raw: str = "", reasons: tuple[Reason, ...] = ()) -> None:
        super().__init__(code, vi=vi, en=en, raw=raw)
        self.reasons = reasons


class Locked(ChannelError):
    """Not changeable until `until` (None: unknown)."""

    def __init__(self, code: str, *, vi: str, en: str, raw: str = "", until: datetime | None = None) -> None:
        super().__init__(code, vi=vi, en=en, raw=raw)
        self.until = until


class NotFound(ChannelError):
    """The marketplace has no such item."""


class Conflict(ChannelError):
    """The SKU is taken by `existing_remote_id` (None: the shop does not say by which item)."""

    def __init__(self, code: str, *, vi: str, en: str, raw: str = "", existing_remote_id: str | None = None) -> None:
        super().__init__(code, vi=vi, en=en, raw=raw, field="sku")
        self.existing_remote_id = existing_remote_id


class Permanent(ChannelError):
    """Repeating the call will not help."""


class Channel(ABC):
    """One connected account. Every verb raises ChannelErrors only."""

    limits: ClassVar[Limits]

    @classmethod
    @abstractmethod
    def spec(cls) -> Spec:
        """What to ask a person for."""

    @abstractmethod
    def check(self) -> CheckResult:
        """Proves that the shop answers, sells in đồng, and that the keys may read and write; changes nothing."""

    @abstractmethod
    def check_currency(self) -> None:
        """Raises WrongCurrency where the shop says that it sells in another currency than đồng."""

    @abstractmethod
    def validate(self, draft: ListingDraft) -> list[Issue]:
        """All that the shop would refuse, without asking it."""

    @abstractmethod
    def create(self, draft: ListingDraft) -> RemoteStatus:
        """Makes the item. Raises Conflict where the SKU is taken; use `publish` unless you handle that."""

    @abstractmethod
    def update(self, remote_id: str, draft: ListingDraft) -> RemoteStatus:
        """Writes every field of the draft; whether the item is listed stays as it is. Unchanged pictures are not sent again.

        Stock that was sold there meanwhile (`known_stock`) is not put up again.
        """

    @abstractmethod
    def set_price(self, remote_id: str, price_vnd: int) -> RemoteStatus: ...

    @abstractmethod
    def set_stock(self, remote_id: str, stock: int) -> RemoteStatus:
        """Absolute, never a difference."""

    @abstractmethod
    def unlist(self, remote_id: str) -> RemoteStatus:
        """Takes the item off sale; done already, or gone there, is success."""

    @abstractmethod
    def relist(self, remote_id: str) -> RemoteStatus:
        """Puts it back on sale. Raises Rejected where the marketplace has banned it: a ban is never overwritten."""

    @abstractmethod
    def delete(self, remote_id: str) -> RemoteStatus:
        """Moves it to the shop's bin; read back, because an answer to a deletion proves nothing."""

    @abstractmethod
    def status(self, remote_ids: Sequence[str]) -> list[RemoteStatus]:
        """One entry per id, in that order; what is not there any more has `raw` "gone".

        Trouble with one item makes that entry unverified; only what concerns the whole account is raised.
        """

    @abstractmethod
    def find_by_sku(self, sku: str) -> RemoteStatus | None:
        """The item that holds this SKU, whatever its state short of the bin."""

    @abstractmethod
    def close(self) -> None:
        """Gives connections back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def publish(self, draft: ListingDraft, remote_id: str | None = None) -> RemoteStatus:
        """Makes the item say what the draft says and be on sale, without ever making a second one.

        Without `remote_id` the SKU is looked up first and an existing item adopted, so this may be repeated after
        OutcomeUnknown. An item that carries another listing's id is not taken over: Conflict.
        Raises NotFound when `remote_id` was removed there: the caller decides whether to start anew.
        """
        if remote_id is None:
            found = self.find_by_sku(draft.sku)
            if found is None:
                try:
                    return self.create(draft)
                except Conflict as conflict:
                    if conflict.existing_remote_id is None:
                        raise
                    (found,) = self.status([conflict.existing_remote_id])
                    if found.sku is None and not found.verified:
                        raise Retryable(
                            "holder_unreadable",
                            vi=f"Chưa đọc được tin đang giữ mã hàng {draft.sku} trên gian hàng. Hệ thống sẽ tự thử lại.",
                            en=f"The item that holds SKU {draft.sku} could not be read. It will be tried again.",
                        ) from conflict
            if found.listing_id not in {None, draft.listing_id}:
                raise Conflict(
                    "sku_of_another_listing",
                    vi=f"Mã hàng {draft.sku} trên gian hàng đang thuộc một tin đăng khác của hệ thống (mã {found.remote_id})."
                    " Hãy đổi mã hàng, hoặc gỡ tin kia trước.",
                    en=f"SKU {draft.sku} belongs to another listing of this system there (item {found.remote_id})."
                    " Change the SKU or remove the other listing first.",
                    existing_remote_id=found.remote_id,
                )
            if found.listing_id is None:
                draft = replace(draft, known_stock=())  # made by somebody else: its number was never ours
            remote_id = found.remote_id
        written = self.update(remote_id, draft)
        before = written.stock_before if draft.known_stock else None
        try:
            return replace(written if written.live else self.relist(remote_id), stock_before=before)
        except ChannelError as error:
            error.wrote = True
            raise


def common_issues(draft: ListingDraft, limits: Limits) -> Iterable[Issue]:
    """What no marketplace accepts; a channel adds its own."""
    name = draft.name.strip()
    if not name:
        yield Issue("name", "required", "Cần có tên sản phẩm.", "A product name is needed.")
    elif len(name) > limits.name_max:
        yield Issue(
            "name",
            "too_long",
            f"Tên dài {len(name)} chữ, sàn chỉ nhận {limits.name_max}: hãy rút ngắn.",
            f"The name has {len(name)} characters; the marketplace takes {limits.name_max}: shorten it.",
        )
    if len(draft.description_html) > limits.description_max:
        yield Issue(
            "description_html",
            "too_long",
            f"Mô tả quá dài, sàn chỉ nhận {limits.description_max} ký tự: hãy rút ngắn.",
            f"The description is over {limits.description_max} characters: shorten it.",
        )
    if not draft.sku or len(draft.sku) > limits.sku_max:
        yield Issue(
            "sku",
            "length",
            f"Mã hàng (SKU) cần có từ 1 đến {limits.sku_max} ký tự.",
            f"The SKU needs 1 to {limits.sku_max} characters.",
        )
    if draft.price_vnd <= 0:
        yield Issue("price_vnd", "not_positive", "Giá bán phải lớn hơn 0 đồng.", "The price must be above 0 đồng.")
    if draft.stock < 0:
        yield Issue("stock", "negative", "Số lượng còn không thể âm.", "Stock cannot be below zero.")
    if draft.weight_grams is not None and draft.weight_grams <= 0:
        yield Issue(
            "weight_grams", "not_positive", "Khối lượng phải lớn hơn 0 gam.", "The weight must be above 0 grams."
        )
    if len(draft.images) > limits.images_max:
        yield Issue(
            "images",
            "too_many",
            f"Có {len(draft.images)} ảnh, sàn chỉ nhận {limits.images_max}: hãy bớt ảnh.",
            f"{len(draft.images)} pictures; the marketplace takes {limits.images_max}: remove some.",
        )
    if draft.gtin is not None and not ean.is_valid(draft.gtin):
        yield Issue(
            "gtin",
            "check_digit",
            "Mã vạch (GTIN) sai độ dài hoặc sai số kiểm tra: hãy nhập lại đúng như trên giấy của GS1.",
            "The barcode number (GTIN) has a wrong length or check digit: type it again as on the GS1 paper.",
        )
