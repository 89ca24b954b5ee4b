"""The URL stays the same: after a cut link, a new start of ttf, a new start of the gateway."""

import signal

import pytest

import http_raw
from programs import Forwarder, free_ports


pytestmark = pytest.mark.protocols("v1", "v2")


def works(gateway, ttf, target="/works"):
    response = http_raw.request(gateway.address, target=target, host=ttf.host)
    assert response.status == 200, response
    assert response.json()["target"] == target


def test_after_a_cut(start):
    service = start.service()
    gateway = start.gateway()
    relay = start.relay(gateway.agents)
    ttf = start.forwarder(f"ws://127.0.0.1:{relay.port}", service)
    url = ttf.url
    for _ in range(3):
        before = len(ttf.out)
        relay.cut()
        assert ttf.wait_established(after=before) == url
        works(gateway, ttf)
    lines = "\n".join(ttf.out + ttf.err).lower()
    assert "reconnect" in lines, "it does not say that it reconnects"


def test_after_a_longer_outage(start):
    """Refused several times, with growing pauses, then let in."""
    service = start.service()
    gateway = start.gateway("--grace", "60")
    relay = start.relay(gateway.agents)
    ttf = start.forwarder(f"ws://127.0.0.1:{relay.port}", service)
    url, accepted, before = ttf.url, relay.accepted, len(ttf.out)
    relay.refuse()
    import time

    end = time.monotonic() + 60
    while relay.accepted < accepted + 2 and time.monotonic() < end:
        time.sleep(0.05)
    assert relay.accepted >= accepted + 2, "it did not try again"
    relay.refuse(False)
    assert ttf.wait_established(after=before, seconds=40) == url
    works(gateway, ttf)


def test_after_a_new_start_of_ttf(start):
    service = start.service()
    gateway = start.gateway()
    home = start._folder("home")
    ttf = start.forwarder(gateway, service, state_home=home)
    url = ttf.url
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if number == signal.SIGKILL:
            ttf.kill()
        else:
            assert ttf.stop(number) == 0
        ttf = start.forwarder(gateway, service, state_home=home)
        assert ttf.url == url
        works(gateway, ttf)


def test_after_a_new_start_of_the_gateway(start):
    service = start.service()
    state = start._folder("state")
    ports = free_ports()
    gateway = start.gateway(state_dir=state, ports=ports)
    ttf = start.forwarder(gateway, service)
    named = start.forwarder(gateway, service, "-n", "stays")
    url, named_url = ttf.url, named.url
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT):
        before, named_before = len(ttf.out), len(named.out)
        if number == signal.SIGKILL:
            gateway.kill()
        else:
            assert gateway.stop(number) == 0
        gateway = start.gateway(state_dir=state, ports=ports)
        assert ttf.wait_established(after=before, seconds=60) == url
        assert named.wait_established(after=named_before, seconds=60) == named_url
        works(gateway, ttf)
        works(gateway, named)


def test_after_a_new_start_of_both(start):
    service = start.service()
    state, home = start._folder("state"), start._folder("home")
    ports = free_ports()
    gateway = start.gateway(state_dir=state, ports=ports)
    ttf = start.forwarder(gateway, service, state_home=home)
    url = ttf.url
    assert ttf.stop() == 0
    assert gateway.stop() == 0
    gateway = start.gateway(state_dir=state, ports=ports)
    again = start.forwarder(gateway, service, state_home=home)
    assert again.url == url
    works(gateway, again)


@pytest.mark.protocols("v2")
def test_the_state_is_private(start):
    service = start.service()
    state, home = start._folder("state"), start._folder("home")
    gateway = start.gateway(state_dir=state)
    start.forwarder(gateway, service, state_home=home)
    files = [f for folder in (state, home) for f in folder.rglob("*") if f.is_file()]
    assert files
    for file in files:
        if file.stat().st_size:
            assert file.stat().st_mode & 0o077 == 0, (file, oct(file.stat().st_mode))


def test_another_port_or_name_is_another_tunnel(start):
    one, two = start.service(), start.service()
    gateway = start.gateway()
    home = start._folder("home")
    urls = {
        start.forwarder(gateway, one, state_home=home).url,
        start.forwarder(gateway, two, state_home=home).url,
        start.forwarder(gateway, one, "-n", "named", state_home=home).url,
    }
    assert len(urls) == 3


def test_a_second_unnamed_ttf_gets_a_tunnel_of_its_own(start):
    service = start.service()
    gateway = start.gateway()
    home = start._folder("home")
    first = start.forwarder(gateway, service, state_home=home)
    second = start.forwarder(gateway, service, state_home=home)
    assert first.url != second.url
    works(gateway, first)
    works(gateway, second)


def test_a_second_ttf_of_the_same_name_is_refused_locally(start):
    service = start.service()
    gateway = start.gateway()
    home = start._folder("home")
    first = start.forwarder(gateway, service, "-n", "mine", state_home=home)
    second = start.forwarder(gateway, service, "-n", "mine", state_home=home, wait=False)
    second.expect_killed = True  # an exit code of its own
    assert second.wait_exit() != 0
    assert len(second.err) == 1, second.dump()
    assert "mine" in second.err[0]
    works(gateway, first)
    assert first.process.poll() is None


def test_a_ttf_that_was_taken_over_says_so_and_ends(start):
    """The same owner from another machine: the newer one wins, the older one does not fight."""
    import shutil

    service = start.service()
    gateway = start.gateway()
    home, copy = start._folder("home"), start._folder("copy")
    first = start.forwarder(gateway, service, "-n", "moving", state_home=home)
    shutil.copytree(home, copy, dirs_exist_ok=True)
    second = start.forwarder(gateway, service, "-n", "moving", state_home=copy)
    assert second.url == first.url
    first.expect_killed = True
    first.wait_exit()
    text = "\n".join(first.out + first.err).lower()
    assert "taken over" in text or "took over" in text, first.dump()
    works(gateway, second)
    assert second.process.poll() is None


@pytest.mark.protocols("v1")
def test_a_forged_or_foreign_resume_token_is_no_key(start):
    """Whoever shows a token that this gateway did not sign gets a tunnel of his own, or is refused."""
    gateway = start.gateway()
    other = start.gateway()
    ready = {"type": "ready", "capabilities": ["resume"]}
    victim = start.agent(gateway, ready=ready)
    foreign = start.agent(other, ready=ready)
    good = victim.established["resume"]
    for token in (foreign.established["resume"], good[:-3] + ("AAA" if good[-3:] != "AAA" else "BBB"), "x", "", "." * 500):
        try:
            intruder = start.agent(gateway, headers={"x-tunnel-resume": token} if token else {}, ready=ready)
        except Exception:
            continue
        assert intruder.tunnel_id != victim.tunnel_id
        intruder.stop()
    assert not victim.closed.is_set()


@pytest.mark.protocols("v1")
def test_resume_by_header_and_by_query(start):
    gateway = start.gateway()
    ready = {"type": "ready", "capabilities": ["resume"]}
    agent = start.agent(gateway, ready=ready)
    tunnel = agent.tunnel_id
    for way in ("header", "query"):
        token = agent.established["resume"]
        agent.stop()
        if way == "header":
            agent = start.agent(gateway, headers={"x-tunnel-resume": token}, ready=ready)
        else:
            agent = start.agent(f"{gateway.endpoint}/?resume={token}", ready=ready)
        assert agent.tunnel_id == tunnel
    assert not any(token in line for line in gateway.out + gateway.err), "the log shows a token"
