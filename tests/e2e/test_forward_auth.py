"""Visitors are let in by a service that the gateway asks (--forward-auth, docs/VISITORS.md), on every stack."""

import socket
import threading
import urllib.parse

import pytest

import backends
from auth_services import SESSION, Authelia, OAuth2Proxy, wanted
from programs import BIN, SLOW
from service import Gate, Response

pytestmark = pytest.mark.protocols("v2", "v1")

HTML = [("Accept", "text/html,*/*;q=0.8")]
OFFER = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="), ("Sec-WebSocket-Version", "13")]
WITHOUT_CACHE = {} if backends.STACK == "aws" else {"FORWARD_AUTH_CACHE": "0"}
gateways_only = pytest.mark.skipif(backends.STACK == "aws", reason="a setting of gateways")


def session(name="_oauth2_proxy", value=SESSION):
    return ("Cookie", f"{name}={value}")


@pytest.fixture
def oauth(start):
    return OAuth2Proxy(start)


@pytest.fixture
def guarded(fresh, oauth):
    """A stack whose gateway asks oauth2-proxy, and remembers nothing where it can be told so."""
    return fresh(env={"FORWARD_AUTH": oauth.url(), **WITHOUT_CACHE})


def shut(stack, *more, status=401, code="unauthorized", **request):
    answer = stack.request(*more, **request)
    assert (answer.status, answer.error) == (status, code), answer
    assert stack.service.requests == []
    return answer


# ---- oauth2-proxy ----


def test_who_has_no_session_is_told_so(guarded, oauth):
    answer = shut(guarded)
    assert (answer.body, answer.header("www-authenticate"), answer.header("cache-control")) == (b"Unauthorized", None, "no-store")
    shut(guarded, headers=[session(value="forged")])
    shut(guarded, "POST", body=b"x" * 300_000)
    question = oauth.questions[0]
    assert (question.method, question.target, question.body) == ("GET", "/oauth2/auth", b"")


def test_who_has_one_comes_in_and_the_service_learns_who(guarded):
    answer = guarded.request("POST", "/a?b=c", headers=[("Cookie", f"a=b; _oauth2_proxy={SESSION}; _oauth2_proxy_1=x; z=1"), ("Remote-User", "root"),
                                                       ("X-Auth-Request-Email", "root@example.com"), ("X_Auth_Request_Groups", "wheel"), ("Remote.Groups", "wheel"), ("x-auth~request*user", "root")], body=b"abc")  # fmt: skip
    assert answer.status == 200
    (got,) = guarded.service.requests
    assert (got.method, got.target, got.body) == ("POST", "/a?b=c", b"abc")
    assert got.header("cookie") == "a=b; z=1"
    assert (got.all("x-auth-request-user"), got.all("x-auth-request-email")) == (["ann"], ["ann@example.com"])
    assert not {"remote-user", "x_auth_request_groups", "x-auth-request-groups", "x-other", "remote.groups", "x-auth~request*user"} & {name for name, _ in got.headers}


def test_a_login_page_is_led_to(fresh, oauth):
    stack = fresh(env={"FORWARD_AUTH": oauth.url("/")})
    answer = stack.request(target="/deep/page?q=1", headers=HTML)
    assert (answer.status, answer.error, stack.service.requests) == (302, None, [])
    assert answer.header("set-cookie").startswith("_oauth2_proxy_csrf=abc")
    assert answer.header("x-internal") is None
    state = urllib.parse.unquote(answer.header("location").partition("state=")[2])
    assert state.endswith(f"://{stack.ttf.host}/deep/page?q=1")


def test_a_renewed_session_reaches_the_visitor(guarded, oauth):
    oauth.refreshes = True
    guarded.service.on("/", lambda request: Response(headers=[("Set-Cookie", value) for value in ("own=1", "_oauth2_proxy=fixed; Domain=localhost", " = _oauth2_proxy=fixed")], body=b"x"))
    answer = guarded.request(headers=[session()])
    found = [value.split(";")[0] for field in answer.all("set-cookie") for value in field.split(", ") if "=" in value.split(";")[0]]
    assert sorted(found) == ["_oauth2_proxy=fresh", "own=1"], answer


