"""The store in Redis: gateways that share it, and all that can go wrong with it. These run on a Redis of their own,
whatever the stack."""

import shutil
import signal
import socket
import time

import pytest

import http_raw
from programs import BIN, SLOW, Gateway, free_port
from redis_server import PROGRAM, Monitor, Redis
from service import Gate
from test_failures import Visit

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="redis-server is not installed")

LEASE = ("--lease", "1s")


@pytest.fixture
def redis():
    server = Redis()
    yield server
    server.stop()


@pytest.fixture
def gateway(start, redis):
    """make(*options): a gateway on this Redis; what is made first and second are two of them."""

    def make(*options, url=None, **more):
        store = ("--store", url or redis.url())
        if start.protocol == "v1":
            store += ("--agent-protocols", "v1")
        return start._keep(Gateway(start._folder("gateway"), *store, *(() if "--lease" in options else LEASE), *options, **more))

    return make


def eventually(check, seconds=60, what=None):
    """Until `check()` is true (an AssertionError counts as no)."""
    end = time.monotonic() + seconds * SLOW
    while True:
        try:
            if value := check():
                return value
        except AssertionError:
            if time.monotonic() > end:
                raise
        assert time.monotonic() < end, what or "it did not come true"
        time.sleep(0.02)


def ready(gateway):
    answer = http_raw.request(gateway.admin, target="/readyz", host="localhost")
    return answer.status, answer.body.decode()


def get(gateway, host, target="/"):
    return http_raw.request(gateway.address, target=target, host=host)


def works(gateway, ttf):
    answer = get(gateway, ttf.host, "/works")
    assert answer.status == 200, answer
    return True


def claim(redis, tunnel_id):
    """Its state: 1 connecting, 2 ready, 4 offline; None: there is none."""
    text = redis.ask("GET", f"ttf1:claim:{tunnel_id}")
    return int(text.split("\n")[2]) if text else None


# ---- Redis goes and comes ----


@pytest.mark.protocols("v1", "v2")
def test_redis_dies_and_comes_back_empty(start, redis, gateway):
    service = start.service()
    one = gateway("--grace", "1")
    ttf, named = start.forwarder(one, service), start.forwarder(one, service, "-n", "stays")
    secret = redis.ask("HGET", "ttf1:secret", "value")
    redis.kill()
    eventually(lambda: ready(one) == (200, "ready\ndegraded: redis\n"))
    for _ in range(3):
        assert works(one, ttf) and works(one, named)
    assert get(one, "nobodyishere.localhost").status == 503
    late = start.forwarder(one, service, wait=False)  # has to wait, and does not give up
    late.wait_line(r"503|cannot be reached|retry|reconnect|trying again")
    redis.start()
    eventually(lambda: ready(one) == (200, "ready\n"))
    for tunnel in (ttf, named):
        eventually(lambda: claim(redis, tunnel.tunnel_id) == 2)
        assert works(one, tunnel)
        assert sum("Tunnel established" in line for line in tunnel.out) == 1, "it had to connect again"
    assert redis.ask("HGET", "ttf1:secret", "value") == secret
    late.wait_established()
    assert works(one, late)


@pytest.mark.protocols("v1", "v2")
def test_no_tunnel_is_unknown_before_its_gateway_could_write_it_again(start, redis, gateway):
    """The other gateway looks into an empty Redis meanwhile: who asks there waits, and is not told 404."""
    one, two = gateway("--lease", "10s"), gateway("--lease", "10s", "--grace", "30s")
    ttf = start.forwarder(one, start.service())
    redis.kill()
    eventually(lambda: "degraded" in ready(one)[1] and "degraded" in ready(two)[1], 20)
    one.process.send_signal(signal.SIGSTOP)
    try:
        redis.start()
        eventually(lambda: ready(two) == (200, "ready\n"), 20)
        with http_raw.Connection(two.address) as visitor:
            visitor.send(http_raw.build(target="/here", host=ttf.host))
            assert not visitor.has_input_within(0.3)
            one.process.send_signal(signal.SIGCONT)
            assert visitor.read_response().status == 200
    finally:
        one.process.send_signal(signal.SIGCONT)


