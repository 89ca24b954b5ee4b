"""Agents of protocol v2 that break HTTP/2 or mean harm, by hand-made frames: such an agent loses its link, and nothing else."""

import itertools
import threading
import time

import pytest

import http_raw
from agent_v2 import (
    ACK,
    CONTINUATION,
    CONTROL,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    head,
    hello,
    literal,
)
from programs import SLOW

MIB = 1 << 20


class Visit(threading.Thread):
    """One request in a thread; whatever becomes of it."""

    def __init__(self, gateway, agent, method="GET", target="/visit", **more):
        super().__init__(daemon=True)
        self.arguments, self.more = (gateway.address, method, target, agent.host), more
        self.response = self.cut = None
        self.start()

    def run(self):
        try:
            self.response = http_raw.request(*self.arguments, **self.more)
        except (http_raw.Cut, ConnectionError) as cut:
            self.cut = cut

    def end(self, seconds=60):
        self.join(seconds)
        assert not self.is_alive(), "the visitor got neither an answer nor an end"
        return self.response


@pytest.fixture
def arena(start):
    """A gateway with a good tunnel whose visitors come all the time; at the end none of them has noticed anything."""
    service = start.service()
    gateway = start.gateway("--grace", "1")
    good = start.forwarder(gateway, service)
    gateway.wait_err(f"{good.tunnel_id}: connected as ")
    ended, failures, slowest = threading.Event(), [], [0]

    def visit():
        for number in itertools.count():
            if ended.wait(0.01):
                return
            began = time.monotonic()
            try:
                response = http_raw.request(gateway.address, target=f"/{number}", host=good.host)
                if response.status != 200:
                    failures.append(response)
            except Exception as error:
                failures.append(error)
            slowest[0] = max(slowest[0], time.monotonic() - began)

    visitor = threading.Thread(target=visit, daemon=True)
    visitor.start()
    gateway.start = start
    yield gateway
    ended.set()
    visitor.join(30)
    assert not failures, failures[:3]
    assert slowest[0] < 30 * SLOW, f"a good visitor waited {slowest[0]:.1f} s"
    assert sum(f"{good.tunnel_id}: connected as " in line for line in gateway.err) == 1, "the good agent had to come again"
    if SLOW == 1:
        assert gateway.rss_kib() < 64 * 1024, f"{gateway.rss_kib()} KiB"
    # A new agent is welcome.
    again = start.agent_v2(gateway, hello)
    assert http_raw.request(gateway.address, target="/new", host=again.host).body == b"GET /new"


def check_gone(gateway, agent, seconds=60):
    assert agent.is_gone_within(seconds * SLOW), "the gateway keeps the link"
    assert gateway.process.poll() is None


# ---- a good one first: the tests' agent itself ----


def test_agent_of_python(arena):
    agent = arena.start.agent_v2(arena, hello)
    for number in range(20):
        assert http_raw.request(arena.address, target=f"/{number}", host=agent.host).body == f"GET /{number}".encode()
    arena.wait_err(rf"{agent.tunnel_id}.*protocol v2|protocol v2.*{agent.tunnel_id}")


def test_what_a_request_looks_like(arena):
    agent = arena.start.agent_v2(arena)
    headers = [("X-A", "1"), ("X-A", "2"), ("Connection", "close, x-hop"), ("X-Hop", "1"), ("TE", "trailers"), ("X-Tunnel-Error", "x")]
    visit = Visit(arena, agent, "POST", "/p%2F?x=1&&", headers=headers, body=b"hello")
    request = agent.next_request()
    assert request.method == "POST" and request.path == "/p%2F?x=1&&"
    assert request.headers[":authority"] == agent.host and request.headers[":scheme"] in ("http", "https")
    assert request.headers["x-a"] in ("2", "1, 2") and request.headers["content-length"] == "5"
    for name in ("connection", "x-hop", "transfer-encoding", "x-tunnel-error", "keep-alive"):
        assert name not in request.headers, request.headers
    agent.reply(request, ("x-b", "1"), ("set-cookie", "a"), ("set-cookie", "b"), status=201, body=b"made")
    response = visit.end()
    assert (response.status, response.body, response.all("set-cookie")) == (201, b"made", ["a", "b"])
    end = time.monotonic() + 60
    while request.body != b"hello":  # the answer may have come first
        assert time.monotonic() < end, request.body
        time.sleep(0.01)


