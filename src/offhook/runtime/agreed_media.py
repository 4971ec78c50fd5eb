"""From what two descriptions agreed on (`sdp`) to what the media engine is told (`media`).

The two rooms know nothing of each other, and meet only here.
"""

from ipaddress import ip_address

from offhook.media import commands as engine
from offhook.sdp.description import SdpError
from offhook.sdp.formats import Codec, Direction
from offhook.sdp.offer_answer import Negotiated

__all__ = ["keep_outside", "remote_of"]

_CODECS = {Codec.PCMA: engine.Codec.PCMA, Codec.PCMU: engine.Codec.PCMU}
_DIRECTIONS = {
    Direction.SENDRECV: engine.Direction.SEND_RECV,
    Direction.SENDONLY: engine.Direction.SEND_ONLY,
    Direction.RECVONLY: engine.Direction.RECV_ONLY,
    Direction.INACTIVE: engine.Direction.INACTIVE,
}


def keep_outside(agreed: Negotiated, host: str) -> Negotiated:
    """The agreement, if sound may be sent where it says. `host`: our own address in descriptions.

    Raises `SdpError` for loopback, unless we live there: a peer could point sound at what this machine keeps for
    itself. Private addresses pass: phones behind NAT name them, and then send from elsewhere (latching).
    """
    if ip_address(host).is_loopback:
        return agreed
    for named in (agreed.remote_address, agreed.rtcp_address):
        address = ip_address(named)
        if (getattr(address, "ipv4_mapped", None) or address).is_loopback:
            raise SdpError(f"sound is not sent to {named}, which is this machine itself")
    return agreed


def remote_of(agreed: Negotiated, session: engine.SessionId, *, media_timeout_ms: int) -> engine.SetRemote:
    """The engine's command for an agreement.

    Tones in the sound are listened for only where the peer takes no telephone-events; silence is sent so that firewalls
    and jitter buffers on the way see a stream from the first second.
    """
    return engine.SetRemote(
        session=session,
        remote=(agreed.remote_address, agreed.remote_port),
        remote_rtcp=(agreed.rtcp_address, agreed.rtcp_port),
        send_codec=_CODECS[agreed.codec],
        send_payload_type=agreed.send_payload_type,
        receive=tuple(engine.PayloadMap(payload_type=number, codec=_CODECS[codec]) for number, codec in agreed.receive),
        send_events=agreed.send_event,
        receive_events=agreed.receive_event,
        ptime_ms=agreed.ptime_ms,
        direction=_DIRECTIONS[agreed.direction],
        latch=engine.Latch.SYMMETRIC,
        rtcp_mux=agreed.rtcp_mux,
        inband_digits=agreed.receive_event is None,
        send_silence=True,
        media_timeout_ms=media_timeout_ms,
    )
