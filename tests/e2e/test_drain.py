"""A gateway that goes down, and agents that move: nothing that was accepted is lost or done twice, and ttf has its new link
before the old one is broken."""

import base64
import hashlib
import itertools
import os
import signal
import threading
import time
from urllib.parse import urlsplit

import h2.events
import pytest

import http_raw
from agent_v1 import answer, hello
from agent_v2 import GOAWAY, frame
from agent_v2 import hello as hello_v2
from bodies import Download, held  # noqa: F401 (a fixture)
from fake_gateway import FakeGateway
from programs import SLOW, free_ports
from service import Gate


def ready_status(gateway):
    return http_raw.request(gateway.admin, target="/readyz", host="127.0.0.1").status


def is_refused(address):
    try:
        http_raw.Connection(address).close()
    except ConnectionRefusedError:
        return True
    return False


def until(true, seconds=60):
    end = time.monotonic() + seconds * SLOW
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


# ---- the gateway ----


def test_not_ready_comes_before_deaf(start):
    """A balancer that asks for /readyz gets the time to notice: until then visitors are served, and told not to come back."""
    service = start.service()
    gateway = start.gateway("--drain-delay", f"{4 * SLOW}s")
    ttf = start.forwarder(gateway, service)
    assert ready_status(gateway) == 200
    began = time.monotonic()
    gateway.process.send_signal(signal.SIGTERM)
    gateway.wait_err("stopping")
    assert ready_status(gateway) == 503
    assert http_raw.request(gateway.admin, target="/healthz", host="127.0.0.1").status == 200
    response = http_raw.request(gateway.address, target="/late", host=ttf.host)
    assert response.status == 200 and response.header("connection") == "close"
    until(lambda: is_refused(gateway.address))
    assert time.monotonic() - began >= 4 * SLOW - 0.1
    assert gateway.wait_exit() == 0


@pytest.mark.parametrize("delay,asked", [("30s", False), ("0", True)])
def test_without_a_balancer_there_is_no_delay(start, delay, asked):
    gateway = start.gateway("--drain-delay", delay)
    if asked:
        assert ready_status(gateway) == 200
    began = time.monotonic()
    assert gateway.stop() == 0
    assert time.monotonic() - began < 25


def test_a_second_signal_hurries(start):
    service = start.service()
    gateway = start.gateway("--drain-delay", "30s")
    ttf = start.forwarder(gateway, service)
    gate = service.on("/hold", Gate())
    assert ready_status(gateway) == 200
    with http_raw.Connection(gateway.address) as connection:
        connection.send(http_raw.build(target="/hold", host=ttf.host))
        gate.wait_arrived()
        gateway.process.send_signal(signal.SIGTERM)
        gateway.wait_err("stopping")
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.wait_exit() == 0
    gate.open()


def test_a_connection_that_has_said_nothing_yet_is_still_heard(start):
    """Accepted before the gateway went deaf, its request comes after: it is answered."""
    service = start.service()
    gateway = start.gateway()
    ttf = start.forwarder(gateway, service)
    with http_raw.Connection(gateway.address) as connection:
        http_raw.request(gateway.address, host=ttf.host)  # behind it in the queue, so it has been accepted
        gateway.process.send_signal(signal.SIGTERM)
        gateway.wait_err("accepting nobody")
        connection.send(http_raw.build("POST", "/x", ttf.host, body=b"abc"))
        assert connection.read_response().json()["length"] == 3
    assert gateway.wait_exit() == 0


def visit_in_thread(gateway, host, method="GET", target="/", body=None):
    result = {}

    def run():
        result["response"] = http_raw.request(gateway.address, method, target, host, body=body)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def join():
        thread.join(30)
        return result["response"]

    return join


def test_an_agent_of_v1_is_told_and_finishes(start):
    gateway = start.gateway()
    agent = start.agent(gateway)
    join = visit_in_thread(gateway, f"{agent.tunnel_id}.localhost", "POST", "/x", b"abc")
    request = agent.next_request()
    gateway.process.send_signal(signal.SIGTERM)
    assert agent.messages.get(timeout=60) == {"type": "draining"}
    assert not agent.closed.is_set()
    agent.send(answer(request, body=b"in time"))
    assert join().body == b"in time"
    assert agent.closed.wait(60) and agent.close_code == 1001
    assert gateway.wait_exit() == 0


