"""Digest both ways: the examples of RFC 2617 and RFC 7616, and our client against our server."""

from __future__ import annotations

import json

import pytest

from offhook.sip.digest import (
    ANSWERS_IN_A_ROW_MAX,
    NONCE_LIFE_S,
    Algorithm,
    DigestClient,
    DigestServer,
    Login,
    Verdict,
    compute_ha1,
    compute_response,
)
from offhook.sip.headers.auth import Credentials
from offhook.sip.message import Headers, Request, Response

ALICE = Login(username="alice", password="sesam")
HA1 = {algorithm: compute_ha1(algorithm, "alice", "home", "sesam") for algorithm in (Algorithm.MD5, Algorithm.SHA256)}
SECRET = bytes(range(32))


def server(**settings: object) -> DigestServer:
    return DigestServer(realm="home", secret=SECRET, **settings)  # type: ignore[arg-type]


def register(body: bytes = b"") -> Request:
    return Request("REGISTER", "sip:example.com", Headers(), body)


def refusal(*challenges: str, status: int = 401, name: str = "WWW-Authenticate") -> Response:
    return Response(status, "", Headers((name, value) for value in challenges))


def judge(host: DigestServer, request: Request, wall_s: float = 0.0, body: bytes | None = None) -> Verdict:
    credentials = host.credentials(request.authorization)
    assert credentials is not None
    return host.verify(
        credentials, method=request.method, body=request.body if body is None else body, ha1=HA1, wall_s=wall_s
    )


