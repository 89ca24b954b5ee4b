"""HTTP/2 toward visitors: all that it is for, over TLS, through a real tunnel."""

import os
import signal
import struct
import threading
import time

import pytest

from browser import browse, needs_chromium
from h2_client import CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, H2, RST_STREAM, WINDOW_UPDATE, fields, frame, request, settings
from service import Gate, Response
from test_takeover import place  # noqa: F401
from test_tls import authority, pair, secure  # noqa: F401 (fixtures)
from tls_client import DOMAIN


@pytest.fixture
def h2(secure, start, authority):  # noqa: F811
    """make(*options): a service, a tunnel to it, and connect() to the gateway by HTTP/2."""

    def make(*options, service=None):
        service = service or start.service()
        ttf = secure(*options, service=service)
        ttf.service = service
        ttf.host = f"{ttf.tunnel_id}.{DOMAIN}"
        ttf.connect = lambda **more: H2(ttf.address, authority.context("h2", "http/1.1"), DOMAIN, **more)
        return ttf

    return make


def test_a_request(h2):
    ttf = h2()
    with ttf.connect() as connection:
        answer = connection.get(1, "/a?b=c", ttf.host)
        assert answer.status == 200 and answer.header("date") and answer.header("content-length") == str(len(answer.body))
    seen = ttf.service.seen("/a?b=c") or ttf.service.requests
    assert seen[0].method == "GET" and seen[0].target == "/a?b=c"
    assert seen[0].all("host") == [ttf.host]
    assert seen[0].all("x-forwarded-proto") == ["https"]
    front = getattr(ttf.gateway, "front", ttf.gateway)
    front.wait_err(r"access: 127\.0\.0\.1 GET /a")


def test_clients_without_it_get_http_1_1(secure, authority):  # noqa: F811
    ttf = secure()
    with ttf.connect() as connection:
        assert connection.get(ttf.host).status == 200
    with ttf.connect("http/1.1") as connection:
        assert connection.get(ttf.host).status == 200


def test_what_we_say_of_ourselves(h2):
    ttf = h2()
    with ttf.connect() as connection:
        connection.wait(lambda c: c.settings)
        assert connection.settings[3] == 200, "streams at once"
        assert 65536 <= connection.settings[6] <= 81920, "of a head"
        assert connection.settings[8] == 1, "extended CONNECT"


def test_bodies_both_ways(h2):
    body = os.urandom(3_000_000)
    ttf = h2()
    ttf.service.on("/echo", lambda seen: Response(body=seen.body))
    with ttf.connect() as connection:
        connection.send(request(1, ("content-length", str(len(body))), method="POST", path="/echo", authority=ttf.host, end=False))
        assert upload(connection, 1, body).body == body


def upload(connection, stream, body):
    """As far as the windows allow, which come as the service takes it."""
    windows = {0: 65535, stream: 65535}
    at, initial = 0, 65535
    while at < len(body):
        room = min(windows[0], windows[stream], 16384, len(body) - at)
        if room <= 0 or not connection.settings:
            got = connection.next_frame()
            assert got, "closed"
            kind, _, on, payload = got
            if kind == WINDOW_UPDATE and on in windows:
                windows[on] += struct.unpack(">I", payload)[0]
            if connection.settings.get(4, initial) != initial:
                windows[stream] += connection.settings[4] - initial
                initial = connection.settings[4]
            continue
        last = at + room == len(body)
        connection.send(frame(DATA, END_STREAM if last else 0, stream, body[at : at + room]))
        windows[0] -= room
        windows[stream] -= room
        at += room
    return connection.answer(stream)


def test_a_body_without_a_length(h2):
    ttf = h2()
    ttf.service.on("/echo", lambda seen: Response(body=seen.body))
    with ttf.connect() as connection:
        connection.send(request(1, method="POST", path="/echo", authority=ttf.host, end=False))
        connection.send(frame(DATA, 0, 1, b"one ") + frame(DATA, END_STREAM, 1, b"two"))
        assert connection.answer(1).body == b"one two"


