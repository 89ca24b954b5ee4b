"""The gateway against agents that are not ours: an older one, broken ones, hostile ones. They are written in Python from
docs/PROTOCOL.md."""

import base64
import json
import socket
import threading
from pathlib import Path

import pytest
import websockets

import backends
import http_raw
from agent_v1 import answer, hello
from service import Response

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def visit(gateway, agent, target="/", **more):
    return http_raw.request(gateway.address, target=target, host=f"{agent.tunnel_id}.localhost", **more)


class Visit(threading.Thread):
    def __init__(self, gateway, agent, **more):
        super().__init__(daemon=True)
        self.call = lambda: visit(gateway, agent, **more)
        self.response = None
        self.start()

    def run(self):
        self.response = self.call()

    def result(self, seconds=60):
        self.join(seconds)
        assert self.response is not None, "no answer"
        return self.response


def test_plain_v1_agent(start):
    gateway = start.gateway()
    agent = start.agent(gateway, hello)
    established = agent.established
    assert set(established) >= {"type", "connection_id", "tunnel_id", "public_url"}
    assert "resume" not in established and "capabilities" not in established, "it did not offer these"
    assert established["public_url"] == f"http://{agent.tunnel_id}.localhost:{gateway.address[1]}"
    assert visit(gateway, agent, "/a?b").body == b"GET /a?b"


def test_ready_said_the_older_way(start):
    gateway = start.gateway()
    agent = start.agent(gateway, hello, ready={"action": "ready"})
    assert visit(gateway, agent).status == 200


def test_what_a_request_looks_like(start):
    gateway = start.gateway()
    agent = start.agent(gateway)
    body = bytes(range(256))
    waiting = Visit(gateway, agent, method="POST", target="/p%2F?x=1&&", headers=[("X-A", "1"), ("X-A", "2"), ("X-E", "")], body=body)
    request = agent.next_request()
    assert request["type"] == "http_request"
    assert request["method"] == "POST"
    assert request["uri"] == "/p%2F?x=1&&"
    assert request["headers"]["x-a"] == ["1", "2"]
    assert request["headers"]["x-e"] == [""]
    assert all(isinstance(v, list) and k == k.lower() for k, v in request["headers"].items())
    assert base64.b64decode(request["body"], validate=True) == body
    assert isinstance(request["timestamp"], int) and request["timestamp"] > 1_600_000_000_000
    assert 0 < len(request["request_id"].encode()) <= 256
    agent.send(answer(request, status=201, headers={"X-Mixed": ["1", "2"], "set-cookie": ["a", "b"]}, body=b"made"))
    response = waiting.result()
    assert (response.status, response.body) == (201, b"made")
    assert response.all("x-mixed") == ["1", "2"]
    assert response.all("set-cookie") == ["a", "b"]


def frame(opcode, payload):
    """Masked with the key 0, which changes nothing."""
    assert len(payload) < 65536
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else bytes([0x80 | 126]) + len(payload).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + bytes(4) + payload


