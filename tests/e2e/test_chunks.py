"""v1.1 chunks: bodies of 2 MiB both ways in messages that API Gateway would carry (128 KB, in frames of 32 KB)."""

import asyncio
import base64
import json
import random
import threading

import pytest
from websockets.legacy.server import WebSocketServerProtocol, serve

from agent_v1 import answer
from service import Response
from test_agents import Visit

MESSAGE_MAX = 128 * 1024
FRAME_MAX = 32 * 1024
BODY = random.Random(1).randbytes(2 * 1024 * 1024)
SHORTER = BODY[:600_000]  # nine pieces: on AWS each is an invocation
READY = {"type": "ready", "capabilities": ["chunks"]}


def cut(message, size=100_000):
    text = json.dumps(message)
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return [
        {"type": "chunk", "request_id": message["request_id"], "seq": seq, "total": len(pieces), "data": piece}
        for seq, piece in enumerate(pieces)
    ]


def join(pieces):
    pieces = {piece["seq"]: piece for piece in pieces}
    total = next(iter(pieces.values()))["total"]
    return json.loads("".join(pieces[seq]["data"] for seq in range(total)))


def chunked_agent(start, *options):
    gateway = start.gateway(*options)
    agent = start.agent(gateway, ready=READY)
    assert agent.established["capabilities"] == ["chunks"]
    return gateway, agent


def next_request(agent):
    """The next request, whole or in pieces."""
    pieces = []
    while not pieces or len({piece["seq"] for piece in pieces}) < pieces[0]["total"]:
        piece = agent.messages.get(timeout=60)
        assert piece["type"] == "chunk" and len(json.dumps(piece, separators=(",", ":"))) <= MESSAGE_MAX
        pieces.append(piece)
    return join(pieces)


def test_a_large_request_comes_in_pieces(start):
    gateway, agent = chunked_agent(start)
    waiting = Visit(gateway, agent, method="POST", target="/large", body=BODY)
    request = next_request(agent)
    assert request["type"] == "http_request" and request["uri"] == "/large"
    assert base64.b64decode(request["body"]) == BODY
    agent.send(answer(request, body=b"ok"))
    assert waiting.result().body == b"ok"


def test_a_large_answer_in_pieces_in_any_order_and_twice(start):
    gateway, agent = chunked_agent(start)
    waiting = Visit(gateway, agent)
    pieces = cut(answer(agent.next_request(), body=BODY))
    assert len(pieces) > 20
    random.Random(2).shuffle(pieces)
    for piece in pieces[1:] + pieces[1:3] + pieces[:1] + pieces[:1]:
        agent.send(piece)
    assert waiting.result().body == BODY
    waiting = Visit(gateway, agent)
    agent.send(answer(agent.next_request(), body=b"whole"))
    assert waiting.result().body == b"whole"


def test_an_agent_without_the_capability_gets_whole_messages(start):
    gateway = start.gateway()
    agent = start.agent(gateway)
    waiting = Visit(gateway, agent, method="POST", body=BODY)
    request = agent.next_request()
    assert base64.b64decode(request["body"]) == BODY
    agent.send(answer(request))
    assert waiting.result().status == 200


@pytest.mark.parametrize(
    "spoil",
    [
        lambda pieces: [{**pieces[0], "total": 101}],
        lambda pieces: [{**pieces[0], "total": 10**18}],
        lambda pieces: [{**pieces[0], "seq": len(pieces)}],
        lambda pieces: [{**pieces[0], "data": ""}],
        lambda pieces: [{**piece, "request_id": "unknown"} for piece in pieces],
        lambda pieces: [pieces[0], {**pieces[1], "total": len(pieces) + 1}],
        lambda pieces: [{**pieces[0], "seq": seq, "total": 100, "data": "x" * 100_000} for seq in range(33)],
    ],
    ids=["too many", "absurd", "beyond", "empty", "unknown id", "another total", "too long"],
)
def test_pieces_that_make_no_sense_are_dropped(start, spoil):
    gateway, agent = chunked_agent(start)
    waiting = Visit(gateway, agent)
    pieces = cut(answer(agent.next_request(), body=SHORTER))
    for piece in spoil(pieces):
        agent.send(piece)
    agent.settle()
    for piece in pieces:
        agent.send(piece)
    assert waiting.result().body == SHORTER


def test_pieces_that_join_to_no_message_are_dropped(start):
    gateway, agent = chunked_agent(start)
    waiting = Visit(gateway, agent)
    request = agent.next_request()
    for text in ("garbage", json.dumps({"type": "ping"})):
        agent.send({"type": "chunk", "request_id": request["request_id"], "seq": 0, "total": 1, "data": text})
    agent.send(answer(request, body=b"whole"))
    assert waiting.result().body == b"whole"


def test_pieces_of_another_agents_request_are_dropped(start):
    gateway, agent = chunked_agent(start)
    other = start.agent(gateway, ready=READY)
    waiting = Visit(gateway, agent)
    request = agent.next_request()
    for piece in cut(answer(request, body=b"forged" * 50_000)):
        other.send(piece)
    other.settle()
    agent.send(answer(request, body=b"true"))
    assert waiting.result().body == b"true"


