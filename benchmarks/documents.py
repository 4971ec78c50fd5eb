"""How many documents of 46elks and didML are read in a second, on one core: `python -m benchmarks.documents`.

Each document is read for about half a second; printed is the best of five runs, in microseconds and documents a
second."""

from functools import partial
from timeit import Timer

from offhook.flow.dialects.choose import read_document
from offhook.flow.dialects.elks import Elks
from offhook.flow.interpreter import Interpreter

RUNS = 5
RUN_S = 0.5

DOCUMENTS = {
    "hangup": b'{"hangup": "busy"}',
    "play, then record": b'{"play": "https://h.example/a.mp3", "next": {"record": "https://h.example/vm"}}',
    "menu of four actions": (
        b'{"timeout": 9, "repeat": 2, "ivr": "https://h.example/x.ogg", "next": "https://h.example/menu",'
        b' "0": {"play": "https://h.example/bad.ogg", "next": "https://h.example/menu"},'
        b' "1": {"connect": "+46700000003", "timeout": "15"}, "2": {"hangup": "reject"}}'
    ),
    "64 KiB of menu": b'{"ivr": "sound/beep", %s}'
    % b", ".join(b'"%d": {"play": "https://h.example/sounds/number/%d/of/many.mp3"}' % (n, n) for n in range(900)),
    "didML: hangup": b"<Response><Hangup/></Response>",
    "didML: menu, dial": (
        b'<?xml version="1.0" encoding="UTF-8"?><Response><Gather timeout="10" numDigits="1" action="menu.php">'
        b"<Say>For sales, press 1.</Say></Gather>"
        b'<Dial timeout="20" action="after.php"><Number>19499300360</Number></Dial></Response>'
    ),
    "didML: the same, with slips": (
        b"<Response><Gather timeout=10 numDigits=1 action=menu.php><Say>For sales, press 1.</say></Gather>"
        b'<Dial timeout="20" action="after.php?a=1&b=2">19499300360<dial/></Response>'
    ),
    "didML: 64 KiB": b"<Response>%s</Response>"
    % b"".join(b"<Play>https://h.example/sounds/number/%d/of/many/many/more.mp3</Play>" % n for n in range(900)),
}


def main() -> None:
    for name, body in DOCUMENTS.items():
        read = partial(read_document, body, "https://h.example/", Elks())
        seconds = best(Timer(read))
        kept = best(Timer(Interpreter.begin(read()[1].flow)[0].export))
        print(f"{name:27} {len(body):6} bytes", end="")
        print(f"  read {seconds * 1e6:8.1f} µs {1 / seconds:9,.0f}/s  export {kept * 1e6:8.1f} µs")


def best(timer: Timer) -> float:
    """Seconds for one execution."""
    once = timer.timeit(1)
    number = max(1, int(RUN_S / max(once, 1e-6)))
    return min(timer.repeat(RUNS, number)) / number


if __name__ == "__main__":
    main()
