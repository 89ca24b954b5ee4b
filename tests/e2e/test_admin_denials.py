"""Who is kept out: blocked names and owners, revoked tokens."""

import json
import time

import pytest

import backends
from admin_api import ANY_PORTS, ask, knock
from test_admin import OPEN, front
from test_auth import PROTECTED, bearer, token
from programs import BIN, Gateway
from test_redis import eventually, redis  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(backends.STACK == "aws", reason="of ttf-gateway")


@pytest.fixture
def gateway(start):
    return start.gateway(env=PROTECTED | OPEN)


def ttf(start, gateway, name, subject="alice", **claims):
    return start.forwarder(gateway, start.service(), "--name", name, "--token", token(subject, **claims))


def refused(gateway, name, subject="alice", **claims):
    """Status and text of the refusal; None: it was let in."""
    return knock(gateway, {"x-tunnel-name": name, **bearer(token(subject, **claims))})


@pytest.mark.protocols("v2", "v1")
def test_a_blocked_name(gateway, start, protocol):
    agent = ttf(start, gateway, "shop")
    answer = ask(front(gateway), "blocks", "POST", name="shop", reason="phishing")
    assert (answer.status, answer.json) == (200, {"kept": True})
    agent.wait_err("kicked: this name is blocked: phishing")
    agent.wait_err(r"the gateway refused: this name is blocked: phishing \(403\)|this name is blocked: phishing")
    agent.expect_killed = True
    assert agent.wait_exit() != 0
    assert refused(gateway, "shop", "bob") == (403, "this name is blocked: phishing")
    [entry] = ask(gateway, "blocks").json["blocks"]
    assert entry["name"] == "shop" and entry["reason"] == "phishing" and entry["by"] == "token at 127.0.0.1"
    front(gateway).wait_err("audit: 127.0.0.1: administration block name:shop by token")
    gateway.wait_err("audit: 127.0.0.1: refusal status=403 tunnel=shop owner=sub:bob")
    assert ask(front(gateway), "blocks", "DELETE", name="shop").status == 200
    assert ask(gateway, "blocks", "DELETE", name="shop").status == 404
    eventually(lambda: ask(gateway, "blocks").json["blocks"] == [])
    ttf(start, gateway, "shop")


def test_a_blocked_owner(gateway, start):
    agents = [ttf(start, gateway, name) for name in ("one", "two")]
    other = ttf(start, gateway, "three", "bob")
    assert ask(front(gateway), "blocks", "POST", owner="sub:alice").status == 200
    for agent in agents:
        agent.expect_killed = True
        agent.wait_err("kicked: this owner is blocked")
    assert refused(gateway, "four") == (403, "this owner is blocked")
    assert other.process.poll() is None and refused(gateway, "five", "bob") is None


def test_a_revoked_token(gateway, start):
    stolen, good = ttf(start, gateway, "shop", jti="stolen"), ttf(start, gateway, "other", jti="good")
    begin = time.monotonic()
    assert ask(front(gateway), "revocations", "POST", token="stolen", reason="was stolen").status == 200
    stolen.wait_err("kicked: this token has been revoked: was stolen")
    assert time.monotonic() - begin < 30  # on a slow machine; else within 1 s
    stolen.expect_killed = True
    assert refused(gateway, "new", jti="stolen") == (403, "this token has been revoked: was stolen")
    assert refused(gateway, "new", jti="good") is None and good.process.poll() is None
    [entry] = ask(gateway, "revocations").json["revocations"]
    assert entry["token"] == "stolen" and ask(gateway, "blocks").json["blocks"] == []


def test_tokens_of_before(gateway):
    now = int(time.time())
    assert ask(front(gateway), "revocations", "POST", owner="sub:alice").status == 200
    expected = (403, "this owner's tokens and certificates of before have been revoked")
    eventually(lambda: refused(gateway, "one", iat=now - 5) == expected)
    assert refused(gateway, "one") == expected  # it does not say since when it is
    assert refused(gateway, "two", "bob", iat=now - 5) is None
    end = time.monotonic() + 60
    while refused(gateway, "one", iat=int(time.time())):
        assert time.monotonic() < end, "a token of after is refused"
        time.sleep(0.1)