def test_an_agent_of_v2_is_told_and_finishes(start):
    """GOAWAY is the gateway's last word, when nothing runs any more."""
    gateway = start.gateway()
    agent = start.agent_v2(gateway)
    join = visit_in_thread(gateway, agent.host, "POST", "/x", b"abc")
    request = agent.next_request()
    gateway.process.send_signal(signal.SIGTERM)
    assert agent.lines.get(timeout=60) == {"type": "draining"}
    assert agent.events.empty() and not agent.closed.is_set()
    agent.reply(request, body=b"in time")
    assert join().body == b"in time"
    assert isinstance(agent.events.get(timeout=60), h2.events.ConnectionTerminated)
    assert agent.is_gone_within(60) and agent.close_code == 1001
    assert gateway.wait_exit() == 0


def test_a_request_waits_for_an_agent_that_moves(start):
    """The agent takes nothing more (GOAWAY) and connects again: what comes in between waits for that."""
    gateway = start.gateway()
    ready = {"type": "ready", "capabilities": ["resume"]}
    old = start.agent_v2(gateway, ready=ready)
    assert old.raw(frame(GOAWAY, 0, 0, (1).to_bytes(4, "big") + bytes(4)))
    gateway.wait_err("takes no new requests")
    joins = [visit_in_thread(gateway, old.host, *request) for request in (("GET", "/a"), ("POST", "/b", b"abc"))]
    done = threading.Event()

    def handler(agent, request):
        agent.answer(request.stream, body=f"{request.method} {request.path}".encode())
        done.set()

    new = start.agent_v2(gateway, handler, ready=ready, headers={"x-tunnel-resume": old.established["resume"]})
    assert new.tunnel_id == old.tunnel_id
    assert [join().body for join in joins] == [b"GET /a", b"POST /b"]
    assert old.requests.empty()


# ---- ttf, and a gateway of the test's own ----


@pytest.fixture
def fake(request):
    gateway = FakeGateway(**getattr(request, "param", {}))
    yield gateway
    gateway.stop()


def linked(start, fake):
    """A service, a ttf before it, and its first link."""
    service = start.service()
    ttf = start.forwarder(fake, service, wait=False)
    link = fake.next_link()
    ttf.wait_established()
    return service, ttf, link


def body_of(response):
    return base64.b64decode(response["body"])


def test_ttf_has_its_new_link_before_the_old_one_is_broken(start, fake):
    service, ttf, old = linked(start, fake)
    gate = service.on("/hold", Gate())
    old.request("held", "POST", "/hold", b"abc")
    gate.wait_arrived()
    old.send({"type": "draining"})
    new = fake.next_link()
    assert new.headers["x-tunnel-resume"] == "token"
    assert not old.closed.is_set()
    old.request("late", uri="/late")  # both links serve
    new.request("new", uri="/new")
    assert old.response()["request_id"] == "late" and new.response()["request_id"] == "new"
    old.taken_over()
    new.request("newer", uri="/newer")
    assert new.response()["status_code"] == 200
    assert not old.closed.is_set()
    gate.open()
    response = old.response()
    assert response["request_id"] == "held" and body_of(response) == b"at last"
    assert old.closed.wait(60) and old.close_code == 1000
    new.request("last", uri="/last")
    assert new.response()["status_code"] == 200
    assert len(service.seen("/hold")) == 1
    assert not [line for line in ttf.out + ttf.err if "taken over" in line or "lost" in line]


@pytest.mark.parametrize("fake", [{"greets": False}], indirect=True)
def test_taken_over_by_ttf_itself_before_it_knows(start, fake):
    """The gateway tells the old link so as soon as the claim has moved, before the new one hears where it is."""
    service = start.service()
    ttf = start.forwarder(fake, service, wait=False)
    old = fake.next_link()
    old.establish()
    ttf.wait_established()
    old.send({"type": "draining"})
    new = fake.next_link()
    old.taken_over()
    assert old.closed.wait(60)
    lines = len(ttf.out)
    new.establish("another token")
    ttf.wait_established(after=lines)
    new.request("one")
    assert new.response()["status_code"] == 200


