"""The public page of an item, as a visitor gets it."""

import httpx

from app.marketplace_sync.channels.errors import ChannelError
from app.marketplace_sync.channels.http import Answer, Http, same_page, same_shop
from app.marketplace_sync.channels.statuses import Reason
from app.messages import N_


class ProductPages:
    """The pages of one shop, opened without keys."""

    def __init__(self, http: Http, shop_url: str) -> None:
        self._http = http
        self._shop_url = shop_url

    def seen(self, url: str | None) -> tuple[int | None, Reason | None]:
        """The HTTP status a visitor gets, and what is wrong with it."""
        if url is None or not same_shop(url, self._shop_url):
            return None, Reason("foreign_page", N_("Địa chỉ trang sản phẩm không thuộc gian hàng này."))
        try:
            answer, reached = self._visit(url)
        except (ChannelError, httpx.InvalidURL):
            return None, _page_unknown()
        if answer.status == httpx.codes.OK:
            return answer.status, None if same_page(url, reached) else _moved_page(reached)
        if answer.status == httpx.codes.TOO_MANY_REQUESTS or answer.status >= httpx.codes.INTERNAL_SERVER_ERROR:
            return None, _page_unknown()
        return answer.status, Reason(
            "page_closed", N_("Khách mở trang sản phẩm thì gặp mã %(status)s, chưa mua được.", status=answer.status)
        )

    def _visit(self, url: str) -> tuple[Answer, str]:
        """HEAD as any visitor, without keys; follows redirects inside the shop only. Also says at which address it ended."""
        method = "HEAD"
        for _ in range(4):
            answer = self._http.send(method, url, writes=False)
            if answer.status in {405, 501} and method == "HEAD":
                method = "GET"
                continue
            moved = str(httpx.URL(url).join(answer.headers.get("location", ""))) if 300 <= answer.status < 400 else ""  # noqa: PLR2004 - 3xx
            if not moved or not same_shop(moved, self._shop_url):
                break
            url = moved
        return answer, url


def _page_unknown() -> Reason:
    return Reason(
        "page_unreachable", N_("Chưa mở được trang sản phẩm để xem khách có mua được không. Hệ thống sẽ xem lại.")
    )


def _moved_page(reached: str) -> Reason:
    """A page that leads elsewhere is a closed page, however well the other one opens."""
    target = reached[:200]
    return Reason(
        "page_closed",
        N_("Khách mở trang sản phẩm thì bị đưa sang trang khác (%(target)s), không mua được.", target=target),
    )
