"""Upgraded connections through a v2 tunnel: WebSockets by a library on both ends, and any other token in raw bytes."""

import asyncio
import hashlib
import os
import random
import signal
import threading

import pytest
import websockets
from websockets.legacy.client import connect

import http_raw
from backends import LINKS
from programs import SLOW, free_port
from service import accept_key, echo

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@pytest.fixture
def tunnel(start):
    """tunnel(service, *gateway_options): (gateway, ttf)"""

    def make(service, *options, ttf_options=()):
        gateway = start.gateway(*options)
        return gateway, start.forwarder(gateway, service, *ttf_options)

    return make


def dial(gateway, ttf, path="/", **more):
    host, port = gateway.address
    more = {"compression": None, "max_size": None, "ping_interval": None, "open_timeout": 60, **more}
    return connect(f"ws://{ttf.host}{path}", host=host, port=port, **more)


def upgrade(host, token="websocket", target="/ws", headers=()):
    fields = [("Connection", "Upgrade"), ("Upgrade", token), *headers]
    if token.lower() == "websocket":
        fields += [("Sec-WebSocket-Key", KEY), ("Sec-WebSocket-Version", "13")]
    return http_raw.build("GET", target, host, fields)


# ---- WebSockets ----


def check_echo(gateway, ttf, sizes):
    async def run():
        async with dial(gateway, ttf) as socket:

            async def send():
                for number, size in enumerate(sizes):
                    await socket.send(message(number, size))

            async def receive():
                for number, size in enumerate(sizes):
                    got = await asyncio.wait_for(socket.recv(), 60)
                    assert got == message(number, size), (number, size)

            await asyncio.gather(receive(), send())

    block = os.urandom(1 << 20)

    def message(number, size):
        if number % 3 == 0:
            return f"{number} text \u20ac ".ljust(size, "x")[:size]
        return (number.to_bytes(4, "big") + block)[:size]

    asyncio.run(run())


def test_websocket_echo(start, tunnel):
    """Messages of 1 B to 1 MB, text and binary, pipelined, byte for byte in both directions."""
    gateway, ttf = tunnel(start.websockets(echo))
    chance = random.Random(1)
    sizes = [1, 2, 125, 126, 127, 65535, 65536, 65537, 1_000_000] + [int(10 ** chance.uniform(0, 6)) for _ in range(300)]
    check_echo(gateway, ttf, sizes)


@pytest.mark.slow
def test_websocket_echo_of_10_000_messages(start, tunnel):
    gateway, ttf = tunnel(start.websockets(echo))
    chance = random.Random(2)
    check_echo(gateway, ttf, [int(10 ** chance.uniform(0, 4)) for _ in range(9_900)] + [1_000_000] * 100)


def test_websocket_handshake(start, tunnel):
    """The service sees the visitor's path and fields but a key of ttf's own; the subprotocol and fields of its answer pass."""
    seen = []

    async def look(socket):
        seen.append((socket.path, socket.request_headers))
        await socket.send("hello")

    service = start.websockets(look, subprotocols=["chat.v2"], extra_headers={"X-Mark": "1", "Set-Cookie": "a=b"})
    gateway, ttf = tunnel(service)

    async def run():
        async with dial(gateway, ttf, "/a%2Fb?x=1&&", subprotocols=["chat.v1", "chat.v2"], origin="http://else.example", extra_headers={"Cookie": "c=d"}) as socket:
            assert await socket.recv() == "hello"
            return socket.subprotocol, socket.response_headers

    subprotocol, headers = asyncio.run(run())
    assert subprotocol == "chat.v2"
    assert headers["x-mark"] == "1" and headers["set-cookie"] == "a=b"
    assert not [name for name in headers if name.lower().startswith("x-tunnel-upgraded")]
    path, asked = seen[0]
    assert path == "/a%2Fb?x=1&&"
    assert asked["Host"] == ttf.host and asked["Origin"] == "http://else.example" and asked["Cookie"] == "c=d"
    assert asked["Sec-WebSocket-Protocol"] == "chat.v1, chat.v2"
    assert len(asked.get_all("Sec-WebSocket-Key")) == 1 and asked.get_all("Sec-WebSocket-Version") == ["13"]
    assert asked["X-Forwarded-Host"] == ttf.host


