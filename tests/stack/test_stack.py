"""compose.yaml with profiles `tls`, `https` and `aws`, up and healthy (./dev stack --test starts it): what its users see from outside, of
all but `aws` (test_stack_aws.py)."""

import base64
import hashlib
import http.client
import http.server
import ipaddress
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = [*os.environ["STACK_COMPOSE"].split(), "--project-directory", str(ROOT), "-f", str(ROOT / "compose.yaml"),
           "-f", str(ROOT / "tests/stack/compose.yaml")]  # fmt: skip
HTTP, AGENTS, HTTPS, OWN_HTTPS, OWN_WSS = (
    int(os.environ[f"{name}_PORT"]) for name in ("PUBLIC", "AGENT", "HTTPS", "GATEWAY_HTTPS", "GATEWAY_WSS"))
DOMAIN = "tunnel.localhost"
CHROMIUM = shutil.which("chromium")
MIB = 1 << 20


def run(*arguments, check=True, **more):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, timeout=250, **more)
    assert not check or done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done


def compose(*arguments, **more):
    return run(*COMPOSE, *arguments, **more)


def inspect(*things):
    return json.loads(run("docker", "inspect", *things).stdout)


@pytest.fixture(scope="session")
def containers():
    """Service name to what Docker says of its container."""
    found = inspect(*compose("ps", "--all", "--quiet").stdout.split())
    return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """The certificate authority that the stack has made for itself."""
    path = tmp_path_factory.mktemp("tls") / "ca.crt"
    compose("cp", "tls:/certificates/ca.crt", path)
    return path


SHOW = r"\n%{http_version} %{http_code}"


def parse(stdout):
    body, _, line = stdout.rpartition("\n")
    version, status = line.split()
    return SimpleNamespace(version=version, status=int(status), body=body)


def curl(url, *options, check=True):
    done = run("curl", "-sS", "--max-time", "60", "-w", SHOW, *options, url, check=check)
    return parse(done.stdout) if check else done


def https(name, path, *options, port=HTTPS, **more):
    return curl(f"https://{name}:{port}{path}", "--connect-to", f"::127.0.0.1:{port}", *options, **more)


def plain(name, path, *options):
    return curl(f"http://{name}:{HTTP}{path}", "--connect-to", f"::127.0.0.1:{HTTP}", *options)


def post(title):
    return ["-H", "Content-Type: application/json", "-d", json.dumps({"title": title})]


def use_todo(call):
    """Reads the todo list, adds to it and takes that off again."""
    before = json.loads(call("/todos").body)
    made = call("/todos", *post("made in a test"))
    assert made.status == 201, made
    todo = json.loads(made.body)
    assert json.loads(call(f"/todos/{todo['id']}").body)["title"] == "made in a test"
    assert len(json.loads(call("/todos").body)) == len(before) + 1
    assert call(f"/todos/{todo['id']}", "-X", "DELETE").status == 204
    assert call(f"/todos/{todo['id']}").status == 404


# ---- visitors ----


def test_http():
    use_todo(lambda path, *options: plain(f"todo.{DOMAIN}", path, *options))


@pytest.mark.parametrize("name", [DOMAIN, "localhost", "127.0.0.1"])
def test_http_in_path_mode(name):
    assert len(json.loads(plain(name, "/todo/todos").body)) >= 7


@pytest.mark.parametrize("port", [HTTPS, OWN_HTTPS], ids=["caddy", "gateway"])
@pytest.mark.parametrize("option,version", [("--http1.1", "1.1"), ("--http2", "2")])
def test_https(authority, option, version, port):
    def call(path, *options):
        answer = https(f"todo.{DOMAIN}", path, option, "--cacert", authority, *options, port=port)
        assert answer.version == version
        return answer

    use_todo(call)


def test_http3():
    """By a client in a container, for Debian 12 has none."""
    url = f"https://todo.{DOMAIN}:{HTTPS}"
    where = ["--connect-to", f"::127.0.0.1:{HTTPS}", "--max-time", "60", "--http3-only", "-w", SHOW, "-sS"]
    done = compose("--progress", "quiet", "run", "--build", "--rm", "-T", "client", *where, *post("over QUIC"), f"{url}/todos",
                   "--next", *where, f"{url}/todos")  # fmt: skip
    answers = re.findall(r"(\[.*\]|\{.*\})\n(\S+) (\d+)", done.stdout)
    assert [answer[1:] for answer in answers] == [("3", "201"), ("3", "200")], done.stdout
    assert json.loads(answers[0][0]) in json.loads(answers[1][0])


def test_http3_is_offered(authority):
    head = run("curl", "-sSI", "--cacert", authority, "--connect-to", f"::127.0.0.1:{HTTPS}", f"https://todo.{DOMAIN}:{HTTPS}/").stdout
    assert f'h3=":{HTTPS}"' in head


