"""ttf and ttf-gateway as people meet them: lines, options, exit codes, TLS."""

import os
import queue
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import http_raw
from programs import BIN, ROOT, SLOW, free_port
from relay import make_authority, make_certificate


def fails(start, *arguments, seconds=60, **more):
    """Runs it; it must end by itself, with a code that is not 0 and one line on stderr, which is returned."""
    folder = start._folder("run")
    env = {"XDG_STATE_HOME": str(folder), "HOME": str(folder), **more.pop("env", {})}
    program = start.program(*arguments, env=env, cwd=folder, **more)
    program.expect_killed = True
    code = program.wait_exit(seconds)
    assert code not in (0, 98, 99) and code > 0, program.dump()
    lines = [line for line in program.err if line.strip()]
    assert len(lines) == 1, program.dump()
    return lines[0]


def test_lines_of_ttf(start):
    service = start.service()
    gateway = start.gateway()
    ttf = start.forwarder(gateway, service)
    text = "\n".join(ttf.out)
    order = [
        r"^HTTP Tunnel Forwarder v\d+\.\d+\.\d+$",
        rf"^Local service: localhost:{service.port}$",
        rf"^Tunnel endpoint: ws://127\.0\.0\.1:{gateway.agents[1]}/?$",
        r"^✅ WebSocket connection established$",
        rf"^Tunnel established: http://[a-z0-9]{{12}}\.localhost:{gateway.address[1]}$",
    ]
    at = 0
    for pattern in order:
        found = re.compile(pattern, re.M).search(text, at)
        assert found, (pattern, ttf.dump())
        at = found.end()
    assert "\x1b" not in text, "colours without a terminal"


def test_a_line_for_each_request(start):
    service = start.service()
    gateway = start.gateway()
    ttf = start.forwarder(gateway, service)
    service.answer("/teapot", status=418, body="x" * 1234)
    http_raw.request(gateway.address, "POST", "/teapot?secret=1", ttf.host, body=b"abc")
    line = ttf.wait_line(r"POST")[0] and next(line for line in ttf.out if "POST" in line)
    assert "/teapot" in line and "418" in line, line
    assert re.search(r"\d+ ?ms", line), line
    assert re.search(r"1234|1\.2", line), line


def test_the_line_shows_both_directions(start):
    service = start.service()
    gateway = start.gateway()
    ttf = start.forwarder(gateway, service)
    service.answer("/push", body="x" * 50)
    http_raw.request(gateway.address, "POST", "/push", ttf.host, body=b"y" * 3_000_000)
    ttf.wait_line(r"POST /push 200 \d+ ms 50 B, 3000000 B in$")
    http_raw.request(gateway.address, target="/push", host=ttf.host)
    ttf.wait_line(r"GET /push 200 \d+ ms 50 B$")


def test_a_line_for_what_the_visitor_gave_up(start):
    from service import Gate

    service = start.service()
    gateway = start.gateway()
    ttf = start.forwarder(gateway, service)
    gate = service.on("/slow", Gate())
    with http_raw.Connection(gateway.address) as connection:
        connection.send(http_raw.build("GET", "/slow", ttf.host))
        gate.wait_arrived()
    ttf.wait_line(r"GET /slow - \d+ ms 0 B \(visitor left\)$")
    gate.open()
    service.answer("/big", body=bytes(30_000_000))
    with http_raw.Connection(gateway.address) as connection:
        connection.send(http_raw.build("GET", "/big", ttf.host))
        connection._exactly(100_000)
        connection.reset()
    bytes_shown = int(ttf.wait_line(r"GET /big 200 \d+ ms (\d+) B \(visitor left\)$")[1])
    assert 99_000 < bytes_shown < 30_000_000


