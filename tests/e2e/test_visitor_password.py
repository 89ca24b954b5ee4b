"""The page that asks for a tunnel's password (docs/VISITORS.md), on every stack, and ways around it."""

import html
import re
import time
import urllib.parse

import pytest

import backends
from browser import Page, needs_chromium
from programs import BIN, SLOW

pytestmark = pytest.mark.protocols("v2", "v1")

WORD = "correct horse, 100% & +plus"
PAGE = ("Accept", "text/html")
FORM = ("Content-Type", "application/x-www-form-urlencoded")


class Guarded:
    def __init__(self, stack):
        self.stack, self.service = stack, stack.service

    def visit(self, target="/", *headers, cookie=None, **more):
        headers = [*headers, *([("Cookie", cookie)] if cookie else [])]
        return self.stack.request(target=target, headers=headers, **more)

    def say(self, password, to="/", *headers, target="/.tunnel/login", **more):
        body = urllib.parse.urlencode({"to": to, "password": password})
        return self.visit(target, FORM, PAGE, *headers, method="POST", body=body, **more)

    def log_in(self):
        led = self.say(WORD)
        assert led.status == 303, led
        return led.header("set-cookie").split(";")[0]

    def stays_shut(self, answer):
        assert (answer.status, answer.error) == (401, "password_required"), answer
        assert self.service.requests == []
        return answer


@pytest.fixture
def guarded(fresh):
    return lambda *options, **more: Guarded(fresh(ttf_options=options or ("--password", WORD), **more))


def test_the_form_opens_the_tunnel(guarded):
    tunnel = guarded()
    page = tunnel.stays_shut(tunnel.visit('/docs?a=1&b="<x>', PAGE))
    text = page.body.decode()
    assert 'action="/.tunnel/login"' in text and "<script" not in text and "<x>" not in text
    to = html.unescape(re.search(r'name="to" value="([^"]*)"', text)[1])
    assert to.replace("%22", '"').replace("%3C", "<").replace("%3E", ">") == '/docs?a=1&b="<x>'
    assert "width=device-width" in text and '<label for="password">' in text
    assert page.header("x-frame-options") == "DENY" and "frame-ancestors 'none'" in page.header("content-security-policy")
    assert page.header("cache-control") == "no-store" and page.header("www-authenticate").startswith("Cookie ")
    wrong = tunnel.stays_shut(tunnel.say(WORD + "x", to))
    assert b'role="alert"' in wrong.body
    assert html.unescape(re.search(r'name="to" value="([^"]*)"', wrong.body.decode())[1]) == to
    led = tunnel.say(WORD, to)
    assert (led.status, led.header("location")) == (303, to), led
    cookie, *attributes = led.header("set-cookie").split("; ")
    assert {"Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=43200"} <= set(attributes)
    assert ("Secure" in attributes) == (backends.STACK == "aws")
    assert tunnel.service.requests == []
    assert tunnel.visit("/docs", PAGE, cookie=f"mine=1; {cookie}").status == 200
    (seen,) = tunnel.service.requests
    assert (seen.target, seen.header("cookie")) == ("/docs", "mine=1")
    assert tunnel.visit("/upload", FORM, method="POST", body=b"to=x&password=y", cookie=cookie).status == 200
    assert tunnel.service.requests[1].body == b"to=x&password=y"


def test_programs_get_a_line(guarded):
    tunnel = guarded()
    answer = tunnel.stays_shut(tunnel.visit("/api", ("Accept", "application/json")))
    assert answer.header("content-type").startswith("text/plain")
    tunnel.stays_shut(tunnel.visit("/api", method="POST", body=b"x" * 300_000))
    head = tunnel.visit("/", PAGE, method="HEAD")
    assert (head.status, head.body) == (401, b"")
    tunnel.stays_shut(tunnel.visit("/", ("Authorization", "Basic " + "eDpj")))
    tunnel.stays_shut(tunnel.visit("/", ("Authorization", "Bearer x")))


@pytest.mark.skipif(backends.STACK == "aws", reason="API Gateway lets no visitor's WebSocket through to a tunnel")
def test_a_websocket_needs_it_too(guarded):
    tunnel = guarded()
    offer = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="), ("Sec-WebSocket-Version", "13")]
    tunnel.stays_shut(tunnel.visit("/ws", *offer))
    tunnel.stays_shut(tunnel.visit("/.tunnel/login", *offer))
    assert tunnel.visit("/ws", *offer, cookie=tunnel.log_in()).error is None


@pytest.mark.parametrize(
    "to",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "javascript:alert(1)", "evil", "",
     "/%2e%2e/%2e%2e/other/", "/../x", "/x\r\nSet-Cookie: a=b", "/.tunnel/login", "/" + "x" * 3000, "/#x"],
)  # fmt: skip
def test_no_open_redirect(guarded, to):
    tunnel = guarded()
    led = tunnel.say(WORD, to)
    assert (led.status, led.header("location")) == (303, "/"), led
    assert len(led.all("set-cookie")) == 1


