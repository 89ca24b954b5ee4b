"""ttf-gateway admin: tables for people, JSON for programs."""

import json
import subprocess

import pytest

import admin_api
import backends
from admin_api import ask
from programs import BIN
from test_admin import OPEN, front
from test_redis import eventually

pytestmark = pytest.mark.skipif(backends.STACK == "aws", reason="of ttf-gateway")


@pytest.fixture
def admin(start, tmp_path):
    """admin(*words): what it says of a gateway of its own, by the port and its token in a file."""
    token = tmp_path / "token"
    token.write_text(admin_api.TOKEN + "\n")
    gateway = start.gateway(env=OPEN)

    def run(*words, code=0):
        way = ("--admin-listen", "{}:{}".format(*front(gateway).admin), "--admin-token-file", token)
        done = subprocess.run([BIN / "ttf-gateway", "admin", *words, *way], capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done
        assert admin_api.TOKEN not in done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    run.gateway = gateway
    return run


def test_tunnels(admin, start):
    assert admin("tunnels").split() == "TUNNEL OWNER STATE ADDRESS SOFTWARE PROTOCOL SINCE REQUESTS RATE GATEWAY".split()
    for name in ("shop", "a-longer-name"):
        start.forwarder(admin.gateway, start.service(), "--name", name)
    lines = admin("tunnels").splitlines()
    assert len(lines) == 3 and {line.split()[0] for line in lines[1:]} == {"shop", "a-longer-name"}
    assert len({line.index("anon:") for line in lines[1:]}) == 1  # aligned
    assert [tunnel["tunnel"] for tunnel in json.loads(admin("tunnels", "shop", "--json"))["tunnels"]] == ["shop"]
    assert "no agent is connected" in admin("tunnels", "nobody", code=1)
    assert admin("kick", "shop") == "shop: 1 agent was sent away, and may come back.\n"


def test_a_mistyped_command(admin):
    assert "did you mean tunnels" in admin("tunels", code=2)
    assert "no such command (ttf-gateway" in admin("nothing-like-it", code=2)


@pytest.mark.parametrize("name", ["a b", "a?b=c", "a\r\nX: y", "%2e%2e"])
def test_a_name_stays_a_name(admin, name):
    assert "this is no tunnel's name" in admin("kick", name, code=1)
    assert "this is no tunnel's name" in admin("release", name, code=1)


def test_more_than_a_page(admin, start):
    for n in range(1005):
        assert ask(admin.gateway, "blocks", "POST", name=f"name-{n}").status == 200
    rows = json.loads(admin("blocks", "--json"))["blocks"]
    assert len({row["name"] for row in rows}) == 1005
    assert len(admin("blocks").splitlines()) == 1006


def test_block_and_revoke(admin):
    nobody = "No agent was connected.\n"
    assert admin("block", "shop", "--reason", "a b & c", "--for=2d") == f"The name shop is blocked for 2d. {nobody}"
    assert admin("block", "--owner", "alice") == f"sub:alice is blocked, until you say unblock. {nobody}"
    assert admin("revoke", "jti-1") == f"The token jti-1 is revoked, until you say unrevoke. {nobody}"
    assert admin("revoke", "--owner", "sub:bob") == f"What sub:bob has been given until now is revoked, until you say unrevoke. {nobody}"
    rows = json.loads(admin("blocks", "--json"))["blocks"]
    assert [(row.get("name"), row.get("owner")) for row in rows] == [("shop", None), (None, "sub:alice")]
    assert rows[0]["reason"] == "a b & c" and "until" in rows[0] and "until" not in rows[1]
    rows = json.loads(admin("revocations", "--json"))["revocations"]
    assert [(row.get("token"), row.get("owner")) for row in rows] == [("jti-1", None), (None, "sub:bob")]
    assert admin("unblock", "shop") == "The name shop is blocked no more.\n"
    assert "there is no such entry" in admin("unblock", "shop", code=1)
    assert admin("unrevoke", "--owner", "bob") == "What sub:bob has been given is good again.\n"
    assert json.loads(admin("unrevoke", "jti-1", "--json")) == {"kept": True}


def connected(admin, count):
    rows = eventually(lambda: len(rows := json.loads(admin("tunnels", "--json"))["tunnels"]) == count and rows)
    return rows


def test_who_is_sent_away_is_counted(admin, start):
    """Also of agents that another gateway holds."""
    for name in ("one", "two", "three"):
        agent = start.agent if start.protocol == "v1" else start.agent_v2
        agent(admin.gateway, headers={"x-tunnel-name": name, "User-Agent": "x"})
    rows = {row["tunnel"]: row for row in connected(admin, 3)}
    assert admin("block", "one") == "The name one is blocked, until you say unblock. 1 agent was sent away.\n"
    assert {row["tunnel"] for row in connected(admin, 2)} == {"two", "three"}
    assert json.loads(admin("block", "--owner", rows["two"]["owner"], "--json")) == {"kept": True, "agents": 1}
    assert [row["tunnel"] for row in connected(admin, 1)] == ["three"]
    assert "No agent was connected" in admin("block", "two")
    mine = rows["three"]["gateway"]
    assert admin("drain", mine) == f"{mine} goes down when what runs is finished. 1 agent is told to connect elsewhere.\n"


def test_a_name_is_released(admin, start):
    agent = start.agent if start.protocol == "v1" else start.agent_v2
    agent(admin.gateway, headers={"x-tunnel-name": "shop"})
    admin("kick", "shop")
    eventually(lambda: [row["state"] for row in json.loads(admin("names", "--json"))["names"]] == ["offline"])
    assert admin("release", "shop") == "The name shop is free: whoever asks for it next has it.\n"
    assert "nobody has this name" in admin("release", "shop", code=1)


def test_gateways_and_drain(admin):
    rows = json.loads(admin("gateways", "--json"))["gateways"]
    mine = next(row["gateway"] for row in rows if row["gateway"].endswith(f":{admin.gateway.agents[1]}"))
    assert mine in admin("gateways")
    assert "there is no such gateway" in admin("drain", "ws://nowhere:1", code=1)
    assert admin("drain", mine) == f"{mine} goes down when what runs is finished. No agent was connected.\n"
    assert admin.gateway.wait_exit() == 0


@pytest.mark.parametrize(
    "words", [(), ("what",), ("kick",), ("kick", "a", "b"), ("block",), ("block", "a", "--owner", "b"), ("blocks", "x"), ("block", "a", "--for", "x"),
              ("tunnels", "--nonsense", "1")]
)  # fmt: skip
def test_what_makes_no_sense(admin, words):
    assert admin(*words, code=2).count("\n") == 1


def test_a_terminal_is_not_fooled(admin, start):
    agent = start.agent if start.protocol == "v1" else start.agent_v2
    agent(admin.gateway, headers={"x-tunnel-name": "evil", "User-Agent": "a\x9bb\u202ec"})
    shown = eventually(lambda: "evil" in (text := admin("tunnels")) and text)
    assert "\x9b" not in shown and "\u202e" not in shown


def test_help(admin):
    text = admin("--help")
    assert "revoke JTI | --owner OWNER" in text and max(map(len, text.splitlines())) <= 110


def test_nobody_is_there(tmp_path):
    done = subprocess.run([BIN / "ttf-gateway", "admin", "tunnels", "--admin-socket", tmp_path / "none"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "No such file" in done.stderr