def test_redis_is_emptied_under_way(start, redis, gateway):
    service = start.service()
    one, two = gateway(), gateway()
    ttf = start.forwarder(one, service)
    other = start.forwarder(two, service)
    redis.ask("FLUSHALL")
    for tunnel in (ttf, other):
        eventually(lambda: claim(redis, tunnel.tunnel_id) == 2)
    assert works(one, ttf) and works(two, other)
    assert redis.ask("HLEN", f"ttf1:links:ws://127.0.0.1:{one.agents[1]}") == 1


def test_an_agent_that_goes_while_redis_is_away_is_offline_afterwards(start, redis, gateway):
    service = start.service()
    one = gateway("--grace", "0")
    ttf = start.forwarder(one, service)
    redis.pause()
    eventually(lambda: "degraded" in ready(one)[1], 20)
    assert works(one, ttf)
    ttf.stop()
    eventually(lambda: get(one, ttf.host).error == "agent_offline")
    redis.go_on()
    eventually(lambda: claim(redis, ttf.tunnel_id) == 4)
    eventually(lambda: redis.ask("HLEN", f"ttf1:links:ws://127.0.0.1:{one.agents[1]}") == 0)


def raw_agent(gateway):
    """A connection of an agent of v1 to write to, and nothing more."""
    agent = socket.create_connection(gateway.agents)
    agent.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    agent.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                  b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")  # fmt: skip
    assert agent.recv(4096).startswith(b"HTTP/1.1 101 ")
    return agent


def write_until_it_waits(agent, data):
    """How much of it was taken before a second passed in which nothing was."""
    agent.settimeout(1)
    taken = 0
    while taken < len(data):
        try:
            taken += agent.send(data[taken : taken + 65536])
        except TimeoutError:
            break
    return taken


