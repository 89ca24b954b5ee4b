"""How often ttf pings is for the other side to say: it knows what a ping costs, and when it takes an agent for gone. The name of
the host decides nothing (test_endpoint.c has what counts with those that say nothing)."""

import pytest

import aws
import backends
from aws_function import usage
from fake_gateway import FakeGateway
from programs import BIN

pytestmark = pytest.mark.skipif(backends.STACK != "memory", reason="it brings its own other side")


@pytest.fixture
def linked(start):
    """make(host, seconds): the link of a ttf that was told so."""
    fakes = []

    def make(host, said):
        fake = FakeGateway(greets=False)
        fakes.append(fake)
        start.forwarder(f"ws://{host}:{fake.port}", start.service(), wait=False)
        link = fake.next_link()
        link.establish(**said)
        return link

    yield make
    for fake in fakes:
        fake.stop()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_as_often_as_it_is_told(linked, host):
    """Five seconds, where a gateway that says nothing is pinged every seven. A busy machine may be late, not early."""
    link = linked(host, {"heartbeat_seconds": 5})
    times = [link.pings.get(timeout=60) for _ in range(2)]
    while (gap := times[-1] - times[-2]) > 6.5:
        assert len(times) < 6, times
        times.append(link.pings.get(timeout=60))
    assert gap > 4


def test_as_seldom_as_it_is_told(linked):
    """A WebSocket API's custom domain, which looks like a gateway's, says 300 s; one that says nothing is pinged by then."""
    told, untold = linked("localhost", {"heartbeat_seconds": 300}), linked("localhost", {})
    for _ in range(2):
        untold.pings.get(timeout=60)
    assert told.pings.empty()


@pytest.mark.parametrize("custom", ["true", "false"])
def test_an_idle_agent_costs_nothing_on_aws(start, linked, custom):
    """Whatever the API is called: what it says is what counts."""
    gateway = start._keep(aws.StandIn(start._folder("standin"), "--api-custom-domain", custom, "--api-stage", "dev",
                                      bootstrap=BIN / "bootstrap"))  # fmt: skip
    start.forwarder(gateway.endpoint + ("" if custom == "true" else "/dev"), start.service())
    before, untold = usage(gateway)["messagesIn"], linked("localhost", {})
    untold.pings.get(timeout=60)
    untold.pings.get(timeout=60)
    assert usage(gateway)["messagesIn"] == before


def test_a_slow_line_that_takes_a_large_answer_is_not_dead(start):
    """A pong comes behind what ttf's kernel has of it: longer after the ping than silence is borne (two of these intervals)."""
    fake, service = FakeGateway(greets=False), start.service()
    service.answer("/large", body=bytes(450_000))
    relay = start.relay(("127.0.0.1", fake.port), pace=30_000)
    try:
        ttf = start.forwarder(f"ws://127.0.0.1:{relay.port}", service, wait=False)
        link = fake.next_link()
        link.establish(heartbeat_seconds=5)
        link.request("r", uri="/large")
        assert len(link.response(120)["body"]) == 600_000
        assert "Connection lost" not in "".join(ttf.out)
    finally:
        fake.stop()
