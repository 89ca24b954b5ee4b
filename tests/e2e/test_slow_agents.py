"""An agent of v1 that is slow with what it has been sent lives as long as it goes on with that; one that does not is found out."""

import signal
import threading

import pytest

import backends
import http_raw
from agent_v1 import hello
from programs import SLOW
from slow_agent import SlowAgent

pytestmark = [pytest.mark.protocols("v1"), pytest.mark.skipif(backends.STACK == "aws", reason="API Gateway keeps the sockets")]
BODY = bytes(2 << 20)  # a message of 2.8 MB


class Upload(threading.Thread):
    def __init__(self, gateway, agent, body=BODY):
        super().__init__(daemon=True)
        self.ask = lambda: http_raw.request(gateway.address, "POST", "/up", host=agent.host, body=body, timeout=120)
        self.response = None
        self.start()

    def run(self):
        self.response = self.ask()

    def result(self):
        self.join(120)
        assert self.response, "no answer"
        return self.response


def test_a_large_message_over_a_slow_line(start):
    """A ping waits behind what the kernel has of it, longer than silence is borne (2 s)."""
    gateway = start.gateway("--agent-ping-interval", "1s", "--request-timeout", "120")
    with SlowAgent(gateway.agents, rate=80_000) as agent:
        upload = Upload(gateway, agent, bytes(512 << 10))
        request = agent.next_message()
        assert agent.pings > 0
        agent.reply(request, b"got it")
        assert upload.result().body == b"got it"


def test_a_large_message_that_is_long_thought_about(start):
    """All of it has been read, and nothing is heard until that is done: on a busy machine that takes its time."""
    gateway = start.gateway("--agent-ping-interval", "7s", "--request-timeout", "120")
    with SlowAgent(gateway.agents, rate=0) as agent:
        upload = Upload(gateway, agent)
        request = agent.next_message()
        with pytest.raises(AssertionError):
            gateway.wait_err("gone silent", seconds=7 / SLOW)
        agent.reply(request, b"thought")
        assert upload.result().body == b"thought"


@pytest.mark.parametrize("size", [1_000_000, 0])
def test_one_that_stops_reading_is_found_out(start, size):
    gateway = start.gateway("--agent-ping-interval", "1s", "--request-timeout", "120", "--grace", "1")
    with SlowAgent(gateway.agents, rate=0) as agent:
        upload = Upload(gateway, agent)
        agent.read_some(size)
        gateway.wait_err("gone silent", seconds=60)
        assert upload.result().error == "agent_lost"


@pytest.mark.skipif(backends.STACK == "redis2", reason="one of two that stands still is another matter")
def test_it_is_not_the_agent_who_was_silent(start):
    """The gateway got no time on its machine: what agents said meanwhile has not been read yet."""
    gateway = start.gateway("--agent-ping-interval", "500ms")
    agents = [start.agent(gateway, hello) for _ in range(5)]
    gateway.process.send_signal(signal.SIGSTOP)
    for agent in agents:
        agent.send({"type": "ping"})
    assert not agents[0].closed.wait(2)  # four intervals
    gateway.process.send_signal(signal.SIGCONT)
    for agent in agents:
        assert agent.messages.get(timeout=60)["type"] == "pong"
        assert http_raw.request(gateway.address, host=f"{agent.tunnel_id}.localhost").status == 200