def test_for_a_while(gateway):
    assert ask(gateway, "blocks", "POST", name="shop", seconds=5).status == 200
    assert refused(gateway, "shop") == (403, "this name is blocked")
    assert "until" in ask(gateway, "blocks").json["blocks"][0]
    eventually(lambda: refused(gateway, "shop") is None)


@pytest.mark.parametrize(
    "arguments", [{}, {"name": ""}, {"name": "a", "owner": "b"}, {"name": "x" * 64}, {"owner": "x" * 161}, {"owner": "a\nb"}, {"name": "a\0"},
                  {"name": "a", "reason": "x" * 121}, {"name": "a", "reason": "a\nb"}, {"name": "a", "seconds": "0"},
                  {"name": "a", "seconds": "-1"}, {"name": "a", "seconds": "99999999999999"}, {"name": "Shop"}, {"name": 'sh"op'},
                  {"owner": "alice"}, {"owner": "Sub:alice"}]
)  # fmt: skip
def test_what_makes_no_sense(gateway, arguments):
    assert ask(gateway, "blocks", "POST", **arguments).status == 400
    assert ask(gateway, "blocks").json["blocks"] == []


def test_it_is_kept(start, tmp_path):
    """In the state directory, or in Redis."""
    home = tmp_path / "state"
    home.mkdir()
    first = start.gateway(env=PROTECTED | OPEN, state_dir=home)
    for n in range(30):
        assert ask(first, "blocks", "POST", name=f"name-{n}").status == 200
    first.kill()
    again = start.gateway(env=PROTECTED | OPEN, state_dir=home)
    eventually(lambda: refused(again, "name-7") == (403, "this name is blocked"))
    found, cursor = [], {}
    while True:
        page = ask(again, "blocks", limit=7, **cursor).json
        found += [entry["name"] for entry in page["blocks"]]
        if "next" not in page:
            break
        cursor = {"cursor": page["next"]}
    assert sorted(found) == sorted(f"name-{n}" for n in range(30))


@pytest.mark.skipif(backends.STACK != "memory", reason="of the file")
@pytest.mark.parametrize("text", ["", "[]", "{", "\0", '{"name:a": 1}' * 2])
def test_a_file_that_makes_no_sense(start, tmp_path, text):
    (tmp_path / "denials").write_text(text)
    (tmp_path / "secret").write_text("x" * 64)
    gateway = start.program(BIN / "ttf-gateway", *ANY_PORTS, "--state-dir", tmp_path, expect_killed=True)
    assert gateway.wait_exit() == 1
    gateway.wait_err("denials: it cannot be understood")


@pytest.mark.skipif(backends.STACK != "memory", reason="of the file")
def test_entries_that_make_no_sense_are_told_of(start, tmp_path):
    home = tmp_path / "state"
    home.mkdir()
    (home / "denials").write_text(json.dumps({"name:shop": "1\n0", "name:ever": "1\n0\nme\n", "what:x": "1\n0\nme\n"}))
    gateway = start.gateway(env=PROTECTED | OPEN, state_dir=home)
    gateway.wait_err("2 of those who are kept out cannot be understood")
    assert [entry["name"] for entry in ask(gateway, "blocks").json["blocks"]] == ["ever"]


@pytest.mark.skipif(backends.STACK != "memory", reason="of the file")
def test_those_that_are_over_leave_the_file(start, tmp_path):
    home = tmp_path / "state"
    home.mkdir()
    (home / "denials").write_text(json.dumps({"name:past": "1\n2\nme\n", "name:ever": "1\n0\nme\n"}))
    gateway = start.gateway(env=PROTECTED | OPEN, state_dir=home)
    assert [entry["name"] for entry in ask(gateway, "blocks").json["blocks"]] == ["ever"]
    assert ask(gateway, "blocks", "POST", name="shop").status == 200
    assert set(json.loads((home / "denials").read_text())) == {"name:ever", "name:shop"}


