"""ttf.yaml: several tunnels in one process, which come and go as the file says."""

import re
import secrets
import signal

import pytest

import http_raw
from programs import BIN


@pytest.fixture
def home(start, tmp_path):
    """A home directory and a working directory of its own, and how ttf is started there."""

    class Home:
        work, config = tmp_path / "work", tmp_path / "home" / ".config" / "ttf"
        env = {"HOME": str(tmp_path / "home"), "XDG_STATE_HOME": str(tmp_path / "state")}

        def ttf(self, *arguments, env=None):
            return start.program(BIN / "ttf", *arguments, env={**self.env, **(env or {})}, cwd=self.work)

        def fails(self, *arguments, env=None):
            program = self.ttf(*arguments, env=env)
            program.expect_killed = True
            assert program.wait_exit() not in (0, 98, 99), program.dump()
            lines = [line for line in program.err if line.strip()]
            assert len(lines) == 1, program.dump()
            return lines[0]

    home = Home()
    home.work.mkdir()
    home.config.mkdir(parents=True)
    return home


def host_of(ttf, label, after=0):
    return re.sub("^http://", "", ttf.wait_line(rf"^{label}: Tunnel established: (\S+)$", after=after)[1]).rstrip("/")


def get(gateway, host, target="/"):
    return http_raw.request(gateway.address, target=target, host=host)


def test_several_tunnels(start, home):
    web, api, gateway = start.service(), start.service(), start.gateway()
    web.answer("/who", body="web")
    api.answer("/who", body="api")
    (home.work / "ttf.yaml").write_text(
        f"endpoint: {gateway.endpoint}\ntunnels:\n  web:\n    service: {web.port}\n    name: the-web\n"
        f"  api: http://localhost:{api.port}\n"
    )
    ttf = home.ttf()
    web_host, api_host = host_of(ttf, "web"), host_of(ttf, "api")
    assert web_host.startswith("the-web.")
    assert get(gateway, web_host, "/who").body == b"web"
    assert get(gateway, api_host, "/who").body == b"api"
    ttf.wait_line(r"^\d\d:\d\d:\d\d web GET /who 200 ")
    ttf.wait_line(r"^\d\d:\d\d:\d\d api GET /who 200 ")
    assert f"Local service: web: localhost:{web.port}" in ttf.out
    assert any("named by the file ttf.yaml in the working directory" in line for line in ttf.out)
    web.stop()
    assert get(gateway, web_host).status == 503
    assert get(gateway, api_host).status == 200, "another's service is down"
    assert ttf.stop(signal.SIGINT) == 0


def test_start_some_of_them(start, home):
    service, gateway = start.service(), start.gateway()
    file = home.config / "ttf.yaml"
    file.write_text(f"endpoint: {gateway.endpoint}\ntunnels: {{ann: {service.port}, b: {service.port}, c: {service.port}}}\n")
    ttf = home.ttf("start", "b", "c")
    host_of(ttf, "b"), host_of(ttf, "c")
    assert not any(line.startswith(("ann:", "Local service: ann")) for line in ttf.out)
    assert "has no tunnel 'anne' (did you mean ann?)" in home.fails("start", "b", "anne")
    assert "none.yaml names no tunnels" in home.fails("start", "--config", write(home, "none.yaml", "proxy: off\n"))


def write(home, name, text):
    (home.work / name).write_text(text)
    return name


def test_start_without_a_file(home):
    assert "there is neither ./ttf.yaml nor $XDG_CONFIG_HOME/ttf/ttf.yaml" in home.fails("start")
    assert "missing.yaml: No such file" in home.fails("start", "--config", "missing.yaml")


