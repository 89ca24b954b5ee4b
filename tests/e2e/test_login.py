"""ttf login: endpoint and token, stored for the user alone."""

import os
import pty
import secrets
import signal
import stat
import subprocess

import pytest

import http_raw
from programs import BIN
from test_agent_file import home  # noqa: F401  (a fixture)


@pytest.fixture
def secret():
    return secrets.token_hex(32)


def token_of(secret):
    made = subprocess.run([BIN / "ttf-gateway", "token", "--sub", "anna", "--ttl", "1h"], env={"JWT_SECRET": secret},
                          capture_output=True, text=True, check=True)  # fmt: skip
    return made.stdout.strip()


def login(home, *arguments, given="", **more):  # noqa: F811
    return subprocess.run([BIN / "ttf", "login", *arguments], env={**home.env, **more.pop("env", {})}, cwd=home.work, input=given,
                          capture_output=True, text=True, timeout=90)  # fmt: skip


def test_login_and_use(start, home, secret):  # noqa: F811
    service, gateway = start.service(), start.gateway("--require-auth", env={"JWT_SECRET": secret})
    token = token_of(secret)
    done = login(home, gateway.endpoint, given=token + "\n")
    assert done.returncode == 0, done.stderr
    assert token not in done.stdout + done.stderr
    for name in ("login.yaml", "login.token"):
        assert stat.S_IMODE((home.config / name).stat().st_mode) == 0o600
    ttf = home.ttf(str(service.port))
    url = ttf.wait_line(r"^Tunnel established: (\S+)$")[1]
    assert http_raw.request(gateway.address, host=url.split("/")[2]).status == 200
    assert ttf.stop(signal.SIGINT) == 0


def test_a_stored_token_goes_to_its_own_gateway_alone(start, home, secret):  # noqa: F811
    """Also where a file of the working directory names the gateway."""
    service = start.service()
    mine, other = (start.gateway("--require-auth", env={"JWT_SECRET": secret}) for _ in range(2))
    assert login(home, mine.endpoint, given=token_of(secret)).returncode == 0
    elsewhere = home.fails(str(service.port), "-e", other.endpoint)
    assert "wants a token" in elsewhere or "401" in elsewhere
    (home.work / "ttf.yaml").write_text(f"endpoint: {other.endpoint}\ntunnels: {{web: {service.port}}}\n")
    assert "401" in home.fails()
    (home.work / "ttf.yaml").write_text(f"endpoint: {mine.endpoint}\ntunnels: {{web: {service.port}}}\n")
    ttf = home.ttf()
    ttf.wait_line("^web: Tunnel established")
    (home.work / ".env").write_text(f"TTF_ENDPOINT={other.endpoint}\n")
    assert "401" in home.fails(str(service.port))


@pytest.mark.parametrize(
    "arguments, given, code, says",
    [
        ([], "x", 2, "ttf login wants a gateway"),
        (["https://x"], "x", 2, "did you mean wss://x"),
        (["ws://x"], "", 1, "what standard input gave as token is empty"),
        (["ws://x"], "a b", 1, "holds something else than one token"),
        pytest.param(["ws://x"], "a" * 9000, 1, "holds something else than one token", id="too long"),
        (["ws://x", "ws://y"], "a", 2, "one word too many"),
    ],
)
def test_bad_logins(home, arguments, given, code, says):  # noqa: F811
    done = login(home, *arguments, given=given)
    assert done.returncode == code
    assert says in done.stderr and done.stderr.count("\n") == 1
    assert not list(home.config.iterdir())


def test_nowhere_to_store(home):  # noqa: F811
    done = login(home, "ws://x", given="abc", env={"XDG_CONFIG_HOME": "/proc/nowhere"})
    assert done.returncode == 1 and "/proc/nowhere/ttf: " in done.stderr and done.stderr.count("\n") == 1


def test_the_terminal_shows_nothing(home):  # noqa: F811
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(home.work)
        os.execve(BIN / "ttf", ["ttf", "login", "ws://gateway.example:8081"], {**os.environ, **home.env})
    seen = b""
    while b"Token: " not in seen:
        seen += os.read(terminal, 1000)
    os.write(terminal, b"wrong\x15right\x7ft.token\n")
    try:
        while data := os.read(terminal, 1000):
            seen += data
    except OSError:
        pass
    assert os.waitpid(pid, 0)[1] == 0, seen
    assert b"right" not in seen and b"wrong" not in seen
    assert (home.config / "login.token").read_text() == "right.token\n"
    assert "endpoint: 'ws://gateway.example:8081'" in (home.config / "login.yaml").read_text()


def test_a_token_on_the_command_line_is_warned_of(start, home, secret):  # noqa: F811
    service, gateway = start.service(), start.gateway("--require-auth", env={"JWT_SECRET": secret})
    ttf = home.ttf("-e", gateway.endpoint, str(service.port), "--token", token_of(secret))
    ttf.wait_line("Others on this machine can read a token on the command line")
    ttf.wait_line("Tunnel established")