def test_upgrade_is_an_extended_connect(arena):
    agent = arena.start.agent_v2(arena)
    with http_raw.Connection(arena.address) as connection:
        connection.send(http_raw.build("GET", "/ws", agent.host, [("Connection", "Upgrade"), ("Upgrade", "foo")]))
        request = agent.next_request()
        assert (request.method, request.headers[":protocol"], request.path) == ("CONNECT", "foo", "/ws")
        agent.reply(request, ("x-tunnel-upgraded", "1"), body=b"hi", end=False)
        response = connection.read_head()
        assert (response.status, response.header("upgrade")) == (101, "foo"), response
        assert response.header("x-tunnel-upgraded") is None
        assert connection._exactly(2) == b"hi"
        connection.send(b"there")
        end = time.monotonic() + 60
        while request.body != b"there":
            assert time.monotonic() < end, request.body
            time.sleep(0.01)


def test_visitor_who_leaves_is_a_reset(arena):
    agent = arena.start.agent_v2(arena)
    with http_raw.Connection(arena.address) as connection:
        connection.send(http_raw.build(host=agent.host))
        request = agent.next_request()
    event = agent.events.get(timeout=60)
    assert event.stream_id == request.stream


def test_agent_that_never_answers(start):
    gateway = start.gateway("--request-timeout", "1")
    agent = start.agent_v2(gateway)
    response = http_raw.request(gateway.address, host=agent.host)
    assert (response.status, response.error) == (504, "timeout")
    assert agent.events.get(timeout=60).stream_id == agent.next_request().stream


def test_goaway_of_an_agent(arena):
    """It takes no new requests and finishes those it has; what it says it did not see is not lost."""
    agent = arena.start.agent_v2(arena)
    visit = Visit(arena, agent)
    request = agent.next_request()
    agent.raw(frame(GOAWAY, 0, 0, request.stream.to_bytes(4, "big") + bytes(4)))
    agent.reply(request, body=b"finished")
    assert visit.end().body == b"finished"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("how", ["GOAWAY", "REFUSED_STREAM"])
def test_what_was_not_processed_is_sent_again(arena, method, how):
    """The link says so, and every byte is still there: even a POST goes to the agent that comes next."""
    ready = {"type": "ready", "capabilities": ["resume"]}
    agent = arena.start.agent_v2(arena, ready=ready)
    visit = Visit(arena, agent, method, body=b"x" * 100_000)
    request = agent.next_request()
    if how == "GOAWAY":
        agent.raw(frame(GOAWAY, 0, 0, CONTROL.to_bytes(4, "big") + bytes(4)))
    else:
        agent.raw(frame(RST_STREAM, 0, request.stream, (7).to_bytes(4, "big")))
    again = arena.start.agent_v2(arena, ready=ready, headers={"x-tunnel-resume": agent.established["resume"]})
    assert again.tunnel_id == agent.tunnel_id
    end = time.monotonic() + 60
    while agent.requests.empty() and again.requests.empty():
        assert time.monotonic() < end and visit.response is None, visit.response
        time.sleep(0.01)
    agent = again if agent.requests.empty() else agent
    request = agent.next_request()
    while len(request.body) < 100_000:
        assert time.monotonic() < end, len(request.body)
        time.sleep(0.01)
    agent.reply(request, body=b"second try")
    assert visit.end().body == b"second try"