def test_pieces_that_join_to_another_requests_answer_are_dropped(start):
    gateway, agent = chunked_agent(start)
    first, second = Visit(gateway, agent, target="/1"), Visit(gateway, agent, target="/2")
    requests = [agent.next_request(), agent.next_request()]
    pieces = cut(answer(requests[0], body=b"x" * 300_000))
    for piece in pieces:
        agent.send({**piece, "request_id": requests[1]["request_id"]})
    for request in requests:
        agent.send(answer(request, body=request["uri"].encode()))
    assert (first.result().body, second.result().body) == (b"/1", b"/2")


@pytest.mark.parametrize("protocol", ["v1"])
def test_ttf_cuts_and_joins(fresh, protocol):
    stack = fresh()
    stack.service.on("/echo", lambda request: Response(body=request.body))
    response = stack.request("POST", "/echo", body=BODY)
    assert response.status == 200 and response.body == BODY


class NarrowGateway(threading.Thread):
    """A WebSocket server that carries what API Gateway carries, and notes the largest of it."""

    def __init__(self):
        super().__init__(daemon=True)
        self.messages, self.largest_frame = [], 0
        self.loop = asyncio.new_event_loop()
        self.changed = threading.Condition()
        self.started = threading.Event()
        self.socket = None
        self.start()
        assert self.started.wait(10)

    def run(self):
        outer = self

        class Protocol(WebSocketServerProtocol):
            async def read_frame(self, max_size):
                frame = await super().read_frame(max_size)
                outer.largest_frame = max(outer.largest_frame, len(frame.data))
                return frame

        async def handle(socket, *_):
            self.socket = socket
            async for text in socket:
                message = json.loads(text)
                with self.changed:
                    self.messages.append((len(text), message))
                    self.changed.notify_all()
                if message["type"] == "ready":
                    await socket.send(json.dumps({"type": "connection_established", "connection_id": "c", "tunnel_id": "t",
                                                  "public_url": "http://t.example", "capabilities": ["chunks"]}))  # fmt: skip

        async def listen():
            server = await serve(handle, "127.0.0.1", 0, create_protocol=Protocol, compression=None)
            self.endpoint = "ws://127.0.0.1:%d" % server.sockets[0].getsockname()[1]
            self.started.set()
            await self.stopped.wait()
            server.close()
            await server.wait_closed()

        self.stopped = asyncio.Event()
        self.loop.run_until_complete(listen())

    def send(self, message):
        asyncio.run_coroutine_threadsafe(self.socket.send(json.dumps(message)), self.loop).result(20)

    def wait(self, enough, seconds=60):
        with self.changed:
            assert self.changed.wait_for(lambda: enough([message for _, message in self.messages]), seconds)
        return [message for _, message in self.messages]

    def stop(self):
        self.loop.call_soon_threadsafe(self.stopped.set)
        self.join(10)


def answers(messages):
    return [message for message in messages if message["type"] in ("chunk", "http_response", "error")]


def complete(messages):
    pieces = answers(messages)
    return pieces and (pieces[0]["type"] != "chunk" or len(pieces) == pieces[0]["total"])


@pytest.fixture
def narrow():
    gateway = NarrowGateway()
    yield gateway
    gateway.stop()


def test_what_ttf_sends_fits_through_api_gateway(start, narrow):
    service = start.service()
    service.on("/large", lambda request: Response(body=BODY))
    start.forwarder(narrow.endpoint, service)
    narrow.send({"type": "http_request", "request_id": "r", "method": "GET", "uri": "/large", "headers": {}, "body": ""})
    pieces = answers(narrow.wait(complete))
    assert base64.b64decode(join(pieces)["body"]) == BODY
    assert max(size for size, _ in narrow.messages) <= MESSAGE_MAX and narrow.largest_frame <= FRAME_MAX


def test_ttf_joins_in_any_order_and_asks_once(start, narrow):
    service = start.service()
    service.on("/large", lambda request: Response(body=str(len(request.body)).encode()))
    start.forwarder(narrow.endpoint, service)
    request = {"type": "http_request", "request_id": "r", "method": "POST", "uri": "/large", "headers": {},
               "body": base64.b64encode(BODY).decode()}  # fmt: skip
    pieces = cut(request)
    for piece in [{**pieces[0], "request_id": "other", "total": 200}, *reversed(pieces), *pieces]:
        narrow.send(piece)
    messages = answers(narrow.wait(complete))
    assert base64.b64decode(messages[0]["body"]) == str(len(BODY)).encode()
    narrow.send({"type": "ping"})
    messages = narrow.wait(lambda messages: messages[-1]["type"] == "pong")
    assert len(answers(messages)) == 1 and len(service.requests) == 1


def test_ttf_answers_a_request_over_the_limit_with_an_error(start, narrow):
    start.forwarder(narrow.endpoint, start.service())
    body = base64.b64encode(b"x" * (2 * 1024 * 1024 + 1)).decode()
    for piece in cut({"type": "http_request", "request_id": "r", "method": "POST", "uri": "/", "headers": {}, "body": body}):
        narrow.send(piece)
    assert answers(narrow.wait(complete))[0]["code"] == "invalid_request"