def test_answers_without_a_body(h2):
    ttf = h2()
    ttf.service.answer("/none", status=204)
    with ttf.connect() as connection:
        head = connection.get(1, "/", ttf.host, method="HEAD")
        assert head.status == 200 and head.body == b"" and head.ended
        none = connection.get(3, "/none", ttf.host)
        assert none.status == 204 and none.ended and none.header("content-length") is None


def test_trailers_of_an_answer(h2):
    ttf = h2()

    def answer(exchange):
        exchange.head(200, ("Transfer-Encoding", "chunked"), ("Trailer", "x-sum"))
        exchange.chunk(b"body")
        exchange.end(("x-sum", "4711"))

    ttf.service.stream("/sum", answer)
    with ttf.connect() as connection:
        got = connection.get(1, "/sum", ttf.host)
        assert got.body == b"body" and got.ended
        assert got.trailers is None or dict(got.trailers)["x-sum"] == "4711"


def test_cookies_in_pieces_are_one_field(h2):
    ttf = h2()
    with ttf.connect() as connection:
        connection.get(1, "/", ttf.host)
        connection.send(request(3, ("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"), path="/told", authority=ttf.host))
        assert connection.answer(3).status == 200
    assert ttf.service.seen("/told")[0].all("cookie") == ["a=1; b=2"]


def test_a_cookie_in_hundreds_of_pieces(h2):
    """As large as one over HTTP/1.1 may be, in the pieces that browsers make of it."""
    ttf = h2()
    pieces = [f"c{i}=" + "x" * 120 for i in range(400)]
    with ttf.connect() as connection:
        block = fields((":method", "GET"), (":scheme", "https"), (":authority", ttf.host), (":path", "/told"), *(("cookie", piece) for piece in pieces))
        whole = [block[at : at + 16000] for at in range(0, len(block), 16000)]
        sent = frame(HEADERS, END_STREAM, 1, whole[0])
        sent += b"".join(frame(CONTINUATION, END_HEADERS if part is whole[-1] else 0, 1, part) for part in whole[1:])
        connection.send(sent)
        assert connection.answer(1).status == 200
    assert ttf.service.seen("/told")[0].all("cookie") == ["; ".join(pieces)]


def test_how_much_may_be_sent_that_no_service_has_taken(h2):
    ttf = h2()
    with ttf.connect() as connection:
        connection.send(request(1, authority=ttf.host))
        granted = 65535
        while 1 not in connection.answers or not connection.answers[1].ended:
            kind, _, stream, payload = connection.next_frame()
            if (kind, stream) == (WINDOW_UPDATE, 0):
                granted += struct.unpack(">I", payload)[0]
        assert (granted, connection.settings[4]) == (1 << 20, 256 * 1024)


def test_many_requests_beside_each_other(h2):
    """A slow one holds up nobody."""
    ttf = h2()
    gate = ttf.service.on("/slow", Gate())
    with ttf.connect() as connection:
        connection.send(request(1, path="/slow", authority=ttf.host))
        gate.wait_arrived()
        for stream in range(3, 43, 2):
            connection.send(request(stream, path=f"/{stream}", authority=ttf.host))
        for stream in range(3, 43, 2):
            assert connection.answer(stream).status == 200
        gate.open()
        assert connection.answer(1).body == b"at last"


def test_a_thousand_streams(h2):
    """A hundred at a time, on one connection."""
    ttf = h2()
    with ttf.connect() as connection:
        for begin in range(1, 2001, 200):
            streams = range(begin, begin + 200, 2)
            connection.send(b"".join(request(stream, authority=ttf.host) for stream in streams))
            assert all(connection.answer(stream).status == 200 for stream in streams)
        assert connection.goaway is None


def test_more_streams_than_are_allowed(h2):
    ttf = h2()
    gate = ttf.service.on("/held", Gate())
    with ttf.connect() as connection:
        connection.wait(lambda c: c.acks and c.settings)
        streams = range(1, 2 * 210, 2)
        connection.send(b"".join(request(stream, path="/held", authority=ttf.host) for stream in streams))
        connection.wait(lambda c: c.goaway is not None)
        assert connection.goaway == 1, "it has promised to open no more"
    gate.open()


