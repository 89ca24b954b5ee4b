"""Some 400 things that an agent may say and no agent should, by combination: messages of v1, lines of v2's control stream,
handshakes, and what is another's. A good tunnel beside it goes on being served, and no visitor gets what is not for him."""

import itertools
import json
import threading

import pytest

import http_raw
from agent_v1 import AgentV1, answer
from agent_v2 import CONTROL, DATA, AgentV2, frame, hello
from programs import SLOW

# ---- messages ----

WRONG = {
    "null": None, "true": True, "0": 0, "-1": -1, "1.5": 1.5, "2^63": 2**63, "10^400": 10**400, "empty": "", "long": "x" * 300_000, "list": [],
    "object": {}, "list of lists": [[]], "object of numbers": {"a": 1}, "NUL": "\0", "surrogate": "\ud800", "CR LF": "\r\nX-Injected: 1\r\n\r\n",
}  # fmt: skip
NO_MESSAGES = {
    "nothing": b"", "a blank": b" ", "{": b"{", "}": b"}", "[]": b"[]", "null": b"null", "a string": b'"ready"', "a number": b"5", "two": b'{"type":"ping"}{"type":"ping"}',
    "a comma too much": b'{"type":"ping",}', "a comment": b'{"type":"ping"/**/}', "text behind": b'{"type":"ping"} x', "single quotes": b"{'type':'ping'}",
    "NaN": b'{"type":"ping","a":NaN}', "Infinity": b'{"a":-Infinity}', "no quotes": b'{type:"ping"}', "a key twice": b'{"type":"ping","type":"ready"}',
    "a key of NUL": b'{"\\u0000":1,"type":"ping"}', "half a surrogate": b'{"type":"\\ud800"}', "surrogates swapped": b'{"type":"\\udc00\\ud800"}',
    "a bad escape": b'{"type":"\\x41"}', "a short escape": b'{"type":"\\u12"}', "a tab in a string": b'{"type":"a\tb"}', "a BOM": b'\xef\xbb\xbf{"type":"ping"}',
    "deep lists": b"[" * 100_000, "deep objects": b'{"a":' * 50_000, "deep and closed": b"[" * 5000 + b"]" * 5000, "many keys": b"{" + b",".join(b'"%d":1' % i for i in range(5000)) + b"}",
    "a long number": b'{"a":' + b"1" * 100_000 + b"}", "a long exponent": b'{"a":1e' + b"9" * 1000 + b"}", "a long key": b'{"' + b"k" * 500_000 + b'":1}',
    "no type": b"{}", "an unknown type": b'{"type":"nonsense"}', "a type in upper case": b'{"type":"PING"}', "a type with NUL": b'{"type":"ping\\u0000"}',
    "a type of 100 KB": b'{"type":"' + b"x" * 100_000 + b'"}', "of the gateway": b'{"type":"connection_established","tunnel_id":"other","resume":"x"}',
    "a request": b'{"type":"http_request","request_id":"x","method":"GET","uri":"/","headers":{}}', "draining": b'{"type":"draining"}',
    "taken over": b'{"type":"error","request_id":null,"code":"taken_over","message":"x"}', "HTTP": b"HTTP/1.1 200 OK\r\n\r\n", "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}  # fmt: skip


def messages(request):
    """Each message of an agent, with each of its fields wrong in each way."""
    whole = [
        answer(request, body=b"forged"),
        {"type": "error", "request_id": request["request_id"], "code": "internal_error", "reason": "response_too_large", "message": "x"},
        {"type": "chunk", "request_id": request["request_id"], "seq": 0, "total": 2, "data": "x"},
        {"type": "ready", "capabilities": ["chunks"], "request_timeout_ms": 1000},
    ]
    for message in whole:
        for field, (name, value) in itertools.product(message, WRONG.items()):
            yield f"{message['type']}: {field} is {name}", field, {**message, field: value}


@pytest.fixture
def arena(start):
    """A gateway with a good tunnel that is visited all the time."""
    gateway = start.gateway("--grace", "100ms", "--connection-rate-per-address", "100000", "--request-timeout", "10s")
    good = start.forwarder(gateway, start.service())
    ended, failures = threading.Event(), []

    def visit():
        while not ended.wait(0.02):
            try:
                response = http_raw.request(gateway.address, host=good.host)
                if response.status != 200:
                    failures.append(response)
            except Exception as error:
                failures.append(error)

    visitor = threading.Thread(target=visit, daemon=True)
    visitor.start()
    yield gateway
    ended.set()
    visitor.join(30)
    assert not failures, failures[:3]
    assert sum(f"{good.tunnel_id}: connected as " in line for line in gateway.err) == 1, "the good agent had to come again"
    if SLOW == 1:
        assert gateway.rss_kib() < 96 * 1024, f"{gateway.rss_kib()} KiB"


class Asked:
    """An agent of v1 with a visitor who waits; what the agent says is looked at by what becomes of him."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.agent = AgentV1(gateway.endpoint, ready={"type": "ready", "capabilities": ["chunks"]}).start()
        self.host = f"{self.agent.tunnel_id}.localhost"
        self.next()

    def next(self):
        self.connection = http_raw.Connection(self.gateway.address)
        self.connection.send(http_raw.build(host=self.host))
        self.request = self.agent.next_request()

    def end(self):
        """The right answer, late; and what the visitor has got. None: the connection of either has ended."""
        try:
            self.agent.send(answer(self.request, body=b"right"))
        except Exception:
            pass
        with self.connection:
            response = self.connection.read_response()
        assert response.header("x-injected") is None, response
        assert (response.status == 200) == (response.error is None), response
        return response

    def is_alive(self):
        try:
            self.agent.settle()
            return True
        except Exception:
            return False

    def close(self):
        self.connection.close()
        self.agent.stop()


def in_all(gateway, say, judge):
    """`say` one after the other, each before a visitor that waits; an agent whose connection ended is followed by the next one."""
    asked = Asked(gateway)
    count = 0
    try:
        while True:
            if not say(asked, count):
                return count
            response = asked.end()
            assert judge(count, response), f"{count}: {response}"
            count += 1
            if not asked.is_alive():
                asked.close()
                asked = Asked(gateway)
            else:
                asked.next()
    finally:
        asked.close()


def test_fields_that_are_wrong(arena):
    table = [(name, field) for name, field, _ in messages({"request_id": "x"})]

    def say(asked, number):
        if number == len(table):
            return False
        message = list(messages(asked.request))[number][2]
        asked.agent.send_text(json.dumps(message).encode())
        return True

    def judge(number, response):
        name, field = table[number]
        if field in ("request_id", "type") or not name.startswith("http_response"):
            return response.body == b"right" or (name.startswith("error") and response.status >= 500)
        return field == "body" or response.body in (b"right", b"forged") or response.error is not None

    assert in_all(arena, say, judge) >= 200


def test_messages_that_are_none(arena):
    """Whatever it is, the right answer that follows is the answer, or the agent's connection has ended."""
    table = list(NO_MESSAGES.items())

    def say(asked, number):
        if number < len(table):
            asked.agent.send_text(table[number][1])
        return number < len(table)

    assert in_all(arena, say, lambda number, response: response.body == b"right" or response.status == 502) == len(table)


def test_what_is_of_another_agent(arena):
    """Who knows the id of another's request cannot answer it, whole, in pieces, or by an error."""
    victim, thief = Asked(arena), Asked(arena)
    try:
        forged = answer(victim.request, body=b"forged")
        text = json.dumps(forged)
        for message in (
            forged,
            {"type": "error", "request_id": victim.request["request_id"], "code": "timeout", "message": "x"},
            {"type": "chunk", "request_id": victim.request["request_id"], "seq": 0, "total": 1, "data": text},
            {"type": "chunk", "request_id": thief.request["request_id"], "seq": 0, "total": 1, "data": text},
            {**forged, "tunnel_id": victim.agent.tunnel_id, "connection_id": victim.agent.established["connection_id"]},
            {"type": "ready", "tunnel_id": victim.agent.tunnel_id, "resume": victim.agent.established.get("resume", "x")},
            {"type": "ready", "capabilities": ["resume", "chunks"]},
        ):
            thief.agent.send(message)
        thief.agent.settle()
        assert victim.end().body == b"right"
        assert thief.end().body == b"right"
    finally:
        victim.close()
        thief.close()


@pytest.mark.parametrize("kind", ["messages that are none", "fields that are wrong"])
def test_lines_of_the_control_stream(arena, kind):
    """v2: the link ends, or the line is passed over; the next request is answered as ever."""
    if kind == "fields that are wrong":
        lines = [json.dumps(message).encode() for _, _, message in messages({"request_id": "x"})]
    else:
        lines = list(NO_MESSAGES.values())
    agent = None
    for line in lines:
        if agent is None or agent.is_gone_within(0):
            agent = arena.start_v2()
        data = line + b"\n"
        agent.raw(b"".join(frame(DATA, 0, CONTROL, data[i : i + 16000]) for i in range(0, len(data), 16000)))
        try:
            response = http_raw.request(arena.address, host=agent.host)
        except (http_raw.Cut, ConnectionError):
            response = None
        assert response is None or response.body == b"GET /" or response.error is not None, (line[:60], response)
        if response is None or response.error is not None:
            assert agent.is_gone_within(60 * SLOW), line[:60]
            agent = None


@pytest.fixture(autouse=True)
def agents_v2(request):
    """arena.start_v2(): an agent that is stopped at the end."""
    if "arena" not in request.fixturenames:
        yield
        return
    gateway, agents = request.getfixturevalue("arena"), []

    def start_v2(**more):
        agents.append(AgentV2(gateway.endpoint, hello, **more).start())
        return agents[-1]

    gateway.start_v2 = start_v2
    yield
    for agent in agents:
        agent.stop()


# ---- handshakes ----

UPGRADE = {
    "Host": "x",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
REFUSED, EITHER = "refused", "either"


def handshake(first="GET / HTTP/1.1", extra=b"", behind=b"", **changes):
    fields = {**UPGRADE, **{name.replace("_", "-"): value for name, value in changes.items()}}
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([first, *lines]).encode("latin-1") + b"\r\n" + extra + b"\r\n" + behind


HANDSHAKES = {
    **{f"{name} missing": (handshake(**{name.replace("-", "_"): None}), REFUSED) for name in UPGRADE},
    **{f"{name} empty": (handshake(**{name.replace("-", "_"): ""}), REFUSED) for name in UPGRADE if name != "Host"},
    **{f"{name} twice": (handshake(extra=f"{name}: {value}\r\n".encode()), EITHER) for name, value in UPGRADE.items() if name != "Host"},
    "Host twice": (handshake(extra=b"Host: y\r\n"), REFUSED),
    **{f"version {v}": (handshake(Sec_WebSocket_Version=v), REFUSED) for v in ("8", "12", "14", "013", "13, 13", "-13", "x")},
    **{f"key {k[:9]!r}": (handshake(Sec_WebSocket_Key=k), REFUSED)
       for k in ("x", "AAAA", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ===", "!" * 24, "A" * 100_000, "dGhlIHNhbXBsZSBub25jZQ== x")},
    **{f"first line {f!r}": (handshake(f), REFUSED)
       for f in ("POST / HTTP/1.1", "GET / HTTP/1.0", "GET / HTTP/2.0", "GET /", "GET  HTTP/1.1", "G\x01T / HTTP/1.1", "CONNECT / HTTP/1.1", "PRI * HTTP/2.0",
                 "GET /\x00 HTTP/1.1", "GET /a b HTTP/1.1", "HEAD / HTTP/1.1", " GET / HTTP/1.1", "GET /" + "x" * 100_000 + " HTTP/1.1")},
    **{f"field {e[:20]!r}": (handshake(extra=e), REFUSED)
       for e in (b"no colon\r\n", b": x\r\n", b"X Y: 1\r\n", b"X: \x01\r\n", b"X: a\x00b\r\n", b"X\x00: 1\r\n", b" X: 1\r\n", b"X: a\r b\r\n", b"X: 1\n",
                 b"X : 1\r\n", b"X: y\r\n" * 50_000, b"X: " + b"y" * 300_000 + b"\r\n", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                 b"Content-Length: -1\r\n", b"Content-Length: 5\r\nContent-Length: 6\r\n", b"Transfer-Encoding: x\r\n")},
    **{f"name {n[:20]!r}": (handshake(x_tunnel_name=n), REFUSED) for n in ("a", "-a-", "A B", "a.b", "a" * 64, "a" * 100_000, "caf\xe9", "..", "%61bc", "a/b")},
    **{f"query {q[:20]!r}": (handshake(f"GET /?{q} HTTP/1.1"), EITHER)
       for q in ("name=%", "name=%zz", "name=%00abc", "token=%", "resume=%ff", "name=abc&name=abd", "&" * 5000, "=", "name", "token=" + "x" * 8000)},
    **{f"resume {r[:20]!r}": (handshake(x_tunnel_resume=r), EITHER)
       for r in ("", "x", ".", "..", "x" * 8000, "a.b.c", "1." + "A" * 200, "\xff", "eyJhbGciOiJub25lIn0.e30.", "null")},
    **{f"policy {p[:20]!r}": (handshake(x_tunnel_policy=p), REFUSED)
       for p in ("x", "methods", "methods=", "deny-path", "; =; ", "unknown=1", "methods=G(T", "x" * 5000, "basic=x", "methods=GET; methods=GET; x")},
    **{f"protocol {s[:20]!r}": (handshake(Sec_WebSocket_Protocol=s), EITHER)
       for s in ("x", ",", "http-tunnel.v9", "http-tunnel.v2, http-tunnel.peer.v1", "http-tunnel.v2,http-tunnel.v2", "HTTP-TUNNEL.V2", "x," * 2000)},
    "a peer's protocol": (handshake(Sec_WebSocket_Protocol="http-tunnel.peer.v1"), REFUSED),
    **{f"extension {x!r}": (handshake(Sec_WebSocket_Extensions=x), EITHER)
       for x in ("permessage-deflate", "permessage-deflate; server_max_window_bits=99", "x; y=\"", ",,,", "permessage-deflate;" * 500)},
    **{f"authorization {a[:16]!r}": (handshake(Authorization=a), EITHER)
       for a in ("", "Bearer", "Bearer ", "Basic x", "Bearer a.b", "Bearer a.b.c", "Bearer " + "x" * 8000, "bearer\tx", "Bearer eyJhbGciOiJub25lIn0.e30.")},
    "an origin": (handshake(Origin="http://evil.example"), REFUSED),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 600, REFUSED),
    "zeros": (bytes(100_000), REFUSED),
    "a line without an end": (b"x" * 100_000, REFUSED),
    "bare LF": (handshake().replace(b"\r\n", b"\n"), REFUSED),
}  # fmt: skip


def shake(gateway, data):
    """The answer's status; None where there is none. Either way it is over within seconds."""
    with http_raw.Connection(gateway.agents, timeout=20 * SLOW) as connection:
        try:
            connection.send(data)
        except ConnectionError:
            pass
        try:
            return connection.read_head().status
        except (http_raw.Cut, ConnectionError):
            return None


def test_handshakes(arena):
    wrong = {}
    for name, (data, verdict) in HANDSHAKES.items():
        status = shake(arena, data)
        if verdict == REFUSED and status is not None and status < 400 or status is not None and status not in (101, *range(400, 600)):
            wrong[name] = status
    assert not wrong, wrong
    assert len(HANDSHAKES) >= 100


def test_names_of_others(arena):
    """A name that somebody holds is not given away, whatever proof is said to be one."""
    good = arena.start_v2(headers={"x-tunnel-name": "mine-alone"}, ready={"type": "ready", "capabilities": ["resume"]})
    resume = good.established["resume"]
    spoilt = ["", "x", resume[:-1], resume[1:], resume + "x", resume.swapcase(), resume[::-1], resume.replace(".", ""), resume * 2, resume[:-4] + "AAAA"]
    for proof in spoilt:
        if proof != resume:
            data = handshake(x_tunnel_name="mine-alone", x_tunnel_resume=proof)
            status = shake(arena, data)
            assert status is not None and status >= 400, (proof, status)
    assert http_raw.request(arena.address, host="mine-alone.localhost").body == b"GET /"
    assert not good.is_gone_within(0)
