"""Quotas in tokens and in settings: what is refused, by which quota, and who is told."""

import base64
import contextlib
import json
import re
import time

import pytest

import backends
import http_raw
import ws_client
from programs import BIN, SLOW
from service import Gate, echo
from test_auth import PROTECTED, token
from test_cli import fails

pytestmark = pytest.mark.protocols("v2", "v1")
not_on_aws = pytest.mark.skipif(backends.STACK == "aws", reason="processes of the function count the tunnel's requests alone")


def ttf_with(start, gateway, port, *options, **claims):
    return start.forwarder(gateway, port, *options, env={"TTF_TOKEN": token(**claims)})


def metric(gateway, pattern):
    """Of all gateways that there are."""
    pages = [http_raw.request(each.admin, target="/metrics").body.decode() for each in (gateway, getattr(gateway, "front", None)) if each]
    return sum(int(re.search(f"^{pattern} (\\d+)", page, re.M)[1]) for page in pages)


def refusals(gateway, quota):
    return metric(gateway, f'ttf_quota_refusals_total{{quota="{quota}"}}')


def ask(gateway, ttf, **more):
    return http_raw.request(gateway.address, host=ttf.host, **more)


def refused_by(answer, quota):
    assert answer.status == 429 and answer.header("x-tunnel-error") == "rate_limited", answer.status
    assert answer.header("x-tunnel-quota") == quota
    assert int(answer.header("retry-after")) >= 1
    return True


# ---- agents ----


def test_names_of_a_token(start):
    """A token for one name gets it unasked; one for patterns gets what matches, and is told of what does not."""
    gateway, service = start.gateway(env=PROTECTED), start.service()
    one = ttf_with(start, gateway, service, tunnels="shop")
    assert one.host.startswith("shop.")
    assert ttf_with(start, gateway, service, "--name", "dev-1", tunnels=["dev-*"]).host.startswith("dev-1.")
    for options in ((), ("--name", "other")):
        line = fails(start, BIN / "ttf", "-e", gateway.endpoint, "-p", 1, *options, env={"TTF_TOKEN": token(tunnels=["dev-*", "x-*"])})
        assert "this token is for tunnels named dev-* x-*" in line and "403" in line, line
    line = fails(start, BIN / "ttf", "-e", gateway.endpoint, "-p", 1, env={"TTF_TOKEN": token(tunnels=[])})
    assert "this token is for no tunnel: its list of tunnels is empty" in line and "403" in line, line
    line = fails(start, BIN / "ttf", "-e", gateway.endpoint, "-p", 1, env={"TTF_TOKEN": token(max_rate="many")})
    assert "max_rate" in line and "401" in line, line


@not_on_aws
def test_tunnels_at_once(start):
    """Beyond what the token says agents wait, and come in when another has gone; who takes his own tunnel over has no more."""
    gateway, service = start.gateway(env=PROTECTED), start.service()
    first = ttf_with(start, gateway, service, "--name", "one", max_tunnels=2)
    ttf_with(start, gateway, service, "--name", "two", max_tunnels=2)
    third = start.forwarder(gateway, service, "--name", "three", env={"TTF_TOKEN": token(max_tunnels=2)}, wait=False)
    third.wait_line("may have 2 tunnels at once, and has them.*429")
    assert refusals(gateway, "owner-tunnels") >= 1
    ttf_with(start, gateway, service, "--name", "bobs", subject="bob", max_tunnels=1)
    first.stop()
    third.wait_established(seconds=120)


def test_the_command_makes_such_tokens(start):
    command = (BIN / "ttf-gateway", "token", "--sub", "alice", "--tunnels", "shop,dev-*", "--max-rate", "5", "--max-bandwidth", "1MiB")
    program = start.program(*command, env={"JWT_SECRET": PROTECTED["JWT_SECRET"]})
    assert program.wait_exit() == 0
    payload = program.out[0].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["tunnels"] == ["shop", "dev-*"] and claims["max_rate"] == 5 and claims["max_bandwidth"] == 1 << 20
    assert "max_tunnels" not in claims
    line = fails(start, *command[:4], "--max-rate", "0", env={"JWT_SECRET": PROTECTED["JWT_SECRET"]})
    assert "max_rate is no whole number" in line


# ---- requests ----


def test_requests_a_second_of_an_owner(start):
    """All of an owner's tunnels together (on AWS each): visitors are told which quota it was, and so is ttf."""
    gateway, service = start.gateway(env=PROTECTED), start.service()
    first, second = (ttf_with(start, gateway, service, max_rate=2) for _ in range(2))
    other = ttf_with(start, gateway, service, subject="bob")
    began = time.monotonic()
    answers = [ask(gateway, ttf) for _ in range(20) for ttf in (first, second)]
    took = time.monotonic() - began
    passed = sum(answer.status == 200 for answer in answers)
    if backends.STACK == "aws":
        assert 4 <= passed <= 4 * 2 * (1 + took) + 2
    else:
        assert 2 <= passed <= 2 * (1 + took) + 1
        assert refusals(gateway, "owner-rate") == len(answers) - passed
        assert all(answer.status == 200 or refused_by(answer, "owner-rate") for answer in answers)
        if backends.STACK != "redis2" or start.protocol != "v1":  # an agent of v1 hears of what its own gateway refuses
            first.wait_err("come again later: a quota is met, requests a second of all tunnels of its owner")
    assert ask(gateway, other).status == 200


