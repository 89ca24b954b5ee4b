"""Gateways that ask each other for their agents (v2). All that a visitor can do through a peer is in the scenarios, which run
on such a pair (TTF_STACK=redis2); here is what only a pair has. These run on a Redis of their own, whatever the stack."""

import hashlib
import itertools
import os
import signal
import threading
import time

import pytest

import http_raw
from agent_v2 import hello
from peer_client import Greeting, PeerClient, knock
from programs import SLOW, Gateway, free_ports
from redis_server import PROGRAM
from service import Gate
from test_redis import claim, costs, eventually, get, redis, works  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="redis-server is not installed")

SECRET = "a secret of these tests, 32 bytes"


@pytest.fixture
def gateway(start, redis):  # noqa: F811
    """make(*options): a gateway on this Redis."""

    def make(*options, secret=SECRET, env=None, **more):
        options = ("--store", redis.url(), "--lease", "1s", *options)
        return start._keep(Gateway(start._folder("gateway"), *options, env={"TUNNEL_SECRET": secret, **(env or {})}, **more))

    return make


def behind_relay(start, gateway, **more):
    """A gateway that its peers reach through a relay."""
    relay = start.relay(("127.0.0.1", 9))
    made = gateway("--peer-url", f"ws://127.0.0.1:{relay.port}", **more)
    relay.target = made.agents
    return made, relay


def post(gateway, host, body=b"x", target="/post"):
    return http_raw.request(gateway.address, "POST", target, host, body=body)


# ---- what it costs ----


def test_what_a_request_for_a_remote_agent_costs(start, redis, gateway):  # noqa: F811
    """The claim once; then it is remembered."""
    service = start.service()
    one, two = gateway(), gateway()
    ttf = start.forwarder(one, service)
    first = costs(redis, lambda: works(two, ttf))
    assert len(first) <= 1, first
    assert costs(redis, lambda: [works(two, ttf) for _ in range(20)]) == []


def test_a_limit_is_counted_where_the_agent_is(start, gateway):
    """Whichever gateway visitors come to, together they have so many requests a second."""
    service, rate = start.service(), 1  # so few that 80 requests are too many however long they take
    limit = {"PER_TUNNEL_RATE_LIMIT": str(rate)}
    one, two = gateway(env=limit), gateway(env=limit)
    ttf = start.forwarder(one, service)
    began = time.monotonic()
    answers = [get(place, ttf.host) for _ in range(40) for place in (one, two)]
    passed = sum(answer.status == 200 for answer in answers)
    assert rate <= passed <= rate * (1 + time.monotonic() - began) + 1 and passed < 80
    assert {(answer.status, answer.error) for answer in answers} == {(200, None), (429, "rate_limited")}
    assert len(service.requests) == passed


# ---- who is let in ----


def test_a_peer_with_another_secret_is_refused(start, gateway):
    service = start.service()
    one, two = gateway(), gateway("--grace", "1s", secret="another secret, which is not ours")
    ttf = start.forwarder(one, service)
    answer = get(two, ttf.host)
    assert (answer.status, answer.error) == (502, "agent_offline")
    two.wait_err(r"WARN peer: ws://\S+: refused: it answers 401: .*another TUNNEL_SECRET")
    one.wait_err(r"WARN peer: \S+: refused a peer link")
    one.wait_err(r"another TUNNEL_SECRET")
    assert works(one, ttf)


def test_who_cannot_prove_to_be_a_peer_is_refused(start, gateway):
    one = gateway()
    target = one.endpoint

    def refusal(fields):
        answer, connection = knock(one, fields)
        connection.close()
        return answer.status, answer.body.decode()

    fine = Greeting(SECRET, target)
    assert refusal([])[0] == 401
    assert refusal(fine.fields()[:1])[0] == 401
    assert refusal(fine.fields() + fine.fields()[1:])[0] == 401
    for proof in ("", "1", "1.2.3.4", "x" * 10000, fine.proof.replace("1.", "2.", 1), fine.proof + "."):
        assert refusal([("x-tunnel-peer", "ws://x"), ("x-tunnel-peer-proof", proof)])[0] in (400, 401)
    assert "another TUNNEL_SECRET" in refusal(Greeting("another secret, which is not ours", target).fields())[1]
    assert "another PEER_URL" in refusal(Greeting(SECRET, "ws://192.0.2.7:8081").fields())[1]
    assert "another TUNNEL_SECRET" in refusal([("x-tunnel-peer", "ws://else"), *fine.fields()[1:]])[1]
    for off_ms in (-60_000, 60_000):
        assert "clock" in refusal(Greeting(SECRET, target, off_ms=off_ms).fields())[1]
    answer, connection = knock(one, fine.fields())
    assert answer.status == 101 and answer.header("x-tunnel-peer-reply") == fine.reply
    connection.close()
    assert "used before" in refusal(fine.fields())[1]


