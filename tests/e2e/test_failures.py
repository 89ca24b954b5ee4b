"""Things die: agents, links, visitors. Each request gets exactly one answer, and is executed at most once unless it is safe."""

import threading
import time

import pytest

import backends
import http_raw
from programs import SLOW
from service import Gate, Response


pytestmark = pytest.mark.protocols("v1", "v2")


class Visit(threading.Thread):
    """One request in a thread; its answer is in `response`."""

    def __init__(self, address, *arguments, **more):
        super().__init__(daemon=True)
        self.address, self.arguments, self.more = address, arguments, more
        self.response = self.error = None
        self.start()

    def run(self):
        try:
            self.response = http_raw.request(self.address, *self.arguments, **self.more)
        except Exception as error:
            self.error = error

    def result(self, seconds=60):
        self.join(seconds)
        assert not self.is_alive(), "no answer"
        assert self.error is None, self.error
        return self.response


class Tries:
    """A handler that holds the first request for ever (until the end) and answers the later ones."""

    def __init__(self):
        self.gate = Gate(lambda request: Response(body="first"))
        self.lock = threading.Lock()
        self.count = 0

    def __call__(self, request):
        with self.lock:
            self.count += 1
            number = self.count
        return self.gate(request) if number == 1 else Response(body=f"try {number}")


def is_answered_by_the_second_try(visit, tries, method):
    response = visit.result()
    tries.gate.open()
    assert response.status == 200, response
    if method != "HEAD":
        assert response.body == b"try 2"
    assert tries.count == 2


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_agent_killed_in_flight_safe_method_is_sent_once_more(start, method):
    service = start.service()
    gateway = start.gateway("--grace", "20")
    home = start._folder("home")
    ttf = start.forwarder(gateway, service, state_home=home)
    tries = service.on("/work", Tries())
    visit = Visit(gateway.address, method, "/work", ttf.host)
    tries.gate.wait_arrived()
    ttf.kill()
    again = start.forwarder(gateway, service, state_home=home)
    assert again.host == ttf.host
    is_answered_by_the_second_try(visit, tries, method)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "BREW"])
def test_agent_killed_in_flight_other_methods_get_one_502(start, method):
    service = start.service()
    gateway = start.gateway("--grace", "20")
    home = start._folder("home")
    ttf = start.forwarder(gateway, service, state_home=home)
    tries = service.on("/work", Tries())
    visit = Visit(gateway.address, method, "/work", ttf.host, body=b"x")
    tries.gate.wait_arrived()
    ttf.kill()
    response = visit.result()
    assert (response.status, response.error) == (502, "agent_lost"), response
    start.forwarder(gateway, service, state_home=home)
    assert http_raw.request(gateway.address, target="/next", host=ttf.host).status == 200
    tries.gate.open()
    assert tries.count == 1


def test_agent_killed_twice_is_not_asked_a_third_time(start):
    service = start.service()
    gateway = start.gateway("--grace", "20")
    home = start._folder("home")
    gate = service.on("/work", Gate())
    ttf = start.forwarder(gateway, service, state_home=home)
    visit = Visit(gateway.address, "GET", "/work", ttf.host)
    gate.wait_arrived()
    ttf.kill()
    ttf = start.forwarder(gateway, service, state_home=home)
    gate.wait_arrived()
    ttf.kill()
    ttf = start.forwarder(gateway, service, state_home=home)
    response = visit.result()
    assert (response.status, response.error) == (502, "agent_lost")
    assert http_raw.request(gateway.address, target="/next", host=ttf.host).status == 200
    gate.open()
    assert len(service.seen("/work")) == 2


def test_agent_killed_and_never_back(start):
    service = start.service()
    gateway = start.gateway("--grace", "1")
    ttf = start.forwarder(gateway, service)
    gate = service.on("/work", Gate())
    visits = [Visit(gateway.address, method, "/work", ttf.host) for method in ("GET", "DELETE", "GET", "POST")]
    gate.wait_arrived(4)
    ttf.kill()
    for visit in visits:
        response = visit.result()
        assert response.status == 502, response
        assert response.error in ("agent_lost", "agent_offline")
    gate.open()
    assert len(service.seen("/work")) == 4
    response = http_raw.request(gateway.address, host=ttf.host)
    assert (response.status, response.error) == (502, "agent_offline")


def test_visitor_who_leaves_frees_the_place(fresh):
    """More visitors leave than a tunnel may have in flight: nothing is left of them."""
    stack = fresh()
    gate = stack.service.on("/hold", Gate())
    for batch in range(3):
        connections = []
        for _ in range(100):
            connection = stack.connect()
            connection.send(http_raw.build(target="/hold", host=stack.ttf.host))
            connections.append(connection)
        gate.wait_arrived(100)
        for number, connection in enumerate(connections):
            connection.reset() if number % 2 else connection.close()
    # A request whose place depends on theirs being gone; the gateway may need a moment to see that they left.
    assert stack.request(target="/next").status == 200
    gate.open()
    for number in range(50):
        assert stack.request(target=f"/{number}").json()["target"] == f"/{number}"


def test_visitor_who_leaves_within_the_request(stack):
    for cut in (5, 40, -3):
        with stack.connect() as connection:
            data = http_raw.build("POST", "/part", stack.ttf.host, body=b"x" * 10_000)
            connection.send(data[:cut])
    assert stack.request(target="/next").status == 200
    assert stack.service.seen("/part") == []