def test_half_a_frame_and_a_long_silence(start):
    """A link that is silent gives the memory of its buffers back, but not the half of a message that stands in one of them."""
    gateway = start.gateway("--agent-ping-interval", "4s")  # it rests after 2 s
    with http_raw.Connection(gateway.agents) as agent:
        agent.send(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")  # fmt: skip
        agent.read_until(b"\r\n\r\n")
        whole = frame(1, json.dumps({"type": "ready", "padding": "x" * 20000}).encode())
        agent.send(whole[:15000])
        agent.read_until(b"\x89\x00", 20)  # silent for 4 s
        agent.send(whole[15000:])
        assert b"connection_established" in agent.read_until(b"}", 20)


def test_silent_for_six_minutes(start):
    """The older agents speak up every 300 s only, and a gateway asks every 7 s. Here the clock runs faster: 6 intervals of silence
    on the agent's side, but for the pongs that its library sends by itself."""
    gateway = start.gateway("--agent-ping-interval", "1500ms")
    agent = start.agent(gateway, hello)
    assert not agent.closed.wait(6 * 1.5), "the gateway dropped a silent agent that answers pings"
    assert visit(gateway, agent, "/still-here").body == b"GET /still-here"


def test_heartbeat_of_the_agent(start):
    gateway = start.gateway()
    agent = start.agent(gateway, hello)
    for _ in range(3):
        agent.send({"type": "ping"})
        assert agent.messages.get(timeout=60)["type"] == "pong"
    agent.send({"type": "pong"})
    agent.settle()
    assert visit(gateway, agent).status == 200


def test_name_by_header_and_query(start):
    gateway = start.gateway()
    assert start.agent(gateway, hello, name="by-header").tunnel_id == "by-header"
    assert start.agent(f"{gateway.endpoint}/?name=by-query", hello).tunnel_id == "by-query"


@pytest.mark.parametrize("path", ["/", "/ws", "/anything/else"])
def test_any_path_will_do(start, path):
    gateway = start.gateway()
    agent = start.agent(gateway.endpoint + path, hello)
    assert visit(gateway, agent).status == 200


def refused(start, *arguments, **more):
    with pytest.raises(websockets.InvalidStatusCode) as caught:
        start.agent(*arguments, **more)
    return caught.value.status_code


def test_second_agent_of_a_live_name_gets_409(start):
    gateway = start.gateway()
    first = start.agent(gateway, hello, name="taken")
    assert refused(start, gateway, name="taken") == 409
    assert visit(gateway, first, "/x").body == b"GET /x"
    # The name stays its owner's for a while after he left.
    first.stop()
    assert refused(start, gateway, name="taken") == 409


@pytest.mark.parametrize("name", ["ab", "-abc", "abc-", "a_b", "a.b", "x" * 64, "ABC!", "a b", "%00ab", "www/../x"])
def test_bad_names_are_refused(start, name):
    gateway = start.gateway()
    assert refused(start, gateway, name=name) in (400, 409)


@pytest.mark.parametrize("name", ["www", "admin", "api", "localhost", "xn--bcher-kva"])
def test_names_of_the_gateways_own_are_not_given_away(start, name):
    gateway = start.gateway("--allowed-names", "other")
    assert refused(start, gateway, name=name) == 403
    gateway.wait_err("refused with 403: this name is not given away here")
    allowing = start.gateway("--allowed-names", f"other,{name}")
    assert start.agent(allowing, hello, name=name).tunnel_id == name


def test_origin_is_refused(start):
    """No page of some web site may open a tunnel from its visitor's browser."""
    gateway = start.gateway()
    assert refused(start, gateway, headers={"Origin": "http://evil.example"}) == 403


def test_plain_http_on_the_agent_port(start):
    gateway = start.gateway()
    for data in (
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ):
        with http_raw.Connection(gateway.agents) as connection:
            connection.send(data)
            reply = connection.read_until_close(20)
            assert reply == b"" or reply.split(b" ")[1][:1] == b"4", (data, reply)
    agent = start.agent(gateway, hello)
    assert visit(gateway, agent).status == 200


def test_slow_and_endless_heads_on_the_agent_port(start):
    gateway = start.gateway("--header-timeout", "1")
    with http_raw.Connection(gateway.agents) as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: ")
        connection.read_until_close(20)
    with http_raw.Connection(gateway.agents) as connection:
        try:
            connection.send(b"GET / HTTP/1.1\r\nX: " + b"x" * (1 << 20))
            connection.read_until_close(20)
        except ConnectionError:
            pass
    assert visit(gateway, start.agent(gateway, hello)).status == 200


@pytest.mark.parametrize("kind", ["bad", "ok"])
def test_golden_messages_do_no_harm(start, kind):
    """Every message of tests/golden, as a text frame. A malformed one is dropped, and the connection kept where that is
    safe (text that is not UTF-8 ends a WebSocket, RFC 6455 8.1)."""
    gateway = start.gateway()
    other = start.agent(gateway, hello)
    agent = start.agent(gateway, hello)
    for file in sorted((GOLDEN / kind).glob("*.json")):
        data = file.read_bytes()
        try:
            data.decode("utf-8")
            legal = True
        except UnicodeDecodeError:
            legal = False
        try:
            agent.send_text(data)
            agent.settle()
        except Exception:
            assert not legal, f"{file.name} ended the connection"
        ended = agent.closed.is_set() or (not legal and visit(gateway, agent, "/").status != 200)  # an end that is on its way
        if ended:
            assert not legal and agent.closed.wait(60), f"{file.name} ended the connection"
            agent = start.agent(gateway, hello)
        response = visit(gateway, agent, f"/{file.stem}")
        assert response.body == f"GET /{file.stem}".encode(), file.name
    assert visit(gateway, other, "/other").body == b"GET /other"


MALFORMED_ANSWERS = {
    "bad base64": dict(body="SGV*bG8="),
    "body as number": dict(body=5),
    "status as text": dict(status_code="200"),
    "headers as list": dict(headers=[["a", "b"]]),
    "header value as text": dict(headers={"a": "b"}),
    "unknown id": dict(request_id="no-such-request"),
    "id as number": dict(request_id=1),
    "no id": dict(request_id=None),
    "id too long": dict(request_id="x" * 300),
}


@pytest.mark.parametrize("change", MALFORMED_ANSWERS)
def test_malformed_answer_is_dropped(start, change):
    """As if it had never come: the right one that follows is the answer."""
    gateway = start.gateway()
    agent = start.agent(gateway)
    waiting = Visit(gateway, agent)
    request = agent.next_request()
    agent.send({**answer(request, body=b"wrong"), **MALFORMED_ANSWERS[change]})
    agent.settle()
    agent.send(answer(request, body=b"right"))
    assert waiting.result().body == b"right"


BAD_ANSWERS = {
    "CR in a value": dict(headers={"x-a": ["a\rb"]}),
    "LF in a value": dict(headers={"x-a": ["a\nSet-Cookie: evil=1"]}),
    "CRLF in a value": dict(headers={"x-a": ["a\r\n\r\nHTTP/1.1 200 OK"]}),
    "control byte in a value": dict(headers={"x-a": ["a\x01"]}),
    "LF in a name": dict(headers={"x-a\nb": ["1"]}),
    "blank in a name": dict(headers={"x a": ["1"]}),
    "colon in a name": dict(headers={"x-a:": ["1"]}),
    "empty name": dict(headers={"": ["1"]}),
    "status 99": dict(status_code=99),
    "status 0": dict(status_code=0),
    "status 1000": dict(status_code=1000),
    "status 101": dict(status_code=101),
    "status 100": dict(status_code=100),
    "status negative": dict(status_code=-200),
    "value of 8193 bytes": dict(headers={"x-a": ["v" * 8193]}),
    "257 fields": dict(headers={"x-a": ["1"] * 257}),
}


@pytest.mark.parametrize("change", BAD_ANSWERS)
def test_answer_that_is_not_http_becomes_502(start, change):
    gateway = start.gateway()
    agent = start.agent(gateway)
    waiting = Visit(gateway, agent)
    agent.send({**answer(agent.next_request(), body=b"x"), **BAD_ANSWERS[change]})
    response = waiting.result()
    assert (response.status, response.error) == (502, "bad_response"), response
    assert response.header("set-cookie") is None
    agent.handler = hello
    assert visit(gateway, agent).status == 200


def test_nul_in_a_header_is_a_malformed_message(start):
    gateway = start.gateway()
    agent = start.agent(gateway)
    waiting = Visit(gateway, agent)
    request = agent.next_request()
    agent.send({**answer(request, body=b"wrong"), "headers": {"x-a": ["a\0b"]}})
    agent.settle()
    agent.send(answer(request, body=b"right"))
    response = waiting.result()
    assert (response.status, response.error) == (502, "bad_response") or response.body == b"right"


def test_framing_headers_of_an_answer_are_not_believed(start):
    gateway = start.gateway()
    agent = start.agent(gateway)
    for headers in (
        {"content-length": ["3"]},
        {"content-length": ["99999"]},
        {"content-length": ["5", "6"]},
        {"transfer-encoding": ["chunked"]},
        {"transfer-encoding": ["chunked"], "content-length": ["1"]},
        {"connection": ["close, x-tunnel-routing-mode"], "upgrade": ["h2c"]},
    ):
        waiting = Visit(gateway, agent)
        agent.send(answer(agent.next_request(), headers=headers, body=b"hello"))
        response = waiting.result()
        if response.status == 502:
            assert response.error == "bad_response"
        else:
            assert (response.status, response.body) == (200, b"hello"), (headers, response)


def test_body_where_there_must_be_none(start):
    gateway = start.gateway()
    agent = start.agent(gateway, lambda r: answer(r, status=int(r["uri"][1:]), body=b"smuggled"))
    host = f"{agent.tunnel_id}.localhost"
    for method, status in (("GET", 204), ("GET", 304), ("HEAD", 200)):
        with http_raw.Connection(gateway.address) as connection:
            connection.send(http_raw.build(method, f"/{status}", host))
            response = connection.read_response(method)
            assert response.status in (status, 502)
            if response.status == 502:
                continue
            connection.send(http_raw.build("GET", "/200", host))
            assert connection.read_response().body == b"smuggled"


ERROR_CODES = [
    ("invalid_request", 400, "bad_request"),
    ("timeout", 504, "timeout"),
    ("local_service_unavailable", 503, "local_service_unavailable"),
    ("internal_error", 502, "bad_response"),
]


@pytest.mark.parametrize("code,status,error", ERROR_CODES)
def test_error_codes_of_agents(start, code, status, error):
    gateway = start.gateway()
    agent = start.agent(gateway, lambda r: {"type": "error", "request_id": r["request_id"], "code": code, "message": "secret /etc"})
    response = visit(gateway, agent)
    assert (response.status, response.error) == (status, error)
    assert b"secret" not in response.body


def test_error_with_the_reason_too_large(start):
    gateway = start.gateway()
    agent = start.agent(
        gateway,
        lambda r: {
            "type": "error",
            "request_id": r["request_id"],
            "code": "internal_error",
            "message": "too large",
            "reason": "response_too_large",
        },
    )
    response = visit(gateway, agent)
    assert (response.status, response.error) == (502, "response_too_large")


def test_unknown_error_code(start):
    gateway = start.gateway()
    agent = start.agent(gateway, lambda r: {"type": "error", "request_id": r["request_id"], "code": "tired", "message": ""})
    assert visit(gateway, agent).status == 502


def test_error_about_no_request(start):
    gateway = start.gateway()
    agent = start.agent(gateway, hello)
    agent.send({"type": "error", "request_id": None, "code": "internal_error", "message": "x"})
    agent.settle()
    assert visit(gateway, agent).status == 200


def test_body_of_two_mib_and_more(start):
    gateway = start.gateway()
    agent = start.agent(gateway)
    for size, status in ((2 << 20, 200), ((2 << 20) + 1, 502)):
        waiting = Visit(gateway, agent)
        agent.send(answer(agent.next_request(), body=bytes(size)))
        response = waiting.result()
        assert response.status == status
        if status == 502:
            assert response.error == "response_too_large"
        else:
            assert len(response.body) == size
    agent.handler = hello
    assert visit(gateway, agent).status == 200


def test_frame_of_10_mb(start):
    """Refused; the gateway neither falls nor grows, and the others do not notice."""
    gateway = start.gateway()
    other = start.agent(gateway, hello)
    for make in (lambda: "x" * 10_000_000, lambda: json.dumps({"type": "ping", "x": "y" * 10_000_000}), lambda: b"z" * 10_000_000):
        agent = start.agent(gateway, hello)
        try:
            agent.send(make())
            agent.settle()
        except Exception:
            pass
        assert visit(gateway, other, "/fine").body == b"GET /fine"
        again = start.agent(gateway, hello)
        assert visit(gateway, again).status == 200
    import os

    if not os.environ.get("TTF_SLOW"):
        assert gateway.rss_kib() < 40 * 1024


def test_message_in_many_fragments(start):
    """One message cut into thousands of frames is one message; endless fragments come to an end."""
    import asyncio

    gateway = start.gateway()
    agent = start.agent(gateway)
    waiting = Visit(gateway, agent)
    text = json.dumps(answer(agent.next_request(), body=b"in pieces " * 100)).encode()

    async def pieces():
        for at in range(len(text)):
            await agent._socket.write_frame(at == len(text) - 1, 0x1 if at == 0 else 0x0, text[at : at + 1])

    asyncio.run_coroutine_threadsafe(pieces(), agent._loop).result(60)
    assert waiting.result().body == b"in pieces " * 100


def test_binary_frames_are_not_v1(start):
    gateway = start.gateway()
    agent = start.agent(gateway, hello)
    try:
        agent.send(b'{"type":"ping"}')
        agent.settle()
    except Exception:
        pass
    assert visit(gateway, start.agent(gateway, hello)).status == 200


def test_foreign_request_id_is_ignored(start):
    """Only the connection that a request was sent to may answer it."""
    gateway = start.gateway()
    victim, thief = start.agent(gateway), start.agent(gateway)
    waiting = Visit(gateway, victim)
    request = victim.next_request()
    thief.send(answer(request, body=b"stolen"))
    thief.send({"type": "error", "request_id": request["request_id"], "code": "timeout", "message": ""})
    thief.settle()
    victim.send(answer(request, body=b"mine"))
    assert waiting.result().body == b"mine"
    # And an answer that comes twice counts once.
    victim.send(answer(request, body=b"again"))
    victim.settle()
    victim.handler = lambda r: answer(r, body=b"next")
    assert visit(gateway, victim).body == b"next"


MANY = 40 if backends.STACK == "aws" else 200  # each is polled for there, by a process of its own


def test_two_agents_never_get_each_others_requests(start):
    gateway = start.gateway()
    agents = [start.agent(gateway, lambda r, n=n: answer(r, body=f"{n} {r['uri']}".encode())) for n in range(2)]
    failures = []

    def ask(which):
        for number in range(MANY):
            body = visit(gateway, agents[which], f"/{which}/{number}").body
            if body != f"{which} /{which}/{number}".encode():
                failures.append((which, number, body))

    threads = [threading.Thread(target=ask, args=(n % 2,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failures, failures[:3]


def test_two_ttfs_never_get_each_others_requests(start):
    gateway = start.gateway()
    services = [start.service(), start.service()]
    for number, service in enumerate(services):
        service.default = lambda r, n=number: Response(body=f"service {n}")
    tunnels = [start.forwarder(gateway, service) for service in services]
    failures = []

    def ask(which):
        with http_raw.Connection(gateway.address) as connection:
            for _ in range(MANY):
                connection.send(http_raw.build(host=tunnels[which].host))
                if connection.read_response().body != f"service {which}".encode():
                    failures.append(which)

    threads = [threading.Thread(target=ask, args=(n % 2,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failures


def test_one_connection_to_several_tunnels(start):
    """A visitor's connection is not bound to the tunnel of its first request."""
    gateway = start.gateway()
    agents = [start.agent(gateway, lambda r, n=n: answer(r, body=str(n).encode())) for n in range(3)]
    with http_raw.Connection(gateway.address) as connection:
        for number in (0, 1, 2, 1, 0):
            connection.send(http_raw.build(host=f"{agents[number].tunnel_id}.localhost"))
            assert connection.read_response().body == str(number).encode()


def test_requests_before_ready_wait_for_it(start):
    """An agent that connected and has not said ready: a request waits, within the grace."""
    gateway = start.gateway("--grace", "1")
    agent = start.agent(gateway, name="not-ready", ready=False)
    response = http_raw.request(gateway.address, host="not-ready.localhost")
    assert response.status in (502, 504), response
    assert response.error in ("agent_offline", "timeout")
    agent.send({"type": "ready"})
    request = None
    waiting = threading.Thread(target=lambda: http_raw.request(gateway.address, host="not-ready.localhost"))
    waiting.start()
    request = agent.next_request()
    agent.send(answer(request, body=b"ok"))
    waiting.join(20)


def test_agent_that_takes_over_its_own_tunnel(start):
    """A new connection of the same owner moves the claim at once; the older one is told, and finishes what it has."""
    gateway = start.gateway()
    ready = {"type": "ready", "capabilities": ["resume"]}
    first = start.agent(gateway, ready=ready)
    waiting = Visit(gateway, first, target="/running")
    running = first.next_request()
    second = start.agent(gateway, hello, headers={"x-tunnel-resume": first.established["resume"]}, ready=ready)
    assert second.tunnel_id == first.tunnel_id
    told = first.messages.get(timeout=60)
    assert (told["type"], told["code"]) == ("error", "taken_over")
    assert visit(gateway, second, "/new").body == b"GET /new"
    first.send(answer(running, body=b"finished"))
    again = [b"GET /running"] if backends.STACK == "aws" else []  # seconds later the function asks the one that has the tunnel
    assert waiting.result().body in [b"finished", *again]
    assert first.closed.wait(60), "the older connection stays open"
    assert visit(gateway, second, "/newer").body == b"GET /newer"


def test_many_agents_come_and_go(start):
    gateway = start.gateway()
    for _ in range(10):
        agents = [start.agent(gateway, hello) for _ in range(10)]
        assert len({a.tunnel_id for a in agents}) == 10
        for number, agent in enumerate(agents):
            assert visit(gateway, agent).status == 200
            agent.kill() if number % 2 else agent.stop()


def test_token_in_the_query_is_not_logged(start):
    gateway = start.gateway()
    start.agent(f"{gateway.endpoint}/?token=very-secret-token&name=logged", hello)
    gateway.stop()
    assert not any("very-secret-token" in line for line in gateway.out + gateway.err)


def test_agents_own_handshake_headers(start):
    """An offered subprotocol or extension that the gateway does not know is simply not taken."""
    gateway = start.gateway()
    with socket.create_connection(gateway.agents) as one:
        one.settimeout(20)
        one.sendall(
            b"GET /?name=by-hand HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
        )
        head = b""
        while b"\r\n\r\n" not in head:
            data = one.recv(4096)
            assert data, head
            head += data
        assert head.startswith(b"HTTP/1.1 101"), head
        assert b"s3pplmbitxaq9kygzzhzrbk+xoo=" in head.lower()
        assert b"permessage-deflate" not in head.lower()




def test_name_is_free_again_after_a_while(start):
    """Offline claims end: then there is no such tunnel, and anybody may have its name."""
    import time

    gateway = start.gateway("--offline-keep", "1s", "--grace", "0")
    first = start.agent(gateway, hello, name="for-rent")
    first.stop()
    end = time.monotonic() + 60
    while (error := http_raw.request(gateway.address, host="for-rent.localhost").error) == "agent_offline":
        assert time.monotonic() < end
    assert error == "tunnel_not_found"
    second = start.agent(gateway, hello, name="for-rent")
    assert visit(gateway, second).status == 200