def test_websocket_with_compression(start):
    """Extensions are between the two ends."""
    async def run(gateway, ttf):
        async with dial(gateway, ttf, compression="deflate") as socket:
            assert [e.name for e in socket.extensions] == ["permessage-deflate"]
            for size in (1, 1000, 300_000):
                await socket.send("x" * size)
                assert await socket.recv() == "x" * size

    from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

    service = start.websockets(echo, extensions=[ServerPerMessageDeflateFactory()])
    gateway = start.gateway()
    asyncio.run(run(gateway, start.forwarder(gateway, service)))


def test_close_code_of_the_visitor_reaches_the_service(start, tunnel):
    service = start.websockets(echo)
    gateway, ttf = tunnel(service)

    async def run():
        socket = await dial(gateway, ttf)
        await socket.send("x")
        await socket.recv()
        await socket.close(4321, "my own reason")

    asyncio.run(run())
    assert service.wait_ended() == [(4321, "my own reason")]


def test_close_code_of_the_service_reaches_the_visitor(start, tunnel):
    async def close(socket):
        await socket.recv()
        await socket.close(3005, "the service's reason")

    gateway, ttf = tunnel(start.websockets(close))

    async def run():
        async with dial(gateway, ttf) as socket:
            await socket.send("x")
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(socket.recv(), 60)
            return socket.close_code, socket.close_reason

    assert asyncio.run(run()) == (3005, "the service's reason")


def test_visitor_who_vanishes_ends_the_services_websocket(start, tunnel):
    service = start.websockets(echo)
    gateway, ttf = tunnel(service)

    async def run():
        socket = await dial(gateway, ttf)
        await socket.send("x")
        await socket.recv()
        socket.transport.abort()

    asyncio.run(run())
    assert service.wait_ended()[0][0] == 1006


def test_service_that_vanishes_ends_the_visitors_websocket(start, tunnel):
    async def vanish(socket):
        await socket.recv()
        socket.transport.abort()

    gateway, ttf = tunnel(start.websockets(vanish))

    async def run():
        async with dial(gateway, ttf) as socket:
            await socket.send("x")
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(socket.recv(), 60)
            return socket.close_code

    assert asyncio.run(run()) == 1006


@pytest.mark.parametrize("who", ["ttf", "gateway"])
def test_death_in_between_ends_both(start, tunnel, who):
    service = start.websockets(echo)
    gateway, ttf = tunnel(service)

    async def run():
        async with dial(gateway, ttf) as socket:
            await socket.send("x")
            await socket.recv()
            {"ttf": ttf, "gateway": gateway}[who].kill()
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(socket.recv(), 60)

    asyncio.run(run())
    assert service.wait_ended()[0][0] == 1006


def check_many(gateway, ttf, count):
    async def one(number, opened, go):
        async with dial(gateway, ttf, f"/{number}") as socket:
            await socket.send(f"first {number}")
            assert await asyncio.wait_for(socket.recv(), 90) == f"first {number}"
            opened.release()
            await go.wait()
            for turn in range(3):
                data = hashlib.sha256(f"{number} {turn}".encode()).digest() * (1 + number % 50)
                await socket.send(data)
                assert await asyncio.wait_for(socket.recv(), 90) == data

    async def run():
        opened, go = asyncio.Semaphore(0), asyncio.Event()
        tasks = [asyncio.ensure_future(one(n, opened, go)) for n in range(count)]

        async def all_open():
            for _ in range(count):
                await opened.acquire()

        waiting = asyncio.ensure_future(all_open())
        failed = asyncio.ensure_future(asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION))
        await asyncio.wait([waiting, failed], return_when=asyncio.FIRST_COMPLETED, timeout=100)
        if not waiting.done():
            failures = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 1)
            raise AssertionError(f"not all are open: {[f for f in failures if f][:3]}")
        assert http_raw.request(gateway.address, target="/", host=ttf.host).status == 426  # ordinary requests go on beside
        go.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())


