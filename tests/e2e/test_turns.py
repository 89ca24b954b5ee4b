"""Turns by tunnel: what a turn of the gateway's loop has no room for comes in the next, whole and in order."""

import contextlib
import re
import signal

import pytest

import http_raw
from agent_v2 import DATA, END_STREAM, frame, head
from service import Response
from test_tls import authority, pair, secure  # noqa: F401 (fixtures)

AT_ONCE = 150  # a turn has room for a tenth of them


def whole_answer(request, body):
    """Some are long, and end in the middle of what is taken at once."""
    pieces = [body[at : at + 16000] for at in range(0, len(body), 16000)]
    return head(request.stream) + b"".join(frame(DATA, END_STREAM * (piece is pieces[-1]), request.stream, piece) for piece in pieces)


def body_of(path):
    number = int(path.rpartition("/")[2])
    return path.encode() * (4000 if number % 50 == 7 else 1)


def answer_all(agent, count):
    """In one message, the last asked first."""
    requests = [agent.next_request() for _ in range(count)]
    assert agent.raw(b"".join(whole_answer(request, body_of(request.path)) for request in reversed(requests)))


def ask_all(connections, host, turn):
    for number, connection in enumerate(connections):
        connection.send(http_raw.build(host=host, target=f"/{turn}/{number}"))


def read_all(connections, turn):
    for number, connection in enumerate(connections):
        response = connection.read_response()
        assert response.status == 200 and response.body == body_of(f"/{turn}/{number}")


@pytest.fixture
def connections():
    with contextlib.ExitStack() as stack:
        yield lambda gateway: [stack.enter_context(http_raw.Connection(gateway.address)) for _ in range(AT_ONCE)]


@pytest.mark.protocols("v2")
def test_answers_in_one_message(start, connections):
    """More than once: the gateway has learnt by then that they are many."""
    gateway = start.gateway()
    agent, visitors = start.agent_v2(gateway), connections(gateway)
    for turn in range(3):
        ask_all(visitors, agent.host, turn)
        answer_all(agent, AT_ONCE)
        read_all(visitors, turn)


def test_answers_over_tls(secure, start, connections):  # noqa: F811
    """Where bytes wait in TLS, and the socket tells nothing of them."""
    service = start.service()
    for turn in range(3):
        for number in range(AT_ONCE):
            service.on(f"/{turn}/{number}", lambda seen: Response(body=body_of(seen.target)))
    ttf = secure(service=service)
    visitors = connections(ttf.gateway)
    for turn in range(3):
        ask_all(visitors, ttf.host, turn)
        read_all(visitors, turn)


def order(gateway, first):
    """Of the requests in the access log, behind its first so many lines."""
    return re.findall(r"access: \S+ GET (/\w+)", "\n".join(gateway.err[first:]))


@pytest.mark.protocols("v2")
def test_the_other_comes_in_between(start, connections):
    """All answers are there when the gateway goes on: hundreds of one tunnel, and behind them one of another. That one does not come
    last. (Where two have been busy lately 16 come before it; who was alone may have 128.)"""
    gateway = start.gateway()
    if hasattr(gateway, "front"):
        pytest.skip("answers of both come over one link, in their order")
    good, greedy = start.agent_v2(gateway), start.agent_v2(gateway)
    visitors = [*connections(gateway), *connections(gateway)]
    with http_raw.Connection(gateway.address) as other:
        for number, connection in enumerate(visitors):
            connection.send(http_raw.build(host=greedy.host, target=f"/greedy/{number}"))
        asked = [greedy.next_request() for _ in visitors]
        other.send(http_raw.build(host=good.host, target="/good"))
        waiting, first = good.next_request(), len(gateway.err)
        gateway.process.send_signal(signal.SIGSTOP)
        try:
            assert greedy.raw(b"".join(whole_answer(request, b"x") for request in asked))
            assert good.raw(whole_answer(waiting, b"y"))
        finally:
            gateway.process.send_signal(signal.SIGCONT)
        assert other.read_response().body == b"y"
        for connection in visitors:
            assert connection.read_response().body == b"x"
    gateway.wait_err(f"access: .* /greedy/{int(asked[-1].path.rpartition('/')[2])} ", after=first)
    assert order(gateway, first).index("/good") <= 150