def test_rfc2617_example() -> None:
    assert (
        compute_response(
            Algorithm.MD5,
            compute_ha1(Algorithm.MD5, "Mufasa", "testrealm@host.com", "Circle Of Life"),
            method="GET",
            uri="/dir/index.html",
            nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
            qop="auth",
            nonce_count="00000001",
            cnonce="0a4f113b",
        )
        == "6629fae49393a05397450978507c4ef1"
    )


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        (Algorithm.MD5, "8ca523f5e9506fed4657c9700eebdbec"),
        (Algorithm.SHA256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc7616_section_3_9_1(algorithm: Algorithm, expected: str) -> None:
    assert (
        compute_response(
            algorithm,
            compute_ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life"),
            method="GET",
            uri="/dir/index.html",
            nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            qop="auth",
            nonce_count="00000001",
            cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        )
        == expected
    )


@pytest.mark.parametrize("algorithm", list(Algorithm))
@pytest.mark.parametrize("body", [b"", b"v=0"])
def test_our_client_satisfies_our_server(algorithm: Algorithm, body: bytes) -> None:
    host, client, request = server(algorithms=(algorithm,)), DigestClient(ALICE), register(body)
    challenge = host.challenge(wall_s=1.0, chance=b"12345678")
    assert client.answer(request, refusal(*challenge), cnonce="c")
    assert judge(host, request, 2.0) is Verdict.OK
    again = register(body)
    client.prepare(again, cnonce="d")
    assert again.authorization[0].get("nc") == "00000002"
    assert judge(host, again, 3.0) is Verdict.OK
    assert judge(host, again, 3.0) is Verdict.REPLAY
    assert judge(host, request, 3.0) is Verdict.REPLAY


def test_auth_int_covers_the_body() -> None:
    host, client, request = server(), DigestClient(ALICE), register(b"v=0")
    value = host.challenge(wall_s=0.0, chance=b"12345678")[0].replace("auth,auth-int", "auth-int")
    assert client.answer(request, refusal(value), cnonce="c")
    assert judge(host, request, body=b"v=1") is Verdict.WRONG
    assert judge(host, request) is Verdict.OK


def test_the_strongest_algorithm_is_taken_for_each_realm() -> None:
    request = register()
    response = refusal(
        'Digest realm="home", nonce="1", algorithm=MD5',
        'Digest realm="home", nonce="2", algorithm=SHA-256, qop="auth"',
        'Digest realm="home", nonce="3", algorithm=SHA-512-256',
        'Digest realm="other", nonce="4"',
        'Basic realm="home"',
        'Digest realm="home',
        'Digest realm="home"',
        'Digest realm="third", nonce="5", qop="token"',
    )
    response.headers.add("Proxy-Authenticate", 'Digest realm="proxy", nonce="6", opaque="o"')
    assert DigestClient(ALICE).answer(request, response, cnonce="c")
    assert [(c.get("realm"), c.get("nonce")) for c in request.authorization] == [("home", "2"), ("other", "4")]
    assert request.authorization[1].get("algorithm") is None
    (proxy,) = request.proxy_authorization
    assert (proxy.get("realm"), proxy.get("opaque"), proxy.get("qop")) == ("proxy", "o", None)


def test_a_session_algorithm_without_qop_sends_its_cnonce() -> None:
    request = register()
    challenge = 'Digest realm="home", nonce="1", algorithm=MD5-sess'
    assert DigestClient(ALICE).answer(request, refusal(challenge), cnonce="c")
    assert request.authorization[0].get("cnonce") == "c"


def test_nothing_to_answer_leaves_the_request_alone() -> None:
    request = register()
    assert not DigestClient(ALICE).answer(request, refusal('Basic realm="home"'), cnonce="c")
    limited = DigestClient(Login(username="a", password="b", realm="mine"))
    assert not limited.answer(request, refusal('Digest realm="home", nonce="1"'), cnonce="c")
    assert len(request.headers) == 0


def test_a_refused_password_is_not_sent_again() -> None:
    client, request = DigestClient(ALICE), register()
    assert client.answer(request, refusal('Digest realm="home", nonce="1", qop="auth"'), cnonce="c")
    assert not client.answer(request, refusal('Digest realm="home", nonce="2", qop="auth"'), cnonce="c")
    assert not client.answer(request, refusal('Digest realm="home", nonce="1", qop="auth", stale=true'), cnonce="c")


def test_a_nonce_that_went_stale_is_replaced() -> None:
    client, request = DigestClient(ALICE), register()
    assert client.answer(request, refusal('Digest realm="home", nonce="1", qop="auth"'), cnonce="c")
    later = register()
    client.prepare(later, cnonce="d")
    # Not said to be stale, yet it was an old one: worth one try.
    assert client.answer(later, refusal('Digest realm="home", nonce="2", qop="auth"'), cnonce="e")
    assert [c.get("nonce") for c in later.authorization] == ["2"]
    assert later.authorization[0].get("nc") == "00000001"


def test_a_server_that_calls_everything_stale_is_given_up() -> None:
    client, request = DigestClient(ALICE), register()
    answers = 0
    while client.answer(request, refusal(f'Digest realm="home", nonce="{answers}", stale=TRUE'), cnonce="c"):
        answers += 1
    assert answers == ANSWERS_IN_A_ROW_MAX


def test_next_nonce() -> None:
    client, request = DigestClient(ALICE), register()
    assert client.answer(request, refusal('Digest realm="home", nonce="1", qop="auth"'), cnonce="c")
    client.learn(Response(200, "OK", Headers([("Authentication-Info", 'nextnonce="2", qop=auth')])))
    client.learn(Response(200, "OK", Headers([("Authentication-Info", '"')])))
    client.learn(Response(200, "OK", Headers([("Proxy-Authentication-Info", 'nextnonce="3"')])))
    client.learn(Response(200, "OK"))
    later = register()
    client.prepare(later, cnonce="d")
    assert (later.authorization[0].get("nonce"), later.authorization[0].get("nc")) == ("2", "00000001")


def test_export_and_restore_count_on() -> None:
    client = DigestClient(ALICE)
    assert client.answer(register(), refusal('Digest realm="home", nonce="1", qop="auth"'), cnonce="c")
    data = json.loads(json.dumps(client.export()))
    assert "sesam" not in json.dumps(data)
    restored = DigestClient.restore(ALICE, data)
    one, other = register(), register()
    client.prepare(one, cnonce="d")
    restored.prepare(other, cnonce="d")
    assert one == other
    assert one.authorization[0].get("nc") == "00000002"
    with pytest.raises(ValueError, match="version"):
        DigestClient.restore(ALICE, {**data, "version": 99})


def answered(host: DigestServer, wall_s: float = 0.0, login: Login = ALICE, chance: bytes = b"12345678") -> Request:
    request = register()
    assert DigestClient(login).answer(request, refusal(*host.challenge(wall_s=wall_s, chance=chance)), cnonce="c")
    return request


def test_wrong_password_and_unknown_user() -> None:
    host = server()
    assert judge(host, answered(host, login=Login(username="alice", password="x"))) is Verdict.WRONG
    credentials = answered(host).authorization[0]
    assert host.verify(credentials, method="REGISTER", body=b"", ha1={}, wall_s=0.0) is Verdict.WRONG


def test_stale_nonces() -> None:
    host = server()
    assert judge(host, answered(host), NONCE_LIFE_S + 1.0) is Verdict.STALE
    assert judge(host, answered(host, wall_s=10.0), 9.0) is Verdict.STALE
    elsewhere = DigestServer(realm="home", secret=b"x" * 16)
    assert judge(host, answered(elsewhere)) is Verdict.STALE
    assert "stale=true" in host.challenge(wall_s=0.0, chance=b"12345678", stale=True)[0]


def test_another_node_with_the_secret_knows_the_nonce() -> None:
    assert judge(server(), answered(server())) is Verdict.OK


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("algorithm=SHA-256", "algorithm=MD5-sess"),
        ("algorithm=SHA-256", "algorithm=WHAT"),
        ("qop=auth", "qop=other"),
        ("qop=auth, ", ""),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=zzzzzzzz"),
        ('cnonce="c"', 'x="c"'),
        ("username=", "user="),
        ("nonce=", "once="),
    ],
)
def test_malformed_credentials(old: str, new: str) -> None:
    host = server()
    raw = answered(host).headers.all("Authorization")[0]
    assert old in raw
    credentials = Credentials.parse(raw.replace(old, new, 1))
    assert host.verify(credentials, method="REGISTER", body=b"", ha1=HA1, wall_s=0.0) is Verdict.MALFORMED


def test_credentials_for_others_are_not_ours() -> None:
    host = server()
    others = [Credentials.parse('Digest realm="away"'), Credentials.parse("NoOneKnowsThisScheme opaque-data=here")]
    assert host.credentials(others) is None
    assert host.realm == "home"


def test_the_guard_is_bounded_and_forgets_nothing_that_could_be_replayed() -> None:
    host = server(guard_max_nonces=2)
    requests = [answered(host, wall_s=float(i), chance=b"chance%02d" % i) for i in range(4)]
    for request in requests:
        assert judge(host, request, 4.0) is Verdict.OK
    assert judge(host, requests[0], 4.0) is Verdict.STALE
    assert judge(host, requests[3], 4.0) is Verdict.REPLAY


def test_expired_nonces_leave_the_guard_first() -> None:
    host = server(guard_max_nonces=2)
    assert judge(host, answered(host, wall_s=0.0), 0.0) is Verdict.OK
    late = NONCE_LIFE_S + 10.0
    one, two = (answered(host, wall_s=late, chance=chance) for chance in (b"11111111", b"22222222"))
    assert [judge(host, one, late), judge(host, two, late)] == [Verdict.OK, Verdict.OK]


def test_weak_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="secret"):
        DigestServer(realm="home", secret=b"short")
    with pytest.raises(ValueError, match="chance"):
        server().challenge(wall_s=0.0, chance=b"x")
