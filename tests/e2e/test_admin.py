"""The administration: who is connected, kicking, releasing names, going down."""

import json
import os
import stat
import time

import pytest

import admin_api
import backends
import http_raw
from admin_api import ANY_PORTS, ask, ask_socket, tunnels
from programs import BIN, Gateway
from test_auth import PROTECTED, token
from test_redis import eventually, redis  # noqa: F401 (a fixture)
from test_takeover import place  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(backends.STACK == "aws", reason="of ttf-gateway")
OPEN = {"ADMIN_TOKEN": admin_api.TOKEN}


def front(gateway):
    return getattr(gateway, "front", gateway)


@pytest.fixture
def gateway(start):
    return start.gateway(env=OPEN)


@pytest.mark.protocols("v2", "v1")
def test_a_tunnel_is_listed(gateway, start, protocol):
    ttf = start.forwarder(gateway, start.service(), "--name", "shop")
    for n in range(3):
        assert http_raw.request(gateway.address, target=f"/{n}", host=ttf.host).status == 200
    [tunnel] = tunnels(front(gateway))
    assert tunnel["tunnel"] == "shop" and tunnel["owner"].startswith("anon:") and tunnel["token"] == ""
    assert tunnel["protocol"] == protocol and tunnel["state"] == "online"
    assert tunnel["address"] == "127.0.0.1" and tunnel["software"].startswith("ttf/")
    assert tunnel["requests"] == 3 and tunnel["request_bytes"] > 0 and tunnel["answer_bytes"] > 0
    assert ask(front(gateway), "tunnels/shop").json["tunnels"][0]["requests"] == 3
    eventually(lambda: tunnels(gateway)[0]["rate"] > 0)
    missing = ask(gateway, "tunnels/nobody")
    assert missing.status == 404 and "no agent" in missing.json["error"]
    assert ask(gateway, "tunnels/-").status == 400


def test_owner_and_token(start):
    gateway = start.gateway(env=PROTECTED | OPEN)
    start.forwarder(gateway, start.service(), "--name", "shop", "--token", token("alice", jti="j-1"))
    [tunnel] = tunnels(front(gateway))
    assert (tunnel["owner"], tunnel["token"]) == ("sub:alice", "j-1")
    assert tunnels(gateway, owner="sub:alice") == tunnels(gateway)
    assert tunnels(gateway, owner="sub:bob") == []


def test_gateways(gateway, start):
    start.forwarder(gateway, start.service())
    rows = ask(gateway, "gateways").json["gateways"]
    assert len(rows) == (2 if backends.STACK == "redis2" else 1)
    assert sum(row["agents"] for row in rows) == 1 and all(row["state"] == "ready" for row in rows)


@pytest.mark.protocols("v2", "v1")
def test_kick(gateway, start, protocol):
    ttf = start.forwarder(gateway, start.service(), "--name", "shop")
    seen, seen_err = len(ttf.out), len(ttf.err)
    answer = ask(front(gateway), "tunnels/shop/kick", "POST")
    assert (answer.status, answer.json) == (200, {"kicked": 1})
    ttf.wait_err("kicked: the gateway's administration has ended this connection", after=seen_err)
    ttf.wait_established(after=seen)  # it comes back
    assert ask(gateway, "tunnels/nobody/kick", "POST").status == 404
    gateway.wait_err(r"audit: \S+: registration tunnel=shop")
    front(gateway).wait_err(r"audit: 127\.0\.0\.1: administration kick shop by token")


def test_release(gateway, start):
    service = start.service()
    first = start.forwarder(gateway, service, "--name", "shop")
    assert ask(gateway, "names/shop/release", "POST").status == 409
    first.stop()
    eventually(lambda: ask(front(gateway), "names/shop/release", "POST").status == 200)
    assert ask(gateway, "names/shop/release", "POST").status == 404
    start.forwarder(gateway, service, "--name", "shop")  # another owner, at once


def test_drain(gateway):
    [name] = [row["gateway"] for row in ask(gateway, "gateways").json["gateways"] if row["gateway"].endswith(str(gateway.agents[1]))]
    assert ask(gateway, "drain", "POST").status == 400
    assert ask(gateway, "drain", "POST", gateway="ws://nowhere:1").status == 404
    assert ask(front(gateway), "drain", "POST", gateway=name).json == {"draining": 1}
    assert gateway.wait_exit() == 0


def test_the_token(gateway):
    assert ask(gateway, "tunnels", shown=None).status == 401
    for _ in range(12):  # a script that has an old one shuts nobody out
        assert ask(gateway, "tunnels", shown=admin_api.TOKEN + "x").status == 401
    assert ask(gateway, "tunnels").status == 200
    for n in range(9):
        assert ask(gateway, "tunnels", shown=f"{admin_api.TOKEN}{n}").status == 401
    gateway.wait_err("WARN audit: 127.0.0.1: refusal of the administration: a wrong token")
    assert ask(gateway, "tunnels").status == 429  # also with the right one
    eventually(lambda: gateway.dump().count("a wrong token") == 10)  # each is told once
    assert admin_api.TOKEN not in gateway.dump()