def test_agent_freezes(start):
    """Alive by TCP, dead otherwise: its link ends, its visitors get their answer."""
    gateway = start.gateway("--agent-ping-interval", "500ms", "--grace", "1", "--request-timeout", "60")
    agent = start.agent_v2(gateway)
    agent.freeze()
    response = http_raw.request(gateway.address, host=agent.host, timeout=30)
    assert response.status == 502 and response.error in ("agent_lost", "agent_offline"), response


# ---- broken from the start ----

PREFACES = {
    "nonsense": b"nonsense" * 10,
    "HTTP/1.1": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a client's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0),
    "PING first": frame(PING, 0, 0, bytes(8)),
    "SETTINGS of 5 bytes": frame(SETTINGS, 0, 0, bytes(5)),
    "SETTINGS on a stream": frame(SETTINGS, 0, 1),
    "ACK first": frame(SETTINGS, ACK, 0, bytes(6)),
    "window of 2^31": frame(SETTINGS, 0, 0, (4).to_bytes(2, "big") + (1 << 31).to_bytes(4, "big")),
    "frames of 1 byte": frame(SETTINGS, 0, 0, (5).to_bytes(2, "big") + (1).to_bytes(4, "big")),
    "frame of 16 MiB": b"\xff\xff\xff\x04\0\0\0\0\0" + bytes(100_000),
    "JSON": b'{"type":"ready"}',
    "zeros": bytes(300_000),
}


@pytest.mark.parametrize("preface", PREFACES)
def test_bad_preface(arena, preface):
    from agent_v2 import AgentV2

    agent = AgentV2(arena.endpoint, hello, preface=PREFACES[preface])
    agent.begin()
    try:
        check_gone(arena, agent)
        assert agent.established is None
    finally:
        agent.stop()


def test_nothing_at_all(start):
    """Connected, and not a byte of HTTP/2: it does not stay for ever."""
    from agent_v2 import AgentV2

    gateway = start.gateway("--agent-ping-interval", "500ms")
    agent = AgentV2(gateway.endpoint, hello, preface=b"")
    agent.begin()
    try:
        check_gone(gateway, agent)
    finally:
        agent.stop()


def test_text_messages_on_a_v2_link(arena):
    agent = arena.start.agent_v2(arena, hello)
    try:
        agent.text('{"type":"ping"}')
        agent.text('{"type":"http_response","request_id":"x","status_code":200,"headers":{}}')
    except Exception:
        pass
    if not agent.is_gone_within(1):
        assert http_raw.request(arena.address, host=agent.host).status == 200


# ---- frames that no peer may send: the link ends ----


def setting(number, value):
    return number.to_bytes(2, "big") + value.to_bytes(4, "big")


FATAL = {
    "DATA on an idle stream": frame(DATA, 0, 99, b"x"),
    "DATA on stream 0": frame(DATA, 0, 0, b"x"),
    "HEADERS on an idle stream": head(99),
    "HEADERS on an even stream": head(2),
    "HEADERS on stream 0": head(0),
    "RST_STREAM on an idle stream": frame(RST_STREAM, 0, 99, bytes(4)),
    "RST_STREAM on stream 0": frame(RST_STREAM, 0, 0, bytes(4)),
    "RST_STREAM of 3 bytes": frame(RST_STREAM, 0, CONTROL, bytes(3)),
    "RST_STREAM of the control stream": frame(RST_STREAM, 0, CONTROL, bytes(4)),
    "end of the control stream": frame(DATA, END_STREAM, CONTROL, b""),
    "PUSH_PROMISE": frame(PUSH_PROMISE, END_HEADERS, CONTROL, (2).to_bytes(4, "big") + literal(":method", "GET")),
    "WINDOW_UPDATE of 0": frame(WINDOW_UPDATE, 0, 0, bytes(4)),
    "WINDOW_UPDATE beyond 2^31": frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 2,
    "WINDOW_UPDATE on an idle stream": frame(WINDOW_UPDATE, 0, 99, (1).to_bytes(4, "big")),
    "WINDOW_UPDATE of 3 bytes": frame(WINDOW_UPDATE, 0, 0, bytes(3)),
    "PING of 7 bytes": frame(PING, 0, 0, bytes(7)),
    "PING on a stream": frame(PING, 0, CONTROL, bytes(8)),
    "SETTINGS of 7 bytes": frame(SETTINGS, 0, 0, bytes(7)),
    "SETTINGS ACK with a payload": frame(SETTINGS, ACK, 0, bytes(6)),
    "initial window of 2^31": frame(SETTINGS, 0, 0, setting(4, 1 << 31)),
    "GOAWAY on a stream": frame(GOAWAY, 0, CONTROL, bytes(8)),
    "GOAWAY with an error": frame(GOAWAY, 0, 0, bytes(4) + (2).to_bytes(4, "big")),
    "CONTINUATION without HEADERS": frame(CONTINUATION, END_HEADERS, CONTROL, b""),
    "padding larger than the frame": frame(DATA, 8, CONTROL, b"\xff"),
    "frame larger than allowed": b"\xff\xff\xff" + bytes([DATA, 0]) + CONTROL.to_bytes(4, "big") + bytes(100_000),
    "control line without an end": b"".join(frame(DATA, 0, CONTROL, b"x" * 16000) for _ in range(8)),
}


