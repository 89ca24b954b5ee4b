"""Links to share (docs/VISITORS.md): what opens a tunnel of `ttf --share`, on every stack, and what does not."""

import re
import time

import pytest

import backends
import http_raw

pytestmark = pytest.mark.protocols("v2", "v1")

PAGE = ("Accept", "text/html")


class Shared:
    """A tunnel with a link, and who visits it."""

    def __init__(self, stack):
        self.stack, self.service = stack, stack.service
        self.link = stack.ttf.wait_line(r"Share this link, .*: (http\S+)")[1]
        self.token = self.link.partition("?tunnel-token=")[2]
        assert self.link == f"{stack.ttf.url.rstrip('/')}/?tunnel-token={self.token}"

    def visit(self, target="/", *headers, cookie=None, **more):
        headers = [*headers, *([("Cookie", cookie)] if cookie else [])]
        return self.stack.request(target=target, headers=headers, **more)

    def path(self, target="/", *headers, **more):
        host = f"localhost:{self.stack.gateway.address[1]}"
        return self.stack.request(target=f"/{self.stack.ttf.tunnel_id}{target}", host=host, headers=list(headers), **more)

    @property
    def cookie(self):
        return f"x-tunnel-share={self.token}"

    def stays_shut(self, answer):
        assert (answer.status, answer.error) == (401, "link_required"), answer
        assert self.service.requests == []


@pytest.fixture
def shared(fresh):
    return lambda *options, **more: Shared(fresh(ttf_options=options or ("--share", "2h"), **more))


def test_the_link_opens_the_tunnel(shared):
    tunnel = shared()
    page = tunnel.visit("/", PAGE)
    tunnel.stays_shut(page)
    assert b"ask who sent it for a new one" in page.body and page.header("content-type").startswith("text/html")
    assert page.header("www-authenticate").startswith("Cookie ") and "frame-ancestors 'none'" in page.header("content-security-policy")
    led = tunnel.visit(f"/docs?a=1&tunnel-token={tunnel.token}&b=2", PAGE)
    assert (led.status, led.header("location"), led.header("cache-control")) == (303, "/docs?a=1&b=2", "no-store"), led
    assert led.header("referrer-policy") == "no-referrer"
    cookie, *attributes = led.header("set-cookie").split("; ")
    assert cookie == tunnel.cookie
    assert {"Path=/", "HttpOnly", "SameSite=Lax"} < set(attributes) and ("Secure" in attributes) == (backends.STACK == "aws")
    (age,) = [int(part[8:]) for part in attributes if part.startswith("Max-Age=")]
    assert 7200 - 60 < age <= 7200
    assert tunnel.service.requests == []
    got = tunnel.visit("/docs?a=1&b=2", PAGE, cookie=f"mine=1; {cookie}; yours=2")
    assert got.status == 200
    (seen,) = tunnel.service.requests
    assert (seen.target, seen.header("cookie")) == ("/docs?a=1&b=2", "mine=1; yours=2")


def test_a_program_is_let_in_by_the_link_itself(shared):
    tunnel = shared()
    target = f"/hook?tunnel-token={tunnel.token}"
    assert tunnel.visit(target, ("Accept", "*/*"), ("Referer", tunnel.link), method="POST", body=b"abc").status == 200
    (seen,) = tunnel.service.requests
    assert (seen.target, seen.body) == ("/hook", b"abc")
    assert not any(tunnel.token in value for _, value in seen.headers)


def test_a_cookie_alone_vanishes(shared):
    tunnel = shared()
    assert tunnel.visit("/", cookie=tunnel.cookie).status == 200
    assert tunnel.service.requests[0].header("cookie") is None


