"""Agents that must show a token: who gets in, what the others are told, and who owns a name."""

import base64
import hashlib
import hmac
import json
import re
import time

import pytest
import websockets

from agent_v1 import hello
from programs import BIN, free_ports
from test_agents import refused, visit
from test_cli import fails

SECRET = "an e2e secret of more than thirty-two bytes"
PROTECTED = {"JWT_SECRET": SECRET, "REQUIRE_AUTH": "true"}


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(subject="alice", alg="HS256", secret=SECRET, lifetime=36000, hash="sha256", **claims):
    claims = {"sub": subject, "exp": int(time.time()) + lifetime, **claims}
    text = base64url(json.dumps({"alg": alg, "typ": "JWT"}).encode()) + "." + base64url(json.dumps(claims).encode())
    return text + "." + base64url(hmac.new(secret.encode(), text.encode(), hash).digest())


def unsigned():
    return token(alg="none").rpartition(".")[0] + "."


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


@pytest.fixture
def gateway(start):
    return start.gateway(env=PROTECTED)


def test_who_has_a_token_gets_in(start, gateway):
    """By the header, whose scheme has no case, and by the query."""
    agents = [
        start.agent(gateway, hello, headers=bearer(token())),
        start.agent(gateway, hello, headers={"Authorization": f"bearer {token()}"}),
        start.agent(f"{gateway.endpoint}/?token={token()}", hello),
    ]
    for agent in agents:
        assert visit(gateway, agent, "/x").body == b"GET /x"
    assert len({agent.tunnel_id for agent in agents}) == 3


