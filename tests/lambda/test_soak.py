"""Thousands of requests in one environment: the calls of a request and the memory stay what they were. With TTF_SOAK=1 each mode has
3000; without, direct mode has them under CI, and the modes that wait for a clock have fewer."""

import os
import time

import pytest

from test_direct import Direct
from world import BOOTSTRAP

REQUESTS = {"polling": 600, "stream": 240, "direct": 3000 if os.environ.get("CI") and "asan" not in BOOTSTRAP else 600}
BLOCKS = 6
SLOW_SECONDS = 0.35  # in direct mode the store is asked too then
BYTES_A_REQUEST = 200  # more than that, and something is kept


def memory(function):
    with open(f"/proc/{function.process.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData"))


def block(direct, size):
    """(calls, memory then) of so many requests, of which one in ten is slow"""
    for number in range(size):
        direct.before = (lambda request: time.sleep(SLOW_SECONDS)) if number % 10 == 5 else (lambda request: None)
        assert direct.visit()["statusCode"] == 200
    direct.settle()
    calls, direct.proxy.calls[:] = list(direct.proxy.calls), []
    return calls, memory(direct.visitors)


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("mode", ["polling", "stream", "direct"])
def test_calls_and_memory_are_flat(aws, mode):
    direct = Direct(aws, mode)
    requests = 3000 if os.environ.get("TTF_SOAK") else REQUESTS[mode]
    try:
        if mode == "direct":
            direct.warm()
        block(direct, 20)  # warm
        blocks = [block(direct, requests // BLOCKS) for _ in range(BLOCKS)]
        reads = [calls.count("GetItem") for calls, _ in blocks]
        assert max(reads) < 1.25 * min(reads), reads
        if "asan" not in BOOTSTRAP:  # which keeps what was freed
            kept = blocks[-1][1] - blocks[0][1]
            assert kept < 128 * 1024 + BYTES_A_REQUEST * requests, [size for _, size in blocks]
        direct.nothing_left()
    finally:
        direct.proxy.stop()
