"""The page of a first visit (--first-visit-page): who sees it, how one passes, and who cannot say so for others."""

import urllib.parse

import pytest

import backends
import http_raw
from browser import Page, needs_chromium
from service import Response
from test_auth import PROTECTED, token
from test_visitor_password import wait

pytestmark = [
    pytest.mark.protocols("v2", "v1"),
    pytest.mark.skipif(backends.STACK == "aws", reason="a setting of ttf-gateway"),
]

PAGE = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
FORM = ("Content-Type", "application/x-www-form-urlencoded")


@pytest.fixture
def visited(fresh):
    return lambda *options, **more: fresh("--first-visit-page", "true", *options, **more)


def is_warned(stack, answer):
    assert (answer.status, answer.error) == (403, "first_visit"), answer
    assert stack.service.requests == []
    return answer.body.decode()


def press(stack, *headers, to="/x?y", target="/.tunnel/visit", **more):
    return stack.request("POST", target, headers=[FORM, PAGE, *headers], body=urllib.parse.urlencode({"to": to}), **more)


def test_a_person_passes_by_the_button(visited):
    stack = visited()
    page = is_warned(stack, stack.request(target="/x?y", headers=[PAGE]))
    assert stack.ttf.host in page and 'action="/.tunnel/visit"' in page and 'name="to" value="/x?y"' in page and "<script" not in page
    is_warned(stack, stack.request("POST", "/x", headers=[PAGE, FORM], body="a=b"))
    led = press(stack, ("Origin", f"http://{stack.ttf.host}"))
    assert (led.status, led.header("location")) == (303, "/x?y"), led
    cookie, *attributes = led.header("set-cookie").split("; ")
    assert cookie == "x-tunnel-seen=1" and {"Path=/", "HttpOnly", "Max-Age=2592000"} <= set(attributes)
    assert stack.service.requests == []
    assert stack.request(target="/x?y", headers=[PAGE, ("Cookie", f"a=b; {cookie}")]).status == 200
    assert stack.service.requests[0].header("cookie") == "a=b"


def test_programs_pass(visited):
    stack = visited()
    for headers in ([], [("Accept", "*/*")], [("Accept", "application/json")], [PAGE, ("x-tunnel-skip-page", "1")]):
        assert stack.request(headers=headers).status == 200
    assert stack.request("POST", headers=[("Accept", "application/json")], body=b"x").status == 200
    assert all(request.header("x-tunnel-skip-page") is None for request in stack.service.requests)


def test_nobody_presses_it_for_others(visited):
    stack = visited()
    for headers in ([("Origin", "https://evil.example")], [("Origin", "null")], [("Sec-Fetch-Site", "cross-site")], [("Sec-Fetch-Site", "same-site")],
                    [("Origin", f"http://{stack.ttf.host}"), ("Sec-Fetch-Site", "none")], []):  # fmt: skip
        is_warned(stack, press(stack, *headers))
    is_warned(stack, stack.request(target="/.tunnel/visit?to=/x", headers=[PAGE, ("Sec-Fetch-Site", "same-origin")]))
    own = ("Sec-Fetch-Site", "same-origin")
    for to in ("//evil.example", "https://evil.example", "/\\evil.example", "/.tunnel/visit", ""):
        assert press(stack, own, to=to).header("location") == "/"
    set_by_service = [("Set-Cookie", "x-tunnel-seen=1"), ("Set-Cookie", "=x-tunnel-seen=1"), ("Set-Cookie", "mine=1")]  # browsers send the second as the first
    stack.service.on("/set", lambda request: Response(headers=set_by_service, body=b"x"))
    assert stack.request(target="/set").all("set-cookie") == ["mine=1"]


@pytest.mark.protocols("v2")
def test_nor_with_a_switch_to_another_protocol(visited):
    stack = visited()
    head = "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: foo\r\nSet-Cookie: x-tunnel-seen=1; Domain=localhost\r\nSet-Cookie: mine=1\r\n\r\n"
    stack.service.on("/switch", lambda request: Response(raw=head.encode(), close=True))
    with stack.connect() as connection:
        connection.send(http_raw.build("GET", "/switch", stack.ttf.host, [("Connection", "Upgrade"), ("Upgrade", "foo")]))
        answer = connection.read_response("GET")
    assert (answer.status, answer.all("set-cookie")) == (101, ["mine=1"]), answer


def test_an_owner_with_a_token_is_known(start, visited, tmp_path):
    file = tmp_path / "token"
    file.write_text(token(lifetime=600))
    stack = visited(env=PROTECTED, ttf_options=("--token-file", file))
    assert stack.request(headers=[PAGE]).status == 200


def test_it_is_off(fresh):
    stack = fresh()
    assert stack.request(headers=[PAGE]).status == 200
    assert press(stack).status == 200
    assert stack.request(headers=[("Cookie", "x-tunnel-seen=1")]).status == 200


def test_it_comes_before_the_rules_of_the_owner(visited):
    stack = visited(ttf_options=("--methods", "GET", "--password", "correct horse"))
    is_warned(stack, stack.request(headers=[PAGE]))
    assert press(stack, ("Sec-Fetch-Site", "same-origin")).status == 303
    assert stack.request(headers=[PAGE, ("Cookie", "x-tunnel-seen=1")]).error == "password_required"


@needs_chromium
def test_in_a_browser(visited, tmp_path):
    stack = visited()
    stack.service.answer("/page", headers=[("Content-Type", "text/html")], body="<title>inside</title>")
    for base in (stack.ttf.url, f"http://localhost:{stack.gateway.address[1]}/{stack.ttf.tunnel_id}"):
        with Page(tmp_path / base[-12:]) as page:
            page.screen(360, 640, is_phone=True)
            page.command("Page.navigate", url=f"{base}/page")
            wait(page, "document.title.includes('about to visit')")
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
            page.evaluate("document.forms[0].requestSubmit()")
            wait(page, "document.title == 'inside'")
