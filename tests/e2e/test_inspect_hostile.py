"""What the inspector's port takes from programs and visitors that mean no good, or are just broken: it stays bounded, and the tunnel
goes on."""

import base64
import json
import socket
import time

import pytest

from programs import SLOW, free_port
from test_inspect import Inspector, inspected  # noqa: F401

JSON = "Content-Type: application/json\r\n"


def connect(inspector, data=b"", seconds=60):
    connection = socket.create_connection(("127.0.0.1", inspector.port), seconds * SLOW)
    connection.sendall(data)
    return connection


def status_of(inspector, data):
    """Of the answer to these bytes; None: the connection was closed without one."""
    with connect(inspector) as connection:
        try:
            connection.sendall(data)
            head = connection.recv(65536)
        except (BrokenPipeError, ConnectionResetError):
            return None
    return int(head.split()[1]) if head else None


def head(method="GET", target="/api/status", host="localhost", more=""):
    return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode("latin-1")


def post(body, target="/api/tunnels", more=JSON):
    return head("POST", target, more=f"{more}Content-Length: {len(body)}\r\n") + body


REFUSED = [
    # what is sent, the status that it may get
    ("a huge field", head(more="X: " + "x" * 200_000 + "\r\n"), {431, 413, 400, None}),
    ("many fields", head(more="".join(f"x-{n}: y\r\n" for n in range(20_000))), {431, 413, 400, None}),
    ("a huge target", head(target="/api/" + "a" * 200_000), {414, 431, 404, 400, None}),
    ("binary bytes in a field", head(more="X: \x01\x02\xff\xfe\r\n"), {200, 400}),
    ("a NUL in a field", head(more="X: a\0b\r\n"), {200, 400}),
    ("binary bytes in the target", head(target="/api/\xff\x80"), {404, 400}),
    ("a NUL in the target", head(target="/api/status%00/x"), {200, 404, 400}),
    ("no Host", b"GET /api/status HTTP/1.1\r\n\r\n", {421, 400}),
    ("two Hosts", head(more="Host: evil.example\r\n"), {200, 400, 421}),
    ("another's Host", head(host="evil.example"), {421}),
    ("another's Origin", head(more="Origin: http://evil.example\r\n"), {403}),
    ("no page's Origin", head(more="Origin: null\r\n"), {403}),
    ("an Origin and no key", head("DELETE", "/api/requests/http", more="Origin: http://localhost\r\n"), {403}),
    ("an odd method", head("BREW"), {405}),
    ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" * 100 + b"\r\n\r\n", {400, None}),
    ("deep arrays", post(b"[" * 1_000_000), {400}),
    ("deep objects", post(b'{"a":' * 300_000), {400}),
    ("a deep value", post(b'{"name":"x","addr":' + b"[" * 2000 + b"]" * 2000 + b"}"), {400}),
    ("a huge string", post(b'{"name":"a","addr":"' + b"x" * 1_900_000 + b'"}'), {400}),
    ("a huge number", post(b'{"name":"x","addr":' + b"9" * 400_000 + b"}"), {400}),
    ("a NUL in a string", post(b'{"name":"x\\u0000y","addr":1}'), {400}),
    ("no UTF-8", post(b'{"name":"\xff","addr":1}'), {400}),
    ("the same twice", post(b'{"name":"x","name":"y","addr":1}'), {400}),
    ("two lengths", head("POST", "/api/tunnels", more=JSON + "Content-Length: 2\r\nContent-Length: 3\r\n") + b"{}", {400, None}),
    ("a negative port", post(b'{"name":"x","addr":-1}'), {400}),
    ("fields that are none", post(b'{"id":"1","headers":[["a\\r\\nb: c","d"]]}', "/api/requests/http"), {400, 404, 503}),
    ("a path that is none", post(b'{"id":"1","uri":"/a b\\r\\nx"}', "/api/requests/http"), {400, 404, 503}),
    ("a length beyond all bounds", head("POST", "/api/tunnels", more=JSON + "Content-Length: 99999999999999999999\r\n"), {400, 413, None}),
]


@pytest.mark.parametrize("name, data, statuses", REFUSED, ids=[row[0] for row in REFUSED])
def test_refused(shared_inspector, name, data, statuses):
    assert status_of(shared_inspector, data) in statuses
    assert status_of(shared_inspector, head()) == 200