@pytest.mark.parametrize("how", ["saved", "replaced", "signal"])
def test_what_changes_in_the_file_changes_and_nothing_else(start, home, how):
    one, other, gateway = start.service(), start.service(), start.gateway()
    other.answer("/who", body="other")
    text = f"endpoint: {gateway.endpoint}\ntunnels:\n  stays: {one.port}\n  moves: {{service: {one.port}, name: mover}}\n  goes: {one.port}\n"
    file = home.work / "ttf.yaml"
    file.write_text(text)
    ttf = home.ttf()
    stays, moves, goes = (host_of(ttf, label) for label in ("stays", "moves", "goes"))
    seen = len(ttf.out)
    changed = text.replace(f"{{service: {one.port}", f"{{service: {other.port}").replace("goes:", "comes:")
    if how == "signal":
        file.unlink()
        (home.work / "elsewhere.yaml").write_text(changed)
        file.symlink_to("elsewhere.yaml")
        ttf.process.send_signal(signal.SIGHUP)
    elif how == "replaced":
        (home.work / ".ttf.yaml.new").write_text(changed)
        (home.work / ".ttf.yaml.new").rename(file)
    else:
        file.write_text(changed)
    assert host_of(ttf, "moves", after=seen) == moves
    comes = host_of(ttf, "comes", after=seen)
    assert get(gateway, moves, "/who").body == b"other"
    assert get(gateway, stays).status == get(gateway, comes).status == 200
    assert get(gateway, goes).status in (404, 502, 503, 504)
    assert not any(line.startswith("stays:") for line in ttf.out[seen:])
    ttf.wait_line(r"ttf.yaml was read again: tunnels ended: 2, begun: 2", after=seen)


def test_a_file_that_becomes_wrong_changes_nothing(start, home):
    service, gateway = start.service(), start.gateway()
    file = home.work / "ttf.yaml"
    file.write_text(f"endpoint: {gateway.endpoint}\ntunnels: {{web: {service.port}}}\n")
    ttf = home.ttf()
    host = host_of(ttf, "web")
    file.write_text(f"endpoint: {gateway.endpoint}\ntunnels:\n  web: {{servce: 1}}\n")
    ttf.wait_err(r"ttf.yaml:3: unknown setting 'servce' \(did you mean service\?\); nothing changes")
    file.write_text(f"endpoint: {gateway.endpoint}\n")
    ttf.wait_err(r"ttf.yaml names no tunnels; nothing changes")
    file.write_text(f"endpoint: ws://127.0.0.1:1\ntunnels: {{web: {service.port}}}\n")
    ttf.wait_err(r"what has changed above the tunnels counts when ttf is started again")
    assert get(gateway, host).status == 200


BAD = [
    ("endpoint", "ttf.yaml:1: expected settings"),
    ("endpont: ws://x\n", "ttf.yaml:1: unknown setting 'endpont' (did you mean endpoint?)"),
    ("tunnel:\n  web: 3000\n", "ttf.yaml:1: unknown setting 'tunnel' (did you mean tunnels?)"),
    ("service: 3000\n", "ttf.yaml:1: 'service' belongs to a tunnel"),
    ("token: abc\n", "ttf.yaml:1: 'token' is for the command line alone"),
    ("tunnels: 3000\n", "ttf.yaml:1: tunnels wants a section"),
    ("tunnels: [a]\n", "ttf.yaml:1: tunnels wants a section"),
    ("tunnels:\n  web: 99999\n", "ttf.yaml:2: service '99999': the port is not a number"),
    ("tunnels:\n  web: [1]\n", "ttf.yaml:2: web wants a service"),
    ("tunnels:\n  'a b': 1\n", "ttf.yaml:2: a tunnel's name here is"),
    ("tunnels:\n  a: 1\n  a: 2\n", "ttf.yaml:3: there is a tunnel 'a' in line 2 already"),
    ("tunnels:\n  a:\n    service: 1\n    service: 2\n", "ttf.yaml:4: service is said twice"),
    ("tunnels:\n  a:\n    name: X\n", "ttf.yaml:2: name must be 3 to 63"),
    ("tunnels:\n  a: {name: abc}\n  b: {name: abc}\n", "ttf.yaml:3: 'a' and 'b' ask for the same name, 'abc'"),
    ("tunnels:\n  a:\n    endpoint: ws://x\n", "ttf.yaml:3: 'endpoint' is for all tunnels"),
    ("tunnels:\n  a:\n    no-hints: perhaps\n", "ttf.yaml:3: no-hints: 'perhaps' is neither true nor false"),
    ("tunnels:\n  a:\n    request-timeout: 0\n", "ttf.yaml:3: request-timeout: '0' is not a number from 1"),
    ("tunnels:\n  a:\n    host-header: 'x y'\n", "ttf.yaml:2: host-header wants"),
    ("tunnels:\n  a:\n    b:\n      c: 1\n", "ttf.yaml:4: settings have no settings of their own"),
    ("a: 'x\n", "ttf.yaml:"),
    ("endpoint: ws://x\nendpoint: ws://y\n", "ttf.yaml:2: endpoint is said twice"),
    ("endpoint: http://x\ntunnels: {a: 1}\n", "did you mean ws://x"),
    ("token-file: x\n", "ttf.yaml:1: token-file may not be said by a file that is only found here"),
    ("ca-file: x\n", "ttf.yaml:1: ca-file may not be said by a file that is only found here"),
    ("proxy: x:1\n", "ttf.yaml:1: proxy may not be said by a file that is only found here"),
]


