"""PER_TUNNEL_RATE_LIMIT: requests a second of each tunnel."""

import time

import pytest

import backends

RATE = 1  # so few that 40 requests are too many however long they take
ABOUT = 2 if backends.STACK == "aws" else 1  # environments that count together do so approximately

pytestmark = pytest.mark.protocols("v2", "v1")


def burst(stack, count, **more):
    return [stack.request(target=f"/{n}", **more) for n in range(count)]


def good(answers):
    """How many were answered by the service; what the others were told."""
    for answer in answers:
        if answer.status != 200:
            assert answer.status == 429 and answer.header("x-tunnel-error") == "rate_limited"
            assert int(answer.header("retry-after")) >= 1
    return sum(answer.status == 200 for answer in answers)


def wait_until_answered(stack, seconds=60):
    end = time.monotonic() + seconds
    while stack.request().status != 200:
        assert time.monotonic() < end, "no request gets through any more"
        time.sleep(0.1)


def test_more_than_so_many_are_told_to_come_again(start, fresh):
    """The service gets a second's worth at once and so many a second then; the others cost it nothing, nor other tunnels."""
    stack = fresh(env={"PER_TUNNEL_RATE_LIMIT": str(RATE)})
    other = start.forwarder(stack.gateway, stack.service)
    began = time.monotonic()
    passed = good(burst(stack, 40))
    took = time.monotonic() - began
    assert RATE <= passed <= ABOUT * RATE * (1 + took) + 1 and passed < 40
    assert len(stack.service.requests) == passed
    assert stack.request(host=other.host).status == 200
    body = stack.request("POST", body=b"x" * 1000)
    assert body.status in (200, 429)
    wait_until_answered(stack)


@pytest.mark.parametrize("limit", ["0", "", "1000"])
def test_within_the_limit_or_without_one(fresh, limit):
    stack = fresh(env={"PER_TUNNEL_RATE_LIMIT": limit})
    assert good(burst(stack, 40)) == 40