def test_200_websockets_at_once(start, tunnel):
    service = start.websockets(echo)
    gateway, ttf = tunnel(service)
    check_many(gateway, ttf, 200)
    assert all(code == 1000 for code, _ in service.wait_ended(200))


@pytest.mark.slow
@pytest.mark.alone
def test_1000_websockets_at_once(start, tunnel):
    service = start.websockets(echo)
    gateway, ttf = tunnel(service)
    check_many(gateway, ttf, 1000)
    assert all(code == 1000 for code, _ in service.wait_ended(1000))


def test_websocket_may_be_silent(start, tunnel):
    """Longer than every timeout there is; only the link's own keep-alives pass."""
    gateway, ttf = tunnel(
        start.websockets(echo), "--body-idle-timeout", "2s", "--keepalive-timeout", "2s", "--request-timeout", "2",
        "--agent-ping-interval", "1500ms", ttf_options=("--request-timeout", "2"),
    )  # fmt: skip

    async def run():
        async with dial(gateway, ttf) as socket:
            for number in range(2):
                await asyncio.sleep(3.5)
                await socket.send(f"{number}")
                assert await asyncio.wait_for(socket.recv(), 60) == f"{number}"

    asyncio.run(run())


def test_websocket_of_a_stalled_reader_harms_nobody(start, tunnel):
    """The visitor reads nothing: the service's sending stops at a bound, and another WebSocket goes on."""
    sent = [0]

    async def serve(socket):
        if await socket.recv() == "flood":
            for _ in range(1000):
                await socket.send(b"x" * 65536)
                sent[0] += 65536
        else:
            await socket.send("other")

    gateway, ttf = tunnel(start.websockets(serve))

    async def run():
        async with dial(gateway, ttf, max_queue=1) as stalled:
            await stalled.send("flood")
            last = -1
            while sent[0] != last:
                last = sent[0]
                await asyncio.sleep(1)
            assert 0 < sent[0] < LINKS * (16 << 20), sent
            async with dial(gateway, ttf) as other:
                await other.send("?")
                assert await asyncio.wait_for(other.recv(), 60) == "other"
            total = 0
            while total < 1000 * 65536:
                total += len(await asyncio.wait_for(stalled.recv(), 60))

    asyncio.run(run())


def test_websocket_when_the_gateway_drains(start, tunnel):
    """It does not keep the gateway from stopping."""
    service = start.websockets(echo)
    gateway, ttf = tunnel(service, "--drain-timeout", "1s")

    async def run():
        async with dial(gateway, ttf) as socket:
            await socket.send("x")
            await socket.recv()
            gateway.process.send_signal(signal.SIGTERM)
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(socket.recv(), 60)

    asyncio.run(run())
    assert gateway.wait_exit() == 0
    service.wait_ended()


def test_visitors_key_is_answered_rightly(start, tunnel):
    """The accept is that of the visitor's key, though ttf asked the service with another."""
    gateway, ttf = tunnel(start.websockets(echo))
    with http_raw.Connection(gateway.address) as connection:
        connection.send(upgrade(ttf.host))
        response = connection.read_head()
        assert response.status == 101, response
        assert response.all("sec-websocket-accept") == [accept_key(KEY)]
        assert response.header("upgrade", "").lower() == "websocket"
        assert "upgrade" in response.header("connection", "").lower()
        assert response.header("content-length") is None and response.header("transfer-encoding") is None


