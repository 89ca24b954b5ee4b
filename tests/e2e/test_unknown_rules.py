"""Agents whose rules for visitors this gateway does not know, because it is older than they are: nobody is let in without them."""

import time

import pytest

import backends
import http_raw
from programs import SLOW, Gateway
from redis_server import Redis
from relay import Relay
from service import Response

pytestmark = pytest.mark.protocols("v2", "v1")


def from_a_later_ttf(start, stack, *options):
    """A ttf with `--methods`, which says `weather=` to the gateway instead."""
    relay = start._other(Relay(stack.gateway.agents, swap=(b"methods=", b"weather=")))
    ttf = start.forwarder(f"ws://127.0.0.1:{relay.port}", stack.service, *options, wait=False)
    return relay, ttf


def test_it_is_refused_with_the_name_of_the_rule(start, fresh):
    stack = fresh()
    relay, ttf = from_a_later_ttf(start, stack, "--methods", "GET", "--name", "of-tomorrow")
    ttf.expect_killed = True
    assert ttf.wait_exit() == 1
    assert b"x-tunnel-policy: methods=GET" in relay.up  # so it was the gateway that did not know it
    if backends.STACK != "aws":  # API Gateway does not pass on why
        assert any("the rule 'weather' for visitors is not known here (400)" in line for line in ttf.err), ttf.dump()
    assert stack.request(host=stack.ttf.host.replace(stack.ttf.tunnel_id, "of-tomorrow")).error == "tunnel_not_found"
    assert stack.service.requests == []


@pytest.mark.parametrize("options", [("--deny-path", "/admin"), ("--basic-auth", "ann:secret-12"), ("--share", "1h")])
def test_rules_that_are_known_do_not_help(start, fresh, options):
    stack = fresh()
    _, ttf = from_a_later_ttf(start, stack, "--methods", "GET", "--name", "of-tomorrow", *options)
    ttf.expect_killed = True
    assert ttf.wait_exit() == 1
    assert stack.request(host=stack.ttf.host.replace(stack.ttf.tunnel_id, "of-tomorrow")).error == "tunnel_not_found"


def test_a_running_tunnel_is_not_opened_by_one(start, fresh, tmp_path):
    """Its owner starts a later ttf: the one that is there stays, with the rules that it has."""
    stack = fresh(ttf_options=("--basic-auth", "ann:secret-12", "--name", "of-today"), ttf_home=tmp_path)
    assert stack.request().error == "unauthorized"
    _, ttf = from_a_later_ttf(start, stack, "--methods", "GET", "--name", "of-today")
    ttf.expect_killed = True
    assert ttf.wait_exit() == 1
    assert stack.request().error == "unauthorized"
    assert stack.service.requests == []


@pytest.mark.skipif(backends.STACK != "memory", reason="it brings its own stack")
def test_a_claim_of_a_later_gateway_lets_nobody_in(start):
    """In a fleet that is updated gateway by gateway: an agent came to a later one, and a visitor to one that does not know the rule."""
    redis = start._other(Redis())
    service = start.service()
    service.default = lambda request: Response(body=b"in")

    def gateway():
        options = ("--store", redis.url(), "--lease", "1s")
        return start._keep(Gateway(start._folder("gateway"), *options, env={"TUNNEL_SECRET": "a secret of the fleet"}))

    one = gateway()
    ttf = start.forwarder(one, service, "--methods", "GET")
    key = f"ttf1:claim:{ttf.tunnel_id}"
    record = redis.ask("GET", key)
    assert "methods=GET" in record, record
    redis.ask("SET", key, record.replace("methods=GET", "weather=sun"))
    two, end = gateway(), time.monotonic() + 60 * SLOW
    answer = http_raw.request(two.address, host=ttf.host)
    while answer.error != "forbidden" and time.monotonic() < end:  # until it has heard of the other one
        answer = http_raw.request(two.address, host=ttf.host)
    assert answer.error == "forbidden", answer
    assert service.requests == []
    two.wait_err("has rules for visitors that this gateway does not know: nobody is let in")
