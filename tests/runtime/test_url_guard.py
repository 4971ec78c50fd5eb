"""Which addresses customers' URLs may lead to, in every dress an address can wear."""

import socket
from ipaddress import ip_network

import pytest

from offhook.runtime.url_guard import METADATA, AddressBlocked, GuardedResolver, UrlGuard

PUBLIC = [
    "8.8.8.8",
    "193.0.6.139",
    "2001:67c:2e8:22::c100:68b",
    "64:ff9b::808:808",
    "::ffff:8.8.8.8",
    "2002:808:808::1",
]
OURS = [
    # RFC 1918, RFC 6598, RFC 1122, RFC 3927
    "10.0.0.1",
    "172.16.5.4",
    "192.168.1.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "0.1.2.3",
    "169.254.10.10",
    # multicast, broadcast, reserved, documentation, benchmarks
    "224.0.0.1",
    "239.255.255.250",
    "255.255.255.255",
    "240.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    # IPv6: unspecified, loopback, link-local (with a zone too), unique local, site-local, multicast, documentation
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    # the same within IPv6: mapped, compatible, NAT64 (RFC 6052, RFC 8215), 6to4, Teredo (client 127.0.0.1)
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::10.0.0.1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_open(address: str) -> None:
    assert UrlGuard().allows(address)


@pytest.mark.parametrize("address", [*OURS, *sorted(map(str, METADATA))])
def test_what_is_ours_is_closed(address: str) -> None:
    assert not UrlGuard().allows(address)


@pytest.mark.parametrize(
    ("network", "address", "allowed"),
    [
        ("127.0.0.0/8", "127.0.0.1", True),
        ("127.0.0.0/8", "::ffff:127.0.0.1", True),
        ("127.0.0.0/8", "::1", False),
        ("::1/128", "::1", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "192.168.0.1", False),
        ("10.0.0.0/8", "64:ff9b::10.0.0.1", True),
        ("10.0.0.0/8", "2002:a00:1::1", True),
        ("fd00::/8", "2002:a00:1::1", False),
        ("fd00::/8", "fd12::1", True),
        # A wide network does not open what hands out a machine's credentials.
        ("0.0.0.0/0", "169.254.169.254", False),
        ("169.254.0.0/16", "169.254.169.254", False),
        ("169.254.169.254/32", "169.254.169.254", True),
        ("fd00::/8", "fd00:ec2::254", False),
        ("::/0", "::ffff:169.254.169.254", False),
    ],
)
def test_the_allow_list(network: str, address: str, allowed: bool) -> None:
    assert UrlGuard([ip_network(network)]).allows(address) is allowed


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "::ffff:10.0.0.1"])
def test_literals_in_urls(host: str) -> None:
    with pytest.raises(AddressBlocked):
        UrlGuard().check_literal(host)


def test_names_and_public_literals_pass_the_first_look() -> None:
    guard = UrlGuard()
    guard.check_literal("localhost")
    guard.check_literal("8.8.8.8")


def test_no_socket_is_made_for_a_blocked_address() -> None:
    with pytest.raises(AddressBlocked, match=r"127\.0\.0\.1"):
        UrlGuard().make_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80)))
    made = UrlGuard([ip_network("127.0.0.0/8")]).make_socket(
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))
    )
    with made:
        assert made.family is socket.AF_INET


def answering(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """A name server's answer: the only part of the world that a test cannot have for real."""

    def look_up(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port),
            )
            for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


async def test_of_a_mixed_answer_the_public_addresses_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "10.0.0.1", "8.8.8.8", "fe80::1", "8.8.8.8")
    resolver = GuardedResolver(UrlGuard())
    found = await resolver.resolve("mixed.example", 443)
    await resolver.close()
    assert [(each["host"], each["port"]) for each in found] == [("8.8.8.8", 443)]
    assert found[0]["flags"] == socket.AI_NUMERICHOST


async def test_a_name_that_leads_only_home_is_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "10.0.0.1", "::1")
    resolver = GuardedResolver(UrlGuard())
    with pytest.raises(AddressBlocked, match=r"10\.0\.0\.1 \(inside\.example\)"):
        await resolver.resolve("inside.example", 80)
    await resolver.close()


async def test_localhost_is_looked_up_for_real() -> None:
    blocked = GuardedResolver(UrlGuard())
    with pytest.raises(AddressBlocked):
        await blocked.resolve("localhost", 80)
    await blocked.close()
    allowed = GuardedResolver(UrlGuard([ip_network("127.0.0.0/8")]))
    found = await allowed.resolve("localhost", 80, socket.AF_INET)
    await allowed.close()
    assert {each["host"] for each in found} == {"127.0.0.1"}


async def test_a_name_that_is_none() -> None:
    resolver = GuardedResolver(UrlGuard())
    with pytest.raises(OSError):
        await resolver.resolve("x" * 70 + ".example", 80)
    await resolver.close()
