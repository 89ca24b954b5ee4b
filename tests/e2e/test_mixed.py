"""Gateways of this version and of the one before on one Redis, as while a fleet is brought to this version; and what a version
after this one may have written. They run on a Redis of their own, whatever the stack."""

import shutil

import pytest

import http_raw
from before import gateway_before
from programs import Gateway, free_ports
from redis_server import PROGRAM, Redis
from test_redis import LEASE, claim, eventually, works

pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="redis-server is not installed"),
    pytest.mark.timeout(900),  # the version before may have to be built
    pytest.mark.protocols("v1", "v2"),
]


@pytest.fixture(scope="module")
def before():
    return gateway_before()


@pytest.fixture
def redis():
    server = Redis()
    yield server
    server.stop()


@pytest.fixture
def gateway(start, redis, before):
    """gateway("old") or gateway("new"), with further options"""

    def make(version, *options, **more):
        kind = type("Before", (Gateway,), {"program": before}) if version == "old" else Gateway
        v1 = ("--agent-protocols", "v1") if start.protocol == "v1" else ()
        return start._keep(kind(start._folder("gateway"), "--store", redis.url(), *LEASE, *v1, *options, **more))

    return make


ways = pytest.mark.parametrize("first, second", [("old", "new"), ("new", "old")])


def record(redis, tunnel_id):
    return redis.ask("GET", f"ttf1:claim:{tunnel_id}")


def held(redis, gateway):
    return redis.ask("HLEN", f"ttf1:links:ws://127.0.0.1:{gateway.agents[1]}")


def error(gateway, tunnel):
    return http_raw.request(gateway.address, target="/", host=tunnel.host).error


# ---- this version and the one before ----


@ways
def test_each_serves_the_others_tunnels(start, redis, gateway, first, second):
    one, two = gateway(first), gateway(second)
    service = start.service()
    for holder in (one, two):
        ttf = start.forwarder(holder, service)
        assert works(one, ttf) and works(two, ttf)
        assert record(redis, ttf.tunnel_id).startswith("1\n"), "there is nothing that the version before cannot read"


@ways
def test_an_agent_goes_at_one_and_comes_at_the_other(start, redis, gateway, first, second):
    one, two = gateway(first, "--grace", "0"), gateway(second, "--grace", "0")
    service, home = start.service(), start._folder("home")
    relay = start.relay(one.agents)
    endpoint = f"ws://127.0.0.1:{relay.port}"
    ttf = start.forwarder(endpoint, service, "-n", "mine", state_home=home)
    assert works(two, ttf)
    ttf.stop()
    eventually(lambda: claim(redis, "mine") == 4 and held(redis, one) == 0)
    eventually(lambda: error(two, ttf) == "agent_offline")
    stranger = start.forwarder(two, service, "-n", "mine", wait=False)
    assert stranger.wait_exit() != 0 and any("taken" in line for line in stranger.err)
    stranger.expect_killed = True
    relay.target = two.agents
    again = start.forwarder(endpoint, service, "-n", "mine", state_home=home)
    assert again.tunnel_id == "mine" and works(two, again)
    eventually(lambda: works(one, again))


@ways
def test_an_agent_is_taken_over_at_the_other(start, redis, gateway, first, second):
    service, home, copy = start.service(), start._folder("home"), start.folder / "copy"
    one, two = gateway(first), gateway(second)
    relay = start.relay(one.agents)
    endpoint = f"ws://127.0.0.1:{relay.port}"
    earlier = start.forwarder(endpoint, service, "-n", "mine", state_home=home)
    shutil.copytree(home, copy)
    relay.target = two.agents
    later = start.forwarder(endpoint, service, "-n", "mine", state_home=copy)
    assert earlier.wait_exit() != 0
    earlier.expect_killed = True
    assert works(two, later)
    eventually(lambda: works(one, later))
    eventually(lambda: held(redis, one) == 0 and held(redis, two) == 1)


