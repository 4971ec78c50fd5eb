"""Fuzz target: any octets are a SIP message or `Unparseable`; what has no flaw is written and read back as the same.

A request that validates must give up every view that the stack steers by, and any request at all must get its response.
"""

from __future__ import annotations

from fuzz.runner import run
from fuzz.sip_corpus import messages
from hypothesis import strategies as st

from offhook.sip.errors import Unparseable
from offhook.sip.message import Message, Request
from offhook.sip.parser import parse_datagram
from offhook.sip.validate import Capabilities, validate_request, validate_response

ELEMENT = Capabilities(methods=("INVITE", "OPTIONS"), body_types=("application/sdp",), answers=("application/sdp",))
STRATEGY = st.one_of(messages(), st.binary(max_size=300))


def check(data: bytes) -> None:
    """The invariant of reading one datagram."""
    try:
        message = parse_datagram(data)
    except Unparseable:
        return
    if isinstance(message, Request):
        fault = validate_request(message, ELEMENT)
        assert fault is None or 400 <= fault.status <= 699
        parse_datagram(message.reply(400, fault.reason if fault else None, to_tag="x").encode())
        if validate_request(message) is None:
            _ = message.uri, _views(message)
    elif validate_response(message) is None:
        _views(message)
    if message.flaw is None:
        _round_trip(message)


def _round_trip(message: Message) -> None:
    again = parse_datagram(message.encode())
    message.headers.remove("Content-Length")
    again.headers.remove("Content-Length")
    assert again == message


def _views(message: Message) -> tuple[object, ...]:
    core = (message.via, message.vias, message.from_, message.to, message.call_id, message.cseq, message.max_forwards)
    routing = (message.contacts, message.contact, message.routes, message.record_routes, message.path)
    rest = (message.expires, message.session_expires, message.require, message.supported, message.content_type)
    people = (message.reasons, message.warnings, message.p_asserted_identity, message.privacy, message.referred_by)
    return core + routing + rest + people + (message.authorization, message.replaces, message.refer_to)


if __name__ == "__main__":
    run("sip_message", STRATEGY, check)