@not_on_aws
def test_requests_at_once_of_an_owner(start):
    """WebSockets and requests count until they end."""
    gateway = start.gateway("--max-requests-per-owner", "2", env=PROTECTED)
    service = start.service()
    gate = service.on("/wait", Gate())
    ttf = ttf_with(start, gateway, service)
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(http_raw.Connection(gateway.address)) for _ in range(2)]
        for each in waiting:
            each.send(http_raw.build(host=ttf.host, target="/wait"))
            gate.wait_arrived()
        refused_by(ask(gateway, ttf), "owner-requests")
        gate.open()
        for each in waiting:
            assert each.read_response().status == 200
    assert ask(gateway, ttf).status == 200


@not_on_aws
@pytest.mark.protocols("v2")  # the only one with WebSockets
def test_a_websocket_is_a_request_at_once(start):
    """And its bytes count: a message comes back whole, and not before its time."""
    gateway, service = start.gateway(env=PROTECTED), start.websockets(echo)
    ttf = ttf_with(start, gateway, service, max_connections=1, max_bandwidth=200_000)
    url, message = f"ws://127.0.0.1:{gateway.address[1]}/{ttf.tunnel_id}/", "x" * 500_000
    with ws_client.Socket(url, seconds=60) as visitor:
        refused_by(ask(gateway, ttf), "owner-requests")
        began = time.monotonic()
        visitor.send(message)
        assert visitor.recv() == message
        assert time.monotonic() - began >= 1  # 1 000 000 bytes both ways; a second's worth at once, and windows
    end = time.monotonic() + 60 * SLOW
    while ask(gateway, ttf).header("x-tunnel-quota") == "owner-requests":
        assert time.monotonic() < end, "it still counts"


@not_on_aws
def test_requests_a_second_of_a_visitor(start):
    """By the true address behind a trusted proxy; an IPv6 network of 64 bits is one."""
    gateway = start.gateway("--per-visitor-rate-limit", "1", "--trusted-proxies", "127.0.0.0/8")
    ttf = start.forwarder(gateway, start.service())

    def burst(*addresses):
        return [ask(gateway, ttf, headers=[("X-Forwarded-For", addresses[n % len(addresses)])]) for n in range(20)]

    answers = burst("2001:db8::1", "2001:db8::2")
    assert sum(answer.status == 200 for answer in answers) >= 1
    assert [refused_by(answer, "visitor-rate") for answer in answers if answer.status != 200]
    assert ask(gateway, ttf, headers=[("X-Forwarded-For", "2001:db8:0:1::1")]).status == 200
    assert all(ask(gateway, ttf).status == 200 for _ in range(20))  # the proxy itself
    assert refusals(gateway, "visitor-rate") == sum(answer.status == 429 for answer in answers)


# ---- bytes ----


@not_on_aws
@pytest.mark.parametrize("setting", ["tunnel", "token"])
def test_bytes_a_second(start, setting):
    """An answer and a body take the time that the quota says; others are as fast as ever; nothing is lost."""
    rate, size = 500_000, 2_000_000
    options = ("--per-tunnel-bandwidth", str(rate)) if setting == "tunnel" else ()
    gateway, service = start.gateway(*options, env=PROTECTED), start.service()
    service.answer("/big", body=bytes(size))
    ttf = ttf_with(start, gateway, service, **({"max_bandwidth": rate} if setting == "token" else {}))
    began = time.monotonic()
    answer = ask(gateway, ttf, target="/big")
    took = time.monotonic() - began
    assert answer.status == 200 and len(answer.body) == size
    assert took >= (size - rate) / rate / 2, took  # a second's worth comes at once, and so may a window
    assert metric(gateway, "ttf_quota_held_bytes_total") > 0


@not_on_aws
def test_who_waits_for_his_share_is_not_slow(start):
    """A body that may not come faster, and an answer that does not: the bounds on slow visitors are not meant."""
    rate, size = 100_000, 700_000
    gateway = start.gateway("--per-tunnel-bandwidth", str(rate), "--min-rate", str(rate // 2), "--min-rate-grace", "1s", "--body-idle-timeout", "60s")
    service = start.service()
    service.answer("/big", body=bytes(size))
    ttf = start.forwarder(gateway, service)
    began = time.monotonic()
    with http_raw.Connection(gateway.address, timeout=60 * SLOW) as connection:
        connection.send(http_raw.build("POST", "/", ttf.host, body=bytes(size)))
        answer = connection.read_response()
    assert answer.status == 200, (answer.status, answer.error)
    assert start.protocol == "v1" or time.monotonic() - began >= 2
    end = time.monotonic() + 60 * SLOW
    while (answer := ask(gateway, ttf, target="/big")).status == 429:  # two seconds behind
        assert time.monotonic() < end
        time.sleep(0.1)
    assert answer.status == 200 and len(answer.body) == size


# ---- settings ----


def test_settings_that_make_no_sense(start):
    for options, word in (
        (("--per-tunnel-bandwidth", "10"), "per-tunnel-bandwidth"),
        (("--per-owner-rate-limit", "1000001"), "per-owner-rate-limit"),
    ):
        assert word in fails(start, BIN / "ttf-gateway", *options)


@not_on_aws
def test_bounds_that_something_else_reaches_first_are_said(start):
    options = ("--max-connections", "100", "--max-tunnels-per-owner", "101", "--max-requests-per-owner", "101", "--max-requests-per-tunnel", "101")
    gateway = start.gateway(*options, "--memory-limit", "1000000GiB", "--max-connections-per-address", "99")
    said = {name for line in gateway.err for name in re.findall(r"--([a-z-]+).*: it is no bound here", line)}
    assert said == {"max-tunnels-per-owner", "max-requests-per-owner", "max-requests-per-tunnel", "memory-limit"}, gateway.err