def test_what_is_no_form(guarded):
    tunnel = guarded()
    good = urllib.parse.urlencode({"password": WORD})
    for field, body in [(("Content-Type", "text/plain"), good), (("Content-Type", "application/json"), "{}"), (FORM, ""), (FORM, "password="),
                        (FORM, "password"), (FORM, "&&=&%zz=%"), (FORM, "Password=" + good[9:])]:  # fmt: skip
        tunnel.stays_shut(tunnel.visit("/.tunnel/login", field, PAGE, method="POST", body=body))
    tunnel.stays_shut(tunnel.visit("/.tunnel/login", PAGE))
    tunnel.stays_shut(tunnel.visit(f"/.tunnel/login?{good}", PAGE))
    tunnel.stays_shut(tunnel.visit("/.tunnel/login", FORM, method="PUT", body=good))
    assert tunnel.visit("/.tunnel/login", FORM, method="POST", body="a=" + "b" * 8200).error == "body_too_large"
    for door in ["/.tunnel/login/", "/.TUNNEL/login", "//.tunnel/login", "/.tunnel/%6cogin", "/x/../.tunnel/login", "/.tunnel/login;a"]:
        assert tunnel.say(WORD, target=door).status in (401, 303)  # API Gateway decodes paths
    assert tunnel.service.requests == []


@pytest.mark.skipif(backends.STACK == "aws", reason="API Gateway has the body whole")
def test_a_form_that_comes_in_pieces(guarded):
    tunnel = guarded()
    body = urllib.parse.urlencode({"password": WORD}).encode()
    head = f"POST /.tunnel/login HTTP/1.1\r\nHost: {tunnel.stack.ttf.host}\r\nContent-Type: {FORM[1]}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with tunnel.stack.connect() as connection:
        connection.send(head.encode())
        for piece in (body[:7], body[7:]):
            connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.send(b"0\r\n\r\n")
        assert connection.read_response("POST").status == 303
        connection.send(head.encode() + b"2001\r\n" + b"x" * 0x2001 + b"\r\n0\r\n\r\n")
        assert connection.read_response("POST").error == "body_too_large"
    expects = head.replace("Transfer-Encoding: chunked", f"Expect: 100-continue\r\nContent-Length: {len(body)}")
    with tunnel.stack.connect() as connection:
        connection.send(expects.encode())
        assert connection.read_response("POST").status == 100
        connection.send(body)
        assert connection.read_response("POST").status == 303


def test_forged_and_foreign_cookies(start, guarded):
    tunnel = guarded()
    cookie = tunnel.log_in()
    other = start.forwarder(tunnel.stack.gateway, tunnel.service, "--password", WORD)
    body = urllib.parse.urlencode({"password": WORD})
    theirs = tunnel.visit("/.tunnel/login", FORM, method="POST", body=body, host=other.host).header("set-cookie").split(";")[0]
    name, _, value = cookie.partition("=")
    expires, _, mac = value.partition(".")
    for bad in [theirs, f"{name}={int(expires) + 1}.{mac}", f"{name}={expires}.{mac[::-1]}", f"{name}=1.{mac}", f"x-tunnel-share={value}", f"{name}="]:
        tunnel.stays_shut(tunnel.visit("/", PAGE, cookie=bad))
    assert tunnel.visit("/", cookie=cookie).status == 200


def test_wrong_passwords_are_not_tried_for_ever(guarded):
    tunnel = guarded()
    cookie = tunnel.log_in()
    tries = 80 if backends.STACK == "aws" else 11  # there each process counts for itself
    answers = [tunnel.say(f"wrong-{n}") for n in range(tries)]
    assert {answer.status for answer in answers} == {401, 429}, answers
    if backends.STACK != "aws":
        assert tunnel.say(WORD).error == "rate_limited"
    tunnel.stays_shut(tunnel.visit("/", PAGE))
    assert tunnel.visit("/", ("Authorization", "Bearer mine"), cookie=cookie).status == 200


def test_the_door_is_open_whatever_the_service_may_be_asked(guarded):
    tunnel = guarded("--password", WORD, "--methods", "GET", "--allow-path", "/docs")
    cookie = tunnel.log_in()
    assert tunnel.visit("/docs", cookie=cookie).status == 200
    assert tunnel.visit("/", cookie=cookie).error == "forbidden"
    assert tunnel.visit("/docs", cookie=cookie, method="POST", body=b"x").error == "forbidden"
    shut = guarded("--password", WORD, "--deny-ip", "127.0.0.1,::1")
    assert shut.say(WORD).error == "forbidden"