@pytest.mark.parametrize("key", ["", "x", "dGhlIHNhbXBsZSBub25jZQ=="[:-4]])
def test_bad_websocket_keys(start, tunnel, key):
    gateway, ttf = tunnel(start.websockets(echo))
    headers = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", key), ("Sec-WebSocket-Version", "13")]
    with http_raw.Connection(gateway.address) as connection:
        connection.send(http_raw.build(host=ttf.host, headers=headers))
        response = connection.read_head()
        assert response.status in (400, 426), response
    assert http_raw.request(gateway.address, target="/", host=ttf.host).status == 426


# ---- other tokens, in raw bytes ----


def raw_echo(exchange):
    request = exchange.request
    assert request.header("upgrade") == "foo" and request.header("connection", "").lower() == "upgrade", request.headers
    exchange.head(101, ("Connection", "Upgrade"), ("Upgrade", "foo"), ("X-Mark", "1"), reason="Switching")
    while data := exchange.read():
        exchange.send(data)


def read_exactly(connection, size):
    return connection._exactly(size)


def test_any_other_token(stack):
    """Bytes of no known protocol, sent together with the request already, and 5 MB both ways at once."""
    stack.service.stream("/foo", raw_echo)
    data = os.urandom(5_000_000)
    with stack.connect() as connection:
        connection.send(upgrade(stack.ttf.host, "foo", "/foo") + b"\0early\xff")
        response = connection.read_head()
        assert (response.status, response.header("upgrade"), response.header("x-mark")) == (101, "foo", "1"), response
        assert response.header("sec-websocket-accept") is None
        assert read_exactly(connection, 7) == b"\0early\xff"
        sender = threading.Thread(target=connection.send, args=(data,))
        sender.start()
        assert hashlib.sha256(read_exactly(connection, len(data))).digest() == hashlib.sha256(data).digest()
        sender.join()


def test_service_speaks_first(stack):
    def serve(exchange):
        exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\nwelcome")
        exchange.read()

    stack.service.stream("/foo", serve)
    with stack.connect() as connection:
        connection.send(upgrade(stack.ttf.host, "foo", "/foo"))
        assert connection.read_head().status == 101
        assert read_exactly(connection, 7) == b"welcome"


def test_half_closed(stack):
    """The visitor has said all he has to say; the service's answer still arrives, and then the end."""

    def serve(exchange):
        exchange.head(101, ("Connection", "Upgrade"), ("Upgrade", "foo"))
        got = b""
        while data := exchange.read():
            got += data
        exchange.send(b"got " + got)

    stack.service.stream("/foo", serve)
    with stack.connect() as connection:
        connection.send(upgrade(stack.ttf.host, "foo", "/foo"))
        assert connection.read_head().status == 101
        connection.send(b"all of it")
        connection.socket.shutdown(1)
        assert read_exactly(connection, 13) == b"got all of it"
        assert connection.is_closed_within(30)


def test_visitor_who_resets_an_upgraded_connection(stack):
    ends = threading.Semaphore(0)

    def serve(exchange):
        exchange.head(101, ("Connection", "Upgrade"), ("Upgrade", "foo"))
        if exchange.is_closed_within(20 * SLOW):
            ends.release()

    stack.service.stream("/foo", serve)
    for _ in range(20):
        with stack.connect() as connection:
            connection.send(upgrade(stack.ttf.host, "foo", "/foo"))
            assert connection.read_head().status == 101
            connection.reset()
    for _ in range(20):
        assert ends.acquire(timeout=20 * SLOW), "the service does not hear of it"


@pytest.mark.parametrize("token", ["websocket", "foo"])
def test_service_answers_200_to_an_upgrade(stack, token):
    """An ordinary answer; the connection goes on as HTTP."""
    stack.service.answer("/ws", headers=[("Content-Type", "text/plain"), ("X-Mark", "1")], body="no upgrade here")
    with stack.connect() as connection:
        connection.send(upgrade(stack.ttf.host, token))
        response = connection.read_response()
        assert (response.status, response.body, response.header("x-mark")) == (200, b"no upgrade here", "1")
        assert response.error is None
        if not connection.is_closed_within(0.2):
            connection.send(http_raw.build(target="/next", host=stack.ttf.host))
            assert connection.read_response().json()["target"] == "/next"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 426, 500, 503])