def test_a_gateway_of_its_own_has_no_peers(start):
    one = start._keep(Gateway(start._folder("gateway"), env={"TUNNEL_SECRET": SECRET}))
    answer, connection = knock(one, Greeting(SECRET, one.endpoint).fields())
    connection.close()
    assert answer.status == 404 and b"shares its store with no other" in answer.body


def test_somebody_else_at_the_peers_address(start, gateway):
    """Who does not prove to have the secret gets no request."""
    service, stranger = start.service(), start.service()
    one, relay = behind_relay(start, gateway)
    two = gateway("--grace", "500ms")
    ttf = start.forwarder(one, service)
    relay.target = ("127.0.0.1", stranger.port)
    assert get(two, ttf.host).error == "agent_offline"
    two.wait_err(r"refused: it answers 200")
    assert [request.path for request in stranger.seen()] == ["/"]
    relay.target = one.agents
    eventually(lambda: works(two, ttf))


def test_peers_by_tls(start, gateway, authority):
    """A peer URL of wss:// leads to a proxy that ends TLS; its certificate has to be trusted, and for that name."""
    service = start.service()
    relay = start.relay(("127.0.0.1", 9), tls=authority.localhost)
    one = gateway("--peer-url", f"wss://localhost:{relay.port}")
    relay.target = one.agents
    trusting = gateway(env={"SSL_CERT_FILE": str(authority.ca)})
    doubting = gateway("--grace", "500ms", env={"SSL_CERT_FILE": "/dev/null"})
    ttf = start.forwarder(one, service)
    assert works(trusting, ttf)
    body = os.urandom(3 << 20)
    answer = post(trusting, ttf.host, body)
    assert answer.json()["sha256"] == hashlib.sha256(body).hexdigest()
    assert get(doubting, ttf.host).error == "agent_offline"
    doubting.wait_err(r"not reached: the certificate is not trusted")


# ---- what a peer asks ----


def fields(tunnel, epoch=1, hop=1):
    return [("x-tunnel-id", tunnel), ("x-tunnel-epoch", str(epoch)), ("x-tunnel-hop", str(hop))]


def test_what_a_peer_asks_for(start, redis, gateway):  # noqa: F811
    one, two = gateway(), gateway()
    agent, other = start.agent_v2(one, hello), start.agent_v2(two, hello)
    peer = PeerClient(one, SECRET)
    epoch = int(redis.ask("GET", f"ttf1:claim:{agent.tunnel_id}").split("\n")[1])
    assert peer.ask(fields(agent.tunnel_id, epoch), path="/a?b") == (200, None, b"GET /a?b")
    # not what it thinks, or not here: it is to look again, and nothing waits or is passed on
    assert peer.ask(fields(agent.tunnel_id, epoch - 1))[:2] == (421, "stale_epoch")
    assert peer.ask(fields("nobodyishere", 1))[:2] == (421, "stale_epoch")
    assert peer.ask(fields(other.tunnel_id, epoch))[:2] == (421, "stale_epoch")
    # no peer of ours asks like this
    for wrong in (fields(agent.tunnel_id, epoch, hop=2), fields(agent.tunnel_id, "x"), fields("UP", 1), [],
                  fields(agent.tunnel_id, epoch)[:2], fields("a" * 70, 1)):  # fmt: skip
        assert peer.ask(wrong)[:2] == (400, "bad_request"), wrong
    assert peer.ask(fields(agent.tunnel_id, epoch)) == (200, None, b"GET /")
    peer.close()