@pytest.mark.parametrize("case", FATAL)
def test_fatal_frames(arena, case):
    agent = arena.start.agent_v2(arena)
    visit = Visit(arena, agent, "POST", body=b"x")
    agent.next_request()
    agent.raw(FATAL[case])
    check_gone(arena, agent)
    response = visit.end()
    assert response is not None and response.status == 502, response


# ... and those that break one request: its visitor gets 502 or is cut, and the link may go with it.


def stream_frames(stream):
    ok, huffman = head(stream), b"\x88"
    return {
        "HPACK index 0": frame(HEADERS, END_HEADERS, stream, b"\x80"),
        "HPACK index out of the table": frame(HEADERS, END_HEADERS, stream, huffman + b"\xff\xff\x03"),
        "HPACK integer without an end": frame(HEADERS, END_HEADERS, stream, b"\xff" * 100),
        "HPACK cut": frame(HEADERS, END_HEADERS, stream, huffman + b"\x00\x05ab"),
        "HPACK table size beyond what is allowed": frame(HEADERS, END_HEADERS, stream, b"\x3f\xe1\xff\x03" + huffman),
        "bad Huffman": frame(HEADERS, END_HEADERS, stream, huffman + b"\x00\x84\xff\xff\xff\xff\x01a"),
        "HEADERS, other frame, no CONTINUATION": frame(HEADERS, 0, stream, huffman) + frame(PING, 0, 0, bytes(8)),
        "CONTINUATION of another stream": frame(HEADERS, 0, stream, huffman) + frame(CONTINUATION, END_HEADERS, CONTROL, b""),
        "DATA before HEADERS": frame(DATA, 0, stream, b"x"),
        "no :status": head(stream, ("x", "y"), status=None),
        "two :status": head(stream, (":status", "201")),
        ":status behind a field": head(stream, ("x", "y"), (":status", "200"), status=None),
        ":status with letters": head(stream, status="2OO"),
        ":status of 4 digits": head(stream, status="2000"),
        ":status 99": head(stream, status="099"),
        ":status 101": head(stream, status="101"),
        ":status empty": head(stream, status=""),
        ":path in an answer": head(stream, (":path", "/x")),
        "unknown pseudo header": head(stream, (":nonsense", "1")),
        "upper case name": head(stream, ("X-A", "1")),
        "empty name": head(stream, ("", "1")),
        "blank in a name": head(stream, ("a b", "1")),
        "CR LF in a name": head(stream, ("a\r\nset-cookie", "evil=1")),
        "NUL in a value": head(stream, ("x-a", "a\0b")),
        "CR LF in a value": head(stream, ("x-a", "a\r\nset-cookie: evil=1")),
        "LF in a value": head(stream, ("x-a", "a\nset-cookie: evil=1")),
        "control byte in a value": head(stream, ("x-a", "a\x01b")),
        "connection": head(stream, ("connection", "x-a")),
        "transfer-encoding": head(stream, ("transfer-encoding", "chunked")),
        "two content-length": head(stream, ("content-length", "5"), ("content-length", "6")),
        "content-length -1": head(stream, ("content-length", "-1")),
        "content-length 5x": head(stream, ("content-length", "5x")),
        "content-length beyond 2^64": head(stream, ("content-length", "99999999999999999999")),
        "300 fields": head(stream, *[(f"x-{n}", "1") for n in range(300)]),
        "WINDOW_UPDATE of 0 on the stream": ok + frame(WINDOW_UPDATE, 0, stream, bytes(4)),
        "WINDOW_UPDATE beyond 2^31 on the stream": ok + frame(WINDOW_UPDATE, 0, stream, b"\x7f\xff\xff\xff") * 2,
        "reset after the head": ok + frame(RST_STREAM, 0, stream, bytes(4)),
        "reset without an error before the head": frame(RST_STREAM, 0, stream, bytes(4)),
        "depends on itself": frame(HEADERS, END_HEADERS | 0x20, stream, stream.to_bytes(4, "big") + b"\x10" + huffman) + frame(RST_STREAM, 0, stream, bytes(4)),
        "body longer than content-length": head(stream, ("content-length", "2")) + frame(DATA, END_STREAM, stream, b"too long"),
        "body shorter than content-length": head(stream, ("content-length", "100")) + frame(DATA, END_STREAM, stream, b"too short"),
        "pseudo header in the trailers": ok + frame(DATA, 0, stream, b"x") + head(stream, (":status", "200"), flags=END_HEADERS | END_STREAM, status=None),
        "trailers without the end": ok + frame(DATA, 0, stream, b"x") + head(stream, ("x-t", "1"), status=None) + frame(RST_STREAM, 0, stream, bytes(4)),
        "informational that ends the stream": head(stream, flags=END_HEADERS | END_STREAM, status="103"),
    }