def test_service_refuses_an_upgrade(stack, status):
    stack.service.answer("/ws", status=status, body="why not", headers=[("WWW-Authenticate", "Basic")])
    response = stack.exchange(upgrade(stack.ttf.host))
    assert (response.status, response.body, response.error) == (status, b"why not", None)
    assert response.header("www-authenticate") == "Basic"


SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\n"
BAD_SWITCHES = {
    "wrong accept": SWITCHING + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    "no accept": SWITCHING + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "two accepts": SWITCHING + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: a\r\nSec-WebSocket-Accept: b\r\n\r\n",
    "another token": SWITCHING + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "no token": SWITCHING + b"Connection: Upgrade\r\n\r\n",
    "cut in the head": SWITCHING + b"Connection: Upg",
    "nothing": b"",
    "nonsense": b"\0\1\2\3\r\n\r\n",
}


@pytest.mark.parametrize("case", BAD_SWITCHES)
def test_bad_switches_are_502(stack, case):
    stack.service.answer("/ws", raw=BAD_SWITCHES[case])
    response = stack.exchange(upgrade(stack.ttf.host))
    assert (response.status, response.error) == (502, "bad_response"), response
    assert stack.request().status == 200


def test_foo_that_is_switched_to_bar(stack):
    stack.service.answer("/foo", raw=SWITCHING + b"Connection: Upgrade\r\nUpgrade: bar\r\n\r\n")
    response = stack.exchange(upgrade(stack.ttf.host, "foo", "/foo"))
    assert (response.status, response.error) == (502, "bad_response"), response


def test_service_that_accepts_an_upgrade_and_says_nothing(fresh):
    stack = fresh(ttf_options=("--request-timeout", "1"))
    left = threading.Event()
    stack.service.stream("/ws", lambda exchange: exchange.is_closed_within(30) and left.set())
    response = stack.exchange(upgrade(stack.ttf.host))
    assert (response.status, response.error) == (504, "timeout"), response
    assert left.wait(10), "the local request still runs"


def test_upgrade_without_a_service(start):
    gateway = start.gateway()
    ttf = start.forwarder(gateway, free_port())
    with http_raw.Connection(gateway.address) as connection:
        connection.send(upgrade(ttf.host))
        response = connection.read_response()
    assert (response.status, response.error) == (503, "local_service_unavailable")


def test_what_a_visitor_may_not_say(stack):
    """x-tunnel-upgraded is between our programs; from a visitor or a service it means nothing."""
    stack.service.answer("/ws", headers=[("X-Tunnel-Upgraded", "1")], body="ordinary")
    response = stack.exchange(upgrade(stack.ttf.host, headers=[("X-Tunnel-Upgraded", "1")]))
    assert (response.status, response.body) == (200, b"ordinary"), response
    assert response.header("x-tunnel-upgraded") is None
    assert stack.service.seen("/ws")[0].header("x-tunnel-upgraded") is None


def test_upgrades_in_path_mode(start, tunnel):
    service = start.websockets(echo)
    gateway, ttf = tunnel(service)

    async def run():
        uri = f"ws://127.0.0.1:{gateway.address[1]}/{ttf.tunnel_id}/hot?x"
        async with connect(uri, compression=None) as socket:
            await socket.send("through the path")
            assert await asyncio.wait_for(socket.recv(), 60) == "through the path"

    asyncio.run(run())


def test_websocket_with_a_rewritten_host(start, tunnel):
    """As Vite's hot reload needs it: Host and Origin are the service's own."""
    seen = []

    async def look(socket):
        seen.append(socket.request_headers)
        await socket.send("ok")

    service = start.websockets(look)
    gateway, ttf = tunnel(service, ttf_options=("--host-header", "rewrite"))

    async def run():
        async with dial(gateway, ttf, origin=f"http://{ttf.host}", subprotocols=None) as socket:
            assert await socket.recv() == "ok"

    asyncio.run(run())
    assert seen[0]["Host"] == f"localhost:{service.port}"
    assert seen[0]["Origin"] == f"http://localhost:{service.port}"