@pytest.mark.skipif(backends.STACK == "aws", reason="API Gateway's paths are the function's")
def test_in_path_mode_the_cookie_stays_in_the_tunnel(shared):
    tunnel = shared()
    prefix = f"/{tunnel.stack.ttf.tunnel_id}"
    tunnel.stays_shut(tunnel.path("/", PAGE))
    led = tunnel.path(f"/x?tunnel-token={tunnel.token}", PAGE)
    assert (led.status, led.header("location")) == (303, f"{prefix}/x"), led
    cookie, *attributes = led.header("set-cookie").split("; ")
    assert f"Path={prefix}/" in attributes
    assert tunnel.path("/x", PAGE, ("Cookie", f"x-tunnel-path={prefix}; {cookie}")).status == 200
    assert tunnel.service.requests[0].header("cookie") is None


@pytest.mark.skipif(backends.STACK == "aws", reason="there it is always https")
def test_on_https_the_cookie_is_secure(fresh):
    tunnel = Shared(fresh("--trusted-proxies", "127.0.0.0/8", ttf_options=("--share", "2h")))
    led = tunnel.visit(f"/?tunnel-token={tunnel.token}", PAGE, ("X-Forwarded-Proto", "https"))
    assert led.header("set-cookie").endswith("; Secure")


@pytest.mark.parametrize("path", ["//evil.example/x", "/\\evil.example", "//evil.example\\@x"])
def test_the_redirect_leads_nowhere_else(shared, path):
    tunnel = shared()
    led = tunnel.visit(f"{path}?tunnel-token={tunnel.token}", PAGE)
    assert led.status == 303, led
    assert led.header("location").replace("%5C", "\\") in (f"/.{path}", path if path[1] == "\\" and backends.STACK == "aws" else None)


def test_forged_foreign_and_spoiled_tokens(start, shared):
    tunnel = shared()
    other = start.forwarder(tunnel.stack.gateway, tunnel.service, "--share", "2h")
    others = other.wait_line(r"Share this link, .*tunnel-token=(\S+)")[1]
    expires, _, signature = tunnel.token.partition(".")
    flipped = signature[:-2] + ("A" if signature[-2] != "A" else "B") + signature[-1]
    for token in [
        others,
        f"{int(expires) + 1}.{signature}",
        f"{expires}.{flipped}",
        f"{expires}.",
        f"{expires}.{signature}=",
        f"{expires}.{signature}A",
        f"{expires}.{'A' * 43}",
        f"1.{signature}",
        f"-1.{signature}",
        f"{signature}",
        tunnel.token.replace(".", "%2e"),
        "",
    ]:
        tunnel.stays_shut(tunnel.visit(f"/?tunnel-token={token}", PAGE))
        tunnel.stays_shut(tunnel.visit("/", PAGE, cookie=f"x-tunnel-share={token}"))
    good = tunnel.token
    for target in [f"/?Tunnel-Token={good}", f"/?xtunnel-token={good}", f"/tunnel-token={good}", f"/?a=tunnel-token={good}",
                   f"/%3Ftunnel-token={good}", f"/;tunnel-token={good}"]:  # fmt: skip
        tunnel.stays_shut(tunnel.visit(target, PAGE))
    for cookie in [f"X-Tunnel-Share={good}", f"x-tunnel-login={good}", f'x-tunnel-share="{good}"', f"a=x-tunnel-share={good}"]:
        tunnel.stays_shut(tunnel.visit("/", PAGE, cookie=cookie))
    for field in ["x-tunnel-let-in", "x-tunnel-share", "x-tunnel-token", "Authorization"]:
        tunnel.stays_shut(tunnel.visit("/", (field, good)))
    for host in [tunnel.stack.ttf.host.upper(), tunnel.stack.ttf.host.replace(".localhost", ".localhost.")]:
        answer = tunnel.visit("/", PAGE, host=host)
        assert answer.status in (401, 404, 421) and answer.error, answer
    assert tunnel.service.requests == []
    assert tunnel.visit(f"/a%2eb/x?%74unnel-token={good}&a=%2fb").status == 200  # the name may be written so, the value not
    assert tunnel.service.requests[0].target in ("/a%2eb/x?a=%2fb", "/a.b/x?a=%2fb")  # API Gateway decodes paths