def public_key_hash(authority, name):
    """What Chromium takes instead of an authority of its own."""
    context = ssl.create_default_context(cafile=str(authority))
    with socket.create_connection(("127.0.0.1", HTTPS)) as tcp, context.wrap_socket(tcp, server_hostname=name) as tls:
        der = tls.getpeercert(binary_form=True)
    pem = ssl.DER_cert_to_PEM_cert(der)
    key = run("openssl", "x509", "-pubkey", "-noout", input=pem).stdout
    spki = ssl.PEM_cert_to_DER_cert(key.replace("PUBLIC KEY", "CERTIFICATE"))
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


def browse(url, folder, *options):
    return run(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
               "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", f"--user-data-dir={folder}",
               "--virtual-time-budget=10000", "--dump-dom", *options, url).stdout  # fmt: skip


@pytest.mark.skipif(not CHROMIUM and not os.environ.get("CI"), reason="no chromium here")
def test_browser(authority, tmp_path):
    """The page and what its script fetches, over HTTP/2."""
    trust = f"--ignore-certificate-errors-spki-list={public_key_hash(authority, f'todo.{DOMAIN}')}"
    page = browse(f"https://todo.{DOMAIN}:{HTTPS}/", tmp_path, trust, "--disable-quic")
    assert page.count('class="todo') >= 7, page


def test_big_bodies_pass(authority, tmp_path):
    """Through both proxies, up to where the service says no."""
    body = tmp_path / "body"
    body.write_bytes(b'{"title":"' + b"x" * (20 * MIB) + b'"}')
    answer = https(f"todo.{DOMAIN}", "/todos", "--cacert", authority, "-H", "Content-Type: application/json", "--data-binary", f"@{body}")
    assert answer.status == 422, answer.body[:200]


# ---- certificates ----


def test_no_certificate_for_random_names(authority):
    for name in ("random.example", f"a.b.{DOMAIN}", "localhost"):
        done = https(name, "/", "--cacert", authority, "--max-time", "5", check=False)  # so long Caddy tries, for its own names
        assert done.returncode != 0, name


def test_a_new_tunnel_costs_no_certificate(authority):
    for number in range(5):
        assert https(f"no{number}such.{DOMAIN}", "/", "--cacert", authority).status == 404
    kept = compose("exec", "-T", "tls", "ls", "/data/caddy").stdout.split()
    assert "locks" in kept and "certificates" not in kept


# ---- agents ----


@pytest.fixture
def ttf(tmp_path):
    """start(endpoint, *options): a ttf of this machine, and what it prints."""
    programs = []

    def start(endpoint, *options):
        program = subprocess.Popen(
            [ROOT / "build/bin/ttf", "-e", endpoint, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path), "TTF_INSPECT": "off"}, cwd=tmp_path,
        )  # fmt: skip
        programs.append(program)
        return program

    yield start
    for program in programs:
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=100)


@pytest.fixture(scope="session")
def token():
    return compose("exec", "-T", "gateway-1", "ttf-gateway", "token", "--sub", "alice", "--ttl", "1h").stdout.strip()


def established(program):
    lines = []
    for line in program.stdout:
        lines.append(line)
        if line.startswith("Tunnel established: "):
            return line.split()[-1]
    raise AssertionError("".join(lines))


@pytest.mark.parametrize("endpoint", [f"ws://localhost:{AGENTS}", f"wss://{DOMAIN}:{HTTPS}/.tunnel/agent", f"wss://{DOMAIN}:{OWN_WSS}"],
                         ids=["balancer", "caddy", "gateway"])  # fmt: skip