# ---- Authelia ----


def test_what_authelia_is_told_and_tells(start, fresh):
    authelia = Authelia(start, forbidden=("/admin",))
    stack = fresh(env={"FORWARD_AUTH": authelia.url})
    answer = stack.request("HEAD", "/x?y=z", headers=HTML)
    assert (answer.status, answer.body) == (302, b"")
    question = authelia.questions[0]
    assert answer.header("location") == "https://auth.example/?rd=%s&rm=HEAD" % urllib.parse.quote(wanted(question), safe="")
    assert question.header("x-original-url") == wanted(question)
    assert question.all("x-forwarded-for") == ["127.0.0.1"]
    assert question.header("x-forwarded-method") == "HEAD"
    shut(stack, headers=[("Accept", "application/json")])
    shut(stack, headers=[*HTML, ("X-Requested-With", "XMLHttpRequest")])
    known = session(Authelia.COOKIE)
    shut(stack, target="/admin/users", headers=[known], status=403, code="forbidden")
    assert stack.request(headers=[known]).status == 200
    shut_again = stack.request(target="/admin", headers=[known])  # what let in elsewhere is not remembered for it
    assert (shut_again.status, len(stack.service.requests)) == (403, 1)
    got = stack.service.requests[0]
    assert [got.header(name) for name in ("remote-user", "remote-groups", "remote-name", "remote-email", "cookie")] == ["ann", "admins,dev", "Ann", "ann@example.com", None]


# ---- path mode ----


def test_path_mode_has_one_session_for_the_gateways_domain(fresh, oauth):
    stack = fresh(env={"FORWARD_AUTH": oauth.url("/")})
    host = stack.ttf.host.partition(".")[2]
    prefix = f"/{stack.ttf.tunnel_id}"
    answer = stack.request(target=f"{prefix}/page", host=host, headers=HTML)
    assert (answer.status, stack.service.requests) == (302, []), answer
    state = urllib.parse.unquote(answer.header("location").partition("state=")[2])
    assert state.endswith(f"://{host}{prefix}/page")
    assert stack.request(target=f"{prefix}/page", host=host, headers=[session()]).status == 200
    assert stack.service.requests[0].target == "/page"
    assert stack.service.requests[0].header("cookie") is None


# ---- nobody comes in by a fault ----

ODD = [
    ("500", Response(500, body="boom")),
    ("404", Response(404)),
    ("200 with a field that is none", Response(raw=b"HTTP/1.1 200 OK\r\nRemote-User: a\x01b\r\nContent-Length: 0\r\n\r\n")),
    ("a redirect to nowhere", Response(302)),
    ("304", Response(304)),
    ("a page without end", Response(401, body=b"x" * 100_000)),
    ("a head without end", Response(200, [("Remote-User", "x" * 60_000)])),
]


@pytest.mark.parametrize("answer", [pytest.param(answer, id=name) for name, answer in ODD])
def test_an_answer_that_says_neither(start, fresh, answer):
    service = start.service()
    service.on("/auth", lambda request: answer)
    stack = fresh(env={"FORWARD_AUTH": f"http://127.0.0.1:{service.port}/auth"})
    shut(stack, headers=[session()], status=502, code="auth_failed")


