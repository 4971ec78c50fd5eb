"""Settings of a server in the test's own process: on loopback, on free ports, with an account that the test knows."""

from pathlib import Path
from typing import Any

from tests.support.ports import free_port

from offhook.config import Settings

__all__ = ["ACCOUNT", "SECRET", "settings_here"]

ACCOUNT, SECRET = "u" + "0123456789abcdef" * 2, "a-secret-for-tests"
RTP_PORTS = 200


def settings_here(folder: Path, **more: Any) -> Settings:
    """`more`: what the test wants otherwise."""
    first = free_port() & ~1  # a corner of its own: servers side by side do not take each other's ports
    return Settings(
        **{
            "data_dir": folder,
            "http_listen": "127.0.0.1:0",
            "sip_listen": "udp:127.0.0.1:0",
            "bootstrap_account": f"{ACCOUNT}:{SECRET}",
            "engine_orphan_s": 1,
            "rtp_ports": f"{first}-{first + RTP_PORTS}",
            "dev": True,
            **more,
        }
    )
