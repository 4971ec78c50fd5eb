"""Fuzz target: any bytes at all are a description, or an SdpError; what parses is written and read back as the same.

Nothing else may come out of the parser or of an answer to what it read. Seeds: tests/sdp/corpus.
"""

from fuzz.runner import run
from hypothesis import strategies as st
from tests.support.sdp_corpus import NAMES, body

from offhook.sdp.description import SdpError, parse, serialise
from offhook.sdp.offer_answer import LocalAudio, OfferAnswer

SEEDS = [body(name) for name in NAMES]
LINES = sorted({line for seed in SEEDS for line in seed.split(b"\r\n")})
RUBBISH = st.one_of(st.binary(max_size=40), st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")))


@st.composite
def descriptions(draw: st.DrawFn) -> bytes:
    """A known description with lines lost, doubled, swapped, cut, and filled with rubbish."""
    lines = draw(st.sampled_from(SEEDS)).split(b"\r\n")
    for _ in range(draw(st.integers(min_value=0, max_value=6))):
        at = draw(st.integers(min_value=0, max_value=len(lines) - 1))
        change = draw(st.integers(min_value=0, max_value=3))
        if change == 0 and len(lines) > 1:
            del lines[at]
        elif change == 1:
            lines.insert(at, draw(st.sampled_from(LINES)))
        elif change == 2:
            cut = draw(st.integers(min_value=0, max_value=len(lines[at])))
            lines[at] = lines[at][:cut] + draw(RUBBISH) + lines[at][cut:]
        else:
            lines[at] = lines[at][: draw(st.integers(min_value=0, max_value=len(lines[at])))]
    return draw(st.sampled_from([b"\r\n", b"\n", b"\r"])).join(lines)


def check(data: bytes) -> None:
    try:
        description = parse(data)
    except SdpError:
        return
    assert parse(serialise(description)) == description
    machine = OfferAnswer(session_id=1)
    try:
        machine.receive_offer(data)
    except SdpError:
        return
    answer, negotiated = machine.answer(LocalAudio(address="192.0.2.1", port=20_000))
    assert len(parse(answer).media) == len(description.media)
    assert 0 < negotiated.remote_port < 65_536


if __name__ == "__main__":
    run("sdp", st.one_of(st.binary(max_size=400), descriptions()), check)