@pytest.mark.parametrize("case", stream_frames(1))
def test_frames_that_break_a_request(arena, case):
    agent = arena.start.agent_v2(arena)
    visit = Visit(arena, agent, "POST", body=b"x")
    request = agent.next_request()
    agent.raw(stream_frames(request.stream)[case])
    response = visit.end()
    if response is not None and case not in ("connection", "transfer-encoding"):
        assert response.status == 502, response
    if response is not None:
        assert response.header("set-cookie") is None and b"evil" not in response.body
    if not agent.closed.is_set():
        Visit(arena, agent)
        try:
            request = agent.next_request(5)
        except Exception:
            check_gone(arena, agent)
        else:
            assert agent.raw(head(request.stream, flags=END_HEADERS | END_STREAM)) or agent.is_gone_within(5)


@pytest.mark.parametrize("kind", ["DATA", "HEADERS", "RST_STREAM", "WINDOW_UPDATE"])
def test_frames_on_closed_streams(arena, kind):
    """What a peer may send late is passed over; DATA and HEADERS end the link. They never reach another visitor."""
    agent = arena.start.agent_v2(arena)
    visit = Visit(arena, agent)
    request = agent.next_request()
    agent.reply(request, body=b"all")
    assert visit.end().body == b"all"
    late = {
        "DATA": frame(DATA, 0, request.stream, b"late"),
        "HEADERS": head(request.stream, ("x-late", "1")),
        "RST_STREAM": frame(RST_STREAM, 0, request.stream, bytes(4)),
        "WINDOW_UPDATE": frame(WINDOW_UPDATE, 0, request.stream, (5).to_bytes(4, "big")),
    }[kind]
    for _ in range(2000):
        if not agent.raw(late * 10):
            break
    if kind in ("DATA", "HEADERS"):
        check_gone(arena, agent)
    if agent.is_gone_within(0.2):
        return
    visit = Visit(arena, agent)
    request = agent.next_request(10)
    agent.reply(request, body=b"mine")
    assert visit.end().body == b"mine"