def test_no_token_no_socket(start):
    gateway = start.gateway()
    answer = ask(gateway, "tunnels")
    assert answer.status == 403 and "admin-token-file" in answer.json["error"]


@pytest.mark.parametrize("secret", ["short", ""])
def test_a_short_token_is_refused(start, tmp_path, secret):
    path = tmp_path / "token"
    path.write_text(secret)
    program = start.program(BIN / "ttf-gateway", "--admin-token-file", path, *ANY_PORTS, "--state-dir", tmp_path / "state", expect_killed=True)
    assert program.wait_exit() == 1
    program.wait_err("it has fewer than 16 bytes")


def test_the_socket(start, tmp_path):
    path = tmp_path / "admin.sock"
    gateway = start.gateway("--admin-socket", path) if backends.STACK != "redis2" else None
    if not gateway:
        pytest.skip("two gateways would want the same socket")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert ask_socket(path, "/api/v1/tunnels") == (200, {"tunnels": []})
    gateway.kill()
    assert path.exists()
    again = start.gateway("--admin-socket", path)  # what the dead one left is replaced
    assert ask_socket(path, "/api/v1/gateways")[0] == 200
    other = start.program(BIN / "ttf-gateway", "--admin-socket", path, *ANY_PORTS, "--state-dir", tmp_path / "state", expect_killed=True)
    assert other.wait_exit() == 1
    other.wait_err("another gateway listens there")
    assert again.stop() == 0 and not path.exists()


def test_the_socket_stays_through_a_reload(start, tmp_path, place):
    if backends.STACK == "redis2":
        pytest.skip("two gateways would want the same socket")
    path = tmp_path / "admin.sock"
    gateway = start.gateway("--admin-socket", path)
    gateways = place(gateway)
    gateways.reload()
    eventually(lambda: ask_socket(path, "/api/v1/gateways")[0] == 200)
    gateways.stop()
    assert not list(tmp_path.glob("admin.sock*"))


def test_pages(gateway, start):
    names = [f"tunnel-{n:03}" for n in range(25)]
    for name in names:
        start.agent(gateway, name=name) if start.protocol == "v1" else start.agent_v2(gateway, headers={"x-tunnel-name": name})
    assert [t["tunnel"] for t in tunnels(front(gateway), limit=10)] == names
    first = ask(gateway, "tunnels", limit=10).json
    assert len(first["tunnels"]) == 10 and first["next"]
    assert len(ask(gateway, "tunnels", sort="rate", limit=5).json["tunnels"]) == 5
    for cursor in ("x", "1", "@", "1@" + "x" * 300, "-1@a", "99999999999999999999@a"):
        assert ask(gateway, "tunnels", cursor=cursor).status == 400


@pytest.mark.parametrize("path", ["", "tunnel", "tunnels/", "tunnels/a/b/c", "names/x", "x" * 3000])
def test_what_is_not_there(gateway, path):
    assert ask(gateway, path).status == 404


def test_methods(gateway):
    assert ask(gateway, "tunnels", "POST").status == 405
    assert ask(gateway, "tunnels/shop/kick").status == 405


def test_hostile_values(gateway):
    for owner in ("x" * 5000, "a\nb", "\0", "\xff" * 100, '"}]'):
        assert ask(gateway, "tunnels", owner=owner).status in (200, 400)
    for what in ("tunnels", "names", "blocks", "revocations"):
        for limit in ("0", "-1", "-5", "", "x", "1.5", "99999999999999999999"):
            answer = ask(gateway, what, limit=limit)
            assert (answer.status, answer.json) == (400, {"error": "the limit is a whole number, 1 at least"}), (what, limit)
        assert ask(gateway, what, limit="5000").status == 200  # as many as there may be


def names(gateway, **arguments):
    """All pages, each name once."""
    found, arguments = {}, {"limit": 50, **arguments}
    while True:
        page = ask(gateway, "names", **arguments)
        assert page.status == 200 and len(page.json["names"]) < 500, page
        found |= {row["name"]: row for row in page.json["names"]}
        if "next" not in page.json:
            return found
        arguments["cursor"] = page.json["next"]


