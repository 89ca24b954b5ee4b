"""The packages that `./dev package-lambda` makes, as Lambda would run them."""

import http.client
import os
import platform
import shutil
import signal
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

import events
import sealed
import world
from tokens import key_set_and_token

ARCHITECTURES = ["x86_64", "aarch64"]
SIZE_MAX, RESIDENT_MAX_KIB = 3_500_000, 6 * 1024


def archive_of(architecture):
    archive = sealed.package(architecture)
    if not archive.exists() and not os.environ.get("CI"):
        pytest.skip("no package: ./dev package-lambda makes it")
    return archive


def command_of(architecture, program):
    if architecture == platform.machine():
        return [str(program)]
    emulator = shutil.which(f"qemu-{architecture}")
    if not emulator and not os.environ.get("CI"):
        pytest.skip(f"no qemu-{architecture}")
    return [emulator, str(program)]


@pytest.fixture(params=ARCHITECTURES)
def architecture(request):
    return request.param


def test_what_is_inside(architecture, tmp_path):
    archive = archive_of(architecture)
    assert archive.stat().st_size <= SIZE_MAX
    with zipfile.ZipFile(archive) as opened:
        assert opened.namelist() == ["bootstrap"]
    program = sealed.unpack(archive, tmp_path)
    assert program.stat().st_mode & 0o777 == 0o755
    header = subprocess.run(["readelf", "-hlW", program], capture_output=True, text=True, check=True).stdout
    assert {"x86_64": "X86-64", "aarch64": "AArch64"}[architecture] in header
    assert "INTERP" not in header and "DYNAMIC" not in header and "EXEC (Executable file)" in header


def test_it_starts_and_serves(aws, architecture, tmp_path):
    program = sealed.unpack(archive_of(architecture), tmp_path)
    function = aws.function(command=command_of(architecture, program))
    function.idle()
    assert function.invoke(events.schedule())["connectionsDeleted"] == 0
    with pytest.raises(world.Failed) as failed:
        function.invoke({})
    assert failed.value.error["errorType"] == "Handler.BadEvent"


class Forwarded:
    """What DynamoDB Local answers."""

    def __init__(self, endpoint):
        self.host, self.calls = endpoint.removeprefix("http://"), []

    def __call__(self, method, path, headers, body):
        self.calls.append(headers["X-Amz-Target"])
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.request(method, path, body, {name: headers[name] for name in ("X-Amz-Target", "Content-Type", "Authorization")})
        answer = connection.getresponse()
        result = answer.status, {"Content-Type": "application/x-amz-json-1.0"}, answer.read()
        connection.close()
        return result


@pytest.fixture
def seal(aws, tmp_path):
    """seal(): a place for the package of this machine's architecture"""
    archive, made = archive_of(platform.machine()), []
    if os.geteuid() != 0 and not os.environ.get("CI"):
        pytest.skip("chroot wants root")

    def make(**how):
        services = {sealed.DYNAMODB: Forwarded(aws.tables.endpoint), sealed.API: aws.connections.handle}
        made.append(sealed.Sealed(tmp_path, archive, services, aws.connections.upgrade, **how))
        return made[-1]

    yield make
    for place in made:
        place.stop()


def resident_kib(function):
    return int(Path(f"/proc/{function.process.pid}/status").read_text().partition("VmRSS:")[2].split()[0])


def test_requests_in_an_empty_root(aws, seal):
    """Endpoints by their names and over TLS, as on AWS; nothing but the program, resolv.conf and the CA file. The first
    request polls, later ones are woken through the waiter."""
    place = seal()
    files = [path.relative_to(place.root) for path in place.root.rglob("*") if path.is_file()]
    assert sorted(map(str, files)) == ["bootstrap", "etc/pki/tls/certs/ca-bundle.crt", "etc/resolv.conf"]
    visitors, agents = (aws.function(place.command, WAIT_MODE="direct", **place.environment) for _ in range(2))
    visitors.idle()
    assert resident_kib(visitors) <= RESIDENT_MAX_KIB
    aws.connections.function = agents
    agent = aws.agent(agents, lambda request: {"body": request["body"], "headers": {"x-uri": [request["uri"]]}}).up("resume", "chunks")

    def visit():
        answer = visitors.invoke(events.http2("/a?b=1", "POST", body=b"hello", host=f"{agent.tunnel}.tunnel.example.com"))
        assert answer["statusCode"] == 200 and answer["headers"]["x-uri"] == "/a?b=1" and answer["body"] == "aGVsbG8="
        return agent.requests[-1]["request_id"].startswith("d1.")

    def visit_until_woken():
        deadline = time.monotonic() + 60
        assert not visit(), "a waiter that is not up was trusted"
        while not visit():
            assert time.monotonic() < deadline, "the waiter is not up"

    visit_until_woken()
    visitors.process.send_signal(signal.SIGSTOP)  # as Lambda does between invocations
    aws.connections.cut_sockets()
    visitors.process.send_signal(signal.SIGCONT)
    visit_until_woken()
    assert aws.connections.opened == 2
    assert set(place.names.asked) == {sealed.DYNAMODB, sealed.API}
    assert any("PutItem" in call for call in place.services[sealed.DYNAMODB].calls)


@pytest.mark.parametrize("kind", ["EC", "RSA"])
def test_the_key_set_beside_the_program(aws, seal, kind):
    """The default file; and both kinds of keys by the libraries that are inside."""
    place = seal()
    keys, token = key_set_and_token("me", kind)
    path = place.root / "var/task/jwks.json"
    path.parent.mkdir(parents=True)
    path.write_text(keys)
    function = aws.function(place.command, REQUIRE_AUTH="true", **place.environment)
    assert aws.agent(function).connect(query={"token": key_set_and_token("me", kind)[1]})["statusCode"] == 401
    assert aws.agent(function).connect(query={"token": token, "name": "mine"})["statusCode"] == 200
    path.unlink()
    function = aws.function(place.command, REQUIRE_AUTH="true", **place.environment)
    assert function.process.wait(60) == 1 and function.init_error["errorMessage"].startswith("JWT_SECRET:")


def test_a_server_with_another_name(aws, seal):
    """The certificate is looked at."""
    place = seal(names=["other.example.com"])
    function = aws.function(place.command, **place.environment)
    answer = function.invoke(events.http2("/", host="abcdefghijkl.tunnel.example.com"), seconds=4)
    assert answer["statusCode"] == 503
    assert place.services[sealed.DYNAMODB].calls == []
