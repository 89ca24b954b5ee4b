#!/usr/bin/env python3
"""What a visitor's request costs on AWS, and how long it takes: counted and measured in the stand-in for API Gateway and Lambda,
with DynamoDB Local whose calls take at least 2 ms.

    aws.py [--bin build/bin] [--bootstrap PROGRAM] [--out build/bench] [--requests 100] [--modes polling,stream,direct]

Prints a table and writes it to OUT/aws.md. Dollars: infra/scripts/prices.py."""

import argparse
import http.client
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests/lambda"), str(ROOT / "infra/schema"), str(ROOT / "infra/scripts")]

import make_tables  # noqa: E402
import prices  # noqa: E402
from dynamodb_local import CREDENTIALS, DynamoDBLocal  # noqa: E402

DYNAMODB_MS = 2
KIB, MB = 1024, 1_000_000
KINDS = {"1 KB GET": ("GET", KIB, 0), "1 MB GET": ("GET", MB, 0), "1 MB POST": ("POST", 0, MB)}
BURST = 40
WARM_ROUNDS, WARM_REQUESTS = 60, 5
BURSTS = 3


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b"x" * int(self.path.rpartition("/")[2] or 0)
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def line_of(process, start):
    for line in process.stdout:
        if line.startswith(start):
            return line.split(start, 1)[1].strip()
    sys.exit(f"{process.args[0]} ended before it said {start!r}")


