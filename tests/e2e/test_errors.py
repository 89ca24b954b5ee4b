"""The answers that are the gateway's own: status, code, text or HTML, and no internals in them."""

import signal
import threading
import time

import pytest

import http_raw
from fake_gateway import FakeGateway
from service import Gate


pytestmark = pytest.mark.protocols("v1", "v2")


def check_own(response, status, code):
    assert (response.status, response.error) == (status, code), response
    assert response.header("content-type", "").startswith(("text/plain", "text/html"))
    assert response.header("x-content-type-options") == "nosniff"
    assert response.header("content-security-policy", "").startswith("default-src 'none';")
    assert response.body.strip()
    text = response.body.decode()
    for internal in ("127.0.0.1", "/tmp", "errno", "libcurl", "curl", "MHD", ".c:"):
        assert internal not in text, text


ACCEPTS = [
    (None, "text/plain"),
    ("*/*", "text/plain"),
    ("application/json", "text/plain"),
    ("text/plain", "text/plain"),
    ("text/html", "text/html"),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", "text/html"),
    ("text/plain, text/html;q=0.5", "text/plain"),
    ("text/html;q=0", "text/plain"),
]


@pytest.mark.parametrize("accept,kind", ACCEPTS)
def test_text_or_html(stack, accept, kind):
    headers = [("Accept", accept)] if accept else []
    response = stack.request(host=f"aaaaaaaaaaaa.localhost:{stack.gateway.address[1]}", headers=headers)
    check_own(response, 404, "tunnel_not_found")
    assert response.header("content-type").split(";")[0] == kind, response
    if kind == "text/html":
        assert b"<" in response.body


def test_html_escapes_what_the_visitor_sent(stack):
    evil = '<script>alert(1)</script>'
    for target in (f"/{evil}", f"/x?{evil}"):
        for host in ("localhost", "evil.example"):
            response = stack.request(target=target, host=host, headers=[("Accept", "text/html"), ("X-E", evil)])
            assert response.error
            assert evil.encode() not in response.body


def test_errors_to_head_have_no_body(stack):
    with stack.connect() as connection:
        for _ in range(2):
            connection.send(http_raw.build("HEAD", "/", "aaaaaaaaaaaa.localhost"))
            response = connection.read_response("HEAD")
            assert (response.status, response.error) == (404, "tunnel_not_found")


def test_connection_survives_an_error_that_is_not_about_framing(stack):
    with stack.connect() as connection:
        connection.send(http_raw.build(host="aaaaaaaaaaaa.localhost"))
        assert connection.read_response().status == 404
        connection.send(http_raw.build("POST", "/", "aaaaaaaaaaaa.localhost", body=b"x" * 1000))
        assert connection.read_response().status == 404
        if not connection.is_closed_within(0.2):
            connection.send(http_raw.build(host=stack.ttf.host))
            assert connection.read_response().status == 200


def test_local_service_down(fresh):
    stack = fresh()
    stack.service.go_away()
    for method in ("GET", "POST"):
        check_own(stack.request(method), 503, "local_service_unavailable")


def test_local_service_comes_back(fresh, start):
    stack = fresh()
    port = stack.service.port
    assert stack.request().status == 200
    stack.service.go_away()
    check_own(stack.request(), 503, "local_service_unavailable")
    start.service(port)
    assert stack.request().status == 200


def test_slow_service_by_ttfs_clock(fresh):
    stack = fresh(ttf_options=("--request-timeout", "1"))
    gate = stack.service.on("/slow", Gate())
    before = time.monotonic()
    response = stack.request(target="/slow")
    took = time.monotonic() - before
    gate.open()
    check_own(response, 504, "timeout")
    assert 0.9 < took < 25
    assert stack.request().status == 200


@pytest.mark.protocols("v1")
def test_slow_agent(start):
    """An agent that takes the request and never answers."""
    gateway = start.gateway("--request-timeout", "1")
    agent = start.agent(gateway)
    before = time.monotonic()
    response = http_raw.request(gateway.address, host=f"{agent.tunnel_id}.localhost")
    assert 0.9 < time.monotonic() - before < 25
    check_own(response, 504, "timeout")
    # A late answer finds nobody, and harms nobody.
    from agent_v1 import answer

    agent.send(answer(agent.next_request(), body=b"too late"))
    agent.handler = lambda request: answer(request, body=b"in time")
    assert http_raw.request(gateway.address, host=f"{agent.tunnel_id}.localhost").body == b"in time"


def test_ttf_asks_for_a_longer_timeout(start):
    """`ttf --request-timeout` travels in `ready`; the gateway then waits as long."""
    service = start.service()
    gateway = start.gateway("--request-timeout", "1")
    ttf = start.forwarder(gateway, service, "--request-timeout", "30")
    gate = service.on("/slow", Gate())
    results = []
    thread = threading.Thread(
        target=lambda: results.append(http_raw.request(gateway.address, target="/slow", host=ttf.host))
    )
    thread.start()
    gate.wait_arrived()
    thread.join(3)
    assert not results, results
    gate.open()
    thread.join(30)
    assert (results[0].status, results[0].body) == (200, b"at last")


