"""The one interface to every marketplace: the verbs a channel must have.

A channel makes one attempt and keeps no state: waiting, repeating and remembering belong to the caller.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import ClassVar, Self

from app.marketplace_sync.channels.accounts import CheckResult, Spec
from app.marketplace_sync.channels.drafts import Issue, Limits, ListingDraft
from app.marketplace_sync.channels.errors import ChannelError, Conflict, Retryable
from app.marketplace_sync.channels.statuses import RemoteStatus
from app.messages import N_


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
                            N_(
                                "Chưa đọc được tin đang giữ mã hàng %(sku)s trên gian hàng. Hệ thống sẽ tự thử lại.",
                                sku=draft.sku,
                            ),
                        ) from conflict
            if found.listing_id not in {None, draft.listing_id}:
                raise Conflict(
                    "sku_of_another_listing",
                    N_(
                        "Mã hàng %(sku)s trên gian hàng đang thuộc một tin đăng khác của hệ thống (mã %(remote_id)s). Hãy "
                        "đổi mã hàng, hoặc gỡ tin kia trước.",
                        sku=draft.sku,
                        remote_id=found.remote_id,
                    ),
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