def test_an_agent_of_this_machine(ttf, token, authority, endpoint):
    url = established(ttf(endpoint, "--port", str(HTTP), "--host-header", f"todo.{DOMAIN}", "-t", token, "--ca-file", authority))
    name = re.fullmatch(rf"https://(\w+)\.{DOMAIN}:{HTTPS}", url)[1]
    assert len(json.loads(https(f"{name}.{DOMAIN}", "/todos", "--cacert", authority).body)) >= 7  # a tunnel to a tunnel


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers GET with the header fields that it gets, POST with the body."""

    def do_GET(self):
        self.answer(json.dumps([[name.lower(), value] for name, value in self.headers.items()]).encode())

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])), "application/octet-stream")

    def answer(self, body, kind=None):
        self.send_response(200)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def echo():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_a_service_is_told_of_the_visitor(ttf, token, echo, authority, scheme):
    """Where a visitor comes from, and what the visitor says of it himself counts for nothing."""
    established(ttf(f"ws://localhost:{AGENTS}", "--port", str(echo), "--name", "echo", "-t", token))
    lies = ["X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: gopher", "X-Forwarded-Host: evil.example", "X-Forwarded-Prefix: /evil",
            "Forwarded: for=203.0.113.9"]  # fmt: skip
    options = [word for lie in lies for word in ("-H", lie)]
    port, call = (HTTPS, https) if scheme == "https" else (HTTP, plain)
    answer = call(f"echo.{DOMAIN}", "/", "--cacert", authority, *options)
    seen = {name: value for name, value in json.loads(answer.body) if "forwarded" in name}
    path = seen.pop("x-forwarded-for").split(", ")  # the visitor, then proxies
    assert len(path) == 2 and all(ipaddress.ip_address(address).is_private for address in path), path
    assert seen == {"x-forwarded-proto": scheme, "x-forwarded-host": f"echo.{DOMAIN}:{port}"}


def test_an_agent_without_a_token(ttf):
    program = ttf(f"ws://localhost:{AGENTS}")
    output = program.communicate(timeout=100)[0]
    assert program.returncode != 0 and "token" in output, output


# ---- containers ----


def test_containers_may_do_little(containers):
    assert set(containers) >= {"setup", "redis", "gateway-1", "gateway-2", "gateway-tls", "balancer", "tls", "todo", "ttf", "dynamodb",
                               "tables", "aws", "ttf-aws"}  # fmt: skip
    for service, container in containers.items():
        host = container["HostConfig"]
        assert container["Config"]["User"] == "10001:10001", service
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["CapAdd"] and not host["Privileged"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        state = container["State"]
        if service in ("setup", "tables"):
            assert (state["Status"], state["ExitCode"]) == ("exited", 0)
        else:
            assert state["Health"]["Status"] == "healthy", service
            assert container["RestartCount"] == 0, service


def test_secrets_are_files(containers):
    """Neither in what Docker tells of a container, nor where those see them who need them not."""
    secrets = compose("exec", "-T", "gateway-1", "sh", "-c", "cat /run/gateway-secrets/*").stdout.split()
    assert len(secrets) >= 4
    told = json.dumps(list(containers.values()))
    for secret in secrets:
        assert len(secret) < 16 or secret not in told
    assert compose("exec", "-T", "ttf", "ls", "/run", check=False).stdout.split() == ["agent-secrets", "lock"]


def test_only_loopback_is_published(containers):
    for service, container in containers.items():
        for bindings in (container["HostConfig"]["PortBindings"] or {}).values():
            assert [binding["HostIp"] for binding in bindings] == ["127.0.0.1"], service


def test_the_gateway_is_small():
    gateway, base = (inspect(name)[0]["Size"] for name in ("http-tunnel-gateway", "debian:trixie-slim"))
    assert gateway - base < 60 * MIB, f"{(gateway - base) / MIB:.1f} MiB beyond the base"


def test_health_sees_a_service_that_is_gone():
    assert compose("exec", "-T", "ttf", "ttf", "--health").returncode == 0
    compose("stop", "ttf")
    try:
        assert compose("run", "--rm", "-T", "--no-deps", "--entrypoint", "ttf", "ttf", "--health", check=False).returncode == 1
    finally:
        compose("start", "ttf")
        deadline = time.monotonic() + 120
        while plain(f"todo.{DOMAIN}", "/todos").status != 200 and time.monotonic() < deadline:
            time.sleep(0.1)
    assert plain(f"todo.{DOMAIN}", "/todos").status == 200


# ---- a gateway dies ----


def gateway_of(tunnel):
    """The service that holds its agent, by what it logs."""
    for service in ("gateway-1", "gateway-2"):
        if re.findall(rf"\b{tunnel}: connected as ", compose("logs", "--no-log-prefix", service).stdout):
            return service
    raise AssertionError(f"no gateway has an agent of {tunnel}")


def test_a_gateway_dies(containers):
    """Visitors of the balancer do not notice: their requests wait until the agent is at the other gateway."""
    statuses, stop = [], threading.Event()

    def visit():
        while not stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", HTTP, timeout=60)
            try:
                connection.request("GET", "/todos", headers={"Host": f"todo.{DOMAIN}"})
                answer = connection.getresponse()
                answer.read()
                statuses.append(answer.status)
            except OSError as error:
                statuses.append(repr(error))
            finally:
                connection.close()
            stop.wait(0.02)

    visitors = [threading.Thread(target=visit) for _ in range(4)]
    for visitor in visitors:
        visitor.start()
    try:
        victim = gateway_of("todo")
        run("docker", "kill", containers[victim]["Id"])
        before = len(statuses)
        deadline = time.monotonic() + 200
        while len(statuses) < before + 200 and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        stop.set()
        for visitor in visitors:
            visitor.join()
        compose("start", victim)
    assert len(statuses) >= before + 200 and set(statuses) == {200}, statuses[before - 5 :]
