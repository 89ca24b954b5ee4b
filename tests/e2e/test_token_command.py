"""ttf --token-command: a command prints the token, anew for each connection."""

import os
import signal
import time
from urllib.parse import urlsplit

import pytest

import http_raw
from programs import BIN, SLOW
from test_auth import PROTECTED, token


@pytest.fixture
def made(start, tmp_path):
    """A gateway that wants tokens, a relay before it that can cut, and a file with a token for commands to print."""

    class Made:
        gateway = start.gateway(env=PROTECTED)
        relay = start.relay(gateway.agents)
        file = tmp_path / "token.txt"
        runs = tmp_path / "runs"

        def say(self, **more):
            self.file.write_text(token(**more) + "\n")

        def ttf(self, command, *options, **more):
            return start.forwarder(f"ws://127.0.0.1:{self.relay.port}", start.service(), "--token-command", command, *options, cwd=tmp_path, **more)

    made = Made()
    made.say(subject="alice")
    return made


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds * SLOW
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_it_runs_for_each_connection(made):
    ttf = made.ttf("echo run >> runs; head -1 token.txt; echo 'what comes behind it does not count'")
    assert lines(made.runs) == ["run"]
    assert http_raw.request(made.gateway.address, host=ttf.host).status == 200
    made.say(subject="alice", lifetime=-60)
    before = len(ttf.out)
    made.relay.cut()
    ttf.wait_line("token has expired", after=before)
    made.say(subject="alice")
    ttf.wait_established(after=before)
    assert len(lines(made.runs)) >= 3
    secret = made.file.read_text().strip()
    assert not any(secret in line for line in ttf.out + ttf.err)
    assert secret.encode() not in open(f"/proc/{ttf.pid}/cmdline", "rb").read()


def test_while_it_fails_the_token_of_before_is_used(made):
    ttf = made.ttf("test -e token.txt || { printf 'no\\tvault \\033[31mhere\\n' >&2; exit 3; }; cat token.txt")
    made.file.rename(made.file.with_suffix(".away"))
    before = len(ttf.out)
    made.relay.cut()
    ttf.wait_established(after=before)
    ttf.wait_err(r"^ttf: the token command failed with exit code 3: no vault \[31mhere; the one of before is used$")


@pytest.mark.parametrize(
    "command,says",
    [
        ("echo the vault is shut >&2; exit 7", "ttf: the token command failed with exit code 7: the vault is shut"),
        ("false", "ttf: the token command failed with exit code 1"),
        ("kill -9 $$", "ttf: the token command was ended by signal 9"),
        ("no-such-program-at-all", "failed with exit code 127: "),
        ("true", "ttf: what the token command prints is empty"),
        ("echo; echo abc", "ttf: what the token command prints is empty"),
        ("echo two words", "ttf: what the token command prints holds something else than one token"),
        ("printf 'a\\r\\nX: y\\n'", None),
        ("printf 'a\\033b\\n'", "ttf: what the token command prints holds something else than one token"),
        ("printf 'a\\000b\\n'", "ttf: what the token command prints holds something else than one token"),
        ("yes", "ttf: the token command prints more than 8 KiB"),
        ("head -c 100000 /dev/zero >&2; echo; exit 1", "ttf: the token command failed with exit code 1"),
    ],
)
def test_what_gives_no_token(start, made, command, says):
    ttf = made.ttf(command, wait=False)
    ttf.expect_killed = True
    assert ttf.wait_exit() == 1, ttf.dump()
    assert says is None or any(says in line for line in ttf.err), ttf.dump()
    assert all(all(c.isprintable() for c in line) for line in ttf.err)


def test_one_that_hangs_holds_up_nothing(start, made, tmp_path):
    """Ctrl-C ends ttf at once, and the command with all that it has started."""
    ttf = made.ttf("echo $$ >> runs; sleep 600 | cat", wait=False)
    wait_for(lambda: lines(made.runs))
    group = int(lines(made.runs)[0])
    assert os.getpgid(group) == group
    begun = time.monotonic()
    assert ttf.stop(signal.SIGINT) == 0
    assert time.monotonic() - begun < 5 * SLOW

    def is_gone():
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        return all(open(f"/proc/{pid}/stat").read().split(") ")[1][0] == "Z" for pid in os.listdir("/proc") if pid.isdigit() and group_of(int(pid)) == group)

    wait_for(is_gone)


def group_of(pid):
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def test_requests_pass_while_it_runs(start, made, tmp_path):
    """A tunnel that is up serves while the command of another one's connection takes its time."""
    file, port = tmp_path / "ttf.yaml", start.service().port
    command = "cat token.txt; if test -e hold; then echo late >> runs; while test -e hold; do sleep 0.05; done; fi"
    text = f"endpoint: ws://127.0.0.1:{made.relay.port}\ntoken-command: {command}\ntunnels:\n  a: {port}\n"
    file.write_text(text)
    env = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    ttf = start.program(BIN / "ttf", "--config", "ttf.yaml", env=env, cwd=tmp_path)
    host = urlsplit(ttf.wait_line(r"^a: Tunnel established: (\S+)")[1]).netloc
    (tmp_path / "hold").touch()
    file.write_text(text + f"  b: {port}\n")
    wait_for(lambda: lines(made.runs))
    assert http_raw.request(made.gateway.address, host=host).status == 200
    assert not any(line.startswith("b: Tunnel") for line in ttf.out)
    (tmp_path / "hold").unlink()
    ttf.wait_line(r"^b: Tunnel established")