def test_answer_from_another_tunnels_link(arena):
    """Streams belong to their link: an agent cannot answer the requests of another."""
    victim, thief = arena.start.agent_v2(arena), arena.start.agent_v2(arena)
    visit = Visit(arena, victim)
    request = victim.next_request()
    thief.raw(head(request.stream) + frame(DATA, END_STREAM, request.stream, b"stolen"))
    check_gone(arena, thief)
    victim.reply(request, body=b"mine")
    assert visit.end().body == b"mine"


# ---- more than a peer may send ----


def test_window_overflow_of_a_stream(arena):
    """The visitor reads nothing; the agent sends on, whatever the window says."""
    agent = arena.start.agent_v2(arena)
    with http_raw.Connection(arena.address) as connection:
        connection.send(http_raw.build(target="/flood", host=agent.host))
        request = agent.next_request()
        agent.raw(head(request.stream))
        connection.read_head()
        piece = frame(DATA, 0, request.stream, bytes(16384)) * 16
        for _ in range(400):  # 100 MiB
            if not agent.raw(piece):
                break
        check_gone(arena, agent)
        with pytest.raises((http_raw.Cut, ConnectionError, ValueError)):
            for _ in connection.pieces(http_raw.Response("", 200, "", [("transfer-encoding", "chunked")])):
                pass


def test_header_bomb(arena):
    """A small block that unfolds to 64 MB of fields."""
    agent = arena.start.agent_v2(arena)
    visit = Visit(arena, agent, "POST", body=b"x")
    request = agent.next_request()
    entry = literal("x", "v" * 4000, first=0x40)
    agent.raw(frame(HEADERS, END_HEADERS, request.stream, b"\x88" + entry + b"\xbe" * 12000))
    response = visit.end()
    assert response is None or response.status == 502, response


def test_endless_continuation(arena):
    """A head that never ends, in full frames and in empty ones."""
    for piece in (literal("x", "v" * 1000) * 16, literal("a", ""), b""):
        agent = arena.start.agent_v2(arena)
        visit = Visit(arena, agent, "POST", body=b"x")
        request = agent.next_request()
        agent.raw(frame(HEADERS, 0, request.stream, b"\x88"))
        many = frame(CONTINUATION, 0, request.stream, piece) * 100
        for _ in range(500):
            if not agent.raw(many):
                break
        check_gone(arena, agent)
        response = visit.end()
        assert response is None or response.status == 502, response


def test_many_interim_answers(arena):
    """1xx without an end: bounded by the request's timeout at least, and nobody else notices."""
    agent = arena.start.agent_v2(arena)
    visit = Visit(arena, agent, "POST", body=b"x", timeout=60)
    request = agent.next_request()
    many = head(request.stream, status="103") * 1000
    for _ in range(50):
        if not agent.raw(many):
            break
    agent.raw(head(request.stream, flags=END_HEADERS | END_STREAM))
    response = visit.end()
    assert response is None or response.status in (200, 502), response


def test_rapid_resets(arena):
    """Every request is reset at once; beyond some number of resets the link ends. POST: not sent again."""
    at_once, a_second, resets = 4352, 200, [0]  # what common/link/link.h lets pass

    def reset(agent, request):
        resets[0] += 1
        agent.write(frame(RST_STREAM, 0, request.stream, (8).to_bytes(4, "big")))

    agent, began = arena.start.agent_v2(arena, reset), time.monotonic()

    def visit():
        request = http_raw.build("POST", "/x", agent.host, body=b"x")
        while not agent.closed.is_set() and time.monotonic() < end:
            try:
                with http_raw.Connection(arena.address) as connection:
                    for _ in range(100):
                        connection.send(request)
                        if connection.read_response().error == "agent_offline":
                            return
            except (http_raw.Cut, ConnectionError):
                pass

    end = began + 40
    visitors = [threading.Thread(target=visit, daemon=True) for _ in range(8)]
    for visitor in visitors:
        visitor.start()
    agent.closed.wait(40)  # a machine that is too slow may not come to so many
    assert agent.closed.is_set() or resets[0] <= at_once + a_second * (time.monotonic() - began), "the gateway keeps the link"
    assert arena.process.poll() is None
    for visitor in visitors:
        visitor.join(60)


