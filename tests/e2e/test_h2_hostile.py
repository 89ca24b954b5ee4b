"""Visitors who break HTTP/2, and what comes of it: an error for the stream or the connection, and never a request at the
service that is not exactly what was said."""

import os
import struct
import time

import pytest

import http_raw
from h2_client import (
    CANCEL, COMPRESSION_ERROR, CONTINUATION, DATA, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, PROTOCOL_ERROR, STREAM_CLOSED, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PREFACE, PRIORITY_FLAG, RST_STREAM, SETTINGS, WINDOW_UPDATE,
    fields, frame, integer, literal, request, settings,
)  # fmt: skip
from kernel_queues import queued_bytes
from test_h2 import h2  # noqa: F401 (a fixture)
from test_tls import authority, pair, secure  # noqa: F401

ATTACK = "/attack"  # what must not arrive as it was not meant
PUSH_PROMISE, PRIORITY = 5, 2


def pseudo(host, *order, **values):
    known = {"method": "GET", "scheme": "https", "authority": host, "path": ATTACK, **values}
    return [(":" + name, known[name]) for name in (order or known)]


def block(*pairs, end=True):
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), 1, fields(*pairs))


def with_field(name, value):
    return lambda host: request(1, (name, value), path=ATTACK, authority=host)


def posted(length, *pieces):
    """A body of another length than its head says."""

    def make(host):
        head = request(1, ("content-length", length), method="POST", path=ATTACK, authority=host, end=False)
        data = b"".join(frame(DATA, END_STREAM if n == len(pieces) - 1 else 0, 1, piece) for n, piece in enumerate(pieces))
        return head + data

    return make


def raw(*frames):
    return lambda host: b"".join(frames)


def after(head_ended, *frames):
    """Behind a request that is fine: its answer may come."""
    return lambda host: request(1, path="/fine", authority=host, end=head_ended) + b"".join(frames)


