"""Starts the packaged function (`./dev package-lambda`) again and again, in an empty root, and reports what a cold start is:
from exec to the first call for an event, the memory it then holds, and from exec until a visitor's request is at the agent,
which is after the first answers over TLS of DynamoDB and @connections (names from a DNS server, certificates checked against
this machine's authorities and one more). With --secrets it reads its two secrets first, from Systems Manager.
`./dev bench --cold-start [--runs 200] [--secrets]`; ends with 1 where a target is missed.
Wants root, for chroot and for ports 53 and 443 of an address of its own."""

import argparse
import json
import os
import platform
import socket
import statistics
import struct
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lambda"))

import events  # noqa: E402
import sealed  # noqa: E402

from peers import rss_kib  # noqa: E402

NEXT_MS, RESIDENT_KIB = 3.0, 6 * 1024
CONNECTION = "L0SM9cOFvHcCIhw="
PARAMETERS = "ssm.us-east-1.amazonaws.com"
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


class Aws:
    """What the first visitor's request of an environment needs, and when each service had answered first."""

    def __init__(self):
        self.first = {}
        self.services = {sealed.DYNAMODB: self.dynamodb, sealed.API: self.connections, PARAMETERS: self.parameters}

    def note(self, what):
        self.first.setdefault(what, time.monotonic())

    def dynamodb(self, method, path, headers, body):
        self.note("dynamodb")
        if not headers["X-Amz-Target"].endswith(".GetItem"):
            return 200, {}, b"{}"
        until = str(int(time.time()) + 3600)
        claim = {"claimTunnel": {"S": "abcdefghijkl"}, "claimOwner": {"S": "o"}, "claimEpoch": {"N": "1"},
                 "claimState": {"S": "ready"}, "claimConnection": {"S": CONNECTION}, "claimCapabilities": {"N": "0"},
                 "claimTimeoutMs": {"N": "0"}, "changedMs": {"N": "1"}, "expiresMs": {"N": until + "000"}, "ttl": {"N": until}}  # fmt: skip
        key = json.loads(body)["Key"]
        return 200, {}, json.dumps({"Item": claim} if "connectionId" in key else {}).encode()

    def parameters(self, method, path, headers, body):
        self.note("secrets")
        return 200, {}, json.dumps({"Parameter": {"Value": "mJ4vT0x9QfRz8uYbWc2kLh6NsEo1DgPa"}}).encode()

    def connections(self, method, path, headers, body):
        assert json.loads(body)["type"] == "http_request"
        self.note("agent")
        return 200, {}, b""


def answer_next(connection, event):
    """Reads one call for an event, whole, and answers it."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(4096)
    asked = time.monotonic()
    head = f"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: {int(time.time() * 1000) + 30000}\r\n"
    connection.sendall(f"{head}Content-Length: {len(event)}\r\n\r\n".encode() + event)
    return asked


def start(root, environment):
    """(pid, when it was started): the child says so with its last breath."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.chroot(root)
            os.chdir("/")
            os.write(write, struct.pack("d", time.monotonic()))
            os.execve("/bootstrap", ["/bootstrap"], environment)
        finally:
            os._exit(127)
    os.close(write)
    began = struct.unpack("d", os.read(read, 8))[0]
    os.close(read)
    return pid, began


def run(place, aws, listener, environment):
    """One cold start: milliseconds to each step, and KiB resident at the first."""
    aws.first.clear()
    event = json.dumps(events.http2("/", host="abcdefghijkl.tunnel.example.com")).encode()
    pid, began = start(place.root, environment)
    try:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            while not connection.recv(1, socket.MSG_PEEK):
                pass
            resident = rss_kib(pid)
            asked = answer_next(connection, event)
            end = time.monotonic() + 10
            while "agent" not in aws.first and time.monotonic() < end:
                time.sleep(0.0002)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    steps = {"next": asked, **aws.first}
    return {**{name: (at - began) * 1000 for name, at in steps.items()}, "resident": resident}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--secrets", action="store_true")
    options, _ = parser.parse_known_args()
    aws = Aws()
    authorities = AUTHORITIES.read_bytes() if AUTHORITIES.exists() else b""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        place = sealed.Sealed(Path(folder), sealed.package(platform.machine()), aws.services, authorities=authorities,
                              names=(*aws.services,))  # fmt: skip
        environment = {
            "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:%d" % listener.getsockname()[1], "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t", "CONNECTIONS_TABLE_NAME": "c",
            "PENDING_REQUESTS_TABLE_NAME": "p", "DOMAIN_NAME": "tunnel.example.com", "ENABLE_SUBDOMAIN_ROUTING": "true",
            "REQUIRE_AUTH": "false", "TUNNEL_SECRET": "a secret of the bench", "WEBSOCKET_API_ENDPOINT": f"wss://{sealed.API}/dev",
        }  # fmt: skip
        if options.secrets:
            del environment["TUNNEL_SECRET"]
            environment.update(TUNNEL_SECRET_FROM="ssm:/t/tunnel", JWT_SECRET_FROM="ssm:/t/jwt")
        runs = [run(place, aws, listener, environment) for _ in range(options.runs)]
        place.stop()
    titles = {"next": "exec to the first call for an event, ms", "dynamodb": "exec to DynamoDB's first request, ms",
              "agent": "exec to the first message at @connections, ms", "resident": "resident at the first call, KiB"}  # fmt: skip
    medians = {}
    for name, title in titles.items():
        values = sorted(one[name] for one in runs if name in one)
        medians[name] = statistics.median(values) if len(values) == len(runs) else float("inf")
        print(f"{title:48} median {medians[name]:8.2f}  p95 {values[int(len(values) * 0.95)]:8.2f}  ({len(values)} of {len(runs)})")
    quick = options.secrets or (medians["next"] <= NEXT_MS and medians["resident"] <= RESIDENT_KIB)  # targets without secrets to read
    return 0 if quick and medians["agent"] < float("inf") else 1


if __name__ == "__main__":
    sys.exit(main())