def test_a_line_for_a_websocket_that_was_reset(start):
    async def echo(socket):
        async for message in socket:
            await socket.send(message)

    service = start.websockets(echo)
    gateway = start.gateway()
    ttf = start.forwarder(gateway, service)
    with http_raw.Connection(gateway.address) as connection:
        connection.send(
            f"GET /socket HTTP/1.1\r\nHost: {ttf.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        assert b" 101 " in connection._line()
        while connection._line():
            pass
        connection.send(b"\x81\x85\0\0\0\0hello")
        assert connection._exactly(7) == b"\x81\x05hello"
        connection.reset()
    ttf.wait_line(r"GET /socket 101 \d+ ms 7 B, 11 B in \(visitor left\)$")


def test_control_bytes_in_a_path_do_not_reach_the_terminal(start):
    """What a visitor sends cannot write escape codes into the developer's terminal."""
    service = start.service()
    gateway = start.gateway()
    ttf = start.forwarder(gateway, service)
    for path in (b"/\x1b[31m", b"/\xc2\x9b31m", b"/\x9b31m", b"/%1b[31m"):
        with http_raw.Connection(gateway.address) as connection:
            connection.send(b"GET " + path + b" HTTP/1.1\r\nHost: " + ttf.host.encode() + b"\r\n\r\n")
            try:
                connection.read_response()
            except (http_raw.Cut, ConnectionError):
                pass
    http_raw.request(gateway.address, target="/last", host=ttf.host)
    ttf.wait_line("/last")
    text = "\n".join(ttf.out)
    assert "\x1b" not in text and "\x9b" not in text


@pytest.mark.parametrize("program", ["ttf", "ttf-gateway", "ttf-apigw"])
def test_version_and_help(start, program):
    one = start.program(BIN / program, "-V" if program == "ttf" else "--version")
    assert one.wait_exit() == 0
    assert re.search(r"\d+\.\d+\.\d+", "\n".join(one.out)), one.dump()
    if program == "ttf":
        assert re.match(r"OpenSSL 3\S+ ", one.out[1]) and re.match(r"libuv \S+, nghttp2 \S+, .*libyaml \S+, zlib \S+, brotli \S+, zstd \S+, libseccomp \S+, libqrencode \S+$", one.out[2]), one.dump()
    two = start.program(BIN / program, "--help")
    assert two.wait_exit() == 0
    assert two.out and not two.err


def test_health_of_ttf(start, tmp_path):
    gateway = start.gateway()

    def health():
        ask = [BIN / "ttf", "--health"]
        return subprocess.run(ask, env={**os.environ, "XDG_STATE_HOME": str(tmp_path)}, capture_output=True).returncode

    assert health() == 1
    ttf = start.forwarder(gateway, 1, state_home=tmp_path)
    assert health() == 0
    gateway.kill()
    ttf.wait_line(r"reconnecting")
    assert health() == 1


def test_every_option_of_ttf_is_in_its_help(start):
    one = start.program(BIN / "ttf", "-h", "all")
    one.wait_exit()
    text = "\n".join(one.out)
    for option in ("-e, --endpoint", "-p, --port", "--host", "-t, --token", "--token-file", "-n, --name", "-v, --verbose", "--connect-timeout",
                   "--request-timeout", "--ca-file", "--no-hints", "--health", "-h, --help", "-V, --version", "TTF_ENDPOINT", "TTF_TOKEN"):  # fmt: skip
        assert option in text, text


@pytest.mark.parametrize(
    "arguments,says",
    [
        (["-p", "0"], "0"),
        (["-p", "65536"], "65536"),
        (["-p", "abc"], "abc"),
        (["-p", "-1"], ""),
        (["-p", ""], ""),
        (["-p"], ""),
        (["--no-such-option"], "no-such-option"),
        (["--request-timeout", "x"], "x"),
        (["surplus"], "surplus"),
        (["-n", "No Good"], ""),
        (["-e", "http://localhost:8081"], "ws://"),
        (["-e", "nonsense"], "nonsense"),
        (["-e", "ws://"], ""),
        (["-e", "ws://localhost:99999"], ""),
        (["--ca-file", "/nonexistent.pem", "-e", "wss://localhost:1"], "/nonexistent.pem"),
    ],
)
def test_bad_command_lines_of_ttf(start, arguments, says):
    assert says in fails(start, BIN / "ttf", *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-such-option"],
        ["--public-listen", "127.0.0.1:99999"],
        ["--public-listen", "nonsense:x"],
        ["--request-timeout", "soon"],
        ["--store", "floppy"],
        ["surplus"],
    ],
)
def test_bad_command_lines_of_the_gateway(start, arguments):
    folder = start._folder("state")
    ports = ["--public-listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    fails(start, BIN / "ttf-gateway", *ports, "--state-dir", folder, *arguments)


def test_gateway_whose_port_is_taken(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = fails(
            start, BIN / "ttf-gateway", "--public-listen", f"127.0.0.1:{port}", "--agent-listen", "127.0.0.1:0",
            "--admin-listen", "127.0.0.1:0", "--state-dir", start._folder("state"),
        )  # fmt: skip
    assert str(port) in line and "in use" in line.lower(), line


def test_agents_beyond_loopback_need_a_word_about_auth(start):
    """Other addresses than loopback for agents: REQUIRE_AUTH must be said, true or false."""
    arguments = ["--public-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--agent-listen", "0.0.0.0:0"]
    line = fails(start, BIN / "ttf-gateway", *arguments, "--state-dir", start._folder("state"))
    assert "REQUIRE_AUTH" in line or "--require-auth" in line, line


def test_lines_of_the_gateway(start):
    gateway = start.gateway()
    text = "\n".join(gateway.out)
    assert re.search(r"^ttf-gateway v\d+\.\d+\.\d+$", text, re.M)
    assert re.search(r"^Public: +http://127\.0\.0\.1:\d+$", text, re.M)
    assert re.search(r"^Agents: +ws://127\.0\.0\.1:\d+$", text, re.M)
    assert re.search(r"^Admin: +http://127\.0\.0\.1:\d+$", text, re.M)
    assert gateway.out[-1] == "Ready"


def test_unreachable_endpoint(start):
    port = free_port()
    line = fails(start, BIN / "ttf", "-e", f"ws://127.0.0.1:{port}", "-p", "3000", "--connect-timeout", "2")
    assert str(port) in line and "refused" in line.lower(), line


def test_endpoint_whose_name_does_not_exist(start):
    line = fails(start, BIN / "ttf", "-e", "ws://no-such-host.invalid", "-p", "3000", "--connect-timeout", "2")
    assert "no-such-host.invalid" in line, line


def test_endpoint_that_never_answers(start):
    """It takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        before = time.monotonic()
        line = fails(start, BIN / "ttf", "-e", f"ws://127.0.0.1:{silent.getsockname()[1]}", "-p", "3000", "--connect-timeout", "1")
        assert time.monotonic() - before < 30 * SLOW
    assert "time" in line.lower() or "answer" in line.lower(), line


def test_endpoint_that_is_no_gateway(start):
    service = start.service()
    line = fails(start, BIN / "ttf", "-e", f"ws://127.0.0.1:{service.port}", "-p", "3000", "--connect-timeout", "2")
    assert str(service.port) in line or "200" in line, line


def test_public_port_as_endpoint(start):
    """An easy mistake."""
    gateway = start.gateway()
    fails(start, BIN / "ttf", "-e", f"ws://127.0.0.1:{gateway.address[1]}", "-p", "3000", "--connect-timeout", "2")


def test_name_that_is_taken(start):
    service = start.service()
    gateway = start.gateway()
    start.forwarder(gateway, service, "-n", "taken")
    line = fails(start, BIN / "ttf", "-e", gateway.endpoint, "-p", service.port, "-n", "taken")
    assert "taken" in line and "name" in line.lower(), line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_ttf_at_once(start, number):
    service = start.service()
    gateway = start.gateway()
    ttf = start.forwarder(gateway, service)
    before = time.monotonic()
    ttf.process.send_signal(number)
    assert ttf.wait_exit() == 0
    assert time.monotonic() - before < 20 * SLOW


def test_sigint_with_requests_under_way(start):
    from service import Gate

    service = start.service()
    gateway = start.gateway("--grace", "1")
    ttf = start.forwarder(gateway, service)
    gate = service.on("/hold", Gate())
    with http_raw.Connection(gateway.address) as connection:
        connection.send(http_raw.build("POST", "/hold", ttf.host, body=b"x"))
        gate.wait_arrived()
        before = time.monotonic()
        assert ttf.stop(signal.SIGINT) == 0
        assert time.monotonic() - before < 20 * SLOW
        response = connection.read_response()
        assert (response.status, response.error) == (502, "agent_lost")
    gate.open()


def test_sigint_while_it_tries_to_reconnect(start):
    service = start.service()
    gateway = start.gateway()
    relay = start.relay(gateway.agents)
    ttf = start.forwarder(f"ws://127.0.0.1:{relay.port}", service)
    accepted = relay.accepted
    relay.refuse()
    end = time.monotonic() + 30
    while relay.accepted == accepted and time.monotonic() < end:
        time.sleep(0.02)
    before = time.monotonic()
    assert ttf.stop(signal.SIGINT) == 0
    assert time.monotonic() - before < 20 * SLOW


def test_endpoint_and_token_from_the_environment_and_dotenv(start):
    service = start.service()
    gateway = start.gateway()
    for way in ("environment", "dotenv"):
        folder = start._folder("run")
        env = {"XDG_STATE_HOME": str(folder), "HOME": str(folder)}
        if way == "environment":
            env["TTF_ENDPOINT"] = gateway.endpoint
        else:
            (folder / ".env").write_text(f'# settings\nOTHER=1\nTTF_ENDPOINT="{gateway.endpoint}"\nTTF_TOKEN=abc\n')
        ttf = start.program(BIN / "ttf", "--port", service.port, env=env, cwd=folder)
        ttf.wait_line("Tunnel established: ")


class HandshakeCatcher:
    """Takes connections, keeps the heads that come, and hangs up."""

    def __init__(self, address="127.0.0.1"):
        self.heads = queue.Queue()
        self.socket = socket.create_server((address, 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            with connection:
                data = b""
                while b"\r\n\r\n" not in data and (piece := connection.recv(65536)):
                    data += piece
                self.heads.put(data)

    def stop(self):
        self.socket.close()


@pytest.mark.parametrize("of", ["environment", "flag", "file"])
def test_the_users_token_does_not_go_where_dotenv_says(start, of):
    """`cd cloned-repository && ttf`: its .env may name any endpoint."""
    catcher = start._other(HandshakeCatcher())
    folder = start._folder("run")
    env = {"XDG_STATE_HOME": str(folder), "HOME": str(folder)}
    text = f"TTF_ENDPOINT=ws://127.0.0.1:{catcher.port}\n"
    options = ["-t", "precious"] if of == "flag" else []
    if of == "environment":
        env["TTF_TOKEN"] = "precious"
    if of == "file":
        text += "TTF_TOKEN=precious\n"
    (folder / ".env").write_text(text)
    ttf = start.program(BIN / "ttf", "-p", "1", "--connect-timeout", "2", *options, env=env, cwd=folder)
    ttf.expect_killed = True
    head = catcher.heads.get(timeout=60)
    assert (b"precious" in head) == (of == "file"), head
    ttf.wait_line(r"endpoint is named by .*\.env")
    if of != "file":
        ttf.wait_err(r"token is not sent")


def test_a_token_file_of_dotenv_is_not_read(start):
    """It could be the user's."""
    catcher = start._other(HandshakeCatcher())
    folder = start._folder("run")
    (folder / "token").write_text("precious")
    (folder / ".env").write_text(f"TTF_ENDPOINT=ws://127.0.0.1:{catcher.port}\nTTF_TOKEN_FILE=token\n")
    ttf = start.program(BIN / "ttf", "-p", "1", "--connect-timeout", "2", env={"XDG_STATE_HOME": str(folder)}, cwd=folder)
    ttf.expect_killed = True
    assert b"precious" not in catcher.heads.get(timeout=60)


@pytest.mark.parametrize("content,says", [(None, "No such file"), ("", "empty"), ("a b", "something else than one token")])
def test_a_token_file_that_is_none(start, tmp_path, content, says):
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    assert says in fails(start, BIN / "ttf", "--token-file", path)


def test_a_token_in_the_clear_is_warned_of(start):
    folder = start._folder("run")
    for endpoint, warned in (("ws://no-such-host.invalid", True), ("wss://no-such-host.invalid", False), ("ws://127.0.0.1:1", False),
                             ("ws://[::1]:1", False), ("ws://x.localhost:1", False)):  # fmt: skip
        ttf = start.program(
            BIN / "ttf", "-e", endpoint, "-t", "abc", "--connect-timeout", "1", env={"XDG_STATE_HOME": str(folder)}, cwd=folder
        )
        ttf.expect_killed = True
        assert ttf.wait_exit() == 1
        assert any("unencrypted" in line for line in ttf.err) == warned, ttf.dump()


def test_a_fifo_as_dotenv_is_passed_over(start):
    service = start.service()
    gateway = start.gateway()
    folder = start._folder("run")
    os.mkfifo(folder / ".env")
    env = {"XDG_STATE_HOME": str(folder), "HOME": str(folder)}
    ttf = start.program(BIN / "ttf", "-p", service.port, "-e", gateway.endpoint, env=env, cwd=folder)
    ttf.wait_line("Tunnel established: ")
    ttf.wait_err(r"\.env is not read: it is not a regular file")


def test_a_fifo_as_authority_is_refused(start, tmp_path):
    os.mkfifo(tmp_path / "ca.pem")
    assert "ca.pem" in fails(start, BIN / "ttf", "-e", "wss://localhost:1", "--ca-file", tmp_path / "ca.pem")


def test_state_home_that_cannot_be_written(start):
    """No place for the resume token: ttf works all the same."""
    service = start.service()
    gateway = start.gateway()
    folder = start._folder("run")
    ttf = start.program(
        BIN / "ttf", "-e", gateway.endpoint, "-p", service.port, env={"XDG_STATE_HOME": "/dev/null/x", "HOME": "/dev/null"}, cwd=folder
    )
    url = ttf.wait_line(r"Tunnel established: (\S+)")[1]
    assert http_raw.request(gateway.address, host=url.partition("//")[2]).status == 200


@pytest.mark.parametrize(
    "arguments,says",
    [
        (["PORT", "--host", "localhost"], "localhost:PORT"),
        (["localhost:PORT"], "localhost:PORT"),
        ([":PORT"], "localhost:PORT"),
        (["http://127.0.0.1:PORT/"], "127.0.0.1:PORT"),
    ],
)
def test_where_the_service_is(start, arguments, says):
    service = start.service()
    gateway = start.gateway()
    first, *more = [word.replace("PORT", str(service.port)) for word in arguments]
    ttf = start.forwarder(gateway, int(first) if first.isdigit() else first, *more)
    ttf.wait_line(rf"^Local service: {says.replace('PORT', str(service.port))}$")
    assert http_raw.request(gateway.address, host=ttf.host).status == 200


def test_a_port_alone_is_where_the_service_is(start):
    service = start.service()
    gateway = start.gateway()
    ttf = start.forwarder(gateway, str(service.port))
    assert http_raw.request(gateway.address, host=ttf.host).status == 200


def test_wss_with_an_authority_of_ones_own(start, authority):
    service = start.service()
    gateway = start.gateway()
    relay = start.relay(gateway.agents, tls=authority.localhost)
    ttf = start.forwarder(f"wss://localhost:{relay.port}", service, "--ca-file", authority.ca)
    assert http_raw.request(gateway.address, host=ttf.host).status == 200
    body = bytes(1 << 20)
    service.answer("/big", body=body)
    assert http_raw.request(gateway.address, target="/big", host=ttf.host).body == body


def test_wss_with_an_unknown_authority(start, authority):
    gateway = start.gateway()
    relay = start.relay(gateway.agents, tls=authority.localhost)
    line = fails(start, BIN / "ttf", "-e", f"wss://localhost:{relay.port}", "-p", "3000", "--connect-timeout", "3")
    assert re.search(r"certificate|issuer|authority|trust", line, re.I), line


def test_wss_with_another_hosts_certificate(start, authority):
    gateway = start.gateway()
    relay = start.relay(gateway.agents, tls=authority.other)
    line = fails(
        start, BIN / "ttf", "-e", f"wss://localhost:{relay.port}", "-p", "3000", "--connect-timeout", "3", "--ca-file", authority.ca
    )
    assert re.search(r"host ?name|localhost|mismatch", line, re.I), line
    assert re.search(r"certificate|host ?name|mismatch", line, re.I), line


def test_wss_with_a_certificate_that_names_its_host_in_the_old_way(start, tmp_path):
    """Only as the subject's common name, without subjectAltName: nobody else takes such a one any more."""
    ca = make_authority(tmp_path)
    gateway = start.gateway()
    relay = start.relay(gateway.agents, tls=make_certificate(tmp_path, "localhost", ""))
    line = fails(start, BIN / "ttf", "-e", f"wss://localhost:{relay.port}", "-p", "3000", "--connect-timeout", "3", "--ca-file", ca)
    assert re.search(r"certificate|host ?name|mismatch", line, re.I), line


def test_wss_toward_a_port_without_tls(start):
    gateway = start.gateway()
    fails(start, BIN / "ttf", "-e", f"wss://127.0.0.1:{gateway.agents[1]}", "-p", "3000", "--connect-timeout", "3")


@pytest.mark.parametrize(
    "text,says",
    [
        ("domain: a\ndomian: b\n", r":2: unknown setting \"domian\", did you mean domain\?"),
        ("DOMAIN_NAME: b\n", r":1: unknown setting \"DOMAIN_NAME\", did you mean domain\?"),
        ("grace: 1s\n# why\ngrace: 2s\n", r":3: grace is already in line 1"),
        ("request-timeout: soon\n", r":1: request-timeout \"soon\": expected a time"),
        ("tunnel-secret: short\n", r":1: tunnel-secret: it has fewer than 16 bytes"),
        ("domain: 'a\n", r":2: "),
        (
            "tunnel-secret: 0123456789abcdef\n\ntunnel-secret-file: /x\n",
            r":1: tunnel-secret and \S+:3: tunnel-secret-file contradict each other",
        ),
    ],
)
def test_bad_config_files(start, tmp_path, text, says):
    path = tmp_path / "gateway.yaml"
    path.write_text(text)
    line = fails(start, BIN / "ttf-gateway", "--config", path)
    assert line.startswith(f"ttf-gateway: {path}") and re.search(says, line), line
    assert "0123456789abcdef" not in line


def test_a_config_file(start, tmp_path):
    """Flags win over variables, variables over the file."""
    path = tmp_path / "gateway.yaml"
    path.write_text("domain: from-file.example\npublic-url: http://from-file.example:1\noffline-keep: 1m\n")
    service = start.service()
    gateway = start.gateway("--config", path, env={"PUBLIC_URL": "https://from-file.example:2"})
    ttf = start.forwarder(gateway, service)
    assert ttf.url == f"https://{ttf.tunnel_id}.from-file.example:2"
    assert http_raw.request(gateway.address, target="/", host=f"{ttf.tunnel_id}.from-file.example").status == 200


@pytest.mark.parametrize(
    "options,warned",
    [
        (["--public-url", "https://t.example.com"], True),
        (["--public-url", "https://t.example.com", "--trusted-proxies", "10.0.0.0/8"], False),
        (["--public-url", "http://t.example.com"], False),
        ([], False),
    ],
)
def test_https_in_front_without_a_trusted_proxy_is_warned_of(start, options, warned):
    gateway = start.gateway(*options)
    if warned:
        gateway.wait_err("x-forwarded-proto.*--trusted-proxies|--trusted-proxies.*x-forwarded-proto")
    gateway.stop()
    assert any("x-forwarded-proto" in line for line in gateway.err) == warned, gateway.dump()


@pytest.mark.parametrize(
    "options, warned",
    [
        (["--domain", "t.example.com", "--require-auth"], True),
        (["--domain", "t.example.com", "--require-auth", "--routing", "both"], False),
        (["--domain", "t.example.com", "--require-auth", "--enable-subdomain-routing", "true"], False),
        (["--domain", "t.example.com"], False),
        (["--require-auth"], False),
    ],
)
def test_paths_beside_tokens_are_told_of(start, tmp_path, options, warned):
    """On a path a tunnel's page reads what belongs to the others'; who asks for tokens may not mean that."""
    secret = tmp_path / "secret"
    secret.write_text(os.urandom(32).hex())  # random bytes may end with white space, which is none of it
    gateway = start.gateway(*options, *(["--jwt-secret-file", secret] if "--require-auth" in options else []))
    if warned:
        gateway.wait_err("one origin.*--routing subdomain")
    assert any("one origin" in line for line in gateway.err) == warned, gateway.dump()


@pytest.mark.parametrize("name, document", [("ttf-gateway", "CONFIGURATION.md"), ("ttf-apigw", "APIGW.md")])
def test_the_document_of_settings_is_what_the_table_makes(start, name, document):
    program = start.program(BIN / name, "--help-markdown")
    assert program.wait_exit() == 0
    assert "\n".join(program.out) + "\n" == (ROOT / "docs" / document).read_text()