FLOODS = {
    "SETTINGS": frame(SETTINGS, 0, 0, setting(3, 100)),
    "empty SETTINGS": frame(SETTINGS, 0, 0),
    "PING": frame(PING, 0, 0, b"12345678"),
    "PING ACK": frame(PING, ACK, 0, b"12345678"),
    "WINDOW_UPDATE": frame(WINDOW_UPDATE, 0, CONTROL, (1).to_bytes(4, "big")),
    "empty DATA": frame(DATA, 0, CONTROL, b""),
    "unknown frames": frame(0xBB, 0xFF, 0, b"x" * 100),
    "PRIORITY": frame(2, 0, CONTROL, bytes(5)),
    "control lines": frame(DATA, 0, CONTROL, b'{"type":"ping"}\n'),
    "broken control lines": frame(DATA, 0, CONTROL, b"{]\n"),
}


@pytest.mark.parametrize("reads", [True, False], ids=["reads", "reads nothing"])
@pytest.mark.parametrize("kind", FLOODS)
def test_flood(arena, kind, reads):
    """The link may live or die; memory is bounded, and the others are served (the fixture looks)."""
    agent = arena.start.agent_v2(arena, hello)
    if not reads:
        agent.freeze()
    many = FLOODS[kind] * 2000
    end = time.monotonic() + 3
    sent = 0
    try:
        while time.monotonic() < end and agent.raw(many, seconds=3):
            sent += 2000
    except Exception:  # it does not read on, or has closed
        pass
    if kind in ("SETTINGS", "PING", "empty SETTINGS") and not reads:
        assert arena.rss_kib() < 64 * 1024 or SLOW > 1
    print(f"{sent} frames, gone: {agent.closed.is_set()}, {arena.rss_kib() // 1024} MiB")


def test_ready_again_and_again(arena):
    agent = arena.start.agent_v2(arena, hello)
    agent.raw(frame(DATA, 0, CONTROL, b'{"type":"ready"}\n' * 100))
    if not agent.is_gone_within(0.5):
        assert http_raw.request(arena.address, host=agent.host).status == 200


def test_huge_websocket_message(arena):
    agent = arena.start.agent_v2(arena, hello)
    try:
        agent.raw(bytes(30 * MIB))
    except Exception:
        pass
    check_gone(arena, agent)


# ---- an agent that breaks off within an answer, in every place ----


@pytest.mark.parametrize("how", ["kill", "goaway", "reset"])
def test_break_within_an_answer(arena, how):
    """Cut at the visitor too, never a short body that looks whole."""
    agent = arena.start.agent_v2(arena)
    with http_raw.Connection(arena.address) as connection:
        connection.send(http_raw.build(host=agent.host))
        request = agent.next_request()
        agent.raw(head(request.stream) + frame(DATA, 0, request.stream, b"hello"))
        response = connection.read_head()
        pieces = connection.pieces(response)
        assert next(pieces) == b"hello"
        if how == "kill":
            agent.stop()
        elif how == "goaway":
            agent.raw(frame(GOAWAY, 0, 0, bytes(4) + (11).to_bytes(4, "big")))
        else:
            agent.raw(frame(RST_STREAM, 0, request.stream, (8).to_bytes(4, "big")))
        with pytest.raises((http_raw.Cut, ConnectionError, ValueError)):
            next(pieces)
