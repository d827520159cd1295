"""Consent: what a person is asked, what they answered, and its withdrawal.

Law 91/2025/QH15 and Decree 356/2025/NĐ-CP: informed, for one purpose each, recorded, as easy to withdraw as to give.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import actors, queries
from app.accounts.events import ConsentChanged
from app.accounts.models import (
    Consent,
    Purpose,
)
from app.actor import Actor
from app.db import Words
from app.errors import Conflict, not_found
from app.messages import N_
from app.outbox import publish


@dataclass(frozen=True, slots=True)
class Asked:
    """The text of one question of consent: which data, what for, who sees them, what a no costs. A change is a new version."""

    purpose: Purpose
    version: str
    title: Words
    data: Words
    use: Words
    who: Words
    without: Words

    def sha256(self, language: str) -> str:
        """Of the words as they are shown in this language."""
        parts = (self.title, self.data, self.use, self.who, self.without)
        return hashlib.sha256("\n".join(p.text(language) for p in parts).encode()).hexdigest()


ASKED: dict[Purpose, Asked] = {
    a.purpose: a
    for a in (
        Asked(
            Purpose.ACCOUNT,
            "2026-12",
            Words.of(N_("Giữ tài khoản")),
            Words.of(N_("Họ tên, cách xưng hô, số điện thoại, các máy đã đăng nhập.")),
            Words.of(N_("Để đăng nhập và để biết việc nào do ai ghi.")),
            Words.of(N_("Chính mình và người quản lý của hợp tác xã hoặc đơn vị của mình.")),
            Words.of(N_("Không giữ thì không đăng nhập được. Muốn thôi, hãy dùng nút “Xóa dữ liệu của tôi”.")),
        ),
        Asked(
            Purpose.DIARY,
            "2026-12",
            Words.of(N_("Ghi nhật ký vườn, chuồng dưới tên mình")),
            Words.of(N_("Việc đã làm, ngày giờ, vật tư, ảnh, thửa đất. Vị trí chính xác không ai ngoài hộ và hợp tác xã "
"thấy.")),
            Words.of(N_("Để truy xuất nguồn gốc nông sản và xét tiêu chí thôn thông minh.")),
            Words.of(N_("Hộ, hợp tác xã của hộ; cán bộ của xã và tỉnh; người mua chỉ thấy các bước, không thấy tên.")),
            Words.of(N_("Không đồng ý thì hợp tác xã ghi thay, không kèm tên.")),
        ),
        Asked(
            Purpose.PUBLIC_NAME,
            "2026-11",
            Words.of(N_("Hiện tên gọi trên trang quét mã")),
            Words.of(N_("Cách xưng hô và tên gọi, ví dụ “bác Lành”. Không hiện họ, số điện thoại, địa chỉ nhà.")),
            Words.of(N_("Để người mua biết ai làm ra sản phẩm.")),
            Words.of(N_("Bất cứ ai quét mã.")),
            Words.of(N_("Không đồng ý thì trang ghi “một người của hộ”.")),
        ),
        Asked(
            Purpose.NOTICES_EMAIL,
            "2026-12",
            Words.of(N_("Gửi thông báo qua thư điện tử")),
            Words.of(N_("Địa chỉ thư điện tử của mình.")),
            Words.of(N_("Để báo việc cần làm khi không mở trang này.")),
            Words.of(N_("Máy chủ thư của đơn vị vận hành.")),
            Words.of(N_("Không đồng ý thì chỉ báo ở mục Tin báo.")),
        ),
    )
}  # fmt: skip
RIGHTS = Words.of(
    N_(
        "Có quyền xem, sửa, tải về, rút lại đồng ý, hạn chế, phản đối và xóa. Chúng tôi trả lời trong 2 "
        "ngày làm việc và làm xong trong 15 ngày (Luật 91/2025/QH15, Nghị định 356/2025/NĐ-CP)."
    )
)


def answer_consents(
    session: Session,
    actor: Actor,
    given: Collection[Purpose],
    *,
    language: str = "vi",
    shown: Mapping[Purpose, str] | None = None,
) -> list[Purpose]:
    """Write down a yes for each given purpose and a no for each other one, where the word is new. Returns what changed.

    `language` and `shown` say which text was read: its language, and of each purpose on the page the version. Raises
    Conflict for a no to the account, which is erasing, and for a text that has changed since; Forbidden where a card does
    not suffice.
    """
    actors.check_card_suffices(session, actor)
    read = {p: a.version for p, a in ASKED.items()} if shown is None else shown
    if any(p not in ASKED or ASKED[p].version != version for p, version in read.items()):
        raise Conflict("text_changed", N_("Lời hỏi đã có bản mới. Hãy tải lại trang, đọc bản mới rồi chọn."))
    if Purpose.ACCOUNT in read and Purpose.ACCOUNT not in given:
        raise _account_needs_erasing()
    return _answer(session, actor, {p: p in given for p in read}, language)


def withdraw(session: Session, actor: Actor, purpose: Purpose, *, language: str = "vi") -> None:
    """Take one consent back, at once; the others stay as they are, unanswered ones too.

    Raises NotFound for what nobody is asked, Conflict for the account, which is erasing, Forbidden where a card does not
    suffice.
    """
    actors.check_card_suffices(session, actor)
    if purpose not in ASKED:
        raise not_found()
    if purpose == Purpose.ACCOUNT:
        raise _account_needs_erasing()
    _answer(session, actor, {purpose: False}, language)


def _answer(session: Session, actor: Actor, answers: Mapping[Purpose, bool], language: str) -> list[Purpose]:
    person_id = actors.oneself(actor)
    before = queries.consents_now(session, person_id)
    changed = []
    for purpose, yes in answers.items():
        asked, old = ASKED[purpose], before.get(purpose)
        if old is not None and old.given == yes and old.text_version == asked.version:
            continue
        session.add(
            Consent(
                person_id=person_id,
                purpose=purpose,
                given=yes,
                text_version=asked.version,
                text_sha256=asked.sha256(language),
                language=language,
                recorded_at=clock.now(),
                sign_in_id=actor.sign_in_id,
            )
        )
        changed.append(purpose)
    if changed:
        publish(session, actor, ConsentChanged(person_id, purposes=tuple(sorted(changed))))
        given_now = sorted(p for p in changed if answers[p])
        audit.record(
            session, actor, "accounts:consent:answer", subject_id=person_id, given=given_now, changed=sorted(changed)
        )
    return changed


def _account_needs_erasing() -> Conflict:
    return Conflict(
        "account_needs_erasing",
        N_("Còn dùng thì đánh dấu mục “Giữ tài khoản”. Muốn thôi, hãy bấm “Không giữ tài khoản nữa” ở cuối trang."),
    )


def unasked(session: Session, person_id: UUID) -> list[Asked]:
    """The questions that this person has not answered under their present text."""
    known = queries.consents_now(session, person_id)
    return [a for p, a in ASKED.items() if p not in known or known[p].text_version != a.version]