@pytest.mark.parametrize("text, says", BAD)
def test_bad_files(home, text, says):
    write(home, "ttf.yaml", text)
    assert says in home.fails()


def test_a_name_that_is_taken_starts_nothing(start, home):
    service, gateway = start.service(), start.gateway()
    text = f"endpoint: {gateway.endpoint}\ntunnels:\n  one: {service.port}\n  two: {{service: {service.port}, name: mine}}\n"
    write(home, "ttf.yaml", text)
    first = home.ttf("start", "two")
    host_of(first, "two")
    program = home.ttf()
    program.expect_killed = True
    assert program.wait_exit() == 1
    assert "already runs the tunnel 'mine'" in "\n".join(program.err)
    assert not any("established" in line for line in program.out), program.dump()


def test_whose_token_goes_where(start, home):
    """A file of the working directory names an endpoint: it does not get the user's token, nor what `ttf login` stored for
    another."""
    service = start.service()
    secret = secrets.token_hex(32)
    gateway = start.gateway("--require-auth", env={"JWT_SECRET": secret})
    write(home, "ttf.yaml", f"endpoint: {gateway.endpoint}\ntunnels: {{web: {service.port}}}\n")
    ttf = home.ttf(env={"TTF_TOKEN": "abc.def.ghi"})
    ttf.expect_killed = True
    assert ttf.wait_exit() == 1
    assert any("your token is not sent: it is not for an endpoint that ttf.yaml names" in line for line in ttf.err)
    trusted = home.ttf("--config", "ttf.yaml", env={"TTF_TOKEN": "abc.def.ghi"})
    trusted.expect_killed = True
    assert trusted.wait_exit() == 1
    assert not any("not sent" in line for line in trusted.err)


def test_fifty_tunnels_in_one_process(start, home):
    service, gateway = start.service(), start.gateway()
    tunnels = "".join(f"  t{i}: {service.port}\n" for i in range(50))
    write(home, "ttf.yaml", f"endpoint: {gateway.endpoint}\ntunnels:\n{tunnels}")
    ttf = home.ttf()
    hosts = [host_of(ttf, f"t{i}") for i in range(50)]
    assert len(set(hosts)) == 50
    for host in hosts:
        assert get(gateway, host).status == 200
    status = open(f"/proc/{ttf.pid}/status").read()
    kib = int(re.search(r"VmRSS:\s+(\d+)", status)[1])
    print(f"{kib} KiB for 50 tunnels")
    if "asan" not in str(BIN):
        assert kib < 50 * 1536
    assert ttf.stop(signal.SIGINT) == 0


@pytest.mark.parametrize("path", ["/var/run/docker.sock", "../other.sock", "link.sock", "away/app.sock", "dangling.sock", ".git/app.sock", "none/app.sock"])
def test_a_found_file_names_no_socket_elsewhere(home, path):
    """It may have come with somebody else's repository: who reaches a container engine's socket runs commands."""
    (home.work.parent / "other.sock").write_text("")
    (home.work / ".git").mkdir()
    (home.work / "link.sock").symlink_to(home.work.parent / "other.sock")
    (home.work / "away").symlink_to("/var/run")
    (home.work / "dangling.sock").symlink_to("/var/run/not-yet.sock")
    (home.work / "ttf.yaml").write_text(f"tunnels:\n  web: unix:{path}\n")
    assert "ttf.yaml:2: a file that is only found here may name no socket but those below it" in home.fails()
    assert "socket but those" not in home.fails("--config", "ttf.yaml", "-e", "ws://127.0.0.1:1")


def test_a_found_file_names_a_socket_of_its_folder(start, home):
    """One that the application has yet to make, too."""
    gateway = start.gateway()
    (home.work / "run").mkdir()
    (home.work / "ttf.yaml").write_text(f"endpoint: {gateway.endpoint}\ntunnels:\n  web: unix:run/app.sock\n  api: unix:app.sock\n")
    ttf = home.ttf()
    host_of(ttf, "web")
    host_of(ttf, "api")