@pytest.mark.protocols("v1")
def test_who_makes_redis_work_much_is_not_read_while_it_hangs(start, redis, gateway):
    """Each such message is a lookup that waits for Redis, and memory here: of one agent a few hundred wait, and the others in its socket."""
    one = gateway()
    good = start.forwarder(one, start.service())
    message = b'{"type":"ready"}'
    data = (bytes([0x81, 0x80 | len(message)]) + bytes(4) + message) * 2_000_000
    with raw_agent(one) as agent:
        redis.pause()
        taken = write_until_it_waits(agent, data)
        assert taken < len(data)
        redis.go_on()
        agent.settimeout(60 * SLOW)
        agent.sendall(data[taken : taken + len(data) // 40])
        assert works(one, good)


def test_a_name_is_given_back_to_its_owner_first(start, redis, gateway):
    service, home = start.service(), start._folder("home")
    one = gateway("--grace", "0")
    owner = start.forwarder(one, service, "-n", "mine", state_home=home)
    owner.stop()
    redis.kill()
    eventually(lambda: "degraded" in ready(one)[1])
    redis.start()
    stranger = start.forwarder(one, service, "-n", "mine", wait=False)
    stranger.wait_line(r"503")
    again = start.forwarder(one, service, "-n", "mine", state_home=home)
    assert again.url == owner.url and works(one, again)
    stranger.wait_err(r"taken by somebody else \(409\)")
    stranger.expect_killed = True


def test_redis_is_down_at_start(start, redis):
    redis.kill()
    service = start.service()
    public, agents, admin = (f"127.0.0.1:{free_port()}" for _ in range(3))
    one = start.program(BIN / "ttf-gateway", "--public-listen", public, "--agent-listen", agents, "--admin-listen", admin,
                        "--store", redis.url(), "--state-dir", start._folder("state"))  # fmt: skip
    one.wait_err(r"cannot be reached: .*; trying again")
    address = ("127.0.0.1", int(admin.rpartition(":")[2]))
    answer = http_raw.request(address, target="/readyz", host="localhost")
    assert (answer.status, answer.body) == (503, b"starting\n")
    assert http_raw.request(address, target="/healthz", host="localhost").status == 200
    ttf = start.forwarder(f"ws://{agents}", service, wait=False)
    redis.start()
    one.wait_line("^Ready$")
    ttf.wait_established()
    assert http_raw.request(address, target="/readyz", host="localhost").status == 200
    assert sum("cannot be reached" in line for line in one.err) == 1, "it says the same again and again"


def test_a_gateway_that_waits_for_redis_can_be_stopped(start, redis):
    redis.kill()
    one = start.program(BIN / "ttf-gateway", "--public-listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0",
                        "--admin-listen", "127.0.0.1:0", "--store", redis.url())  # fmt: skip
    one.wait_err("cannot be reached")
    assert one.stop() == 0


# ---- Redis refuses ----


def refused_start(start, url, line):
    admin = free_port()
    one = start.program(BIN / "ttf-gateway", "--public-listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0",
                        "--admin-listen", f"127.0.0.1:{admin}", "--store", url, "--lease", "1s")  # fmt: skip
    one.wait_err(line)
    assert http_raw.request(("127.0.0.1", admin), target="/readyz", host="localhost").status == 503
    assert one.process.poll() is None
    assert not any("sesame" in text for text in one.err), "the log shows a password"
    return one


def test_passwords(start, redis, gateway):
    service = start.service()
    refused_start(start, redis.url(credentials=":open-sesame@"), "a password was given, but it wants none")
    redis.ask("ACL", "SETUSER", "gate", "on", ">open-sesame@1", "~ttf1:*", "&ttf1:*", "+@all")
    redis.ask("CONFIG", "SET", "requirepass", "sesame")
    refused_start(start, redis.url(), "it wants a password")
    refused_start(start, redis.url(credentials=":open-sesame@"), "the password or user in --store is wrong")
    for credentials in (":sesame@", "gate:open-sesame%401@"):
        one = gateway(url=redis.url(3, credentials))
        assert works(one, start.forwarder(one, service))


def test_a_read_only_replica(start, redis):
    redis.ask("REPLICAOF", "127.0.0.1", "1")  # of nobody
    one = refused_start(start, redis.url(), "it is a read-only replica")
    redis.ask("REPLICAOF", "NO", "ONE")
    one.wait_line("^Ready$")


def test_out_of_memory(start, redis, gateway):
    service = start.service()
    one = gateway()
    ttf = start.forwarder(one, service)
    redis.ask("CONFIG", "SET", "maxmemory", "1")
    one.wait_err("out of memory")
    late = start.forwarder(one, service, wait=False)
    late.wait_line("503")
    assert works(one, ttf)
    assert "degraded" in ready(one)[1]
    redis.ask("CONFIG", "SET", "maxmemory", "0")
    late.wait_established()
    assert works(one, late) and works(one, ttf)
    eventually(lambda: ready(one) == (200, "ready\n"))


def test_foreign_data_under_our_keys(start, redis, gateway):
    service = start.service()
    for kind in ("secret", "store", "gateways"):
        redis.ask("RPUSH", f"ttf1:{kind}", "x")
    redis.ask("RPUSH", "ttf1:claim:alist", "x")
    redis.ask("SET", "ttf1:claim:atext", "1\nno claim")
    redis.ask("HSET", "ttf1:claim:ahash", "x", "y")
    redis.ask("SET", "ttf1:claim:abinary", "\0" * 1000)
    port = free_port()
    redis.ask("SET", f"ttf1:links:ws://127.0.0.1:{port}", "x")
    one = gateway(ports=(0, port, 0))
    for name in ("alist", "atext", "ahash", "abinary") * 2:
        assert get(one, f"{name}.localhost").error == "tunnel_not_found"
    one.wait_err("not ours")
    for channel in ("ttf1:0:claims", f"ttf1:0:to:ws://127.0.0.1:{port}"):
        for message in ("", "c", "c\n", "g\n", "s\n", "s\na\nb\nc\nd", "n\nx", "d\n", "z" * 100000, "\0\n\0"):
            redis.ask("PUBLISH", channel, message)
    ttf = start.forwarder(one, service, "-n", "atext")
    assert works(one, ttf)
    assert sum("not ours" in line for line in one.err) == 1, "said once"


def test_tls_to_redis(start, authority):
    """Where hiredis has no TLS, one clear error. Where it has: the certificate must be the host's."""
    service = start.service()
    for certificate, why in ((authority.localhost, None), (authority.other, "cannot be reached")):
        port = free_port()
        redis = Redis("--tls-port", port, "--tls-cert-file", certificate[0], "--tls-key-file", certificate[1],
                      "--tls-ca-cert-file", authority.ca, "--tls-auth-clients", "no")  # fmt: skip
        try:
            public, agents = (f"127.0.0.1:{free_port()}" for _ in range(2))
            one = start.program(BIN / "ttf-gateway", "--store", f"rediss://localhost:{port}/1", "--public-listen", public,
                                "--agent-listen", agents, "--admin-listen", "127.0.0.1:0",
                                env={"SSL_CERT_FILE": str(authority.ca)})  # fmt: skip
            if why:
                one.wait_err(why)
                continue
            try:
                one.wait_line("^Ready$")
            except AssertionError:
                one.expect_killed = True
                assert any("TLS (rediss://) needs a newer hiredis" in line for line in one.err), one.dump()
                assert one.wait_exit() == 1
                return
            ttf = start.forwarder(f"ws://{agents}", service)
            address = ("127.0.0.1", int(public.rpartition(":")[2]))
            assert http_raw.request(address, target="/", host=ttf.host).status == 200
            ttf.stop()
            one.stop()
        finally:
            redis.stop()


# ---- several gateways ----


@pytest.mark.protocols("v1", "v2")
def test_a_gateway_is_killed_and_its_agent_comes_back_at_another(start, redis, gateway):
    service = start.service()
    one, two = gateway(), gateway()
    relay = start.relay(one.agents)
    ttf = start.forwarder(f"ws://127.0.0.1:{relay.port}", service)
    tunnel, before = ttf.tunnel_id, len(ttf.out)
    one.kill()
    relay.target = two.agents
    ttf.wait_established(after=before)
    assert ttf.tunnel_id == tunnel
    assert works(two, ttf)


def test_a_gateway_is_killed_and_its_agent_does_not_come_back(start, redis, gateway):
    service = start.service()
    one, two = gateway("--grace", "0"), gateway("--grace", "0")
    ttf = start.forwarder(one, service)
    ttf.kill()
    eventually(lambda: claim(redis, ttf.tunnel_id) == 4)
    ttf = start.forwarder(one, service)
    one.kill()
    ttf.stop()
    two.wait_err(r"1 of its connections were still there")
    eventually(lambda: claim(redis, ttf.tunnel_id) == 4)
    assert get(two, ttf.host).error == "agent_offline"
    assert redis.ask("KEYS", "ttf1:links:*") == []
    eventually(lambda: redis.ask("ZCARD", "ttf1:gateways") == 1)


def test_a_gateway_that_was_paused_has_its_tunnels_back(start, redis, gateway):
    """Others take it for dead meanwhile."""
    service = start.service()
    one, two = gateway(), gateway()
    ttf = start.forwarder(one, service)
    one.process.send_signal(signal.SIGSTOP)
    eventually(lambda: claim(redis, ttf.tunnel_id) == 4)
    one.process.send_signal(signal.SIGCONT)
    eventually(lambda: claim(redis, ttf.tunnel_id) == 2)
    eventually(lambda: redis.ask("HLEN", f"ttf1:links:ws://127.0.0.1:{one.agents[1]}") == 1)
    assert works(one, ttf)


@pytest.mark.protocols("v1", "v2")
def test_taken_over_at_another_gateway(start, redis, gateway):
    """ttf's own lock keeps two of one home from fighting; a copy of the home does not."""
    service, home, copy = start.service(), start._folder("home"), start.folder / "copy"
    one, two = gateway(), gateway()
    relay = start.relay(one.agents)
    first = start.forwarder(f"ws://127.0.0.1:{relay.port}", service, "-n", "mine", state_home=home)
    shutil.copytree(home, copy)
    relay.target = two.agents
    second = start.forwarder(f"ws://127.0.0.1:{relay.port}", service, "-n", "mine", state_home=copy)
    assert second.url.partition(":")[0] == first.url.partition(":")[0]
    assert first.wait_exit() != 0
    first.expect_killed = True
    assert any("taken over" in line or "took" in line for line in first.out + first.err), first.dump()
    assert works(two, second)
    assert second.process.poll() is None


@pytest.mark.protocols("v1")
def test_resume_at_another_gateway(start, redis, gateway):
    """The secret is one: a token of one gateway counts at the other."""
    one, two = gateway(), gateway()
    wishes = {"type": "ready", "capabilities": ["resume"]}
    agent = start.agent(one, ready=wishes)
    token, tunnel = agent.established["resume"], agent.tunnel_id
    agent.stop()
    agent = start.agent(two, headers={"x-tunnel-resume": token}, ready=wishes)
    assert agent.tunnel_id == tunnel


@pytest.mark.protocols("v1")
def test_a_gateway_that_drains_finishes_what_visitors_of_another_asked(start, redis, gateway):
    service = start.service()
    one, two = gateway(), gateway()
    relay = start.relay(one.agents)
    ttf = start.forwarder(f"ws://127.0.0.1:{relay.port}", service)
    gate = service.on("/hold", Gate())
    visit = Visit(two.address, "POST", "/hold", ttf.host, body=b"abc")
    gate.wait_arrived()
    relay.target, before = two.agents, len(ttf.out)
    one.process.send_signal(signal.SIGTERM)
    ttf.wait_established(after=before)
    assert works(two, ttf)
    assert one.process.poll() is None
    gate.open()
    assert visit.result().status == 200
    assert one.wait_exit() == 0
    assert len(service.seen("/hold")) == 1


# ---- what it costs ----


def costs(redis, ask):
    """What `ask` made Redis do, the renewals of leases aside."""
    monitor = Monitor(redis)
    ask()
    lines = monitor.commands()
    monitor.close()
    return [line for line in lines if "ttf1:lease:" not in line]


@pytest.mark.protocols("v1", "v2")
def test_a_request_for_a_local_agent_costs_no_command(start, redis, gateway):
    service = start.service()
    one = gateway()
    ttf = start.forwarder(one, service)
    assert works(one, ttf)
    assert costs(redis, lambda: [works(one, ttf) for _ in range(20)]) == []


@pytest.mark.protocols("v1")
def test_what_a_request_for_a_remote_agent_costs(start, redis, gateway):
    """The claim is remembered; the request goes put, send, fetch, complete, take. (Its removal comes behind the answer.)"""
    service = start.service()
    one, two = gateway(), gateway("--grace", "0")
    ttf = start.forwarder(one, service)
    assert works(two, ttf)
    lines = costs(redis, lambda: [works(two, ttf) for _ in range(10)])
    assert sum("ttf1:claim:" in line for line in lines) == 0, "the claim was not remembered"
    lines = [line for line in lines if '"DEL"' not in line]
    assert len(lines) == 50, f"{len(lines)} commands, the first of them: " + "\n".join(line[:200] for line in lines[:9])
    ttf.stop()
    eventually(lambda: get(two, ttf.host).status == 502)
    eventually(lambda: redis.ask("KEYS", "ttf1:pending:*") == redis.ask("KEYS", "ttf1:message:*") == [])
