"""Who is measured. A peer is started once for each local service (Web, Sink), and says where to send requests and which
processes do its work. To add one: a class with `name`, `settings`, start(), and the fields url, headers, pids; then name it
in PEERS. All are on 127.0.0.1, none encrypts, none logs requests but ttf, which prints them as it does for any user."""

import http.client
import os
import random
import re
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import tools

HZ = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_port(port, seconds=10, address="127.0.0.1"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection((address, port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"nobody listens on port {port}")


def wait_line(file, pattern, process, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(pattern, file.read_text(errors="replace"), re.M):
            return found
        time.sleep(0.02)
    raise RuntimeError(f"no line {pattern!r}:\n{file.read_text(errors='replace')}")


def cpu_seconds(pid):
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / HZ


def rss_kib(pid):
    """0 of a process that has ended."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0


class Peer:
    tool = None  # of tools.TOOLS
    settings = ""
    headers = {}

    def __init__(self, folder, bin_dir, tools_dir, service=None):
        self.folder = folder / f"{self.name}-{service.name if service else ''}"
        self.bin = tools.need(tools_dir, self.tool) if self.tool else bin_dir
        self.service = service
        self.folder.mkdir(parents=True, exist_ok=True)
        self.processes = {}

    def run(self, label, *arguments, env=None):
        """Starts a process, its output in a file of that label, which is returned."""
        log = self.folder / f"{label}.log"
        with log.open("wb") as out:
            self.processes[label] = subprocess.Popen(
                [str(a) for a in arguments], stdout=out, stderr=out, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})}
            )
        return log

    @property
    def pids(self):
        """Of the processes whose CPU time counts, by label."""
        return {label: process.pid for label, process in self.processes.items()}

    def died(self):
        return [label for label, process in self.processes.items() if process.poll() is not None]

    def wait_answer(self, seconds=20):
        """Until a request comes through."""
        end, last = time.monotonic() + seconds, None
        while time.monotonic() < end and not self.died():
            try:
                connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=2)
                connection.request("GET", "/", headers=self.headers)
                last = connection.getresponse().status
                connection.close()
                if last == 200:
                    return
            except (OSError, http.client.HTTPException) as error:
                last = error
            time.sleep(0.05)
        raise RuntimeError(f"{self.name} does not answer: {last}; ended: {self.died()}")

    def stop(self):
        for process in reversed(self.processes.values()):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


NGINX = """
daemon off;
master_process off;
worker_processes 1;
error_log {folder}/{label}-error.log;
pid {folder}/{label}.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/{label}-body;
    proxy_temp_path {folder}/{label}-proxy;
    fastcgi_temp_path {folder}/{label}-fastcgi;
    uwsgi_temp_path {folder}/{label}-uwsgi;
    scgi_temp_path {folder}/{label}-scgi;
    {upstream}
    server {{
        listen 127.0.0.1:{port} reuseport backlog=4096;
        {server}
    }}
}}
"""

UPSTREAM = "upstream next {{ server 127.0.0.1:{port}; keepalive 256; keepalive_requests 1000000000; }}"
PASS = """
    proxy_pass http://next; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
    client_max_body_size 0; proxy_request_buffering off; proxy_max_temp_file_size 0; proxy_buffers 16 64k;
    proxy_buffer_size 16k; client_body_buffer_size 64k;
"""
WEB = """
    root {folder}; sendfile on; open_file_cache max=10;
    location = / {{ default_type text/plain; return 200 "Hello, World!"; }}
"""
# Why 64 KB takes 44 ms there: the end of each answer waits for a delayed acknowledgement.
NAGLE = "no TCP_NODELAY toward visitors: 64 KB answers stall for 40 ms, so only CPU and the 100 MB compare"
FILES = {"64k": 64 * 1024, "100m": 100_000_000}


class NginxPeer(Peer):
    def nginx(self, label, server, upstream_port=None):
        port = free_port()
        upstream = UPSTREAM.format(port=upstream_port) if upstream_port else ""
        config = self.folder / f"{label}.conf"
        config.write_text(NGINX.format(folder=self.folder, label=label, port=port, server=server, upstream=upstream))
        self.run(label, "nginx", "-c", config, "-p", self.folder, "-e", self.folder / f"{label}-error.log")
        wait_port(port)
        return port


class Service:
    """A local service, and itself the measure of direct access; its own CPU time counts for nobody."""

    @property
    def pids(self):
        return {}


class Web(Service, NginxPeer):
    """Answers 13 bytes, 64 KB and 100 MB."""

    name = "direct"
    settings = "nginx, one worker, access_log off; uploads: tests/bench/sink.c"

    def start(self):
        for name, size in FILES.items():
            with (self.folder / name).open("wb") as out:
                out.write(os.urandom(size))
        self.port = self.nginx("web", WEB.format(folder=self.folder))
        self.url = f"http://127.0.0.1:{self.port}/"


class Sink(Service, Peer):
    """Reads uploads."""

    name = "direct"
    tool = "sink"

    def start(self):
        log = self.run("sink", self.bin / "sink")
        self.port = int(wait_line(log, r"^port (\d+)", self.processes["sink"])[1])
        self.url = f"http://127.0.0.1:{self.port}/"


class TwoHops(NginxPeer):
    name = "nginx-2-hops"
    settings = (
        "nginx in front of nginx: one worker each, access_log off, upstream keepalive 256, HTTP/1.1, request buffering off,"
        " no temporary files, buffers 16 x 64k"
    )

    def start(self):
        location = f"location / {{ {PASS} }}"
        inner = self.nginx("inner", location, self.service.port)
        self.url = f"http://127.0.0.1:{self.nginx('outer', location, inner)}/"


class Tunnel(Peer):
    name = "tunnel"
    inspect = "off"
    settings = "defaults but --log-level warn and --inspect off, since nginx logs and keeps nothing; ttf prints each request to a file"

    def gateway(self, label, *options):
        """Where agents connect, and where visitors come."""
        any_port = "127.0.0.1:0"
        log = self.run(
            label, self.bin / "ttf-gateway", "--public-listen", any_port, "--agent-listen", any_port,
            "--admin-listen", any_port, "--state-dir", self.folder / "state", "--log-level", "warn", *options,
        )  # fmt: skip
        process = self.processes[label]
        wait_line(log, r"^Ready", process)
        return wait_line(log, r"^Agents: +(\S+)", process)[1], wait_line(log, r"^Public: +http://(\S+)", process)[1]

    def tunnel(self, endpoint, public):
        env = {"XDG_STATE_HOME": str(self.folder), "TTF_INSPECT": self.inspect}
        log = self.run("ttf", self.bin / "ttf", "-e", endpoint, "-p", self.service.port, env=env)
        host = wait_line(log, r"Tunnel established: http://(\S+)", self.processes["ttf"])[1]
        self.url = f"http://{public}/"
        self.headers = {"Host": f"{host.partition('.')[0]}.localhost"}

    def start(self, between=lambda endpoint: endpoint):
        """`between` may put something between gateway and ttf: it says where ttf is to connect instead."""
        endpoint, public = self.gateway("gateway")
        self.tunnel(between(endpoint), public)


class TunnelBefore(Tunnel):
    name = "tunnel-before"
    settings = "the same of another build, to compare with"

    def __init__(self, folder, bin_dir, tools_dir, service=None):
        before = os.environ.get("TTF_BENCH_BEFORE")
        if not before:
            raise tools.NotBuilt("--before is not said")
        super().__init__(folder, Path(before), tools_dir, service)


class TunnelInspected(Tunnel):
    name = "tunnel-inspected"
    inspect = "127.0.0.1:0"
    settings = "the same with the inspector, as it is by default; nobody looks at its page"


class TunnelRedis(Tunnel):
    name = "tunnel-redis"
    settings = "the same with --store redis://..., redis-server on a unix socket, nothing on disk; its agent is here"

    def redis(self):
        self.socket = tempfile.mktemp(prefix="bench-redis-", dir="/tmp")  # a socket's path must be short
        log = self.run("redis", "redis-server", "--port", 0, "--unixsocket", self.socket, "--save", "", "--dir", self.folder)
        wait_line(log, r"ready to accept connections", self.processes["redis"])
        return "--store", f"redis+unix://{self.socket}"

    def start(self):
        self.tunnel(*self.gateway("gateway", *self.redis()))


class TunnelPeer(TunnelRedis):
    name = "tunnel-peer"
    settings = "the same with two gateways: visitors come to the one without the agent"

    def start(self):
        store = self.redis()
        endpoint, _ = self.gateway("gateway", *store)
        _, public = self.gateway("front", *store)
        self.tunnel(endpoint, public)


FRPS = """
bindAddr = "127.0.0.1"
bindPort = {control}
proxyBindAddr = "127.0.0.1"
{vhost}
transport.maxPoolCount = 64
log.level = "warn"
"""
FRPC = """
serverAddr = "127.0.0.1"
serverPort = {control}
transport.poolCount = 64
transport.tls.enable = false
log.level = "warn"
[[proxies]]
name = "bench"
type = "{kind}"
localIP = "127.0.0.1"
localPort = {local}
{place}
"""


class Frp(Peer):
    tool = "frp"

    def frp(self, kind, vhost, place):
        control = free_port()
        server, client = self.folder / "frps.toml", self.folder / "frpc.toml"
        server.write_text(FRPS.format(control=control, vhost=vhost))
        client.write_text(FRPC.format(control=control, kind=kind, local=self.service.port, place=place))
        self.run("frps", self.bin / "frps", "-c", server)
        wait_port(control)
        self.run("frpc", self.bin / "frpc", "-c", client)


class FrpHttp(Frp):
    name = "frp-http"
    settings = (
        f"frp {tools.FRP}, type=http: transport.poolCount 64, transport.maxPoolCount 64, transport.tls.enable false"
        " (our tunnel does not encrypt here either), log.level warn, the rest as it comes (tcpMux on)"
    )

    def start(self):
        port = free_port()
        self.frp("http", f"vhostHTTPPort = {port}", 'customDomains = ["bench.localhost"]')
        self.url = f"http://127.0.0.1:{port}/"
        self.headers = {"Host": "bench.localhost"}


class FrpTcp(Frp):
    name = "frp-tcp"
    settings = f"frp {tools.FRP}, type=tcp: the same"

    def start(self):
        port = free_port()
        self.frp("tcp", "", f"remotePort = {port}")
        self.url = f"http://127.0.0.1:{port}/"


RATHOLE_SERVER = """
[server]
bind_addr = "127.0.0.1:{control}"
default_token = "bench"
[server.services.bench]
bind_addr = "127.0.0.1:{public}"
"""
RATHOLE_CLIENT = """
[client]
remote_addr = "127.0.0.1:{control}"
default_token = "bench"
[client.services.bench]
local_addr = "127.0.0.1:{local}"
"""


class Rathole(Peer):
    name = "rathole"
    tool = "rathole"
    settings = f"rathole {tools.RATHOLE}, a TCP relay: as it comes (plain TCP, nodelay between its two programs; {NAGLE})"

    def start(self):
        control, public = free_port(), free_port()
        server, client = self.folder / "server.toml", self.folder / "client.toml"
        server.write_text(RATHOLE_SERVER.format(control=control, public=public))
        client.write_text(RATHOLE_CLIENT.format(control=control, local=self.service.port))
        quiet = {"RUST_LOG": "warn"}
        self.run("server", self.bin / "rathole", "--server", server, env=quiet)
        wait_port(control)
        self.run("client", self.bin / "rathole", "--client", client, env=quiet)
        self.url = f"http://127.0.0.1:{public}/"


class Bore(Peer):
    name = "bore"
    tool = "bore"
    settings = f"bore-cli {tools.BORE}, a TCP relay: as it comes ({NAGLE})"

    def start(self):
        """Its control port cannot be chosen, so its address is: one of loopback's own."""
        address = ".".join(["127", *(str(random.SystemRandom().randint(1, 254)) for _ in range(3))])
        port, quiet = free_port(), {"RUST_LOG": "warn"}
        self.run("server", self.bin / "bore", "server", "--bind-addr", address, "--bind-tunnels", "127.0.0.1", env=quiet)
        wait_port(7835, address=address)
        arguments = ["local", self.service.port, "--local-host", "127.0.0.1", "--to", address, "--port", port]
        self.run("local", self.bin / "bore", *arguments, env=quiet)
        self.url = f"http://127.0.0.1:{port}/"


SERVICES = {"web": Web, "sink": Sink}
PEERS = [TwoHops, Tunnel, TunnelBefore, TunnelInspected, TunnelRedis, TunnelPeer, FrpHttp, FrpTcp, Rathole, Bore]