REFUSED = {
    "no token": (None, "a token is needed"),
    "expired": (token(lifetime=-60), "the token has expired"),
    "unsigned": (unsigned(), "malformed"),
    "no algorithm": (token(alg="none"), "not signed with HS256"),
    "another key": (token(secret="another secret of more than thirty-two bytes"), "signature does not hold"),
    "HS512": (token(alg="HS512", hash="sha512"), "not signed with HS256"),
    "RS256": (token(alg="RS256"), "not signed with HS256"),
    "not yet": (token(nbf=int(time.time()) + 3600), "not valid yet"),
    "nonsense": ("nonsense", "malformed"),
    "no subject": (token(subject=""), "no subject"),
    "8 KB": (token(pad="x" * 5900), "too long"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_who_has_none_is_refused_and_told_why(start, gateway, name):
    """401; the reason is in the gateway's log and in ttf's one line, the token in neither."""
    text, says = REFUSED[name]
    assert refused(start, gateway, headers=bearer(text) if text else {}) == 401
    gateway.wait_err(f"refused with 401: .*{says}")
    env = {"TTF_TOKEN": text} if text else {}
    line = fails(start, BIN / "ttf", "-e", gateway.endpoint, "-p", 1, env=env)
    assert re.search(f"^ttf: the gateway refused: .*{says}.*401", line), line
    if text and len(text) > 20:
        assert not any(text[:20] in line or text[-20:] in line for line in gateway.err + gateway.out + [line])


@pytest.mark.parametrize("header", ["Basic YWxpY2U6eA==", "Bearer", "Bearer ", "Token x"])
def test_another_authorization_is_refused(start, gateway, header):
    """Also where the query would have a good one: what stands in the header counts."""
    assert refused(start, f"{gateway.endpoint}/?token={token()}", headers={"Authorization": header}) == 401


def test_two_authorizations_are_refused(start, gateway):
    headers = websockets.datastructures.Headers()
    headers["Authorization"] = f"Bearer {token()}"
    headers["Authorization"] = f"Bearer {token('bob')}"
    assert refused(start, gateway, headers=headers) == 401


def test_a_token_in_the_query_is_not_logged(start):
    gateway = start.gateway("--log-level", "debug", env=PROTECTED)
    good, bad = token(), token(lifetime=-60)
    start.agent(f"{gateway.endpoint}/?token={good}", hello)
    assert refused(start, f"{gateway.endpoint}/?token={bad}") == 401
    gateway.wait_err("refused with 401")
    assert not any(good[-20:] in line or bad[-20:] in line for line in gateway.err)


def test_a_name_is_its_subjects(start, gateway):
    first = start.agent(gateway, hello, name="alices", headers=bearer(token("alice")))
    assert refused(start, gateway, name="alices", headers=bearer(token("bob"))) == 409
    assert visit(gateway, first, "/x").body == b"GET /x"
    first.stop()
    assert refused(start, gateway, name="alices", headers=bearer(token("bob"))) == 409
    # No resume token: the subject is enough.
    again = start.agent(gateway, hello, name="alices", headers=bearer(token("alice")))
    assert visit(gateway, again, "/y").body == b"GET /y"


def test_a_name_stays_its_subjects_over_a_restart(start):
    """The memory store forgets; the owner who comes back first has the name again, and bob finds it taken."""
    service, state = start.service(), start._folder("state")
    ports = free_ports()
    first = start.gateway(state_dir=state, env=PROTECTED, ports=ports)
    ttf = start.forwarder(first, service, "-n", "alices", env={"TTF_TOKEN": token("alice")})
    lines = len(ttf.out)
    first.stop()
    second = start.gateway(state_dir=state, env=PROTECTED, ports=ports)
    assert ttf.wait_established(after=lines).startswith("http://alices.")
    assert refused(start, second, name="alices", headers=bearer(token("bob"))) == 409


def test_a_refused_token_does_not_cost_the_url(start, gateway):
    """ttf keeps what it knows of its tunnel, and has it again with a good token."""
    service, home = start.service(), start._folder("home")
    ttf = start.forwarder(gateway, service, state_home=home, env={"TTF_TOKEN": token()})
    assert ttf.stop() == 0
    late = start.forwarder(gateway, service, state_home=home, env={"TTF_TOKEN": token(lifetime=-60)}, wait=False)
    late.expect_killed = True
    assert late.wait_exit() == 1
    again = start.forwarder(gateway, service, state_home=home, env={"TTF_TOKEN": token()})
    assert again.url == ttf.url


def test_a_resume_token_of_somebody_else_proves_nothing(start, gateway):
    ready = {"type": "ready", "capabilities": ["resume"]}
    alice = start.agent(gateway, hello, ready=ready, headers=bearer(token("alice")))
    resume = alice.established["resume"]
    bob = start.agent(gateway, hello, headers={**bearer(token("bob")), "x-tunnel-resume": resume})
    assert bob.tunnel_id != alice.tunnel_id
    assert visit(gateway, alice, "/x").body == b"GET /x"
    assert refused(start, gateway, headers={"x-tunnel-resume": resume}) == 401


NEWER = "the secret that has replaced it, of more than thirty-two bytes"


def test_while_a_secret_is_replaced(start):
    """Old tokens go on, new ones are made with the new one; without the old one they end."""
    gateway = start.gateway(env={"JWT_SECRET": NEWER, "JWT_OLDER_SECRET": SECRET, "REQUIRE_AUTH": "true"})
    for secret in SECRET, NEWER:
        start.agent(gateway, hello, headers=bearer(token(secret=secret)))
    assert refused(start, gateway, headers=bearer(token(secret=SECRET + "x"))) == 401
    after = start.gateway(env={"JWT_SECRET": NEWER, "REQUIRE_AUTH": "true"})
    assert refused(start, after, headers=bearer(token())) == 401


def test_several_files_of_older_secrets(start, tmp_path):
    older = [f"an older secret, number {n}, of more than thirty-two bytes" for n in range(3)]
    paths = [tmp_path / f"secret.{n}" for n in range(3)]
    for path, secret in zip(paths, older):
        path.write_text(secret + "\n")
    options = ["--require-auth", "--jwt-older-secret-files", ",".join(map(str, paths))]
    gateway = start.gateway(*options, env={"JWT_SECRET": NEWER, "JWT_OLDER_SECRET": SECRET})
    for secret in [NEWER, SECRET, *older]:
        start.agent(gateway, hello, headers=bearer(token(secret=secret)))
    assert refused(start, gateway, headers=bearer(token(secret="no secret that was ever used here, none"))) == 401


def test_audience_and_issuer(start):
    gateway = start.gateway(env={**PROTECTED, "JWT_AUDIENCE": "tunnels", "JWT_ISSUER": "us"})
    start.agent(gateway, hello, headers=bearer(token(aud=["x", "tunnels"], iss="us")))
    assert refused(start, gateway, headers=bearer(token(aud="x", iss="us"))) == 401
    gateway.wait_err("refused with 401: the token is for another audience")
    assert refused(start, gateway, headers=bearer(token(aud="tunnels"))) == 401
    gateway.wait_err("refused with 401: the token is of another issuer")


def printed(start, *arguments, env):
    program = start.program(BIN / "ttf-gateway", "token", *arguments, env=env)
    assert program.wait_exit() == 0, program.dump()
    (line,) = program.out
    return line


def test_the_command_makes_tokens(start, tmp_path):
    """With the secret in a file, which an editor has ended with a line break."""
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    line = printed(start, "--sub", "alice", "--ttl", "1h", "--jwt-secret-file", path, env={})
    claims = json.loads(base64.urlsafe_b64decode(line.split(".")[1] + "=="))
    assert claims["sub"] == "alice" and claims["exp"] - claims["iat"] == 3600
    assert abs(claims["iat"] - time.time()) < 60
    service = start.service()
    gateway = start.gateway("--require-auth", "--jwt-secret-file", path)
    ttf = start.forwarder(gateway, service, "-t", line, "-n", "by-command")
    assert ttf.tunnel_id == "by-command"
    other = printed(start, "--sub=bob", env={"JWT_SECRET": SECRET})
    assert refused(start, gateway, name="by-command", headers=bearer(other)) == 409


def test_a_token_file_is_read_for_each_connection(start, tmp_path):
    """A renewed token needs no new ttf; and while the file is not whole, the one of before is used."""
    path = tmp_path / "token"
    path.write_text(token(subject="alice") + "\n")
    gateway = start.gateway(env=PROTECTED)
    relay = start.relay(gateway.agents)
    ttf = start.forwarder(f"ws://127.0.0.1:{relay.port}", start.service(), "--token-file", path)
    path.write_text("")
    before = len(ttf.out)
    relay.cut()
    ttf.wait_established(after=before)
    ttf.wait_err("is empty; the one of before is used")
    path.write_text(token(subject="alice", lifetime=-60))
    relay.cut()
    ttf.wait_line(r"token has expired .*trying again|token has expired.*reconnecting")
    before = len(ttf.out)
    path.write_text(token(subject="alice"))
    ttf.wait_established(after=before)


@pytest.mark.parametrize(
    "arguments,env,says",
    [
        ([], {"JWT_SECRET": SECRET}, "--sub"),
        (["--sub", ""], {"JWT_SECRET": SECRET}, "--sub"),
        (["--sub", "a", "--ttl", "soon"], {"JWT_SECRET": SECRET}, "--ttl"),
        (["--sub", "a", "--ttl", "0"], {"JWT_SECRET": SECRET}, "--ttl"),
        (["--sub", "a", "--ttl", "4000d"], {"JWT_SECRET": SECRET}, "--ttl"),
        (["--sub", "a"], {}, "JWT_SECRET"),
        (["--sub", "a"], {"JWT_SECRET": "too short"}, "32 bytes"),
        (["--sub", "a", "--jwt-secret-file", "/nonexistent"], {}, "No such file"),
        (["--sub", "a", "--nonsense"], {"JWT_SECRET": SECRET}, "nonsense"),
    ],
)
def test_bad_token_commands(start, arguments, env, says):
    line = fails(start, BIN / "ttf-gateway", "token", *arguments, env=env)
    assert says in line and "too short" not in line


@pytest.mark.parametrize(
    "env,says",
    [
        ({"REQUIRE_AUTH": "true"}, "JWT_SECRET or JWT_SECRET_FILE"),
        ({"REQUIRE_AUTH": "false", "JWT_SECRET": SECRET}, "REQUIRE_AUTH and JWT_SECRET contradict"),
        ({"JWT_SECRET": SECRET}, "REQUIRE_AUTH"),
        ({"REQUIRE_AUTH": "true", "JWT_SECRET": "too short"}, "fewer than 32 bytes"),
        ({**PROTECTED, "JWT_SECRET_FILE": "/x"}, "JWT_SECRET and JWT_SECRET_FILE contradict"),
        ({"REQUIRE_AUTH": "true", "JWT_SECRET_FILE": "/nonexistent"}, "No such file"),
        ({"JWT_AUDIENCE": "x"}, "JWT_AUDIENCE"),
        ({**PROTECTED, "JWT_OLDER_SECRET": "too short"}, "fewer than 32 bytes"),
        ({"REQUIRE_AUTH": "true", "JWKS": "{}", "JWT_OLDER_SECRET": SECRET}, "the secret that replaces it is needed"),
        ({**PROTECTED, "JWT_OLDER_SECRET_FILES": "/a,/b,/c,/d"}, "3 files at most"),
        ({**PROTECTED, "JWT_OLDER_SECRET_FILES": "/nonexistent"}, "No such file"),
    ],
)
def test_settings_that_would_let_anybody_in_or_nobody(start, env, says):
    ports = ["--public-listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    line = fails(start, BIN / "ttf-gateway", *ports, "--state-dir", start._folder("state"), env=env)
    assert says in line and SECRET not in line and "too short" not in line, line
