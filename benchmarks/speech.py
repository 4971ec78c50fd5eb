"""How long a person waits for a spoken sentence of 60 characters: from the answer of a call, whose `play` is a text, to
the first packet of sound that is not silence. Once spoken before, and with another number in it for each call; by
whichever engine English has on this machine, and by espeak-ng. Beside each, a bare timer on the server's core in the
same run."""

import json
from collections.abc import Callable

from benchmarks.bare_timer import bare_timer
from benchmarks.figures import Row, rank, spread
from benchmarks.latency import Poster
from benchmarks.machine import cores
from benchmarks.phone import Call, Peer
from benchmarks.serving import NUMBER, Served, served

__all__ = ["measure", "sentence"]

RATE = 5
RUN_S = 20.0
WARM_S = 2.0
HOLD_S = 0.2
TAIL_S = 3.0
FLOOR = "400 ms"
ENGLISH = "Dear customer {}, please wait, your call is answered soon."
SWEDISH = "Hej kund nummer {}, var god och vänta, vi svarar er strax."


def measure(seconds: float = RUN_S) -> list[Row]:
    """95th percentiles."""
    where = cores()
    peer = Peer()
    rows = []
    try:
        with served(where.served, callee_port=peer.port) as server:
            peer.server = server.sip
            voices = server.v1("GET", "/speech/voices?language=en_US")["voices"]
            engine = next(each["engine"] for each in voices if each["voice"] == "woman")
            for title, text in (
                ("a text spoken before", lambda _: sentence("en_US", ENGLISH, 0)),
                (f"a new text, English by {engine}", lambda at: sentence("en_US", ENGLISH, at)),
                ("a new text, Swedish by espeak", lambda at: sentence("sv_SE", SWEDISH, at)),
            ):
                _answered(peer, server, WARM_S, text, first=5000)
                with bare_timer(where.served) as timer:
                    late_ms, missing = _answered(peer, server, seconds, text, first=1000)
                seen = spread(late_ms)
                rows.append(
                    Row(
                        figure=f"answer to first sound of {title}, 60 characters: 95th percentile",
                        floor=FLOOR,
                        here=f"{rank(sorted(late_ms), 0.95):.0f} ms",
                        how=f"of {seen.count} calls, median {seen.median:.0f}, worst {seen.most:.0f} ms,"
                        f" {missing} missing; bare timer {timer.words}",
                    )
                )
    finally:
        peer.close()
    return rows


def sentence(language: str, text: str, number: int) -> str:
    """As an action says it: 60 characters with a number of four digits."""
    return f"{language}/{text.format(f'{number:04d}')}"


def _answered(
    peer: Peer, server: Served, seconds: float, text: Callable[[int], str], first: int
) -> tuple[list[float], int]:
    """Milliseconds for each call, and how many heard nothing. A phone here answers when the INVITE comes."""
    poster = Poster(peer, server.http)
    came: list[Call] = []
    peer.first_sound_ns.clear()

    def post(number: int) -> None:
        to = f"+4670{number:07d}"
        poster.post({"from": NUMBER, "to": to, "voice_start": json.dumps({"play": text(number)})})

    def rang(call: Call) -> None:
        came.append(call)
        peer.after(HOLD_S + TAIL_S / 2, lambda: peer.hang_up(call))

    peer.on_invite = rang
    count = round(RATE * seconds)
    for at in range(count):
        peer.after((at + 0.37) / RATE, lambda at=at: post(first + at))  # type: ignore[misc]
    peer.run(seconds + TAIL_S)
    poster.close()
    late = [
        (peer.first_sound_ns[call.sound_port] - call.begun_ns) / 1e6
        for call in came
        if call.sound_port in peer.first_sound_ns
    ]
    return late, count - len(late)
