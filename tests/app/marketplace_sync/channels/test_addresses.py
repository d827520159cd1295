"""No address of a private network, however it is spelled, and no port but those of the web."""

import contextlib

import pytest

from app.marketplace_sync.channels.addresses import is_public
from app.marketplace_sync.channels.errors import Validation
from app.marketplace_sync.channels.http import Http, Redactor

PRIVATE = [
    "0.0.0.0",  # noqa: S104 - to be refused, not to listen on
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.1.2.3",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.8",
    "192.0.0.9",
    "192.0.0.10",
    "192.0.0.170",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "233.252.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::10.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "::ffff:0:8.8.8.8",
    "64:ff9b::169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "64:ff9b:1:fffe::10.0.0.1",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:1::1",
    "2001:1::2",
    "2001:2::1",
    "2001:3::1",
    "2001:4:112::1",
    "2001:10::1",
    "2001:20::1",
    "2001:30::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2002:808:808::1",
    "2620:4f:8000::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "8000::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "fec0::1",
    "feff::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "11.0.0.1",
    "100.63.255.255",
    "103.28.36.1",
    "172.15.0.1",
    "172.32.0.1",
    "192.0.1.1",
    "203.113.131.1",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2400:cb00:2048:1::6814:1",
    "2402:800::1",
    "2606:4700::1111",
    "2a00:1450::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_special_addresses_are_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_are_dialled(address: str) -> None:
    assert is_public(address)


def sent(url: str, address: str = "8.8.8.8") -> str:
    """The code of the refusal; "dialled" where the call itself was tried."""

    class Dialled(Exception):
        pass

    class Never:
        def handle_request(self, _request: object) -> None:
            raise Dialled

        def close(self) -> None:
            return

    http = Http(
        allow_private=False,
        redact=Redactor([]),
        transport=Never(),  # type: ignore[arg-type]  # as much of a transport as is asked of it
        resolver=lambda _host, _port: [address],
    )
    with contextlib.closing(http), pytest.raises((Validation, Dialled)) as refused:
        http.send("GET", url, writes=False)
    return getattr(refused.value, "code", "dialled")


@pytest.mark.parametrize("port", [1, 21, 22, 25, 79, 81, 442, 444, 3306, 5432, 6379, 8000, 8080, 8443, 65535])
def test_no_other_port_is_dialled(port: int) -> None:
    assert sent(f"https://shop.example:{port}/wp-json") == "address_port"
    assert sent(f"http://shop.example:{port}/wp-json") == "address_port"


@pytest.mark.parametrize(
    "url", ["http://shop.example/", "https://shop.example/", "http://shop.example:443/", "https://shop.example:80/"]
)
def test_the_ports_of_the_web_are_dialled(url: str) -> None:
    assert sent(url) == "dialled"
    assert sent(url, "10.0.0.1") == "address_private"
    assert sent(url, "64:ff9b::a9fe:a9fe") == "address_private"