def test_upgrade_to_a_tunnel_that_is_not_there(stack):
    response = stack.exchange(upgrade("aaaaaaaaaaaa.localhost"))
    assert (response.status, response.error) == (404, "tunnel_not_found")


# ---- an offer with a request of any kind: it reaches the service as it is, and the service decides ----


def offer(host, token, method="POST", target="/offer", headers=(), body=b""):
    fields = [("Connection", "Upgrade"), ("Upgrade", token), *headers]
    return http_raw.build(method, target, host, fields, body)


def take_over(exchange):
    """Switches to the first protocol offered, says what it was asked, and echoes."""
    request = exchange.request
    exchange.head(101, ("Connection", "Upgrade"), ("Upgrade", request.header("upgrade").split(",")[0]), ("Content-Length", "0"))
    exchange.send(f"{request.method} {request.target} ".encode())
    while data := exchange.read():
        exchange.send(data)
    exchange.send(b" bye")


@pytest.mark.parametrize("token", ["tcp", "tailscale-control-protocol", "SPDY/3.1", "IRC/6.9, RTA/x11"])
@pytest.mark.parametrize("size", [0, 5, 300_000])
def test_body_and_offer_of_a_post(stack, token, size):
    """As `docker exec` and Tailscale ask; the body is before what was switched to, for the service as for the visitor."""
    stack.service.stream("/offer", take_over)
    body = os.urandom(size)
    with stack.connect() as connection:
        connection.send(offer(stack.ttf.host, token, body=body))
        response = connection.read_head()
        assert (response.status, response.header("upgrade")) == (101, token.split(",")[0]), response
        assert response.header("content-length") is None
        assert not [name for name, _ in response.headers if name.lower().startswith("x-tunnel")], response.headers
        assert read_exactly(connection, 12) == b"POST /offer "
        assert read_exactly(connection, size) == body
        connection.send(b"more")
        assert read_exactly(connection, 4) == b"more"
        connection.socket.shutdown(1)
        assert read_exactly(connection, 4) == b" bye"
        assert connection.is_closed_within(30)


@pytest.mark.parametrize("token", ["TLS/1.2", "SPDY/3.1", "HTTP/2.0", "IRC/6.9, RTA/x11", "tcp", "websocket"])
@pytest.mark.parametrize("method", ["GET", "POST", "PROPFIND"])
def test_offer_that_is_ignored(stack, token, method):
    """The service gets the request as it was made, answers it, and the connection goes on."""
    key = [("Sec-WebSocket-Key", KEY), ("Sec-WebSocket-Version", "13")] if token == "websocket" else []
    with stack.connect() as connection:
        for number in range(3):
            connection.send(offer(stack.ttf.host, token, method, f"/echo?{number}", key, b"hello"))
            echoed = connection.read_response().json()
            assert (echoed["method"], echoed["target"]) == (method, f"/echo?{number}")
    request = stack.service.seen("/echo")[-1]
    assert request.body == b"hello" and request.header("upgrade") == token, request.headers
    assert request.header("connection").lower() == "upgrade"


def test_offer_with_head(stack):
    """Answered without a body, as it would be without the offer; the connection goes on."""
    with stack.connect() as connection:
        for _ in range(2):
            connection.send(http_raw.build("HEAD", "/head", stack.ttf.host, [("Connection", "Upgrade"), ("Upgrade", "TLS/1.2")]))
            assert connection.read_response("HEAD").status == 200
    request = stack.service.seen("/head")[-1]
    assert (request.method, request.header("upgrade")) == ("HEAD", "TLS/1.2")


