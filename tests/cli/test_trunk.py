"""`offhook trunk`."""

from typing import Any

ADD = ("trunk", "add", "carrier", "--address", "sip:sip.example.com")


def test_trunks(run: Any) -> None:
    assert "There is no trunk yet" in run("trunk", "list").out
    full = ("--username", "me", "--password", "pw", "--register", "--prefix", "+46", "--prefix", "+47")
    made = run(*ADD, *full, "--from-address", "192.0.2.0/24", "--json").json
    assert made["prefixes"] == ["+46", "+47"]
    listed = run("trunk", "list").out.splitlines()[1]
    assert listed.split() == ["carrier", "sip:sip.example.com", "yes", "+46", "+47", "192.0.2.0/24"]
    assert run("trunk", "list", "--json").json == [made]
    assert "choose another name" in run(*ADD).err
    assert run("trunk", "remove", "carrier").status == 0
    assert run("trunk", "remove", "carrier").status == 1


def test_what_is_missing_is_said(run: Any) -> None:
    made = run(*ADD)
    assert "no --prefix was given" in made.err
    assert "no --from-address was given" in made.err


def test_wrong_trunks_say_what_to_write(run: Any) -> None:
    assert "write sip:HOST" in run("trunk", "add", "x", "--address", "example.com").err
    assert "write + and digits" in run(*ADD, "--prefix", "46").err
    assert "192.0.2.0/24" in run(*ADD, "--from-address", "x").err