def test_the_old_link_serves_while_no_other_is_to_be_had(start, fake):
    _, ttf, old = linked(start, fake)
    fake.refusing = 503
    old.send({"type": "draining"})
    until(lambda: fake.refused >= 2)
    old.request("meanwhile", uri="/meanwhile")
    assert old.response()["status_code"] == 200
    fake.refusing = None
    new = fake.next_link()
    new.request("new", uri="/new")
    assert new.response()["status_code"] == 200
    old.close()
    new.request("newer", uri="/newer")
    assert new.response()["status_code"] == 200
    assert ttf.process.poll() is None


def test_gateways_that_go_down_one_after_the_other(start, fake):
    """Each keeps a request of its own; more of them than ttf keeps links for, and the oldest is cut."""
    service, ttf, link = linked(start, fake)
    gate, links = service.on("/hold", Gate()), [link]
    for number in range(6):
        links[-1].request(f"held {number}", uri="/hold")
        gate.wait_arrived()
        lines = len(ttf.out)
        links[-1].send({"type": "draining"})
        links.append(fake.next_link())
        ttf.wait_established(after=lines)
    assert links[0].closed.wait(60) and links[1].closed.wait(60)
    gate.open()
    for number in range(2, 6):
        assert links[number].response()["request_id"] == f"held {number}"
    links[-1].request("last", uri="/last")
    assert links[-1].response()["status_code"] == 200


def test_ttf_that_stops_while_it_moves(start, fake):
    _, ttf, old = linked(start, fake)
    fake.refusing = 503
    old.send({"type": "draining"})
    until(lambda: fake.refused)
    assert ttf.stop() == 0
    assert old.closed.wait(60)


# ---- both ----


@pytest.mark.protocols("v1", "v2")
def test_ttf_moves_to_another_gateway(start, held, protocol):
    """Two gateways of one secret, a balancer in front of their agent ports: a long answer ends on the old link while the new
    one serves, under the same name."""
    service = start.service()
    state = start._folder("state")
    first = start.gateway(state_dir=state)
    second = start.gateway(state_dir=state)
    balancer = start.relay(first.agents)
    ttf = start.forwarder(f"ws://127.0.0.1:{balancer.port}", service, "-n", "moves")
    gate = service.on("/hold", Gate())
    service.stream("/long", held)
    with http_raw.Connection(first.address) as posting, http_raw.Connection(first.address) as connection:
        posting.send(http_raw.build("POST", "/hold", "moves.localhost", body=b"abc"))
        gate.wait_arrived()
        download = Download(connection, "moves.localhost", held, 20) if protocol == "v2" else None
        balancer.target = second.agents
        lines = len(ttf.out)
        first.process.send_signal(signal.SIGTERM)
        ttf.wait_established(after=lines)
        assert http_raw.request(second.address, "POST", "/new", "moves.localhost", body=b"x").json()["length"] == 1
        assert first.process.poll() is None
        if download:
            download.finish()
        gate.open()
        assert posting.read_response().body == b"at last"
    held.release()
    assert first.wait_exit() == 0
    assert http_raw.request(second.address, target="/after", host="moves.localhost").status == 200
    assert len(service.seen("/hold")) == 1
    assert not [line for line in ttf.out + ttf.err if "taken over" in line or "lost" in line]


LINK_REQUESTS = ("--agent-link-requests", "40", "--agent-ping-interval", "2s")  # looked at eight times within that


def count_lines(lines, text):
    return sum(text in line for line in lines)


@pytest.mark.protocols("v2")
def test_a_link_that_has_carried_enough_is_replaced(start, held):
    """Under load, again and again: nothing fails, nothing is done twice, and what takes long ends on the link it began on."""
    service = start.service()
    gateway = start.gateway(*LINK_REQUESTS)
    ttf = start.forwarder(gateway, service)
    host = urlsplit(ttf.url).netloc
    service.stream("/long", held)
    with http_raw.Connection(gateway.address) as connection:
        download = Download(connection, host, held, 4)
        loads = [Load(gateway.address, host, number) for number in range(6)]
        for load in loads:
            load.start()
        until(lambda: count_lines(gateway.err, "is to be replaced") >= 3)
        until(lambda: count_lines(ttf.out, "Tunnel established") >= 4)
        for load in loads:
            load.ended.set()
        for load in loads:
            load.join(30)
        download.finish()
    held.release()
    assert_all_was_done_once(service, loads)
    assert not any(load.refused or load.absent for load in loads)
    assert len({line.partition("Tunnel established: ")[2] for line in ttf.out if "Tunnel established" in line}) == 1
    assert not [line for line in ttf.out + ttf.err if "taken over" in line or "lost" in line]


