"""Back after a while: many agents whose gateway was away, and a link whose network has changed. With TTF_SOAK=1 it is 150 agents and
75 s, otherwise few and short."""

import collections
import datetime
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import backends
import http_raw
from programs import BIN, SLOW, free_ports

SOAK = bool(os.environ.get("TTF_SOAK"))
AGENTS, AWAY = (150, 75) if SOAK else (24, 12)


def stamps(gateway):
    """When which tunnel came, in seconds of the wall clock."""
    came = {}
    for line in gateway.err:
        if found := re.match(r"(\S+) INFO agent: (\S+): connected as ", line):
            came.setdefault(found[2], datetime.datetime.fromisoformat(found[1].replace("Z", "+00:00")).timestamp())
    return came


@pytest.mark.timeout(600)
@pytest.mark.skipif(backends.STACK != "memory", reason="of one gateway; what keeps its claims makes no difference")
def test_all_are_back_soon_and_not_at_once(start, tmp_path):
    state_dir = tmp_path / "state"
    state_dir.mkdir(mode=0o700)
    ports = free_ports()
    gateway = start.gateway("--offline-keep", "1h", state_dir=state_dir, ports=ports)
    service = start.service()
    agents = [start.forwarder(gateway, service, wait=False) for _ in range(AGENTS)]
    for agent in agents:
        agent.wait_established(seconds=60)
    gateway.kill()
    time.sleep(AWAY)
    begun = time.time()
    gateway = start.gateway(state_dir=state_dir, ports=ports)
    up = time.time()
    end = time.monotonic() + 60
    names = {agent.tunnel_id for agent in agents}
    while len(names & set(stamps(gateway))) < AGENTS:
        assert time.monotonic() < end, f"{len(stamps(gateway))} of {AGENTS} are back"
        time.sleep(0.05)
    came = sorted(when - up for name, when in stamps(gateway).items() if name in names)
    halves = collections.Counter(int(max(when, 0) * 2) for when in came)
    most = max(halves.values())
    print(f"{AGENTS} agents, {AWAY} s away, gateway up in {up - begun:.2f} s: the last is back after {came[-1]:.2f} s,"
          f" half of them after {came[len(came) // 2]:.2f} s, at most {most} in half a second")  # fmt: skip
    assert came[-1] < 10 * SLOW
    assert most < AGENTS / 2, halves
    for agent in agents[:: max(1, AGENTS // 10)]:
        assert http_raw.request(gateway.address, host=agent.host).status == 200


def change_network(tmp_path, *words):
    inner = ["unshare", "-n", sys.executable, Path(__file__).with_name("route_change.py"), BIN / "ttf", *words]
    if subprocess.run(["unshare", "-n", "ip", "link", "set", "lo", "up"], capture_output=True).returncode:
        pytest.skip("no network of our own here: that wants root, and iproute2")
    done = subprocess.run(inner, capture_output=True, text=True, timeout=100, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    print(seen)
    return seen


def test_a_link_is_asked_when_the_network_changes(tmp_path):
    """At once, not at the next beat (7 s and more); and given up 5 s later."""
    seen = change_network(tmp_path)
    assert seen["asked"] < 6 * SLOW
    assert seen["again"] < 12 * SLOW


def test_a_link_is_dead_when_its_address_is_gone(tmp_path):
    """It is not even asked: another one is made at once."""
    assert change_network(tmp_path, "moves")["again"] < 4.5 * SLOW
