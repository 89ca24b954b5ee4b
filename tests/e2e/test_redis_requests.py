"""Requests of v1 under way between two gateways while Redis, through which they go, dies and comes back. Each gets exactly
one answer, soon after Redis is back, and is executed at most once unless it is safe."""

import re

import pytest

import http_raw
from redis_server import PROGRAM
from service import Gate, Response
from test_failures import Tries, Visit, is_answered_by_the_second_try
from test_redis import eventually, gateway, ready, redis, works  # noqa: F401 (fixtures)

pytestmark = [
    pytest.mark.protocols("v1"),
    pytest.mark.skipif(PROGRAM is None, reason="redis-server is not installed"),
]

LIMIT = ("--request-timeout", "300")  # far beyond what a test waits for


class Pair:
    """A visitor's request waits at `two` for the agent of `one`, at a service that holds it. Redis is then away for long
    enough that no gateway waits for it any more."""

    def __init__(self, start, redis, gateway):
        self.redis, self.service = redis, start.service()
        self.one, self.two = gateway("--drain-delay", "0"), gateway("--drain-delay", "0")
        self.ttf = start.forwarder(self.one, self.service, *LIMIT)
        assert works(self.two, self.ttf)

    def visit(self, method, path, **more):
        return Visit(self.two.address, method, path, self.ttf.host, **more)

    def wait_degraded(self):
        for each in (self.one, self.two):
            eventually(lambda: "degraded" in ready(each)[1], 30)

    def wait_ready(self):
        for each in (self.one, self.two):
            eventually(lambda: ready(each) == (200, "ready\n"), 30)


    def calls_given_up(self):
        """By `one`: what Redis was to be told while it was away."""
        page = http_raw.request(self.one.admin, target="/metrics", host="localhost").body.decode()
        return float(re.search(r'^ttf_store_calls_total\{result="failed"\} (\S+)$', page, re.M)[1])

    def answers_lost(self):
        """By `one`, as it kept too many."""
        return sum("its answer is lost" in line for line in self.one.err)


@pytest.fixture
def pair(start, redis, gateway):  # noqa: F811
    return Pair(start, redis, gateway)


@pytest.fixture
def redis_with_a_memory(redis):  # noqa: F811
    """It comes back with all that it was told. (While it waits for its disk, "everysec" holds back what is to be written.)"""
    redis.kill()
    redis.options = ["--appendonly", "yes", "--appendfsync", "no"]
    redis.start()
    return redis


@pytest.fixture
def lasting(start, redis_with_a_memory, gateway):  # noqa: F811
    return Pair(start, redis_with_a_memory, gateway)


def lose_all(pair):
    pair.redis.kill()
    pair.wait_degraded()
    pair.redis.start()


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_safe_request_is_sent_once_more_when_redis_comes_back_empty(pair, method):
    tries = pair.service.on("/work", Tries())
    visit = pair.visit(method, "/work")
    tries.gate.wait_arrived()
    lose_all(pair)
    is_answered_by_the_second_try(visit, tries, method)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_others_get_502_when_redis_comes_back_empty(pair, method):
    tries = pair.service.on("/work", Tries())
    visit = pair.visit(method, "/work", body=b"x")
    tries.gate.wait_arrived()
    lose_all(pair)
    response = visit.result()
    assert (response.status, response.error) == (502, "agent_lost")
    tries.gate.open()
    pair.wait_ready()
    eventually(lambda: works(pair.two, pair.ttf))
    assert tries.count == 1


@pytest.mark.parametrize("method, status", [("GET", 200), ("POST", 502)])
def test_redis_comes_back_as_it_was_before_the_request(pair, method, status):
    """It knows the tunnel, and which gateway has it; not the request. The other gateway may not listen yet."""
    pair.redis.ask("SAVE")
    tries = pair.service.on("/work", Tries())
    visit = pair.visit(method, "/work")
    tries.gate.wait_arrived()
    lose_all(pair)
    assert visit.result().status == status
    tries.gate.open()
    assert tries.count == (2 if status == 200 else 1)


def test_an_answer_comes_when_redis_is_back(lasting):
    gate = lasting.service.on("/hold", Gate())
    visit = lasting.visit("POST", "/hold", body=b"x")
    gate.wait_arrived()
    lose_all(lasting)
    lasting.wait_ready()
    gate.open()
    response = visit.result()
    assert (response.status, response.body) == (200, b"at last")
    assert len(lasting.service.seen("/hold")) == 1


def test_an_answer_is_kept_while_redis_is_away(lasting):
    gate = lasting.service.on("/hold", Gate())
    visit = lasting.visit("POST", "/hold", body=b"x")
    gate.wait_arrived()
    lasting.redis.kill()
    lasting.wait_degraded()
    before = lasting.calls_given_up()
    gate.open()
    eventually(lambda: lasting.calls_given_up() > before, 30)
    lasting.redis.start()
    response = visit.result()
    assert (response.status, response.body) == (200, b"at last")
    assert len(lasting.service.seen("/hold")) == 1


def test_more_answers_than_are_kept_while_redis_is_away(lasting):
    """16 MiB of them. Who waits for one more is told so when Redis is back, and not at the time limit."""
    gate = lasting.service.on("/hold", Gate(lambda request: Response(body=b"x" * 2_000_000)))
    visits = [lasting.visit("GET", "/hold") for _ in range(8)]
    gate.wait_arrived(len(visits))
    lasting.redis.kill()
    lasting.wait_degraded()
    before = lasting.calls_given_up()
    gate.open()
    eventually(lambda: lasting.calls_given_up() >= before + len(visits), 30)
    lasting.redis.start()
    answers = sorted((response.status, response.error, len(response.body)) for response in map(Visit.result, visits))
    kept = sum(status == 200 for status, _, _ in answers)
    assert 4 <= kept <= 6, answers
    assert all(answer[:2] == (502, "bad_response") for answer in answers[kept:]), answers


def test_an_agent_of_many_answers_leaves_room_for_those_of_others(lasting, start):
    """They come after its own have taken all the room there is: for each that has none it loses one."""
    everything, little = (lasting.service.on(path, Gate(lambda request: Response(body=b"x" * 2_000_000)))
                          for path in ("/everything", "/little"))
    other = start.forwarder(lasting.one, lasting.service, *LIMIT)
    eventually(lambda: works(lasting.two, other))
    visits = [lasting.visit("GET", "/everything") for _ in range(8)]
    late = Visit(lasting.two.address, "GET", "/little", other.host)
    everything.wait_arrived(len(visits))
    little.wait_arrived()
    lasting.redis.kill()
    lasting.wait_degraded()
    everything.open()
    eventually(lambda: lasting.answers_lost() == 2)
    little.open()
    eventually(lambda: lasting.answers_lost() == 3)
    lasting.redis.start()
    response = late.result()
    assert (response.status, len(response.body)) == (200, 2_000_000)
    answers = sorted(visit.result().status for visit in visits)
    assert answers == 5 * [200] + 3 * [502]
