"""Forms that are sent while a page still loads, when its address has no prefix: the service sees the same Origin, Referer and cookies
that it would see at a host of its own, or its protection against forged requests refuses them."""

import threading
from urllib.parse import urlsplit

import pytest

from browser import Page, needs_chromium
from service import Response
from test_path_mode_browser import WAIT, url_of

pytestmark = needs_chromium

FORM = """<!doctype html><head><title>form</title><link rel=icon href=data:,></head><body>
<form id=own method=post action="/sent"><input name=token value=1><input type=submit></form>
<form id=here method=post><input name=token value=1><input type=submit></form>
<a id=link href="/linked">link</a><img src="/never.gif"></body>"""
USES = {
    "click": "document.querySelector('#own [type=submit]').click()",
    "requestSubmit": "document.querySelector('#own').requestSubmit()",
    "submit": "document.querySelector('#own').submit()",
    "click, no action": "document.querySelector('#here [type=submit]').click()",
    "submit, no action": "document.querySelector('#here').submit()",
}
BUSY = "; for (const end = performance.now() + 50; performance.now() < end;);"  # timers are due before what a click has begun


@pytest.fixture
def loading(stack):
    """A service whose page never ends loading: one of its images does not come."""
    held = threading.Event()
    stack.service.on("/never.gif", lambda _: held.wait(120) and None)
    yield stack
    held.set()


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("policy", ["", "same-origin", "strict-origin-when-cross-origin", "no-referrer"])
def test_a_form_while_the_page_loads(loading, tmp_path, use, policy):
    service, url = loading.service, url_of(loading)
    fields = [("Content-Type", "text/html"), ("Set-Cookie", "session=1; Path=/; SameSite=Lax"), *([("Referrer-Policy", policy)] if policy else [])]
    answer = lambda request: Response(headers=fields, body=FORM if request.method == "GET" else "<title>sent</title>")
    service.on("/page", answer)
    service.on("/sent", answer)
    with Page(tmp_path / "browser") as page:
        page.open(url + "page")
        page.wait("document.querySelector('#here') && location.pathname === '/page'", WAIT)
        page.evaluate(USES[use] + BUSY)
        page.wait("document.title === 'sent'", WAIT)
        path = "/page" if "no action" in use else "/sent"
        page.wait(f"location.pathname === '{urlsplit(url).path.rstrip('/')}{path}'")
    sent = [request for request in service.seen(path) if request.method == "POST"]
    assert len(sent) == 1
    host = sent[0].header("host")
    assert sent[0].header("cookie") == "session=1"
    assert sent[0].body == b"token=1"
    assert sent[0].header("origin") == ("null" if policy == "no-referrer" else f"http://{host}"), sent[0].headers
    if policy != "no-referrer":
        assert sent[0].header("referer", "").startswith(f"http://{host}/"), sent[0].headers
