"""`offhook number` and `offhook phone add`."""

import re
from typing import Any


def test_numbers(run: Any) -> None:
    run("account", "add", "Ann")
    run("trunk", "add", "carrier", "--address", "sip:192.0.2.1")
    assert "There is no number yet" in run("number", "list").out
    add = ("number", "add", "+46101234567", "--trunk", "carrier")
    made = run(
        *add, "--voice-start", "https://a.example/in", "--method", "get", "--capabilities", "voice, sms", "--json"
    )
    assert (made.json["method"], made.json["capabilities"]) == ("GET", ["voice", "sms"])
    again = run(*add)
    assert (again.status, "there already" in again.err) == (1, True)
    free = run("number", "add", "+46701234567", "--trunk", "carrier", "--free")
    assert "none: it is free" in free.out
    listed = run("number", "list").out
    assert re.search(r"\+46101234567  trunk  u[0-9a-f]{32} +https://a\.example/in", listed)
    assert re.search(r"\+46701234567  trunk  \(free\)", listed)
    assert len(run("number", "list", "--json").json) == 2
    assert len(run("number", "list", "--account", "Ann", "--json").json) == 1
    assert run("number", "remove", "+46701234567").status == 0
    assert len(run("number", "list", "--json").json) == 1


def test_wrong_numbers_say_what_to_write(run: Any) -> None:
    run("account", "add", "Ann")
    assert "offhook trunk list" in run("number", "add", "+46101234567", "--trunk", "none").err
    assert "write it with + and country" in run("number", "add", "0101234567", "--trunk", "none").err
    assert "offhook phone add" in run("number", "add", "+46001234567", "--trunk", "none").err


def test_phones(run: Any) -> None:
    run("account", "add", "Ann")
    made = run("phone", "add", "+4600100").out
    assert re.search(r"number +\+4600100\nuser name +4600100\npassword +[0-9A-F]{32}\ndomain +127\.0\.0\.1\n", made)
    assert run("phone", "add", "--json").json["number"].startswith("+4600")
    assert "+4600" in run("phone", "add", "+46101234567").err


def test_a_fallback(run: Any) -> None:
    run("account", "add", "Ann")
    run("trunk", "add", "carrier", "--address", "sip:192.0.2.1")
    add = ("number", "add", "+46101234567", "--trunk", "carrier", "--fallback", "https://b.example/", "--json")
    assert run(*add).json["fallback"] == "https://b.example/"
    assert re.search(r"fallback +none", run("number", "fallback", "+46101234567", "none").out)
    document = '{"hangup": "busy"}'
    assert run("number", "fallback", "+46101234567", document, "--json").json["fallback"] == document