class Stack:
    def __init__(self, binaries, bootstrap, folder, names, endpoint, service_port, mode):
        environment = {**os.environ, **CREDENTIALS, **names, "AWS_ENDPOINT_URL_DYNAMODB": endpoint, "WAIT_MODE": mode,
                       "TUNNEL_SECRET": "a secret for a measurement"}  # fmt: skip
        stream = ["--stream-table", names["PENDING_REQUESTS_TABLE_NAME"]] if mode == "stream" else []
        self.log = open(folder / f"{mode}.log", "w+b")
        options = ["--public-listen", "127.0.0.1:0", "--agent-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
                   "--lambda-concurrency", "300", "--lambda-idle", "10m", "--dynamodb-latency", f"{DYNAMODB_MS}ms", *stream]  # fmt: skip
        self.gateway = subprocess.Popen(
            [binaries / "ttf-apigw", "--bootstrap", bootstrap, *options],
            env=environment, stdout=subprocess.PIPE, stderr=self.log, text=True)  # fmt: skip
        self.public = line_of(self.gateway, "Public: http://")
        agents = line_of(self.gateway, "Agents: ")
        self.admin = line_of(self.gateway, "Admin: http://")
        self.ttf = subprocess.Popen([binaries / "ttf", "-e", agents, "-p", str(service_port)],
                                    env={**os.environ, "XDG_STATE_HOME": str(folder / mode), "TTF_INSPECT": "off"},
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # fmt: skip
        self.host = line_of(self.ttf, "Tunnel established: http://")
        threading.Thread(target=self.ttf.stdout.read, daemon=True).start()

    def usage(self):
        with urllib.request.urlopen(f"http://{self.admin}/aws/usage", timeout=10) as answer:
            return json.load(answer)

    def settled(self):
        """The counts, once they stand still."""
        before = None
        while True:
            now = self.usage()
            for name in ("streamReads", "environments"):
                now.pop(name)
            if now == before:
                return now
            before = now
            time.sleep(0.3)

    def cool(self):
        """A new version of the function: the processes of the old one end when they are idle. Their connections end with them, which
        is told to processes of the new one: that once more."""
        while self.settled() and self.usage()["environments"] > 0:
            self.gateway.send_signal(signal.SIGHUP)

    def stop(self):
        for process in (self.ttf, self.gateway):
            process.terminate()
            process.wait(30)
        self.log.close()


def ask(address, host, kind, connection=None):
    """Milliseconds of one request."""
    method, answer_bytes, body_bytes = KINDS[kind]
    own = connection or http.client.HTTPConnection(address, timeout=40)
    begun = time.perf_counter()
    own.request(method, f"/{answer_bytes}", b"x" * body_bytes if body_bytes else None, {"Host": host})
    answer = own.getresponse()
    body = answer.read()
    took = (time.perf_counter() - begun) * 1000
    if answer.status != 200 or len(body) != answer_bytes:
        sys.exit(f"{kind}: {answer.status}, {len(body)} bytes: {body[:200]!r}")
    if not connection:
        own.close()
    return took


def sequence(address, host, kind, count):
    connection = http.client.HTTPConnection(address, timeout=40)
    return [ask(address, host, kind, connection) for _ in range(count)]


def burst(address, host, kind):
    results, barrier = [0.0] * BURST, threading.Barrier(BURST)

    def one(n):
        barrier.wait()
        results[n] = ask(address, host, kind)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(BURST)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return results


def p95(values):
    return sorted(values)[math.ceil(len(values) * 0.95) - 1]


def cost(spent, kind, memory_gb):
    """Dollars for a million of these."""
    counts = {"invocations": spent["invocations"], "billed ms": spent["billed"], "messages": spent["messages"],
              "read units": spent["read"], "write units": spent["write"]}  # fmt: skip
    return prices.dollars(counts, max(KINDS[kind][1:]), memory_gb)


def warm(stack, kind, mode):
    """Until nothing starts any more for a while: no process, and no connection of one that waits; in direct mode, until nothing is
    written, which is what a process does whose waiter is not up."""
    quiet = 0
    starts = ["coldStarts"] + ["dynamodbWrites"] * (mode == "direct")
    for _ in range(WARM_ROUNDS):
        before = stack.usage()
        sequence(stack.public, stack.host, kind, WARM_REQUESTS)
        after = stack.usage()
        still = before["invocationsOf"]["connect"] == after["invocationsOf"]["connect"]
        still = still and all(before[name] == after[name] for name in starts)
        quiet = quiet + 1 if still else 0
        if quiet == 5:
            return
    print(f"{kind}: not steady after {WARM_ROUNDS * WARM_REQUESTS} requests", file=sys.stderr)


def cold_burst(stack, kind):
    stack.cool()
    return burst(stack.public, stack.host, kind)


def measure(stack, kind, requests, service, mode):
    count = requests if KINDS[kind][1] + KINDS[kind][2] <= KIB else max(5, requests // 5)
    warm(stack, kind, mode)
    before = stack.settled()
    took = sequence(stack.public, stack.host, kind, count)
    after = stack.settled()

    def each(*names):
        return sum(after[name] - before[name] for name in names) / count

    spent = {"invocations": each("invocations"), "billed": each("billedMs"), "read": each("readUnits"),
             "write": each("writeUnits"), "messages": each("messagesIn", "messagesOut")}  # fmt: skip
    own = statistics.median(sequence(service, service, kind, count))
    stack.cool()
    first = ask(stack.public, stack.host, kind)
    at_once = None
    if kind == "1 KB GET":
        at_once = statistics.median(p95(cold_burst(stack, kind)) for _ in range(BURSTS))
    return {**spent, "dollars": cost(spent, kind, after["memoryMiB"] / 1024), "median": statistics.median(took) - own,
            "p95": p95(took) - own, "first": first - own, "burst": at_once and at_once - own}  # fmt: skip


HEAD = """| | WAIT_MODE | invocations | billed ms | read units | write units | messages | $ per million | median ms | p95 ms | first after idle ms | p95 of 40 at once ms |
|---|---|---|---|---|---|---|---|---|---|---|---|"""


def row(kind, mode, got):
    at_once = f"{got['burst']:.0f}" if got["burst"] else ""
    return (f"| {kind} | {mode} | {got['invocations']:.1f} | {got['billed']:.0f} | {got['read']:.1f} | {got['write']:.1f} "
            f"| {got['messages']:.1f} | {got['dollars']:.2f} | {got['median']:.1f} | {got['p95']:.1f} | {got['first']:.0f} "
            f"| {at_once} |")  # fmt: skip


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--bin", type=Path, default=ROOT / "build/bin")
    arguments.add_argument("--bootstrap", type=Path, help="that of the package, for one")
    arguments.add_argument("--out", type=Path, default=ROOT / "build/bench")
    arguments.add_argument("--requests", type=int, default=100)
    arguments.add_argument("--modes", default="polling,stream,direct")
    said = arguments.parse_args()
    server = Server(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    service = "127.0.0.1:%d" % server.server_address[1]
    bootstrap = (said.bootstrap or said.bin / "bootstrap").resolve()
    lines = [HEAD]
    print(HEAD)
    for mode in said.modes.split(","):
        # one that has not kept the stream of the mode before
        with DynamoDBLocal() as dynamodb, tempfile.TemporaryDirectory() as folder:
            names = make_tables.make(make_tables.client(dynamodb.endpoint), f"{mode}-")
            stack = Stack(said.bin.resolve(), bootstrap, Path(folder), names, dynamodb.endpoint, server.server_address[1], mode)
            try:
                for kind in KINDS:
                    lines.append(row(kind, mode, measure(stack, kind, said.requests, service, mode)))
                    print(lines[-1], flush=True)
            finally:
                stack.stop()
    said.out.mkdir(parents=True, exist_ok=True)
    (said.out / "aws.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