SILENT = [("no HTTP", Response(raw=b"SSH-2.0-x\r\n")), ("cut", Response(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", close=True)), ("closed", None)]


@pytest.mark.parametrize("answer", [pytest.param(answer, id=name) for name, answer in SILENT])
def test_no_answer(start, fresh, answer):
    service = start.service()
    service.on("/auth", lambda request: answer)
    stack = fresh(env={"FORWARD_AUTH": f"http://127.0.0.1:{service.port}/auth"})
    shut(stack, status=503, code="auth_unavailable")


def test_nobody_there(fresh):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # not listened on
        stack = fresh(env={"FORWARD_AUTH": f"http://127.0.0.1:{closed.getsockname()[1]}/"})
        shut(stack, status=503, code="auth_unavailable")


@gateways_only
def test_too_slow(start, fresh):
    service, gate = start.service(), Gate()
    service.on("/auth", gate)
    stack = fresh(env={"FORWARD_AUTH": f"http://127.0.0.1:{service.port}/auth", "FORWARD_AUTH_TIMEOUT": "300ms"})
    shut(stack, status=503, code="auth_unavailable")
    gate.open()


@gateways_only
def test_too_many_at_once_and_those_who_leave(start, fresh):
    """256 questions are under way; the visitor beyond is told, others' tunnels are not slowed, and who leaves is forgotten."""
    service, gate = start.service(), Gate(lambda request: Response(202))
    service.on("/auth", gate)
    stack = fresh("--max-connections-per-address", "2000", "--connection-rate-per-address", "5000", "--max-requests-per-tunnel", "400", "--visitor-share", "0",
                  env={"FORWARD_AUTH": f"http://127.0.0.1:{service.port}/auth", "FORWARD_AUTH_TIMEOUT": "60s"})  # fmt: skip
    visitors = [stack.connect() for _ in range(256)]
    for n, visitor in enumerate(visitors):
        visitor.send(b"GET /%d HTTP/1.1\r\nHost: %s\r\n\r\n" % (n, stack.ttf.host.encode()))
    gate.wait_arrived(256)
    shut(stack, status=503, code="auth_unavailable")
    for visitor in visitors[:128]:
        visitor.close()
    gate.open()
    assert {visitor.read_response().status for visitor in visitors[128:]} == {200}
    assert stack.request(target="/after").status == 200


# ---- remembering ----


@gateways_only
def test_who_was_let_in_is_not_asked_for_again(fresh, oauth):
    stack = fresh(env={"FORWARD_AUTH": oauth.url(), "FORWARD_AUTH_CACHE": "1h"})
    for _ in range(3):
        assert stack.request(headers=[session()]).status == 200
    assert len(oauth.questions) == 1
    assert [request.header("x-auth-request-user") for request in stack.service.requests] == ["ann"] * 3
    assert stack.request(target="/b", headers=[session()]).status == 200
    assert stack.request("POST", headers=[session()], body=b"x").status == 200
    assert len(oauth.questions) == 3
    assert stack.request(headers=[session(value=SESSION + "x")]).status == 401
    assert stack.request().status == 401
    assert stack.request(headers=[session(), ("Authorization", "Basic eDp5")]).status == 200
    assert len(oauth.questions) == 6
    assert stack.request().status == 401  # a no is not remembered
    assert len(oauth.questions) == 7


@gateways_only
def test_one_answer_for_a_host(start, fresh, oauth):
    stack = fresh(env={"FORWARD_AUTH": oauth.url(), "FORWARD_AUTH_CACHE": "1h", "FORWARD_AUTH_PER_URL": "false"})
    for target in ("/", "/a", "/b?c"):
        assert stack.request(target=target, headers=[session()]).status == 200
    assert stack.request("POST", headers=[session()], body=b"x").status == 200
    assert len(oauth.questions) == 1
    other = start.forwarder(stack.gateway, stack.service)
    assert stack.request(host=other.host, headers=[session()]).status == 200
    assert len(oauth.questions) == 2
    assert stack.request(headers=[("Cookie", f"_oauth2_proxy={SESSION}x")]).status == 401


# ---- with other rules, and ways around ----


def test_both_must_hold(fresh, oauth):
    stack = fresh(env={"FORWARD_AUTH": oauth.url()}, ttf_options=("--basic-auth", "ann:secret-12", "--deny-path", "/admin"))
    login = ("Authorization", "Basic YW5uOnNlY3JldC0xMg==")
    shut(stack, headers=[session()])
    assert oauth.questions == []
    shut(stack, headers=[login])
    assert [question.header("authorization") for question in oauth.questions] == [None]  # the tunnel's own password is nobody else's
    shut(stack, target="/%61dmin", headers=[login, session()], status=403, code="forbidden")
    assert stack.request(headers=[login, session()]).status == 200


@gateways_only
def test_a_websocket_is_asked_for_too(guarded):
    shut(guarded, headers=OFFER)


@gateways_only
def test_who_forges_where_he_comes_from(guarded, oauth):
    forged = [("X-Forwarded-For", "10.0.0.1"), ("X-Forwarded-Host", "elsewhere.example"), ("X-Forwarded-Uri", "/public"), ("X-Forwarded-Method", "OPTIONS"),
              ("X-Original-URL", "http://elsewhere/"), ("X-Forwarded-Proto", "https")]  # fmt: skip
    shut(guarded, target="/secret", headers=forged)
    (question,) = oauth.questions
    told = {name: question.all(name) for name in ("x-forwarded-for", "x-forwarded-host", "x-forwarded-uri", "x-forwarded-method", "x-forwarded-proto")}
    assert told == {"x-forwarded-for": ["127.0.0.1"], "x-forwarded-host": [guarded.ttf.host], "x-forwarded-uri": ["/secret"],
                    "x-forwarded-method": ["GET"], "x-forwarded-proto": ["http"]}  # fmt: skip
    assert question.header("x-original-url") == f"http://{guarded.ttf.host}/secret"
    with guarded.connect() as connection:
        connection.send(f"GET http://{guarded.ttf.host}/absolute HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n".encode())
        assert connection.read_response().status == 401
    assert oauth.questions[1].header("x-forwarded-host") == guarded.ttf.host


def test_many_visitors_at_once(guarded, oauth):
    count, answers = 12, {}

    def visit(n):
        answers[n] = guarded.request(target=f"/{n}", headers=[session()] if n % 2 else [])

    threads = [threading.Thread(target=visit, args=(n,)) for n in range(count)]
    [thread.start() for thread in threads]
    [thread.join(60 * SLOW) for thread in threads]
    assert {n: answer.status for n, answer in answers.items()} == {n: 200 if n % 2 else 401 for n in range(count)}
    assert sorted(request.target for request in guarded.service.requests) == sorted(f"/{n}" for n in range(count) if n % 2)


# ---- settings ----


@pytest.mark.skipif(backends.STACK != "memory", reason="once is enough")
@pytest.mark.parametrize(
    "options, says",
    [
        (("--forward-auth", "auth.example/x"), "expected http"),
        (("--forward-auth", "http:///x"), "it names no host"),
        (("--forward-auth", "http://ann:pass@auth.example/"), "it may not hold a login"),
        (("--forward-auth", "http://auth.example/#x"), "it is no URL"),
        (("--forward-auth", "http://auth.example/a b"), "it is no URL"),
        (("--forward-auth", "http://a/", "--forward-auth-headers", "remote user"), "expected names of fields"),
        (("--forward-auth", "http://a/", "--forward-auth-headers", "Cookie"), "expected names of fields"),
        (("--forward-auth", "http://a/", "--forward-auth-headers", "X-Forwarded-For"), "expected names of fields"),
        (("--forward-auth", "http://a/", "--forward-auth-cookies", "a;b"), "expected names of cookies"),
        (("--forward-auth", "http://a/", "--forward-auth-cache", "2h"), "expected 0 (none) to 1h"),
        (("--forward-auth", "http://a/", "--forward-auth-timeout", "0"), "expected 1ms to 1m"),
        (("--forward-auth-cache", "1s"), "it says nothing without --forward-auth"),
    ],
)
def test_settings_that_are_none(start, options, says):
    program = start.program(BIN / "ttf-gateway", *options)
    program.expect_killed = True
    assert program.wait_exit() == 2
    assert any(says in line for line in program.err), program.dump()
