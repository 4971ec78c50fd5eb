"""Free loopback ports for peers, outside the kernel's ephemeral range, so that no other socket takes them by chance."""

import random
import socket

__all__ = ["free_port", "free_rtp_port", "rtp_range"]

FIRST = 10_000
LAST = 19_998
TRIES = 200


def _is_free(host: str, port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free for both UDP and TCP now. Random, so that tests side by side do not meet."""
    chance = random.SystemRandom()
    for _ in range(TRIES):
        port = chance.randrange(FIRST, LAST)
        if _is_free(host, port):
            return port
    raise AssertionError(f"no free port from {FIRST} to {LAST} in {TRIES} tries")


def free_rtp_port(host: str = "127.0.0.1") -> int:
    """An even port whose odd neighbour is free as well (RFC 3550 section 11)."""
    chance = random.SystemRandom()
    for _ in range(TRIES):
        port = chance.randrange(FIRST, LAST, 2)
        if _is_free(host, port) and _is_free(host, port + 1):
            return port
    raise AssertionError(f"no free pair of ports from {FIRST} to {LAST} in {TRIES} tries")


def rtp_range(ports: int) -> str:
    """So many ports for a server's sound, as the setting `rtp_ports` has them. Never fewer: calls would be refused."""
    first = random.SystemRandom().randrange(FIRST, LAST + 2 - ports, 2)
    return f"{first}-{first + ports - 1}"