@pytest.fixture(scope="module")
def shared_inspector(request, tmp_path_factory):
    """One ttf for the rows of the table, with one request recorded; it has no tunnel and needs none."""
    from conftest import Starter

    starter = Starter(tmp_path_factory.mktemp("hostile"))
    request.addfinalizer(starter.stop_all)
    service = starter.service()
    ttf = starter.forwarder(starter.gateway(), service, "--inspect", str(free_port()))
    return Inspector(ttf)


def test_what_visitors_send_is_shown_as_json(inspected):  # noqa: F811
    odd = "é \x80\xff \"\\ </script>"
    inspected.service.answer("/", headers=[("X-Odd", "\x80\xff"), ("X-Huge", "y" * 60_000)], body=bytes(range(256)) * 100)
    with inspected.connect() as visitor:
        visitor.send(f"POST /?q=%ff%00\x80 HTTP/1.1\r\nHost: {inspected.ttf.host}\r\nX-Odd: {odd}\r\nX-Huge: {'x' * 50_000}\r\n"
                     f"Content-Length: 256\r\n\r\n".encode("latin-1") + bytes(range(256)))  # fmt: skip
        assert visitor.read_response("POST").status == 200
    (request,) = inspected.inspector.wait_ended(1)
    assert request["request"]["headers"]["X-Odd"] == [odd] and len(request["request"]["headers"]["X-Huge"][0]) == 50_000
    assert base64.b64decode(request["request"]["body"]) == bytes(range(256))
    assert base64.b64decode(request["response"]["raw"]).endswith(bytes(range(256)) * 100)
    (line,) = inspected.inspector.get("/api/inspect/requests?text=%C3%A9")["requests"] or [None]
    assert line is None or line["id"] == request["id"]


def test_a_hundred_connections_and_slow_ones(inspected):  # noqa: F811
    """More than there may be, of which none ends its head: the tunnel goes on, memory stays, and who comes after them is answered."""
    before = inspected.ttf.rss_kib()
    partial = [head()[:-2] + b"X: ", post(b"x" * 1000)[:-500], head()[:10], b"", head(target="/api/inspect/events")]
    slow = []
    for n in range(100):
        try:
            slow.append(connect(inspected.inspector, partial[n % len(partial)], 0.1))
        except OSError:  # nor do more wait than the system lets
            pass
    for _ in range(20):
        assert inspected.request().status == 200
    for connection in slow:
        try:
            connection.send(b"y")
        except OSError:
            pass
    assert inspected.request().status == 200
    assert SLOW > 1 or inspected.ttf.rss_kib() - before < 8 * 1024
    for connection in slow:
        connection.close()
    began = time.monotonic()
    assert len(inspected.inspector.wait_ended(21)) == 21
    assert time.monotonic() - began < 5 * SLOW


def test_a_hundred_requests_at_once_are_answered(inspected):  # noqa: F811
    connections = [connect(inspected.inspector, head(more="Connection: close\r\n")) for _ in range(60)]
    answers = []
    for connection in connections:
        with connection:
            answers.append(connection.recv(65536).split()[1])
    assert answers == [b"200"] * 60
    assert inspected.request().status == 200


def test_slow_large_bodies_cost_little(inspected):  # noqa: F811
    before = inspected.ttf.rss_kib()
    body = b'{"name":"' + b"x" * 2_000_000
    slow = [connect(inspected.inspector, post(body + b"y")[:-1]) for _ in range(50)]
    assert inspected.request().status == 200
    assert len(inspected.inspector.wait_ended(1)) == 1
    assert SLOW > 1 or inspected.ttf.rss_kib() - before < 48 * 1024
    assert inspected.inspector.ask("POST", body={"name": "a", "addr": "x"}).status == 400  # small ones always have it
    for connection in slow:
        connection.close()


def test_who_does_not_read_large_answers_costs_little(fresh):
    """The list of all that is kept, many times over, and nobody takes it."""
    stack = fresh(ttf_options=["--inspect", str(free_port())])
    inspector = Inspector(stack.ttf)
    stack.service.answer("/", body=b"z" * 250_000)
    for _ in range(100):
        assert stack.request().status == 200
    before = stack.ttf.rss_kib()
    slow = [connect(inspector, head(target="/api/requests/http?limit=1000")) for _ in range(40)]
    for _ in range(5):
        assert stack.request().status == 200
    grown = stack.ttf.rss_kib() - before
    for connection in slow:
        connection.close()
    assert json.loads(inspector.ask(target="/api/status").body)["status"] == "online"
    assert SLOW > 1 or grown < 96 * 1024, grown
