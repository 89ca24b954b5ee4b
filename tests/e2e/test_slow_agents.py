"""An agent of v1 that is slow with what it has been sent lives as long as it goes on with that; one that does not is found out."""

import threading
import time

import pytest

import backends
import http_raw
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
        upload, begun = Upload(gateway, agent), time.monotonic()
        agent.read_some(size)
        gateway.wait_err("gone silent", seconds=60)
        assert time.monotonic() - begun < 25 * SLOW
        assert upload.result().error == "agent_lost"
