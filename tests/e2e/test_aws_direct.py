"""WAIT_MODE=direct and stream through the stand-in for API Gateway and Lambda: the waiting process is woken through a WebSocket
of its own to the same API, which may die at any moment, also while the process is frozen."""

import base64
import os
import signal
import time
from pathlib import Path

import pytest

import aws
import backends
import http_raw
import make_tables
from agent_v1 import answer
from aws_function import management, together, wait_until
from service import Response
from test_agents import Visit
from test_chunks import cut

pytestmark = pytest.mark.skipif(backends.STACK != "memory", reason="it brings its own stack")

SOON = 15  # seconds, in which nothing is lost; a request that was would take 28


class Stack:
    """With a plain v1 agent, whose requests are kept in `requests`; `before(request)` is called before it answers."""

    def __init__(self, start, mode):
        self.start, self.mode = start, mode
        self.gateway = start._keep(aws.StandIn(start._folder("standin"), env={"WAIT_MODE": mode}))
        self.management = management(self.gateway)
        self.tables = make_tables.client(aws.shared.dynamodb.endpoint)
        self.requests, self.waiters, self.before = [], [], lambda request: None
        self.agent = start.agent(self.gateway, self.respond)

    def respond(self, request):
        self.requests.append(request["request_id"])
        self.waiters.append(self.waiter_of(request["request_id"]))
        self.before(request)
        return answer(request, body=request["uri"].encode())

    def waiter_of(self, request_id):
        """The connection that its answer goes to; None: it is polled for. In direct mode the id says so, in stream mode the
        record."""
        if self.mode == "direct":
            text = request_id.split(".")[3] if request_id.startswith("d1.") else None
            return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode() if text else None
        table = self.gateway.tables["PENDING_REQUESTS_TABLE_NAME"]
        item = self.tables.get_item(TableName=table, Key={"requestId": {"S": request_id}}, ConsistentRead=True)["Item"]
        return item.get("waiterConnection", {}).get("S")

    def visit(self, target="/", method="GET", host=None, **more):
        return http_raw.request(self.gateway.address, method, target, host or f"{self.agent.tunnel_id}.localhost", **more)

    def warm(self):
        """Until a request is not polled for, and that is the connection it waits at."""

        def woken():
            assert self.visit("/warm").status == 200
            return self.waiters[-1]

        return wait_until(woken)

    def cut(self, connection):
        if connection:
            self.management.delete_connection(ConnectionId=connection)

    def pids(self):
        """The processes of the function."""
        return [int(pid) for pid in Path(f"/proc/{self.gateway.process.pid}/task/{self.gateway.process.pid}/children").read_text().split()]

    def timed(self, target, method="POST"):
        """The answer, which came soon, to a request that was executed once."""
        seen, began = len(self.requests), time.monotonic()
        got = self.visit(target, method)
        assert (got.status, got.body) == (200, target.encode()) and len(self.requests) == seen + 1
        assert time.monotonic() - began < SOON
        return got

    def nothing_left(self):
        table = self.gateway.tables["PENDING_REQUESTS_TABLE_NAME"]
        wait_until(lambda: self.tables.scan(TableName=table)["Count"] == 0)


@pytest.fixture
def stack(start):
    return lambda mode: Stack(start, mode)


MODES = pytest.mark.parametrize("mode", ["direct", "stream"])


@MODES
def test_requests_are_woken(stack, mode):
    made = stack(mode)
    assert made.visit("/first").status == 200
    assert made.waiters == [None], "the waiter is opened beside a request, and that one polls"
    wait_until(lambda: made.timed("/again") and None not in made.waiters[-5:])  # every process has one by then
    made.nothing_left()


@MODES
def test_the_waiter_is_cut_after_the_request_was_sent(stack, mode):
    made = stack(mode)
    made.before = lambda request: made.cut(made.waiters[-1])
    wait_until(lambda: made.timed("/cut") and made.waiters[-1])  # earlier ones were polled for
    made.before = lambda request: None
    old = made.waiters[-1]
    assert made.warm() != old, "a new one is opened"
    made.nothing_left()


@MODES
def test_the_waiter_died_while_its_process_was_frozen(stack, mode):
    made = stack(mode)
    for _ in range(3):
        made.cut(made.warm())
        made.timed("/thawed")
    made.nothing_left()


def test_the_waiting_process_is_killed(stack):
    """Its visitor is told at once, and nothing is executed again; its answer, which nobody waits for, does no harm."""
    made = stack("direct")
    made.warm()

    def kill_the_waiting(request):
        for pid in made.pids():
            if "T" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]:
                os.kill(pid, signal.SIGKILL)

    made.before = kill_the_waiting
    seen, began = len(made.requests), time.monotonic()
    assert made.visit("/killed", "POST").status in (500, 502)
    assert len(made.requests) == seen + 1 and time.monotonic() - began < SOON
    made.before = lambda request: None
    made.timed("/after")
    made.warm()


def test_large_bodies_each_way(stack, start):
    """In pieces, each posted to the waiter by an invocation of its own. They are as many as DynamoDB Local could take in time on a
    busy machine, where the waiter puts them there too; test_http.py has the largest."""
    made, service = stack("direct"), start.service()
    body = os.urandom(400_000)
    service.on("/large", lambda request: Response(body=body if request.method == "GET" else str(request.body == body)))
    host = start.forwarder(made.gateway, service).host
    for _ in range(2):
        got = made.visit("/large", host=host)
        assert got.status == 200 and got.body == body
    got = made.visit("/large", "POST", host=host, body=body)
    assert (got.status, got.body) == (200, b"True")


def test_pieces_that_contradict_the_answer_to_a_waiter(stack, start):
    gateway = stack("direct").gateway
    agent = start.agent(gateway, ready={"type": "ready", "capabilities": ["chunks"]})

    def spoilt(target, spoil):
        visit = Visit(gateway, agent, target=target)
        request = agent.next_request()
        pieces = cut(answer(request, body=bytes(30_000)), size=10_000)
        for piece in spoil(pieces) + pieces:
            agent.send(piece)
        assert visit.result().body == bytes(30_000)
        return request["request_id"].startswith("d1.")

    wait_until(lambda: spoilt("/warm", lambda pieces: []))
    spoilt("/x", lambda pieces: [{**pieces[0], "total": 1, "data": "garbage"}, {**pieces[1], "total": len(pieces) + 1}])


def test_a_burst(stack):
    """More than there are processes with a waiter: each request is answered, by whatever way."""
    made = stack("direct")
    made.warm()
    got = together(20, lambda number: made.visit(f"/{number}", "POST"))
    assert [one.status for one in got] == [200] * 20
    assert sorted(one.body for one in got) == sorted(f"/{number}".encode() for number in range(20))