def test_windows_of_the_visitor_are_kept(h2):
    """Nothing is sent beyond them, and all that they allow."""
    body = os.urandom(200_000)
    ttf = h2()
    ttf.service.answer("/large", body=body)
    with ttf.connect(window=1000, grants=False) as connection:
        connection.send(request(1, path="/large", authority=ttf.host))
        connection.wait(lambda c: 1 in c.answers and len(c.answers[1].body) >= 1000)
        assert len(connection.answers[1].body) == 1000
        got = 1000
        while got < len(body):
            step = min(70_000, len(body) - got)
            connection.send(frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", step)))
            connection.wait(lambda c: len(c.answers[1].body) >= got + step)  # noqa: B023
            got += step
            assert len(connection.answers[1].body) == got
        assert connection.answer(1).body == body


def test_a_window_that_changes_by_settings(h2):
    body = os.urandom(50_000)
    ttf = h2()
    ttf.service.answer("/large", body=body)
    with ttf.connect(window=0, grants=False) as connection:
        connection.send(request(1, path="/large", authority=ttf.host))
        connection.wait(lambda c: 1 in c.answers and c.answers[1].headers)
        connection.send(settings((4, 10_000)))
        connection.wait(lambda c: len(c.answers[1].body) >= 10_000)
        connection.send(settings((4, 100_000)))
        assert connection.answer(1).body == body


def test_who_never_opens_his_window_is_ended(h2):
    ttf = h2("--body-idle-timeout", "1s", "--min-rate", "0")
    ttf.service.answer("/large", body=b"x" * 100_000)
    with ttf.connect(window=0, grants=False) as connection:
        connection.send(request(1, path="/large", authority=ttf.host))
        assert connection.answer(1).reset is not None
        assert connection.goaway is None, "the others on the connection live"


def test_who_has_stalled_makes_room(h2):
    """When all connections are taken by visitors who open no window, one of them ends for a new one."""
    ttf = h2("--max-connections", "4", "--min-rate", "0", "--body-idle-timeout", "10m")
    ttf.service.answer("/large", body=b"x" * 100_000)
    taken = [ttf.connect(window=0, grants=False) for _ in range(4)]
    for connection in taken:
        connection.send(request(1, path="/large", authority=ttf.host))
        connection.wait(lambda c: 1 in c.answers and c.answers[1].headers)
    end = time.monotonic() + 60
    while True:
        try:
            with ttf.connect() as fresh:
                assert fresh.get(1, "/", ttf.host).status == 200
                break
        except OSError:  # not for so long yet
            assert time.monotonic() < end
            time.sleep(0.2)
    for connection in taken:
        connection.connection.close()


def test_a_slow_reader_holds_up_no_other_stream(h2):
    ttf = h2()
    ttf.service.answer("/large", body=b"x" * 5_000_000)
    with ttf.connect(window=1000, grants=False) as connection:
        for stream in range(1, 21, 2):
            connection.send(request(stream, path="/large", authority=ttf.host))
        connection.send(request(101, authority=ttf.host))
        connection.wait(lambda c: 101 in c.answers and (c.answers[101].ended or len(c.answers[101].body) >= 1000))
        assert connection.answers[101].status == 200


def test_who_resets_a_stream_is_heeded(h2):
    ttf = h2()
    left = threading.Event()

    def slow(exchange):
        exchange.head(200, ("Transfer-Encoding", "chunked"))
        exchange.chunk(b"x")
        if exchange.is_closed_within(60):
            left.set()

    ttf.service.stream("/slow", slow)
    with ttf.connect() as connection:
        connection.send(request(1, path="/slow", authority=ttf.host))
        connection.wait(lambda c: 1 in c.answers and c.answers[1].body)
        connection.send(frame(RST_STREAM, 0, 1, struct.pack(">I", 8)))
        assert left.wait(60), "the service was told"
        assert connection.get(3, "/", ttf.host).status == 200


def test_an_answer_that_is_cut_is_reset(h2):
    ttf = h2()

    def half(exchange):
        exchange.head(200, ("Transfer-Encoding", "chunked"))
        exchange.chunk(b"x" * 1000)

    ttf.service.stream("/half", half)
    with ttf.connect() as connection:
        answer = connection.get(1, "/half", ttf.host)
        assert answer.reset is not None and not answer.ended
        assert connection.get(3, "/", ttf.host).status == 200


def test_continue(h2):
    ttf = h2()
    with ttf.connect() as connection:
        connection.send(request(1, ("expect", "100-continue"), ("content-length", "2"), method="POST", authority=ttf.host, end=False))
        connection.wait(lambda c: 1 in c.answers and c.answers[1].informational)
        connection.send(frame(DATA, END_STREAM, 1, b"ok"))
        assert connection.answer(1).status == 200


def test_a_head_in_continuations(h2):
    ttf = h2()
    block = fields((":method", "GET"), (":scheme", "https"), (":authority", ttf.host), (":path", "/told"), ("x-long", "y" * 3000))
    with ttf.connect() as connection:
        connection.send(frame(HEADERS, END_STREAM, 1, block[:10]) + frame(CONTINUATION, 0, 1, block[10:500]) + frame(CONTINUATION, END_HEADERS, 1, block[500:]))
        assert connection.answer(1).status == 200
    assert ttf.service.seen("/told")[0].header("x-long") == "y" * 3000


@pytest.mark.parametrize("bytes_more", [9_000, 30_000, 150_000])
def test_heads_that_are_too_large(h2, bytes_more):
    ttf = h2("--max-request-head", "8KiB")
    parts = [fields((f"x{n}", "y" * 1000)) for n in range(bytes_more // 1000)]
    first = fields((":method", "GET"), (":scheme", "https"), (":authority", ttf.host), (":path", "/large"))
    blocks = [first, *(b"".join(parts[at : at + 10]) for at in range(0, len(parts), 10))]
    frames = [frame(HEADERS if n == 0 else CONTINUATION, END_STREAM if n == 0 else 0, 1, block) for n, block in enumerate(blocks)]
    with ttf.connect() as connection:
        connection.send(b"".join(frames) + frame(CONTINUATION, END_HEADERS, 1, b""))
        assert connection.answer(1).status == 431
        assert connection.get(3, "/", ttf.host).status == 200
    assert not ttf.service.seen("/large")


def test_a_websocket(h2, start):
    """RFC 8441: browsers open WebSockets on the connection that they have."""
    from service import echo

    ttf = h2(service=start.websockets(echo).port)
    with ttf.connect() as connection:
        connection.wait(lambda c: c.settings)
        block = fields((":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", ttf.host), (":path", "/"),
                       ("sec-websocket-version", "13"))  # fmt: skip
        connection.send(frame(HEADERS, END_HEADERS, 1, block))
        connection.wait(lambda c: 1 in c.answers and c.answers[1].headers)
        assert connection.answers[1].status == 200
        connection.send(frame(DATA, 0, 1, b"\x81\x85\0\0\0\0hello"))
        connection.wait(lambda c: b"hello" in c.answers[1].body)
        connection.send(frame(DATA, 0, 1, b"\x88\x82\0\0\0\0\x03\xe8"))
        connection.wait(lambda c: b"\x88\x02\x03\xe8" in c.answers[1].body)
        connection.send(frame(DATA, END_STREAM, 1))
        assert connection.answer(1).ended


def test_a_websocket_that_the_service_does_not_want(h2):
    """No 2xx: that would open it."""
    ttf = h2()
    block = fields((":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", ttf.host), (":path", "/"),
                   ("sec-websocket-version", "13"))  # fmt: skip
    with ttf.connect() as connection:
        connection.wait(lambda c: c.settings)
        connection.send(frame(HEADERS, END_HEADERS, 1, block))
        assert connection.answer(1).status == 502
        assert connection.get(3, "/", ttf.host).status == 200


def test_unknown_tunnels(h2):
    ttf = h2()
    with ttf.connect() as connection:
        answer = connection.get(1, "/", f"nobody-here.{DOMAIN}")
        assert answer.status == 404 and answer.header("x-tunnel-error")


def test_who_is_idle_is_told_and_closed(h2):
    ttf = h2("--keepalive-timeout", "1s")
    with ttf.connect() as connection:
        assert connection.get(1, "/", ttf.host).status == 200
        connection.wait(lambda c: c.closed)
        assert connection.goaway == 0


def test_going_down(h2):
    """What runs is finished, and GOAWAY says that nothing new is taken."""
    ttf = h2()
    gate = ttf.service.on("/held", Gate())
    with ttf.connect() as connection:
        connection.send(request(1, path="/held", authority=ttf.host))
        gate.wait_arrived()
        front = getattr(ttf.gateway, "front", ttf.gateway)
        front.process.send_signal(signal.SIGTERM)
        connection.wait(lambda c: c.goaway is not None)
        assert connection.goaway == 0
        gate.open()
        assert connection.answer(1).body == b"at last"
        connection.wait(lambda c: c.closed)


def test_each_stream_counts_for_its_address(h2):
    """Behind a proxy that is trusted, by the address that it names."""
    ttf = h2("--max-connections-per-address", "5", "--trusted-proxies", "127.0.0.1")
    gate = ttf.service.on("/held", Gate())
    with ttf.connect() as connection:
        for stream in range(1, 11, 2):
            connection.send(request(stream, ("x-forwarded-for", "192.0.2.1"), path="/held", authority=ttf.host))
        gate.wait_arrived(5)
        connection.send(request(11, ("x-forwarded-for", "192.0.2.1"), path="/held", authority=ttf.host))
        assert connection.answer(11).status == 503
        connection.send(request(13, ("x-forwarded-for", "192.0.2.2"), authority=ttf.host))
        assert connection.answer(13).status == 200
        gate.open()
        assert connection.answer(1).status == 200


PAGE = """<!doctype html><title>over h2</title><body><h1>Hello</h1><img src="/a.svg"><p id=ws>no</p><p id=how></p><script>
const say = (id, text) => document.getElementById(id).textContent = text;
say("how", performance.getEntriesByType("navigation")[0].nextHopProtocol);
const socket = new WebSocket("wss://" + location.host + "/ws");
socket.onopen = () => socket.send("ping");
socket.onmessage = (event) => say("ws", "socket " + event.data);
socket.onerror = () => say("ws", "socket failed");
</script>"""
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="80" height="80"><circle cx="40" cy="40" r="36" fill="teal"/></svg>'


@needs_chromium
def test_a_browser(h2, tmp_path):
    """It chooses HTTP/2 by itself, and opens its WebSocket on the same connection."""
    from service import accept_key

    ttf = h2()
    ttf.service.answer("/", body=PAGE, headers=[("Content-Type", "text/html")])
    ttf.service.answer("/a.svg", body=SVG, headers=[("Content-Type", "image/svg+xml")])

    def socket(exchange):
        exchange.send((
            "HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_key(exchange.request.header('sec-websocket-key'))}\r\n\r\n"
        ).encode())  # fmt: skip
        if exchange.read():
            exchange.send(b"\x81\x04pong")
            exchange.read()

    ttf.service.stream("/ws", socket)
    options = ("--ignore-certificate-errors", f"--host-resolver-rules=MAP *.{DOMAIN} 127.0.0.1")
    url = f"https://{ttf.host}:{ttf.address[1]}/"
    shown = browse(url, tmp_path / "profile", *options, "--dump-dom")
    assert '<p id="how">h2</p>' in shown and "socket pong" in shown, shown
    if os.environ.get("TTF_SCREENSHOT"):
        browse(url, tmp_path / "again", *options, f"--screenshot={os.environ['TTF_SCREENSHOT']}", "--window-size=600,400")


@pytest.mark.skipif(os.environ.get("TTF_STACK", "memory") != "memory", reason="one gateway that is replaced")
def test_another_program_takes_over(h2, place):  # noqa: F811
    """What runs is finished by the old one, which says GOAWAY; the next connection is the new one's."""
    ttf = h2()
    gate = ttf.service.on("/held", Gate())
    with ttf.connect() as running, ttf.connect() as resting:
        assert resting.get(1, "/", ttf.host).status == 200
        running.send(request(1, path="/held", authority=ttf.host))
        gate.wait_arrived()
        place(ttf.gateway).reload()
        resting.wait(lambda c: c.closed)
        assert resting.goaway == 0
        with ttf.connect() as fresh:
            assert fresh.get(1, "/", ttf.host).status == 200
        gate.open()
        assert running.answer(1).body == b"at last"