def test_one_tunnels_link_is_not_anothers_in_path_mode(start, shared):
    tunnel = shared()
    other = start.forwarder(tunnel.stack.gateway, tunnel.service, "--share", "2h")
    theirs = other.wait_line(r"Share this link, .*tunnel-token=(\S+)")[1]
    tunnel.stays_shut(tunnel.visit("/", cookie=f"x-tunnel-share={theirs}"))
    many = "; ".join([f"x-tunnel-share={theirs}"] * 3 + [tunnel.cookie])
    assert tunnel.visit("/", cookie=many).status == 200


def test_the_link_runs_out(shared):
    tunnel = shared("--share", "2s")
    assert tunnel.visit("/", cookie=tunnel.cookie).status in (200, 401)
    deadline = time.monotonic() + 60
    while tunnel.visit("/", cookie=tunnel.cookie).status == 200:
        assert time.monotonic() < deadline
    tunnel.service.reset()
    tunnel.stays_shut(tunnel.visit("/", cookie=tunnel.cookie))
    tunnel.stays_shut(tunnel.visit(f"/?tunnel-token={tunnel.token}", PAGE))


def test_the_end_of_ttf_revokes_it(start, fresh, tmp_path):
    options = ("--share", "2h", "--name", "revoked")
    tunnel = Shared(fresh(ttf_options=options, ttf_home=tmp_path))
    assert tunnel.visit("/", cookie=tunnel.cookie).status == 200
    tunnel.stack.ttf.stop()
    tunnel.stack.ttf = start.forwarder(tunnel.stack.gateway, tunnel.service, *options, state_home=tmp_path)
    tunnel.service.reset()
    tunnel.stays_shut(tunnel.visit("/", cookie=tunnel.cookie))
    assert tunnel.visit("/", cookie=Shared(tunnel.stack).cookie).status == 200


def test_the_other_rules_hold_too(shared):
    tunnel = shared("--share", "2h", "--methods", "GET", "--deny-path", "/admin")
    assert tunnel.visit("/admin", cookie=tunnel.cookie).error == "forbidden"
    assert tunnel.visit("/", cookie=tunnel.cookie, method="POST", body=b"x").error == "forbidden"
    assert tunnel.visit("/", cookie=tunnel.cookie).status == 200


@pytest.mark.skipif(backends.STACK == "aws", reason="API Gateway lets no visitor's WebSocket through to a tunnel")
def test_a_websocket_needs_it_too(shared):
    tunnel = shared()
    offer = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="), ("Sec-WebSocket-Version", "13")]
    tunnel.stays_shut(tunnel.visit("/ws", *offer))
    assert tunnel.visit("/ws", *offer, cookie=tunnel.cookie).error is None
    assert len(tunnel.service.requests) == 1


def test_no_log_has_the_token(shared):
    tunnel = shared()
    tunnel.visit(f"/?tunnel-token={tunnel.token}", PAGE)
    tunnel.visit(f"/?%74unnel-token={tunnel.token}")
    tunnel.visit("/last", cookie=tunnel.cookie)
    tunnel.stack.ttf.wait_line(r"GET /last 200")
    assert tunnel.token not in tunnel.stack.gateway.dump()
    assert sum(line.count(tunnel.token) for line in tunnel.stack.ttf.out) == 1  # the link


@pytest.mark.parametrize("value", ["soon", "0", "366d", "-1h"])
def test_what_is_no_time(start, value):
    from programs import BIN

    program = start.program(BIN / "ttf", "-e", "ws://127.0.0.1:9", "-p", "3000", f"--share={value}")
    program.expect_killed = True
    assert program.wait_exit() == 2
    assert any(re.search("--share wants a time", line) for line in program.err), program.dump()