@pytest.mark.protocols("v2")
def test_a_link_that_was_replaced_is_closed_when_all_is_answered(start):
    """By the gateway, where the agent leaves it to it."""
    gateway = start.gateway("--agent-link-requests", "1", "--agent-ping-interval", "2s")
    ready = {"type": "ready", "capabilities": ["resume"]}
    old = start.agent_v2(gateway, ready=ready)
    join = visit_in_thread(gateway, old.host, "POST", "/held", b"abc")
    request = old.next_request()
    assert old.lines.get(timeout=60) == {"type": "draining"}
    new = start.agent_v2(gateway, hello_v2, ready=ready, headers={"x-tunnel-resume": old.established["resume"]})
    assert new.tunnel_id == old.tunnel_id
    assert old.lines.get(timeout=60)["code"] == "taken_over"
    assert http_raw.request(gateway.address, target="/new", host=old.host).body == b"GET /new"
    assert not old.closed.is_set()
    old.reply(request, body=b"in time")
    assert join().body == b"in time"
    assert old.is_gone_within(60) and old.close_code == 1000
    assert not new.closed.is_set()


class Load(threading.Thread):
    """Asks for one thing after the other, each on a connection of its own, until told to end. What is refused before it was
    sent is counted, and not a failure: nobody listened."""

    def __init__(self, address, host, number):
        super().__init__(daemon=True)
        self.address, self.host, self.number = address, host, number
        self.done, self.refused, self.absent, self.failures = [], 0, 0, []
        self.ended = threading.Event()

    def run(self):
        for count in itertools.count():
            if self.ended.is_set():
                return
            self._one("POST" if count % 2 else "GET", f"/{self.number}-{count}")

    def _one(self, method, target):
        body = os.urandom(20000) if method == "POST" else b""
        try:
            connection = http_raw.Connection(self.address)
        except ConnectionRefusedError:
            self.refused += 1
            self.ended.wait(0.01)
            return
        with connection:
            try:
                connection.send(http_raw.build(method, target, self.host, body=body if method == "POST" else None))
                response = connection.read_response(method)
            except (OSError, http_raw.Cut) as error:
                self.failures.append((target, repr(error)))
                return
        if response.error == "tunnel_not_found":
            self.absent += 1
        elif response.status != 200 or response.json()["sha256"] != hashlib.sha256(body).hexdigest():
            self.failures.append((target, repr(response)))
        else:
            self.done.append(target)


def assert_all_was_done_once(service, loads):
    failures = [failure for load in loads for failure in load.failures]
    assert not failures, failures
    seen = [request.target for request in service.seen() if request.path != "/long"]
    assert len(seen) == len(set(seen)), "something was done twice"
    assert set(seen) == {target for load in loads for target in load.done}


@pytest.mark.protocols("v1", "v2")
def test_a_restart_under_load(start, held, protocol):
    """One gateway alone. All that it took is answered, a long download too; nothing is done twice; ttf is back with the same
    URL at the one that follows. (What comes in the gap finds nobody; the store in memory forgets who was there.)"""
    service = start.service()
    state = start._folder("state")
    ports = free_ports()
    first = start.gateway("--drain-delay", "300ms", state_dir=state, ports=ports)
    ttf = start.forwarder(first, service)
    url = ttf.url
    service.stream("/long", held)
    assert ready_status(first) == 200
    with http_raw.Connection(first.address) as connection:
        download = Download(connection, ttf.host, held, 8) if protocol == "v2" else None
        loads = [Load(first.address, urlsplit(url).netloc, number) for number in range(6)]
        for load in loads:
            load.start()
        until(lambda: all(len(load.done) > 10 for load in loads))
        lines = len(ttf.out)
        first.process.send_signal(signal.SIGTERM)
        until(lambda: all(load.refused for load in loads))
        if download:
            download.finish()
    held.release()
    assert first.wait_exit() == 0
    before = [len(load.done) for load in loads]
    start.gateway(state_dir=state, ports=ports)
    assert ttf.wait_established(after=lines) == url
    until(lambda: all(len(load.done) > count + 10 for load, count in zip(loads, before)))
    for load in loads:
        load.ended.set()
    for load in loads:
        load.join(30)
    assert_all_was_done_once(service, loads)