def test_with_a_link_both_are_needed(guarded):
    tunnel = guarded("--password", WORD, "--share", "1h")
    token = tunnel.stack.ttf.wait_line(r"Share this link, .*tunnel-token=(\S+)")[1]
    assert tunnel.visit("/", PAGE).error == "link_required"
    assert tunnel.say(WORD).error == "link_required"
    share = f"x-tunnel-share={token}"
    tunnel.stays_shut(tunnel.visit("/", PAGE, cookie=share))
    led = tunnel.say(WORD, cookie=share)
    login = led.header("set-cookie").split(";")[0]
    assert tunnel.visit("/", cookie=f"{share}; {login}").status == 200


def test_without_a_password_there_is_no_door(fresh):
    stack = fresh()
    assert stack.request("POST", "/.tunnel/login", headers=[FORM], body="password=x").status == 200
    assert len(stack.service.requests) == 1


@pytest.mark.skipif(backends.STACK == "aws", reason="API Gateway's paths are the function's")
def test_in_path_mode(guarded):
    tunnel = guarded()
    prefix, host = f"/{tunnel.stack.ttf.tunnel_id}", f"localhost:{tunnel.stack.gateway.address[1]}"
    page = tunnel.visit(f"{prefix}/x?y", PAGE, host=host)
    assert f'action="{prefix}/.tunnel/login"'.encode() in page.body and b'value="/x?y"' in page.body
    led = tunnel.say(WORD, "/x?y", host=host, target=f"{prefix}/.tunnel/login")
    assert led.header("location") == f"{prefix}/x?y" and f"; Path={prefix}/;" in led.header("set-cookie")
    assert tunnel.say(WORD, "/../y", host=host, target=f"{prefix}/.tunnel/login").header("location") == f"{prefix}/"
    assert tunnel.visit(f"{prefix}/x?y", PAGE, host=host, cookie=led.header("set-cookie").split(";")[0]).status == 200


@needs_chromium
@pytest.mark.skipif(backends.STACK == "aws", reason="a browser sees no difference")
@pytest.mark.parametrize("subdomain", [True, False])
def test_in_a_browser(guarded, tmp_path, protocol, subdomain):
    tunnel = guarded()
    tunnel.service.answer("/secret", headers=[("Content-Type", "text/html")], body="<title>inside</title>")
    port = tunnel.stack.gateway.address[1]
    base = tunnel.stack.ttf.url if subdomain else f"http://localhost:{port}/{tunnel.stack.ttf.tunnel_id}"
    with Page(tmp_path / "browser") as page:
        page.screen(360, 640, is_phone=True)
        page.command("Page.navigate", url=f"{base}/secret?x=1")
        wait(page, "document.title == 'This page needs a password'")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        wait(page, "document.activeElement.id == 'password'")
        page.evaluate("password.value = 'not the word'; document.forms[0].requestSubmit()")
        wait(page, "!!document.getElementById('wrong')")
        page.evaluate(f"password.value = '{WORD}'; document.forms[0].requestSubmit()")
        wait(page, "document.title == 'inside'")
        assert page.evaluate("location.href").endswith("/secret?x=1")
        assert page.evaluate("document.cookie.includes('x-tunnel-login')") is False


def wait(page, expression):
    deadline = time.monotonic() + 30 * SLOW
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, (expression, page.evaluate("document.title"))


def test_no_log_has_the_password(guarded):
    tunnel = guarded()
    cookie = tunnel.log_in().partition("=")[2]
    tunnel.visit("/last", cookie=f"x-tunnel-login={cookie}")
    tunnel.stack.ttf.wait_line(r"GET /last 200")
    for secret in (WORD, "correct", cookie):
        assert secret not in tunnel.stack.gateway.dump()


def test_passwords_of_a_file_and_of_the_environment(start, guarded, tmp_path):
    word = tmp_path / "word"
    word.write_text(f"{WORD}\r\nnot this\n")
    tunnel = guarded("--password-file", word)
    tunnel.log_in()
    other = start.forwarder(tunnel.stack.gateway, tunnel.service, env={"TTF_PASSWORD": WORD})
    tunnel.stack.ttf = other
    tunnel.stays_shut(tunnel.visit("/", PAGE))
    tunnel.log_in()


@pytest.mark.parametrize("option, says", [("--password=short", "--password wants 8 to 256"), ("--password-file=/nowhere", "--password-file cannot be read"),
                                          ("--password=correct-horse --password-file=/nowhere", "the password was said twice")])  # fmt: skip
def test_what_is_no_password(start, option, says):
    program = start.program(BIN / "ttf", "-e", "ws://127.0.0.1:9", "-p", "3000", *option.split())
    program.expect_killed = True
    assert program.wait_exit() == 2
    assert any(says in line for line in program.err), program.dump()