def test_those_that_are_over_leave_redis(start, redis):
    """More than are looked after at once; one that another gateway has made anew stays."""
    past = [word for n in range(600) for word in (f"name:past-{n}", "1\n2\nme\n")]
    redis.ask("HSET", "ttf1:denials", *past)
    gateway = start._keep(Gateway(start._folder("gateway"), "--store", redis.url(), "--lease", "1s", env=PROTECTED | OPEN))
    assert ask(gateway, "blocks").json["blocks"] == []
    redis.ask("HSET", "ttf1:denials", "name:past-7", "1\n0\nother\n")  # which this gateway has not heard of

    def is_short():
        """Each change takes some out, once the gateway has read them."""
        assert ask(gateway, "blocks", "POST", name="one").status == 200
        return int(redis.ask("HLEN", "ttf1:denials")) == 2

    eventually(is_short, 60)
    assert redis.ask("HGET", "ttf1:denials", "name:past-7")


def test_redis_loses_it(start, redis):
    gateway = start._keep(Gateway(start._folder("gateway"), "--store", redis.url(), "--lease", "1s", env=PROTECTED | OPEN))
    assert ask(gateway, "blocks", "POST", name="shop").status == 200
    redis.ask("FLUSHALL")
    eventually(lambda: redis.ask("HGET", "ttf1:denials", "name:shop"), 30)
    assert refused(gateway, "shop") == (403, "this name is blocked")
    redis.ask("SET", "ttf1:denials", "something else")  # is replaced
    assert ask(gateway, "blocks", "POST", name="other").status == 200
    redis.ask("HSET", "ttf1:denials", "name:hostile", "no record", "what:is", "1\n2\n3\n4", "name:" + "x" * 5000, "1\n0\n\n")
    redis.ask("PUBLISH", "ttf1:0:claims", "b\n+name:hostile")
    redis.ask("PUBLISH", "ttf1:0:claims", "b\n-" + "x" * 5000)
    redis.ask("PUBLISH", "ttf1:0:claims", "b")
    eventually(lambda: refused(gateway, "hostile") is None)


def test_what_one_gateway_removes_while_another_is_deaf(start, redis):
    options = ("--store", redis.url(), "--lease", "1s")
    gateways = [start._keep(Gateway(start._folder("gateway"), *options, env=PROTECTED | OPEN)) for _ in range(2)]
    assert ask(gateways[0], "blocks", "POST", name="shop").status == 200
    eventually(lambda: refused(gateways[1], "shop"))
    redis.ask("CLIENT", "KILL", "TYPE", "pubsub")
    redis.ask("HDEL", "ttf1:denials", "name:shop")  # as another one would, and nobody hears of it
    for gateway in gateways:
        eventually(lambda: refused(gateway, "shop") is None, 30)  # noqa: B023


@pytest.mark.skipif(backends.STACK != "memory", reason="of the file")
def test_it_is_kept_in_the_usual_place(start, tmp_path):
    """Without --state-dir, and where the gateway makes no secret, so that nothing else has made the folder."""
    env = OPEN | {"HOME": str(tmp_path), "XDG_STATE_HOME": None, "TUNNEL_SECRET": "sixteen bytes, or more"}
    gateway = start.program(BIN / "ttf-gateway", *ANY_PORTS, env=env)
    gateway.wait_line("^Ready")
    gateway.admin = Gateway._address(gateway, r"^Admin: +http://(\S+)")
    assert ask(gateway, "blocks", "POST", name="shop").status == 200
    kept = tmp_path / ".local/state/ttf-gateway/denials"
    assert "name:shop" in kept.read_text() and kept.stat().st_mode & 0o777 == 0o600