def test_who_has_rules_for_visitors_is_asked_by_peers_that_hold_them(start, redis, gateway):  # noqa: F811
    """A peer says that it has let the visitor in; one that does not is older than rules are. Nobody else is heard at that port."""
    one = gateway()
    agent = start.agent_v2(one, hello, headers={"x-tunnel-policy": "share=" + "A" * 43 + "; methods=GET"})
    epoch = int(redis.ask("GET", f"ttf1:claim:{agent.tunnel_id}").split("\n")[1])
    peer = PeerClient(one, SECRET)
    asked = fields(agent.tunnel_id, epoch)
    assert peer.ask(asked)[:2] == (403, "forbidden")
    assert peer.ask([*asked, ("x-tunnel-let-in", "0")])[:2] == (403, "forbidden")
    assert peer.ask([*asked, ("x-tunnel-let-in", "1")])[0] == 200
    peer.close()
    said = [*asked, ("x-tunnel-let-in", "1")]
    assert http_raw.request(one.agents, host=f"{agent.tunnel_id}.localhost", headers=said).status >= 400
    answer, connection = knock(one, [("x-tunnel-peer", "ws://192.0.2.1:8081"), *said])
    assert answer.status >= 400, answer
    connection.close()
    assert get(one, f"{agent.tunnel_id}.localhost").error == "link_required"


@pytest.mark.parametrize("setting", [("--visitor-policy", "methods=GET,POST"), ("--forward-auth", "http://127.0.0.1:9/")])
def test_a_gateway_that_asks_visitors_takes_none_from_one_that_has_not(start, redis, gateway, setting):  # noqa: F811
    one = gateway(*setting)
    agent = start.agent_v2(one, hello)
    epoch = int(redis.ask("GET", f"ttf1:claim:{agent.tunnel_id}").split("\n")[1])
    peer = PeerClient(one, SECRET)
    asked = fields(agent.tunnel_id, epoch)
    assert peer.ask(asked)[:2] == (403, "forbidden")
    assert peer.ask([*asked, ("x-tunnel-let-in", "1")])[0] == 200
    peer.close()


def test_an_agent_of_a_later_epoch_is_waited_for(start, redis, gateway):  # noqa: F811
    """What a peer knows may be newer than what is known here."""
    one = gateway()
    agent = start.agent_v2(one, hello, ready={"type": "ready", "capabilities": ["resume"]})
    tunnel, token = agent.tunnel_id, agent.established["resume"]
    epoch = int(redis.ask("GET", f"ttf1:claim:{tunnel}").split("\n")[1])
    peer, answers = PeerClient(one, SECRET), []
    asking = threading.Thread(target=lambda: answers.append(peer.ask(fields(tunnel, epoch + 1))))
    asking.start()
    again = start.agent_v2(one, hello, headers={"x-tunnel-resume": token})
    assert again.tunnel_id == tunnel
    asking.join(20 * SLOW)
    assert answers == [(200, None, b"GET /")]
    peer.close()


# ---- the way breaks ----


def test_the_link_to_a_peer_is_cut_and_comes_back(start, gateway):
    """The agent has not moved: GET is sent once more by a new link, and POST is 502, as its fate is unknown."""
    service = start.service()
    one, relay = behind_relay(start, gateway)
    two = gateway()
    ttf = start.forwarder(one, service)
    gate = service.on("/get", Gate())
    sent = service.on("/post", Gate())
    answers = {}

    def ask(method):
        answers[method] = http_raw.request(two.address, method, f"/{method.lower()}", ttf.host, body=b"x" if method == "POST" else None)

    threads = [threading.Thread(target=ask, args=(method,)) for method in ("GET", "POST")]
    for thread in threads:
        thread.start()
    gate.wait_arrived()
    sent.wait_arrived()
    relay.cut()
    gate.wait_arrived()  # again
    gate.open()
    sent.open()
    for thread in threads:
        thread.join(20 * SLOW)
    assert answers["GET"].status == 200
    assert (answers["POST"].status, answers["POST"].error) == (502, "agent_lost")
    assert len(service.seen("/get")) == 2 and len(service.seen("/post")) == 1
    assert relay.accepted == 2
    assert works(two, ttf) and relay.accepted == 2