@ways
def test_one_that_dies_is_seen_by_the_other(start, redis, gateway, first, second):
    one, two = gateway(first, "--grace", "0"), gateway(second, "--grace", "0")
    ttf = start.forwarder(one, start.service())
    assert works(two, ttf)
    one.kill()
    eventually(lambda: claim(redis, ttf.tunnel_id) == 4, 20)
    eventually(lambda: error(two, ttf) == "agent_offline")
    assert redis.ask("PTTL", f"ttf1:claim:{ttf.tunnel_id}") > 0
    ttf.kill()


@ways
def test_one_is_replaced_by_the_other(start, redis, gateway, first, second):
    service = start.service()
    ports = free_ports()
    one = gateway(first, ports=ports)
    ttf = start.forwarder(one, service)
    lines = len(ttf.out)
    assert one.stop() == 0
    two = gateway(second, ports=ports)
    ttf.wait_established(after=lines)
    assert eventually(lambda: works(two, ttf))


# ---- this version and one after it ----


def make_later(redis, tunnel_id):
    """What a version after this one might write of the same claim."""
    fields = record(redis, tunnel_id).split("\n")
    assert fields[0] == "1"
    _, epoch, state, expires, connection, peer, name, protocol, capabilities, timeout, changed = fields[:11]
    owner = "\n".join(fields[11:]).replace("%", "%25").replace("\n", "%0a")
    tags = {
        "name.id": name, "name.owner": owner, "name.options": "methods=GET,HEAD", "name.visitors": "alice=1,bob=2",
        "member.gateway": peer, "member.protocol": protocol, "member.capabilities": capabilities, "member.timeout": timeout,
        "member.changed": changed, "member.weight": "3",
    }  # fmt: skip
    text = "\n".join(["2", epoch, state, expires, connection, *(f"{tag}={value}" for tag, value in tags.items())]) + "\n"
    redis.ask("SET", f"ttf1:claim:{tunnel_id}", text)


def lines(redis, tunnel_id):
    return [line for line in record(redis, tunnel_id).split("\n") if line.startswith(("name.options", "name.visitors", "member.weight"))]


OF_NAME = ["name.options=methods=GET,HEAD", "name.visitors=alice=1,bob=2"]


def test_what_a_later_version_wrote_is_kept(start, redis, gateway):
    one, two = gateway("new"), gateway("new", "--grace", "0")
    service, home = start.service(), start._folder("home")
    ttf = start.forwarder(one, service, "-n", "mine", state_home=home)
    make_later(redis, "mine")
    three = gateway("new", "--grace", "0")  # has not seen the claim as it was
    assert works(three, ttf) and works(two, ttf) and works(one, ttf)
    ttf.stop()
    eventually(lambda: claim(redis, "mine") == 4)
    assert sorted(lines(redis, "mine")) == ["member.weight=3", *OF_NAME]
    again = start.forwarder(one, service, "-n", "mine", state_home=home)
    assert works(three, again)
    assert sorted(lines(redis, "mine")) == ["name.options=", OF_NAME[1]], "the weight was that connection's, and who may visit is the agent's to say"


def test_what_a_later_version_wrote_is_kept_when_its_gateway_dies(start, redis, gateway):
    one, two = gateway("new"), gateway("new", "--grace", "0")
    ttf = start.forwarder(one, start.service())
    make_later(redis, ttf.tunnel_id)
    one.kill()
    eventually(lambda: claim(redis, ttf.tunnel_id) == 4, 20)
    assert sorted(lines(redis, ttf.tunnel_id)) == ["member.weight=3", *OF_NAME]
    eventually(lambda: error(two, ttf) == "agent_offline")
    ttf.kill()


def test_what_makes_no_sense_is_refused(start, redis, gateway):
    one = gateway("new")
    for text in ("2\n1\n2\n9999999999999\nc\n", "3\n1\n2\n9999999999999\nc\nname.id=mine\n", "2\n" + "x" * 10000):
        redis.ask("SET", "ttf1:claim:mine", text)
        assert http_raw.request(one.address, target="/", host="mine.localhost").error == "tunnel_not_found"
    one.wait_err("is not ours stands at ttf1:claim:mine")
