"""An owner's quotas over two gateways that share a store: each counts for itself and hears of the other."""

import threading
import time

import pytest

import http_raw
from redis_server import PROGRAM
from service import Response
from test_auth import PROTECTED, token
from test_peers import gateway, redis  # noqa: F401 (fixtures)

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="redis-server is not installed")

SECONDS = 6


def pair(start, gateway, port, **claims):  # noqa: F811
    """Two gateways, each with a tunnel of one owner."""
    gateways = [gateway(env=PROTECTED) for _ in range(2)]
    return [(each, start.forwarder(each, port, env={"TTF_TOKEN": token(lifetime=600, **claims)})) for each in gateways]


def ask_without_end(ends, count):
    """What each of them let pass, by `count`, and how long that took."""
    passed = [0, 0]

    def ask(which):
        end, ttf = ends[which]
        request = http_raw.build(host=ttf.host)
        with http_raw.Connection(end.address) as connection:
            while time.monotonic() - began < SECONDS:
                connection.send(request)
                passed[which] += count(connection.read_response())

    began = time.monotonic()
    threads = [threading.Thread(target=ask, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return passed, time.monotonic() - began


def test_requests_a_second(start, gateway):  # noqa: F811
    rate = 20
    passed, took = ask_without_end(pair(start, gateway, start.service(), max_rate=rate), lambda answer: answer.status == 200)
    share = sum(passed) / (rate * (took + 1))  # a second's worth comes at once
    print(f"{passed} in {took:.2f} s: {share:.2f} of what it may have")
    assert 0.5 <= share <= 1.5


def test_bytes_a_second(start, gateway):  # noqa: F811
    rate, service = 200_000, start.service()
    service.default = lambda request: Response(body=bytes(20_000))
    passed, took = ask_without_end(pair(start, gateway, service, max_bandwidth=rate), lambda answer: len(answer.body) * (answer.status == 200))
    share = sum(passed) / (rate * (took + 3))  # a second's worth at once, and two may be owed
    print(f"{passed} in {took:.2f} s: {share:.2f} of what it may have")
    assert 0.3 <= share <= 1.6