def test_offer_with_a_body_of_unknown_length(stack):
    fields = [("Connection", "Upgrade"), ("Upgrade", "tcp"), ("Transfer-Encoding", "chunked")]
    with stack.connect() as connection:
        connection.send(http_raw.build("POST", "/chunks", stack.ttf.host, fields) + b"5\r\nhello\r\n0\r\n\r\n")
        assert connection.read_response().status == 200
    request = stack.service.seen("/chunks")[-1]
    assert request.body == b"hello" and request.header("upgrade") is None


def test_forged_offer(stack):
    """Fields of ours from a visitor mean nothing."""
    headers = [("X-Tunnel-Upgrade", "tcp"), ("X-Tunnel-Content-Length", "2"), ("X-Tunnel-Upgraded", "1")]
    with stack.connect() as connection:
        connection.send(http_raw.build("POST", "/forged", stack.ttf.host, headers, body=b"hello"))
        assert connection.read_response().status == 200
    request = stack.service.seen("/forged")[-1]
    assert request.body == b"hello" and request.header("upgrade") is None


def test_handshake_with_a_content_length(start, tunnel):
    """Java's HttpClient says `Content-Length: 0` in each handshake."""
    gateway, ttf = tunnel(start.websockets(echo))
    with http_raw.Connection(gateway.address) as connection:
        connection.send(upgrade(ttf.host, headers=[("Content-Length", "0"), ("Keep-Alive", "1"), ("Proxy-Connection", "x"), ("TE", "gzip")]))
        assert connection.read_head().status == 101
        connection.send(b"\x81\x82\0\0\0\0hi")
        assert read_exactly(connection, 4) == b"\x81\x02hi"


def test_agent_that_knows_extended_connect_alone(start):
    """One of before is asked without the offer that it could not pass on."""
    gateway = start.gateway()
    agent = start.agent_v2(gateway)
    with http_raw.Connection(gateway.address) as connection:
        for method, token in [("POST", "tcp"), ("GET", "TLS/1.2"), ("GET", "a, b")]:
            body = b"hello" if method == "POST" else b""
            connection.send(offer(agent.host, token, method, body=body))
            request = agent.next_whole_request()
            assert request.method == method and request.headers.get("content-length", "0") == str(len(body))
            assert not [name for name in request.headers if name.startswith("x-tunnel")], request.headers
            agent.reply(request, body=b"served")
            assert connection.read_response().body == b"served"
            assert request.body == body
        connection.send(offer(agent.host, "tcp", "GET"))
        request = agent.next_request()
        assert (request.method, request.headers[":protocol"]) == ("CONNECT", "tcp")
        assert "content-length" not in request.headers


def test_agent_that_is_offered_upgrades(start):
    """What docs/PROTOCOL.md says of the capability `upgrades`."""
    gateway = start.gateway()
    agent = start.agent_v2(gateway, ready={"type": "ready", "capabilities": ["upgrades"]})
    with http_raw.Connection(gateway.address) as connection:
        connection.send(offer(agent.host, "a, b/2", body=b"hello"))
        request = agent.next_request()
        fields = request.headers
        assert (request.method, fields["x-tunnel-upgrade"], fields["x-tunnel-content-length"]) == ("POST", "a, b/2", "5")
        assert "content-length" not in fields
        agent.reply(request, ("x-tunnel-upgraded", "1"), ("x-tunnel-upgrade", "b/2"), body=b"hi", end=False)
        response = connection.read_head()
        assert (response.status, response.header("upgrade")) == (101, "b/2"), response
        assert read_exactly(connection, 2) == b"hi"


def test_offer_to_an_agent_of_v1(start):
    gateway = start.gateway("--agent-protocols", "v1")
    service = start.service()
    ttf = start.forwarder(gateway, service)
    with http_raw.Connection(gateway.address) as connection:
        connection.send(offer(ttf.host, "TLS/1.2", target="/v1", body=b"hello"))
        assert connection.read_response().status == 200
    request = service.seen("/v1")[-1]
    assert (request.method, request.body, request.header("upgrade")) == ("POST", b"hello", None)
