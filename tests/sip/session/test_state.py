"""A session is plain data: it can be written down in every phase and read back the same."""

import json

import pytest
from tests.support.bench import HOP, Bench

from offhook.sip.commands import Account, Body, SessionId
from offhook.sip.dialog import as_callee
from offhook.sip.message import Request
from offhook.sip.parser import parse_datagram
from offhook.sip.plain import from_plain, to_plain
from offhook.sip.session.state import Ack, Phase, Session, Unacked


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_survives_being_written_down(phase: Phase) -> None:
    request = parse_datagram(Bench().request("INVITE").replace("\n", "\r\n").encode())
    assert isinstance(request, Request)
    session = Session(
        id=SessionId("s"),
        caller=False,
        phase=phase,
        call_id="c",
        tag="t",
        contact_user="u",
        account=Account(username="a", password="p"),
        dialog=as_callee(request, "t", HOP),
        early={"x": as_callee(request, "t", HOP)},
        acks={"x": Ack(seq=1, data=b"ACK \xff", hop=HOP)},
        unacked=Unacked(seq=2, tx="s|x|INVITE", interval=0.5, offers=True),
        local_body=Body(b"\x00\xff"),
        strays=["y"],
    )
    kept = json.loads(json.dumps(to_plain(session)))
    assert from_plain(Session, kept) == session
