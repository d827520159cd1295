"""A mail server for tests: real SMTP over a real socket, keeps what it accepts, and fails on demand."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class Mailbox:
    """`answers`: what the next recipients get instead of 250; "hang up" closes the line after the mail was taken."""

    port: int = 0
    answers: list[str] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)


class Server(socketserver.ThreadingTCPServer):
    def __init__(self, box: Mailbox) -> None:
        self.box = box
        super().__init__(("127.0.0.1", 0), Session)


class Session(socketserver.StreamRequestHandler):
    server: "Server"

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def handle(self) -> None:
        self.say("220 double")
        fate = ""
        while line := self.rfile.readline().decode().strip():
            verb = line.split(" ")[0].upper()
            if verb == "RCPT":
                fate = self.recipient(line)
            elif verb == "AUTH":
                self.server.box.logins.append(line)
                self.say("235 welcome")
            elif verb == "EHLO":
                self.say("250-double")
                self.say("250 AUTH PLAIN")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                if verb == "DATA" and self.mail(fate) == "hang up":
                    return
                self.say("250 ok")

    def recipient(self, line: str) -> str:
        fate = self.server.box.answers.pop(0) if self.server.box.answers else ""
        if fate[:1] in {"4", "5"}:
            self.say(fate)
        else:
            self.server.box.recipients.append(line.partition("<")[2].rstrip(">"))
            self.say("250 ok")
        return fate

    def mail(self, fate: str) -> str:
        self.say("354 go on")
        raw = b""
        while not raw.endswith(b"\r\n.\r\n"):
            raw += self.rfile.readline()
        parsed = message_from_bytes(raw[:-3], policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.server.box.mails.append(parsed)
        return fate


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    box = Mailbox()
    with Server(box) as server:
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield box
        server.shutdown()
        thread.join()