@pytest.mark.slow
def test_it_has_thirty_seconds(made):
    ttf = made.ttf("sleep 600", wait=False)
    ttf.expect_killed = True
    assert ttf.wait_exit(60) == 1
    assert "ttf: the token command takes longer than 30 s" in ttf.err


def test_what_it_leaves_behind_does_not_count(made):
    """A helper that goes on in the background, with the error output in its hands."""
    made.ttf("cat token.txt; sleep 600 >/dev/null & true")


def test_several_tunnels_share_it(start, made, tmp_path):
    (tmp_path / "ttf.yaml").write_text(
        f"endpoint: ws://127.0.0.1:{made.relay.port}\ntoken-command: echo run >> runs; cat token.txt\n"
        f"tunnels: {{a: {start.service().port}, b: {start.service().port}, c: {start.service().port}}}\n"
    )
    env = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    ttf = start.program(BIN / "ttf", "--config", "ttf.yaml", env=env, cwd=tmp_path)
    for label in "abc":
        ttf.wait_line(rf"^{label}: Tunnel established")
    assert lines(made.runs) == ["run"], "at the same moment it runs once for all"


def fails(start, *arguments, env=None, cwd=None):
    program = start.program(BIN / "ttf", *arguments, env={"HOME": "/nonexistent", **(env or {})}, cwd=cwd)
    program.expect_killed = True
    assert program.wait_exit() == 2, program.dump()
    said = [line for line in program.err if line.strip()]
    assert len(said) == 1, program.dump()
    return said[0]


def test_contradictions(start, tmp_path):
    for more, says in (
        (("--token", "x"), "said twice: as --token and as --token-command"),
        (("--token-file", "x"), "said twice: as --token-file and as --token-command"),
    ):
        assert says in fails(start, "3000", "--token-command", "true", *more)
    assert "said twice: as TTF_TOKEN and as TTF_TOKEN_COMMAND" in fails(start, env={"TTF_TOKEN": "x", "TTF_TOKEN_COMMAND": "true"})
    assert "--token-command is empty" in fails(start, "--token-command", "")
    (tmp_path / "t.yaml").write_text("token-file: a\ntoken-command: b\ntunnels: {a: 3000}\n")
    assert "t.yaml: token-file and token-command are two ways to one token" in fails(start, "--config", "t.yaml", cwd=tmp_path)


def test_strangers_run_nothing(start, tmp_path):
    """Neither a ttf.yaml nor a .env that is only found here."""
    (tmp_path / "ttf.yaml").write_text("token-command: touch ran\ntunnels: {a: 3000}\n")
    assert "token-command may not be said by a file that is only found here" in fails(start, cwd=tmp_path)
    (tmp_path / "ttf.yaml").unlink()
    (tmp_path / ".env").write_text("TTF_TOKEN_COMMAND=touch ran\nTTF_ENDPOINT=ws://127.0.0.1:9\n")
    program = start.program(BIN / "ttf", env={"HOME": str(tmp_path)}, cwd=tmp_path, expect_killed=True)
    assert program.wait_exit() == 1
    assert not (tmp_path / "ran").exists()


def test_the_environment_says_it(start, made, tmp_path):
    env = {"TTF_TOKEN_COMMAND": "cat token.txt"}
    start.forwarder(made.gateway, start.service(), env=env, cwd=tmp_path)


def test_an_endpoint_of_dotenv_does_not_get_it(start, made, tmp_path):
    (tmp_path / ".env").write_text(f"TTF_ENDPOINT=ws://127.0.0.1:{made.relay.port}\n")
    program = start.program(BIN / "ttf", "--token-command", "touch ran", env={"HOME": str(tmp_path)}, cwd=tmp_path, expect_killed=True)
    assert program.wait_exit() == 1
    assert any("your token is not sent" in line for line in program.err)
    assert not (tmp_path / "ran").exists()


def test_the_doctor_runs_it(start, made, tmp_path):
    service = start.service()

    def doctor(command):
        arguments = ("doctor", service.port, "-e", f"ws://127.0.0.1:{made.relay.port}", "--token-command", command)
        program = start.program(BIN / "ttf", *arguments, env={"HOME": str(tmp_path)}, cwd=tmp_path, expect_killed=True)
        return program.wait_exit(), program.out

    code, said = doctor("cat token.txt")
    assert code == 0 and any(line.startswith("ok    token      the command prints one") for line in said), said
    assert any(line.startswith("ok    token      it is taken") for line in said)
    code, said = doctor("echo shut >&2; exit 4")
    assert code == 1 and "FAIL  token      the token command failed with exit code 4: shut" in said
    assert any(line.startswith("ok    service") for line in said)


def test_login_stores_no_command(start, tmp_path):
    program = start.program(BIN / "ttf", "login", "ws://127.0.0.1:9", "--token-command", "echo x", env={"HOME": str(tmp_path)}, expect_killed=True)
    assert program.wait_exit() == 1
    assert any("stands in ttf.yaml (token-command)" in line for line in program.err)