@pytest.mark.parametrize("pause", ["long", "short"])
def test_a_peer_that_is_paused(start, gateway, pause):
    """It is asked for a sign of life while somebody waits for it. One that does not answer for long has gone; one that was
    busy for a moment has not."""
    service = start.service()
    one, two = gateway(), gateway("--grace", "20s")
    ttf = start.forwarder(one, service)
    gates = {method: service.on(f"/{method}", Gate()) for method in ("GET", "POST")}
    answers = {}

    def ask(method):
        answers[method] = http_raw.request(two.address, method, f"/{method}", ttf.host, body=b"x" if method == "POST" else None)

    threads = [threading.Thread(target=ask, args=(method,)) for method in gates]
    for thread in threads:
        thread.start()
    for gate in gates.values():
        gate.wait_arrived()
    one.process.send_signal(signal.SIGSTOP)
    try:
        if pause == "long":
            began = time.monotonic()
            two.wait_err("it has gone silent")
            threads[1].join(60)
            assert (answers["POST"].status, answers["POST"].error) == (502, "agent_lost")
            assert time.monotonic() - began < 40 * SLOW
        else:
            time.sleep(1.5)
    finally:
        one.process.send_signal(signal.SIGCONT)
    if pause == "long":
        gates["GET"].wait_arrived()  # again
    for gate in gates.values():
        gate.open()
    for thread in threads:
        thread.join(20 * SLOW)
    assert answers["GET"].status == 200
    assert len(service.seen("/GET")) == (2 if pause == "long" else 1) and len(service.seen("/POST")) == 1
    if pause == "short":
        assert answers["POST"].status == 200
        assert not [line for line in two.err if "gone silent" in line]


def test_a_peer_that_is_away_for_a_moment(start, gateway):
    """Nothing was sent: requests of any method wait for the way to open."""
    service = start.service()
    one, relay = behind_relay(start, gateway)
    two = gateway()
    ttf = start.forwarder(one, service)
    relay.refuse()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(post(two, ttf.host).status)) for _ in range(5)]
    for thread in threads:
        thread.start()
    eventually(lambda: relay.accepted >= 2)
    assert not answers
    relay.refuse(False)
    for thread in threads:
        thread.join(20 * SLOW)
    assert answers == [200] * 5
    assert len(service.seen("/post")) == 5


def test_a_peer_that_stays_away(start, gateway):
    service = start.service()
    one, relay = behind_relay(start, gateway)
    two = gateway("--grace", "1s")
    ttf = start.forwarder(one, service)
    relay.refuse()
    began = time.monotonic()
    assert get(two, ttf.host).error == "agent_offline"
    assert 0.9 < time.monotonic() - began < 25 * SLOW
    assert relay.accepted < 12, "it is dialed too often"


# ---- the agent moves ----


def test_the_agent_moves_from_gateway_to_gateway(start, gateway):
    """Back and forth, while requests of both methods come to both gateways: all are answered, by whoever has the agent."""
    one, two = gateway(), gateway()
    seen = itertools.count()

    def serve(agent, request):
        next(seen)
        hello(agent, request)

    agent = start.agent_v2(one, serve, ready={"type": "ready", "capabilities": ["resume"]})
    failures, asked, ended = [], itertools.count(), threading.Event()

    def visit(gateway, method):
        while not ended.is_set():
            next(asked)
            answer = http_raw.request(gateway.address, method, "/", agent.host)
            if answer.status != 200:
                failures.append((method, answer))

    host = agent.host
    threads = [threading.Thread(target=visit, args=(g, m)) for g in (one, two) for m in ("GET", "POST")]
    for thread in threads:
        thread.start()
    for gateway_to in (two, one, two):
        time.sleep(0.2)
        token, before = agent.established["resume"], agent
        agent = start.agent_v2(gateway_to, serve, headers={"x-tunnel-resume": token}, ready={"type": "ready", "capabilities": ["resume"]})
        assert agent.host == host
        assert before.closed.wait(60 * SLOW)
    time.sleep(0.2)
    ended.set()
    for thread in threads:
        thread.join(30 * SLOW)
    assert not failures, failures
    assert next(seen) == next(asked), "a request was executed twice"