# Malformed requests: a reset, GOAWAY, or 4xx; nothing at the service.
MALFORMED = {
    "CR in a value": with_field("x", "a\rb"),
    "LF in a value": with_field("x", "a\nb"),
    "CR LF in a value": with_field("x", "a\r\nx-injected: 1"),
    "NUL in a value": with_field("x", "a\0b"),
    "DEL in a value": with_field("x", "a\x7fb"),
    "LF in a name": with_field("x\ny", "a"),
    "NUL in a name": with_field("x\0y", "a"),
    "colon in a name": with_field("x:y", "a"),
    "space in a name": with_field("x y", "a"),
    "an empty name": with_field("", "a"),
    "upper case in a name": with_field("X-Upper", "a"),
    "a high byte in a name": with_field("x\xff", "a"),
    "connection": with_field("connection", "close"),
    "connection that names a field": with_field("connection", "x-forwarded-for"),
    "proxy-connection": with_field("proxy-connection", "keep-alive"),
    "keep-alive": with_field("keep-alive", "timeout=5"),
    "transfer-encoding": with_field("transfer-encoding", "chunked"),
    "transfer-encoding with a body": lambda host: request(1, ("transfer-encoding", "chunked"), method="POST", path=ATTACK, authority=host, end=False)
    + frame(DATA, END_STREAM, 1, b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"),
    "upgrade": with_field("upgrade", "websocket"),
    "te other than trailers": with_field("te", "gzip"),
    "host that differs": with_field("host", "elsewhere.example"),
    "host twice": lambda host: request(1, ("host", host), ("host", host), path=ATTACK, authority=host),
    "path with a space": lambda host: request(1, path=ATTACK + " HTTP/1.1", authority=host),
    "path with CR LF": lambda host: request(1, path=ATTACK + " HTTP/1.1\r\nx: y\r\n\r\nGET /smuggled", authority=host),
    "path with NUL": lambda host: request(1, path=ATTACK + "\0", authority=host),
    "path with a tab": lambda host: request(1, path=ATTACK + "\t", authority=host),
    "an empty path": lambda host: request(1, path="", authority=host),
    "path without a slash": lambda host: request(1, path="attack", authority=host),
    "path of another host": lambda host: request(1, path="https://elsewhere.example/attack", authority=host),
    "path * with GET": lambda host: request(1, path="*", authority=host),
    "method with a space": lambda host: request(1, method="GET /smuggled HTTP/1.1\r\nx:", path=ATTACK, authority=host),
    "an empty method": lambda host: request(1, method="", path=ATTACK, authority=host),
    "scheme http": lambda host: request(1, scheme="http", path=ATTACK, authority=host),
    "a scheme of nonsense": lambda host: request(1, scheme="https://x/?", path=ATTACK, authority=host),
    "authority with user": lambda host: request(1, path=ATTACK, authority="user@" + host),
    "authority with a slash": lambda host: request(1, path=ATTACK, authority=host + "/x"),
    "authority with a space": lambda host: request(1, path=ATTACK, authority=host + " x"),
    "authority with CR LF": lambda host: request(1, path=ATTACK, authority=host + "\r\nx: y"),
    "no authority and no host": lambda host: request(1, path=ATTACK),
    "an empty authority": lambda host: request(1, path=ATTACK, authority=""),
    "no method": lambda host: block(*pseudo(host, "scheme", "authority", "path")),
    "no scheme": lambda host: block(*pseudo(host, "method", "authority", "path")),
    "no path": lambda host: block(*pseudo(host, "method", "scheme", "authority")),
    "method twice": lambda host: block(*pseudo(host), (":method", "POST")),
    "path twice": lambda host: block(*pseudo(host), (":path", "/other")),
    "authority twice": lambda host: block(*pseudo(host), (":authority", "elsewhere.example")),
    "a pseudo field late": lambda host: block(*pseudo(host, "method", "scheme", "authority"), ("x", "y"), (":path", ATTACK)),
    "an unknown pseudo field": lambda host: block(*pseudo(host), (":x", "y")),
    "status in a request": lambda host: block(*pseudo(host), (":status", "200")),
    "protocol without CONNECT": lambda host: block(*pseudo(host), (":protocol", "websocket")),
    "CONNECT": lambda host: block((":method", "CONNECT"), (":authority", host), end=False),
    "CONNECT elsewhere": lambda host: block((":method", "CONNECT"), (":authority", "127.0.0.1:22"), end=False),
    "CONNECT with a path": lambda host: block((":method", "CONNECT"), (":authority", host), (":path", ATTACK)),
    "CONNECT to a protocol of nonsense": lambda host: block(*pseudo(host, method="CONNECT"), (":protocol", "a\r\nb"), end=False),
    "CONNECT to a protocol, of a length": lambda host: block(*pseudo(host, method="CONNECT"), (":protocol", "websocket"), ("content-length", "5"), end=False),
    "no fields at all": raw(frame(HEADERS, END_HEADERS | END_STREAM, 1)),
    "content-length of nonsense": with_field("content-length", "1x"),
    "content-length negative": with_field("content-length", "-1"),
    "content-length of no body": with_field("content-length", "5"),
    "content-length twice": lambda host: request(1, ("content-length", "2"), ("content-length", "3"), method="POST", path=ATTACK, authority=host, end=False)
    + frame(DATA, END_STREAM, 1, b"ab"),
    "expect of nonsense": with_field("expect", "wonders"),
    "a head of 100 KiB": lambda host: b"".join(
        [frame(HEADERS, END_STREAM, 1, fields(*pseudo(host), ("x", "y" * 12000))),
         *(frame(CONTINUATION, 0, 1, fields((f"x{n}", "y" * 12000))) for n in range(8)),
         frame(CONTINUATION, END_HEADERS, 1, fields(("z", "z")))]),
    "1000 fields": lambda host: frame(HEADERS, END_HEADERS | END_STREAM, 1, fields(*pseudo(host), *((f"x{n}", "y") for n in range(1000)))),
}  # fmt: skip

# What the service may see of it has no end: it must not be taken for whole.
CUT = {
    "less of a body than it says": posted("10", b"abc"),
    "more of a body than it says": posted("2", b"abc", b"def"),
    "more than it says, in the first piece": posted("2", b"abcdef"),
    "an end of a body that breaks": posted("10", b"abc", b""),
    "trailers with a pseudo field": lambda host: request(1, method="POST", path=ATTACK, authority=host, end=False) + frame(DATA, 0, 1, b"abc")
    + frame(HEADERS, END_HEADERS | END_STREAM, 1, fields((":path", "/other"))),
    "a second head without an end": lambda host: request(1, method="POST", path=ATTACK, authority=host, end=False)
    + frame(HEADERS, END_HEADERS, 1, fields(("x", "y"))),
    "padding longer than the frame": lambda host: request(1, method="POST", path=ATTACK, authority=host, end=False) + frame(DATA, PADDED, 1, b"\xffabc"),
    "INITIAL_WINDOW_SIZE that overflows a window": after(False, frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", (1 << 31) - 1 - (1 << 20))), settings((4, (1 << 31) - 1))),
    "more than the window": lambda host: request(1, method="POST", path="/held", authority=host, end=False)
    + b"".join(frame(DATA, 0, 1, b"x" * 16384) for _ in range(80)),
}  # fmt: skip

HPACK_BOMB = bytes([0x40]) + integer(1, 7) + b"x" + integer(4000, 7) + b"y" * 4000

# The connection ends.
FATAL = {
    "no preface": None,
    "half a preface": None,
    "HEADERS before SETTINGS": None,
    "DATA on stream 0": raw(frame(DATA, 0, 0, b"x")),
    "HEADERS on stream 0": raw(frame(HEADERS, END_HEADERS, 0, fields((":method", "GET")))),
    "HEADERS on an even stream": lambda host: request(2, path=ATTACK, authority=host),
    "an id that goes back": lambda host: request(5, path="/fine", authority=host) + request(3, path=ATTACK, authority=host),
    "an id used twice": lambda host: request(1, path="/fine", authority=host) + request(1, path=ATTACK, authority=host),
    "DATA of a stream that is none yet": raw(frame(DATA, 0, 7, b"x")),
    "RST_STREAM of a stream that is none yet": raw(frame(RST_STREAM, 0, 7, struct.pack(">I", CANCEL))),
    "WINDOW_UPDATE of a stream that is none yet": raw(frame(WINDOW_UPDATE, 0, 7, struct.pack(">I", 1))),
    "HEADERS behind its reset": after(False, frame(RST_STREAM, 0, 1, struct.pack(">I", CANCEL)), request(1, path=ATTACK, authority="x")),
    "DATA behind its reset": after(False, frame(RST_STREAM, 0, 1, struct.pack(">I", CANCEL)), frame(DATA, 0, 1, b"x")),
    "RST_STREAM on stream 0": raw(frame(RST_STREAM, 0, 0, struct.pack(">I", CANCEL))),
    "RST_STREAM of another size": after(False, frame(RST_STREAM, 0, 1, b"xxx")),
    "SETTINGS on a stream": raw(frame(SETTINGS, 0, 1, b"")),
    "SETTINGS of another size": raw(frame(SETTINGS, 0, 0, b"xxxxx")),
    "SETTINGS ACK with a payload": raw(frame(SETTINGS, 1, 0, b"\0\0\0\0\0\0")),
    "ENABLE_PUSH of 2": raw(settings((2, 2))),
    "INITIAL_WINDOW_SIZE too large": raw(settings((4, 1 << 31))),
    "MAX_FRAME_SIZE too small": raw(settings((5, 1))),
    "MAX_FRAME_SIZE too large": raw(settings((5, 1 << 24))),
    "PING of another size": raw(frame(PING, 0, 0, b"xxxxxxx")),
    "PING on a stream": raw(frame(PING, 0, 1, b"x" * 8)),
    "GOAWAY on a stream": raw(frame(GOAWAY, 0, 1, b"\0" * 8)),
    "GOAWAY too short": raw(frame(GOAWAY, 0, 0, b"\0" * 7)),
    "PUSH_PROMISE of a client": after(False, frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + fields((":method", "GET")))),
    "WINDOW_UPDATE of 0": raw(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0))),
    "WINDOW_UPDATE of another size": raw(frame(WINDOW_UPDATE, 0, 0, b"xxx")),
    "a window that overflows": raw(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", (1 << 31) - 1)) * 2),
    "CONTINUATION of nothing": raw(frame(CONTINUATION, END_HEADERS, 1, fields(("x", "y")))),
    "CONTINUATION of another stream": raw(frame(HEADERS, 0, 1, fields((":method", "GET"))) + frame(CONTINUATION, END_HEADERS, 3, b"")),
    "something between CONTINUATIONs": raw(frame(HEADERS, 0, 1, fields((":method", "GET"))) + frame(PING, 0, 0, b"x" * 8)),
    "an unknown frame between CONTINUATIONs": raw(frame(HEADERS, 0, 1, fields((":method", "GET"))) + frame(0xBB, 0, 0, b"x" * 8)),
    "a frame larger than we take": raw(frame(DATA, 0, 1, b"x" * 16385)),
    "PRIORITY on stream 0": raw(frame(PRIORITY, 0, 0, b"\0\0\0\1\0")),
    "PRIORITY of itself": raw(frame(PRIORITY, 0, 1, b"\0\0\0\1\0")),
    "HEADERS padded beyond their end": lambda host: frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, b"\xff" + fields(*pseudo(host))),
    "HPACK: an index of nothing": raw(frame(HEADERS, END_HEADERS | END_STREAM, 1, integer(1000, 7, 0x80))),
    "HPACK: index 0": raw(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x80")),
    "HPACK: an endless number": raw(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff" + b"\xff" * 20)),
    "HPACK: a string that is cut": raw(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x00" + integer(100, 7) + b"x")),
    "HPACK: Huffman with a wrong end": raw(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x00\x81\x00\x81\x00")),
    "HPACK: Huffman with EOS": raw(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x00\x84\xff\xff\xff\xff\x01x")),
    "HPACK: a table larger than ours": raw(frame(HEADERS, END_HEADERS | END_STREAM, 1, integer(1 << 20, 5, 0x20))),
    "HPACK: a size of the table late": lambda host: frame(HEADERS, END_HEADERS | END_STREAM, 1, fields(*pseudo(host)) + integer(0, 5, 0x20)),
    "noise": raw(os.urandom(4000).replace(b"\0\0", b"\xff\xff")),
    "HTTP/1.1": None,
    # floods
    "rapid reset": lambda host: b"".join(
        request(n, path="/held", authority=host) + frame(RST_STREAM, 0, n, struct.pack(">I", CANCEL)) for n in range(1, 4000, 2)),
    "SETTINGS without end": raw(settings((4, 65535)) * 5000),
    "PING without end": raw(frame(PING, 0, 0, b"x" * 8) * 5000),
    "empty DATA without end": lambda host: request(1, method="POST", path="/held", authority=host, end=False) + frame(DATA, 0, 1) * 5000,
    "unknown frames without end": raw(frame(0xBB, 0, 0, b"") * 5000),
    "PRIORITY without end": raw(b"".join(frame(PRIORITY, 0, n, b"\0\0\0\0\0") for n in range(1, 10001, 2))),
    "CONTINUATION without end": lambda host: frame(HEADERS, END_STREAM, 1, fields(*pseudo(host))) + frame(CONTINUATION, 0, 1, b"") * 5000,
    "CONTINUATION of fields without end": lambda host: frame(HEADERS, END_STREAM, 1, fields(*pseudo(host)))
    + b"".join(frame(CONTINUATION, 0, 1, fields((f"x{n}", "y" * 10000))) for n in range(400)),
    "an HPACK bomb": lambda host: frame(HEADERS, 0, 1, fields(*pseudo(host)) + HPACK_BOMB)
    + b"".join(frame(CONTINUATION, 0, 1, b"\xbe" * 16000) for _ in range(100)),
}  # fmt: skip

SPECIAL = {
    "no preface": lambda host: settings(),
    "half a preface": lambda host: PREFACE[:10] + b"xxxxxxxxxxxxxxxxxxxx",
    "HEADERS before SETTINGS": lambda host: PREFACE + request(1, path=ATTACK, authority=host),
    "HTTP/1.1": lambda host: f"GET {ATTACK} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(),
}

# Why, where there is one right word for it.
CODES = {
    "an id that goes back": PROTOCOL_ERROR,
    "HEADERS behind its reset": STREAM_CLOSED,
    "DATA behind its reset": STREAM_CLOSED,
    "SETTINGS of another size": FRAME_SIZE_ERROR,
    "a frame larger than we take": FRAME_SIZE_ERROR,
    "INITIAL_WINDOW_SIZE too large": FLOW_CONTROL_ERROR,
    "HPACK: an index of nothing": COMPRESSION_ERROR,
    "rapid reset": ENHANCE_YOUR_CALM,
    "PING without end": ENHANCE_YOUR_CALM,
    "unknown frames without end": ENHANCE_YOUR_CALM,
}

# Odd, and right.
FINE = {
    "te: trailers": with_field("te", "trailers"),
    "host that is the same": lambda host: request(1, ("host", host), path=ATTACK, authority=host),
    "host alone": lambda host: request(1, ("host", host), path=ATTACK),
    "an unknown method": lambda host: request(1, method="PURGE", path=ATTACK, authority=host),
    "an unknown frame": lambda host: frame(0xBB, 0xFF, 0, b"xyz") + request(1, path=ATTACK, authority=host),
    "unknown settings": lambda host: settings((0x4711, 1)) + request(1, path=ATTACK, authority=host),
    "padding": lambda host: frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, b"\x10" + fields(*pseudo(host)) + b"\0" * 16),
    "a priority": lambda host: frame(HEADERS, END_HEADERS | END_STREAM | PRIORITY_FLAG, 1, b"\0\0\0\0\xff" + fields(*pseudo(host))),
    "trailers of a request": lambda host: request(1, method="POST", path=ATTACK, authority=host, end=False) + frame(DATA, 0, 1, b"abc")
    + frame(HEADERS, END_HEADERS | END_STREAM, 1, fields(("x-sum", "1"))),
    "an empty DATA at the end": lambda host: request(1, method="POST", path=ATTACK, authority=host, end=False) + frame(DATA, END_STREAM, 1),
    "content-length of 0": lambda host: request(1, ("content-length", "0"), method="POST", path=ATTACK, authority=host),
    "a table of no size": lambda host: settings((1, 0)) + request(1, path=ATTACK, authority=host),
    "obs-text in a value": with_field("x", "\xe4\xf6"),
    "an empty value": with_field("x", ""),
    "ids that leave some out": lambda host: request(1, path=ATTACK, authority=host),
}  # fmt: skip


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One gateway for all rows: none may harm the others."""
    from conftest import Starter
    from h2_client import H2
    from tls_client import DOMAIN, Authority, address_of, tls_options

    starter = Starter(tmp_path_factory.mktemp("h2"))
    authority = Authority(tmp_path_factory.mktemp("ca"))  # noqa: F811
    service = starter.service()
    gateway = starter.gateway("--domain", DOMAIN, *tls_options(authority.certificate()))
    ttf = starter.forwarder(gateway, service)
    ttf.service, ttf.host, ttf.address = service, f"{ttf.tunnel_id}.{DOMAIN}", address_of(gateway)
    ttf.connect = lambda **more: H2(ttf.address, authority.context("h2"), DOMAIN, **more)
    yield ttf
    for program in (gateway, ttf):
        program.check()
    starter.stop_all()


def lives(ttf):
    """Others are served."""
    with ttf.connect() as connection:
        assert connection.get(1, "/after", ttf.host).status == 200


@pytest.mark.parametrize("row", MALFORMED)
def test_malformed_requests(shared, row):
    shared.service.reset()
    with shared.connect() as connection:
        connection.send(MALFORMED[row](shared.host))
        answer = connection.answer(1)
        is_refused = answer.reset is not None or connection.goaway or connection.closed
        assert is_refused or 400 <= answer.status < 500 or answer.status == 501, answer
    lives(shared)
    assert [seen.target for seen in shared.service.requests] == ["/after"]


@pytest.mark.parametrize("row", CUT)
def test_bodies_that_do_not_fit(shared, row):
    """They may have begun at the service, and do not end there as if they were whole."""
    shared.service.reset()
    whole = []
    shared.service.on(ATTACK, lambda seen: whole.append(seen))
    with shared.connect() as connection:
        connection.send(CUT[row](shared.host))
        answer = connection.answer(1)
        assert answer.reset is not None or connection.goaway or connection.closed or 400 <= answer.status < 500, answer
    lives(shared)
    assert not whole


@pytest.mark.parametrize("row", FATAL)
def test_what_ends_the_connection(shared, row):
    shared.service.reset()
    make = FATAL[row] or SPECIAL[row]
    with shared.connect(preface=row not in SPECIAL) as connection:
        connection.send(make(shared.host))
        connection.wait(lambda c: c.closed)
        assert connection.goaway != 0, "an end without an error"
        assert row not in CODES or connection.goaway == CODES[row]
    lives(shared)
    assert ATTACK not in [seen.path for seen in shared.service.requests]


@pytest.mark.parametrize("row", FINE)
def test_what_is_odd_and_right(shared, row):
    shared.service.reset()
    with shared.connect() as connection:
        connection.send(FINE[row](shared.host))
        assert connection.answer(1).status == 200, connection.answers
    assert [seen.path for seen in shared.service.requests] == [ATTACK]


def test_there_are_as_many_as_we_say():
    assert len(MALFORMED) + len(CUT) + len(FATAL) >= 120


def test_who_says_nothing(h2):  # noqa: F811
    ttf = h2("--header-timeout", "1s")
    with ttf.connect(preface=False) as connection:
        connection.wait(lambda c: c.closed)


def test_who_stops_within_a_head(h2):  # noqa: F811
    ttf = h2("--header-timeout", "1s", "--keepalive-timeout", "1s")
    with ttf.connect() as connection:
        connection.send(frame(HEADERS, 0, 1, fields((":method", "GET"))))
        connection.wait(lambda c: c.closed)


def test_who_asks_and_does_not_read(h2):  # noqa: F811
    """Bounded, and ended: answers to pings, settings and requests that nobody takes."""
    ttf = h2("--body-idle-timeout", "2s", "--keepalive-timeout", "2s")
    ttf.service.answer("/large", body=b"x" * 100_000)
    front = getattr(ttf.gateway, "front", ttf.gateway)
    before = front.rss_kib()
    with ttf.connect(window=(1 << 31) - 1) as connection:
        connection.connection.socket.settimeout(1)
        try:
            for stream in range(1, 40_001, 2):
                connection.connection.send(request(stream, path="/large", authority=ttf.host))
        except OSError:
            pass
        assert front.rss_kib() - before < 64 * 1024
    lives(ttf)


def counted(gateway, name):
    page = http_raw.request(gateway.admin, target="/metrics").body.decode()
    return float(next(line.rpartition(" ")[2] for line in page.splitlines() if line.startswith(name + " ")))


def wait_for(holds):
    deadline = time.monotonic() + http_raw.DEADLINE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_who_is_told_to_go_and_stays_costs_nothing(h2):  # noqa: F811
    """His socket was full, so the gateway waits until it takes more; half closed it says so without end."""
    ttf = h2()
    ttf.service.answer("/large", body=b"x" * 8_000_000)
    front = getattr(ttf.gateway, "front", ttf.gateway)
    with ttf.connect(window=(1 << 31) - 1) as connection:
        queued = []
        connection.send(b"".join(request(stream, path="/large", authority=ttf.host) for stream in (1, 3, 5)))
        wait_for(lambda: queued.append(queued_bytes({ttf.address[1]})) or (queued[-1] > 0 and len(queued) > 10 and len(set(queued[-10:])) == 1))
        before = counted(front, "process_cpu_seconds_total")
        connection.send(frame(PRIORITY, 0, 1, b"\0\0\0\1\0"))
        wait_for(lambda: counted(front, 'ttf_connections{port="public"}') == 0)
        assert counted(front, "process_cpu_seconds_total") - before < 0.5
    lives(ttf)
