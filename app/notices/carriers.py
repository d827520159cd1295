"""Carriers that take a notice out of this application. E-mail now; web push, SMS and Zalo ZNS have the same shape.

A carrier says whether it can reach this recipient, and sends. It knows no database and may be asked twice.
"""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import SplitResult, unquote
from uuid import UUID

from app import answering, clock
from app.addresses import split_address
from app.messages import N_
from app.settings import Settings

SMTP_SECONDS = 20.0
PERMANENT_FROM = 500


class CarrierError(Exception):
    """Not delivered. `permanent`: trying again would not help. The text holds no address."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


@dataclass(frozen=True, slots=True)
class Recipient:
    """What a carrier may use of a person, only as far as they agreed to it."""

    language: str
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """`id` is the same at every try, so that a receiver may recognise a repetition."""

    id: UUID
    title: str
    body: str
    link: str | None
    urgency: str


class Carrier(Protocol):
    name: str

    def reaches(self, settings: Settings, recipient: Recipient) -> bool: ...

    def send(self, settings: Settings, recipient: Recipient, message: Message) -> None:
        """Raises CarrierError."""
        ...


class Email:
    """SMTP by HOI_SMTP_URL: smtp://user:password@host:587 (STARTTLS where offered) or smtps://host:465."""

    name = "email"

    def reaches(self, settings: Settings, recipient: Recipient) -> bool:
        return settings.smtp_url is not None and recipient.email is not None

    def send(self, settings: Settings, recipient: Recipient, message: Message) -> None:
        if settings.smtp_url is None or recipient.email is None:
            raise CarrierError("no mail server or no address", permanent=True)
        answering.refuse_calls()
        address = split_address(settings.smtp_url.get_secret_value())
        mail = self._mail(settings, recipient, message)
        try:
            with _connection(address) as server:
                server.send_message(mail, settings.mail_from, [recipient.email])
        except smtplib.SMTPRecipientsRefused as error:
            code = next((int(answer[0]) for answer in error.recipients.values()), 0)
            raise CarrierError(f"recipient refused ({code})", permanent=code >= PERMANENT_FROM) from None
        except smtplib.SMTPResponseException as error:
            raise CarrierError(f"mail server answered {error.smtp_code}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise CarrierError(f"mail server away ({type(error).__name__})") from None

    def _mail(self, settings: Settings, recipient: Recipient, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = " ".join(message.title.split())
        mail["From"] = settings.mail_from
        mail["To"] = recipient.email
        mail["Date"] = formatdate(clock.machine_now().timestamp())
        mail["Message-ID"] = f"<{message.id}@{settings.mail_from.rpartition('@')[2] or 'localhost'}>"
        mail["Auto-Submitted"] = "auto-generated"
        stop = N_("Không muốn nhận thư nữa: mở “Dữ liệu của tôi” và rút lại đồng ý.").text(recipient.language)
        link = [f"{settings.printed_base()}{message.link}"] if message.link else []
        mail.set_content("\n\n".join([message.body, *link, "-- \nHồi", stop]) + "\n")
        return mail


@contextmanager
def _connection(address: SplitResult) -> Iterator[smtplib.SMTP]:
    host, tls = address.hostname or "", address.scheme == "smtps"
    context = ssl.create_default_context()
    server: smtplib.SMTP = (
        smtplib.SMTP_SSL(host, address.port or 465, local_hostname="hoi", timeout=SMTP_SECONDS, context=context)
        if tls
        else smtplib.SMTP(host, address.port or 587, local_hostname="hoi", timeout=SMTP_SECONDS)
    )
    with server:
        server.ehlo()
        if not tls and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
            tls = True
        if address.username:
            if not tls and not _same_machine(host):
                raise CarrierError("the mail server offers no encryption, so the password is not sent")
            server.login(unquote(address.username), unquote(address.password or ""))
        yield server


def _same_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


OUTSIDE: tuple[Carrier, ...] = (Email(),)