def test_visitor_who_leaves_within_the_answer(stack):
    stack.service.answer("/big", body=bytes(2 << 20))
    for _ in range(20):
        with stack.connect() as connection:
            connection.send(http_raw.build(target="/big", host=stack.ttf.host))
            connection.read_head()
            connection.reset()
    assert stack.request(target="/next").status == 200


def test_slow_reader_does_not_stop_the_others(stack, protocol):
    stack.service.answer("/big", body=bytes(2 << 20))
    in_redis = protocol == "v1" and backends.STACK == "redis2"  # a whole answer is one value there, which takes its time
    slow = [stack.connect() for _ in range(2 if in_redis else 10)]
    for connection in slow:
        connection.send(http_raw.build(target="/big", host=stack.ttf.host))
    for number in range(50):
        assert stack.request(target=f"/{number}").status == 200
    for connection in slow:
        assert len(connection.read_response().body) == 2 << 20
        connection.close()


def test_link_cut_in_flight(start):
    """The link is cut, ttf lives: it comes back by itself, and the GET is sent once more."""
    service = start.service()
    gateway = start.gateway("--grace", "20")
    relay = start.relay(gateway.agents)
    ttf = start.forwarder(f"ws://127.0.0.1:{relay.port}", service)
    tries = service.on("/work", Tries())
    visit = Visit(gateway.address, "GET", "/work", ttf.host)
    tries.gate.wait_arrived()
    relay.cut()
    response = visit.result()
    tries.gate.open()
    assert (response.status, response.body) == (200, b"try 2")


@pytest.mark.protocols("v1", "v2")
def test_a_link_that_died_in_silence(start):
    """Nothing is closed, and nothing passes any more: noticed within 15 s by ttf, within 5 s by a gateway where a request waits."""
    service = start.service()
    gateway = start.gateway("--grace", "500ms")
    relay = start.relay(gateway.agents)
    ttf = start.forwarder(f"ws://127.0.0.1:{relay.port}", service)
    assert http_raw.request(gateway.address, host=ttf.host).status == 200
    before, begun = len(ttf.out), time.monotonic()
    relay.swallow()
    response = http_raw.request(gateway.address, "POST", host=ttf.host, body=b"x", timeout=30)
    assert (response.status, response.error) == (502, "agent_lost")
    assert time.monotonic() - begun < 25 * SLOW
    ttf.wait_established(after=before, seconds=50)
    assert time.monotonic() - begun < 55 * SLOW  # and the first pause is up to 1 s
    assert http_raw.request(gateway.address, host=ttf.host).status == 200


def test_a_long_poll_on_a_link_that_lives_stays(start):
    """A request that waits has the link asked more often, and nothing else."""
    service = start.service()
    gateway = start.gateway()
    ttf = start.forwarder(gateway, service)
    tries = service.on("/work", Tries())
    visit = Visit(gateway.address, "GET", "/work", ttf.host)
    tries.gate.wait_arrived()
    with pytest.raises(AssertionError):  # longer than a link that waits in silence is given
        gateway.wait_err(r"gone silent|cut", seconds=8 / SLOW)
    tries.gate.open()
    assert visit.result().body == b"first"


@pytest.mark.protocols("v1")
def test_agent_that_falls_asleep_is_found_out(start):
    """TCP stays up, nothing answers: the gateway's own pings find out."""
    gateway = start.gateway("--agent-ping-interval", "500ms", "--grace", "1", "--request-timeout", "60")
    agent = start.agent(gateway)
    agent.freeze()
    response = http_raw.request(gateway.address, host=f"{agent.tunnel_id}.localhost", timeout=30)
    assert response.status == 502, response
    assert response.error in ("agent_lost", "agent_offline")


def test_ttf_finds_out_that_the_gateway_fell_asleep(start):
    """A relay that passes nothing on any more, without closing: ttf hears nothing and connects anew."""
    import signal

    service = start.service()
    gateway = start.gateway("--agent-ping-interval", "500ms")
    ttf = start.forwarder(gateway, service)
    ttf.process.send_signal(signal.SIGSTOP)
    gateway.wait_err(r"(?i)ping|silent|lost|gone|disconnect|timed out|closed", seconds=60)
    before = len(ttf.out)
    ttf.process.send_signal(signal.SIGCONT)
    ttf.wait_established(after=before, seconds=60)
    assert http_raw.request(gateway.address, host=ttf.host).status == 200


def test_memory_stays_bounded(fresh):
    """A few thousand requests, big ones among them: resident memory settles."""
    import os

    if os.environ.get("TTF_SLOW"):
        pytest.skip("sanitizers keep freed memory")
    stack = fresh()
    stack.service.answer("/big", body=bytes(2 << 20))

    def rounds():
        with stack.connect() as connection:
            for number in range(500):
                connection.send(http_raw.build(target=f"/{number}", host=stack.ttf.host))
                connection.read_response()
        for _ in range(5):
            assert stack.request(target="/big").status == 200
            assert stack.request("POST", "/up", body=bytes(2 << 20)).status == 200

    for _ in range(4):  # malloc learns from what is freed: newer ones keep the memory of a few big bodies
        rounds()
    first = stack.gateway.rss_kib(), stack.ttf.rss_kib()
    for _ in range(4):
        rounds()
    last = stack.gateway.rss_kib(), stack.ttf.rss_kib()
    for before, after in zip(first, last):
        assert after < before + 8 * 1024, (first, last)
        assert after < 40 * 1024, (first, last)