def test_agent_offline_then_back(start):
    service = start.service()
    gateway = start.gateway("--grace", "1")
    home = start._folder("home")
    ttf = start.forwarder(gateway, service, state_home=home)
    host = ttf.host
    assert ttf.stop() == 0
    before = time.monotonic()
    check_own(http_raw.request(gateway.address, host=host), 502, "agent_offline")
    assert time.monotonic() - before < 25
    check_own(http_raw.request(gateway.address, "POST", host=host, body=b"x"), 502, "agent_offline")
    check_own(http_raw.request(gateway.address, host=f"zzzzzzzzzzzz.localhost"), 404, "tunnel_not_found")
    again = start.forwarder(gateway, service, state_home=home)
    assert again.host == host
    assert http_raw.request(gateway.address, host=host).status == 200


def test_request_within_the_grace_waits_for_the_agent(start):
    service = start.service()
    gateway = start.gateway("--grace", "20")
    home = start._folder("home")
    ttf = start.forwarder(gateway, service, state_home=home)
    ttf.stop()
    results = []
    thread = threading.Thread(
        target=lambda: results.append(http_raw.request(gateway.address, "POST", "/late", ttf.host, body=b"x"))
    )
    thread.start()
    start.forwarder(gateway, service, state_home=home)
    thread.join(30)
    assert results and results[0].status == 200, results
    assert len(service.seen("/late")) == 1


def check_no_place(stack, target, since):
    """Whoever comes now is refused; unless this machine took so long that those who came `since` count among what lives long."""
    response = stack.request(target=target)
    if response.status != 200 or time.monotonic() - since < 5:
        check_own(response, 503, "overloaded")
        assert stack.service.seen(target) == []


def test_too_many_at_once(fresh):
    """So many exchanges a tunnel; the next is refused at once, and all is well again when they are done."""
    stack = fresh("--max-requests-per-tunnel", "256")
    gate = stack.service.on("/hold", Gate())
    connections, began = [], time.monotonic()
    for _ in range(256):
        connection = stack.connect(timeout=60)
        connection.send(http_raw.build(target="/hold", host=stack.ttf.host))
        connections.append(connection)
    gate.wait_arrived(256)
    check_no_place(stack, "/one-more", began)
    gate.open()
    for connection in connections:
        assert connection.read_response().status == 200
        connection.close()
    assert stack.request(target="/again").status == 200


def test_long_polls_take_no_place(fresh):
    """What has waited for 5 s counts among what lives long: quick requests pass beside any number of long polls."""
    stack = fresh("--max-requests-per-tunnel", "20")
    gate = stack.service.on("/poll", Gate())
    began = time.monotonic()
    polls = [stack.connect(timeout=60) for _ in range(20)]
    for poll in polls:
        poll.send(http_raw.build(target="/poll", host=stack.ttf.host))
    gate.wait_arrived(20)
    check_no_place(stack, "/too-early", began)
    end = time.monotonic() + 60
    while (response := stack.request(target="/quick")).status != 200 and time.monotonic() < end:
        time.sleep(0.1)
    assert response.status == 200
    more = [stack.connect(timeout=60) for _ in range(19)]
    for poll in more:
        poll.send(http_raw.build(target="/poll", host=stack.ttf.host))
    gate.wait_arrived(19)
    assert stack.request(target="/quick").status == 200
    gate.open()
    assert all(poll.read_response().status == 200 for poll in polls + more)


def test_gateway_that_drains_finishes_what_runs(start):
    service = start.service()
    gateway = start.gateway()
    ttf = start.forwarder(gateway, service)
    gate = service.on("/hold", Gate())
    with http_raw.Connection(gateway.address) as connection:
        connection.send(http_raw.build(target="/hold", host=ttf.host))
        gate.wait_arrived()
        gateway.process.send_signal(signal.SIGTERM)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                if http_raw.request(gateway.admin, target="/readyz", host="127.0.0.1").status != 200:
                    break
            except OSError:
                break
        gate.open()
        response = connection.read_response()
        assert (response.status, response.body) == (200, b"at last")
    assert gateway.wait_exit() == 0


@pytest.mark.parametrize("options,expected", (((), 60000), (("--request-timeout", "3600"), 3600000)))
def test_ttf_says_how_long_a_service_may_take(start, options, expected):
    """A minute where nothing forces less: a long poll of 25 s passes."""
    gateway = FakeGateway()
    try:
        start.forwarder(gateway, 9, *options)
        link = gateway.next_link()
        assert link.ready["request_timeout_ms"] == expected
    finally:
        gateway.stop()