def test_names(gateway, start):
    service = start.service()
    gone, here = start.forwarder(gateway, service, "--name", "gone"), start.forwarder(gateway, service, "--name", "here")
    gone.stop()
    eventually(lambda: names(gateway)["gone"]["state"] == "offline")
    rows = names(front(gateway))
    assert rows.keys() == {"gone", "here"} and rows["here"]["state"] == "online" and here.process.poll() is None
    assert "until" in rows["gone"] and rows["gone"]["owner"].startswith("anon:") and "until" not in rows["here"]
    for cursor in ("x", "-1", "1 ", "99999999999999999999999"):
        assert ask(gateway, "names", cursor=cursor).status == 400
    assert ask(gateway, "names", cursor="12345678").status == 200


def test_many_names_in_redis(start, redis):
    """Listing goes over them in bounded steps: other requests come in between, and tunnels cost no more."""
    gateway = start._keep(Gateway(start._folder("gateway"), "--store", redis.url(), env=OPEN))
    start.forwarder(gateway, start.service(), "--name", "mine")
    record = redis.ask("GET", "ttf1:claim:mine")
    fill = "for n = 1, tonumber(ARGV[1]) do redis.call('SET', 'ttf1:claim:other-' .. n, ARGV[2]) end return 1"
    redis.ask("EVAL", fill, "0", "200000", record.replace("mine", "other"))
    redis.ask("SET", "ttf1:claim:foreign", "no record")
    redis.ask("RPUSH", "ttf1:claim:list", "a list")
    begin = time.monotonic()
    assert len(tunnels(gateway)) == 1
    listed = time.monotonic() - begin
    pages, cursor, longest = 0, {}, 0
    while pages < 40:
        before = time.monotonic()
        page = ask(gateway, "names", limit=500, **cursor).json
        longest = max(longest, time.monotonic() - before)
        assert len(page["names"]) < 2000
        pages, cursor = pages + 1, {"cursor": page["next"]}
    assert listed < 20 and longest < 20  # a page is no longer for there being many; a whole listing at once would be


def test_a_gateway_that_does_not_answer(start, redis):
    """One of an earlier version, which hears the question and passes over it."""
    gateway = start._keep(Gateway(start._folder("gateway"), "--store", redis.url(), env=OPEN))
    start.forwarder(gateway, start.service(), "--name", "mine")
    with redis.connect() as connection:
        connection.sendall(b"SUBSCRIBE ttf1:0:to:ws://old:1\r\n")
        connection.recv(1000)
        redis.ask("ZADD", "ttf1:gateways", str((int(time.time()) + 600) * 1000), "ws://old:1")
        for path in ("tunnels", "gateways"):
            answer = ask(gateway, path)
            assert answer.status == 200 and answer.json["silent"] == ["ws://old:1"] and len(answer.json[path]) == 1
        assert ask(gateway, "tunnels/mine/kick", "POST").json == {"kicked": 1, "silent": ["ws://old:1"]}


def test_what_makes_no_sense_on_the_channels(start, redis):
    gateway = start._keep(Gateway(start._folder("gateway"), "--store", redis.url(), env=OPEN))
    own, key = f"ttf1:0:to:ws://127.0.0.1:{gateway.agents[1]}", "11111111-1111-4111-8111-111111111111"
    for text in ("1\nd\n0\n0\n", "1\nk\n0\n0\n\n", "9\nt\n0\n1\n\n", "1\nt\n0\n9999\n\n", "x" * 100000, ""):
        redis.ask("SET", f"ttf1:message:{key}", text if text != "1\nd\n0\n0\n" else "1\nx\n0\n0\n\n")
        redis.ask("PUBLISH", own, f"q\n{key}\n1\nttf1:0:to:ws://nobody:1")
    for text in ("0\n1\nnot json", "0\n2\n{}", "x\n1\n{}", "0\n99999\n" + ",".join(["{}"] * 99999), ""):
        redis.ask("SET", f"ttf1:message:{key}", text)
        redis.ask("PUBLISH", own, f"a\n{key}\n1")
    for message in ("q", "a", "q\n", "a\n\n\n", f"q\n{key}", f"q\n{key}\nx\ny", f"a\n{key}\n1\nz", "q\n" + "x" * 5000):
        redis.ask("PUBLISH", own, message)
    assert ask(gateway, "tunnels").json == {"tunnels": []}


def test_a_takeover_is_in_the_audit_log(start):
    gateway = start.gateway(env=PROTECTED | OPEN)
    service = start.service()
    first = start.forwarder(gateway, service, "--name", "shop", "--token", token("alice", jti="one"))
    first.expect_killed = True  # it ends by itself, and says that it was taken over
    start.forwarder(gateway, service, "--name", "shop", "--token", token("alice", jti="two"))
    gateway.wait_err(r"INFO audit: 127\.0\.0\.1: registration tunnel=shop owner=sub:alice token=one")
    gateway.wait_err(r"INFO audit: 127\.0\.0\.1: takeover tunnel=shop owner=sub:alice token=two")