def test_the_gateway_of_the_agent_is_killed_under_load(start, gateway):
    """The agent is back at the other one soon, with its URL; no POST is executed twice, and no GET fails."""
    service = start.service()
    one, two = gateway(), gateway()
    relay = start.relay(one.agents)
    ttf = start.forwarder(f"ws://127.0.0.1:{relay.port}", service)
    tunnel, lines, ended = ttf.tunnel_id, len(ttf.out), threading.Event()
    answers = {"GET": [], "POST": []}

    def visit(method, number):
        for count in itertools.count():
            if ended.is_set():
                return
            body = f"{number}-{count}".encode() if method == "POST" else None
            answers[method].append(http_raw.request(two.address, method, f"/{method.lower()}?{number}-{count}", ttf.host, body=body))

    threads = [threading.Thread(target=visit, args=(m, n)) for m in answers for n in range(4)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(answers["POST"]) > 50)
    one.process.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    relay.target = two.agents
    one.kill()
    ttf.wait_established(after=lines)
    assert time.monotonic() - killed < 20 * SLOW
    assert ttf.tunnel_id == tunnel
    after = len(answers["POST"])
    eventually(lambda: len(answers["POST"]) > after + 50)
    ended.set()
    for thread in threads:
        thread.join(30 * SLOW)
    assert {answer.status for answer in answers["GET"]} == {200}
    bad = [answer for answer in answers["POST"] if answer.status != 200]
    assert len(bad) <= 4 and all(answer.error == "agent_lost" for answer in bad), bad
    targets = [request.target for request in service.seen("/post")]
    assert len(targets) == len(set(targets)), "a POST was executed twice"


class Load:
    """Visitors of both methods, some 100 requests a second in all, at whichever gateways take some."""

    def __init__(self, host, gateways):
        self.host, self.live, self.turn = host, list(gateways), itertools.count()
        self.failures, self.targets, self.ended = [], [], threading.Event()
        self.threads = [threading.Thread(target=self._visit, args=(n, n % 2)) for n in range(4)]

    def _visit(self, number, posts):
        for count in itertools.count():
            if self.ended.wait(0.04):
                return
            target, live = f"/{number}-{count}", list(self.live)
            body = os.urandom(1 + count * 7919 % 300_000) if posts else None
            address = live[next(self.turn) % len(live)].address
            answer = http_raw.request(address, "POST" if posts else "GET", target, self.host, body=body)
            right = answer.status == 200 and answer.json()["sha256"] == hashlib.sha256(body or b"").hexdigest()
            if not right:
                self.failures.append((target, answer))
            self.targets.append(target)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join(30 * SLOW)


def test_rolling_restart(start, gateway):
    """Each gateway in turn, twice: no request of either kind fails, none has a wrong body, none is executed twice."""
    service = start.service()
    ports = [free_ports() for _ in range(2)]
    gateways = [gateway("--drain-delay", "0", ports=each) for each in ports]
    relay = start.relay(gateways[0].agents)
    ttf = start.forwarder(f"ws://127.0.0.1:{relay.port}", service)
    with Load(ttf.host, gateways) as load:
        for number in (0, 1, 0, 1):
            old, other = gateways[number], gateways[1 - number]
            before = len(load.targets)
            eventually(lambda: len(load.targets) > before + 50)
            load.live, relay.target = [other], other.agents
            assert old.stop() == 0
            gateways[number] = gateway("--drain-delay", "0", ports=ports[number])
            load.live = list(gateways)
    assert not load.failures, load.failures
    seen = [request.target for request in service.seen()]
    assert sorted(seen) == sorted(load.targets)


def test_a_big_body_in_the_very_moment_of_a_cut(start, gateway):
    """A download that was under way is cut, never short and whole."""
    service = start.service()
    one, relay = behind_relay(start, gateway)
    two = gateway()
    ttf = start.forwarder(one, service)
    body = os.urandom(8 << 20)
    service.answer("/big", body=body)
    with http_raw.Connection(two.address) as connection:
        connection.send(http_raw.build(target="/big", host=ttf.host))
        head = connection.read_head()
        pieces = connection.pieces(head)
        next(pieces)
        relay.cut()
        with pytest.raises((http_raw.Cut, ConnectionError)):
            for _ in pieces:
                pass
    answer = get(two, ttf.host, "/big")
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(body).digest()
