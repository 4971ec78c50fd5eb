"""What a bridged call holds in memory: 300 calls from a trunk, each connected to a number beyond it, with sound both
ways.

Resident memory of the control process and of the media engine together, before and after, divided by the calls. The
first calls of a server bring its code into memory; so some are made and ended before."""

from benchmarks.application import application
from benchmarks.figures import Row
from benchmarks.machine import cores
from benchmarks.phone import Peer
from benchmarks.serving import NUMBER, OUTSIDE, served

__all__ = ["measure"]

CALLS = 300
WARM_CALLS = 20
PER_S = 20
WITHIN_S = 30.0
SETTLE_S = 2.0
PACKETS = 25
"""Of sound on each leg, so that what hears it is there."""
FLOOR_KB = 150


def measure(calls: int = CALLS) -> list[Row]:
    """Memory for each bridged call."""
    where = cores()
    peer = Peer()
    try:
        with (
            application(where.load, {"/start": {"connect": OUTSIDE}}) as base,
            served(where.served, voice_start=f"{base}/start", callee_port=peer.port) as server,
        ):
            peer.server = server.sip
            bridge(peer, WARM_CALLS)
            for call in peer.calls.values():
                if call.ours:
                    peer.hang_up(call)
            peer.run(WITHIN_S, lambda: all(call.over for call in peer.calls.values()))
            peer.calls.clear()
            peer.run(SETTLE_S)
            control, engine = server.rss_kb()
            bridge(peer, calls)
            peer.run(SETTLE_S)
            control_after, engine_after = server.rss_kb()
            held = [call for call in peer.calls.values() if call.answered and not call.over]
            bridged = len(held) // 2
        grown = (control_after - control, engine_after - engine)
        return [
            Row(
                figure="memory per bridged call",
                floor=f"{FLOOR_KB} KB",
                here=f"{sum(grown) / bridged:.0f} KB",
                how=f"control {grown[0] / bridged:.0f} KB, engine {grown[1] / bridged:.0f} KB, over {bridged} calls; "
                f"before them {control // 1024} and {engine // 1024} MB",
            )
        ]
    finally:
        peer.close()


def bridge(peer: Peer, count: int) -> None:
    """Make so many calls and let both ends of each speak. Raises RuntimeError where some do not come about."""
    for number in range(count):
        peer.after(number / PER_S, lambda: peer.invite(NUMBER))

    def there() -> bool:
        legs = peer.calls.values()
        return len(legs) >= 2 * count and all(each.answered for each in legs)

    if not peer.run(count / PER_S + WITHIN_S, there):
        answered = sum(each.answered for each in peer.calls.values())
        raise RuntimeError(f"of {2 * count} legs, {answered} were answered")
    for number in range(PACKETS):
        for call in peer.calls.values():
            peer.speak(call, number)
        peer.run(0.02)
