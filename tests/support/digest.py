"""HTTP Digest as a client writes it (RFC 7616, RFC 3261 section 22), a second time and from the text alone: MD5 and
SHA-256 with qop=auth, as far as a test's phone needs it.
"""

import hashlib
import re

__all__ = ["authorization"]

HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


def authorization(challenge: str, method: str, uri: str, user: str, password: str) -> str:
    """The value of Authorization (or Proxy-Authorization) for a challenge's value."""
    asked = dict(re.findall(r'(\w+)=(?:"(?=[^"]*")|)([^",\s]*)', challenge))
    name = asked.get("algorithm", "MD5")

    def h(text: str) -> str:
        return HASHES[name](text.encode()).hexdigest()

    cnonce, count = "0a4f113b", "00000001"
    secret, request = h(f"{user}:{asked['realm']}:{password}"), h(f"{method}:{uri}")
    response = h(f"{secret}:{asked['nonce']}:{count}:{cnonce}:auth:{request}")
    return (
        f'Digest username="{user}", realm="{asked["realm"]}", nonce="{asked["nonce"]}", uri="{uri}", '
        f'response="{response}", algorithm={name}, cnonce="{cnonce}", qop=auth, nc={count}'
        + (f', opaque="{asked["opaque"]}"' if "opaque" in asked else "")
    )
