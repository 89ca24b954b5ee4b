"""What a tunnel must bear, with figures: a gigabyte down and up beside 120 readers of 50 MB each that read slowly or not at all,
and the same transfers over a link that takes 25 ms each way. `./dev bench --load`; ends with 1 where a target is missed."""

import argparse
import hashlib
import json
import os
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from loaders import Scenario, wrk
from peers import Sink, Tunnel, Web, wait_line

MIB = 1 << 20
SLOW, STALLED = 100, 20
SLOW_BYTES_A_SECOND = 10_000
RELAY = Path(__file__).resolve().parents[1] / "e2e" / "relay.py"


class Readers(threading.Thread):
    """Visitors who ask for a large answer; the first SLOW of them read it slowly, the others not at all."""

    def __init__(self, tunnel, path):
        super().__init__(daemon=True)
        self.sockets, self.ended = [], threading.Event()
        host, port = urlsplit(tunnel.url).netloc.split(":")
        for number in range(SLOW + STALLED):
            one = socket.create_connection((host, int(port)))
            one.sendall(f"GET /{path}?{number} HTTP/1.1\r\nHost: {tunnel.headers['Host']}\r\n\r\n".encode())
            self.sockets.append(one)
        self.start()

    def run(self):
        selector = selectors.DefaultSelector()
        for one in self.sockets[:SLOW]:
            one.setblocking(False)
            selector.register(one, selectors.EVENT_READ)
        while not self.ended.wait(0.1):
            for key, _ in selector.select(0):
                key.fileobj.recv(SLOW_BYTES_A_SECOND // 10)

    def stop(self):
        self.ended.set()
        self.join()
        for one in self.sockets:
            one.close()


def sent_by(port, least=0):
    """By connection (the other side's port): bytes that a service has sent, at least so many, from the kernel's books."""
    command = ["ss", "-tinHO", "state", "established", f"( sport = :{port} )"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"127\.0\.0\.1:\d+\s+127\.0\.0\.1:(\d+).*bytes_sent:(\d+)", shown)
    return {peer: int(sent) for peer, sent in found if int(sent) >= least}


def settled(read, quiet=3, seconds=120):
    value, since, end = read(), time.monotonic(), time.monotonic() + seconds
    while time.monotonic() - since < quiet and time.monotonic() < end:
        time.sleep(0.2)
        if (now := read()) != value:
            value, since = now, time.monotonic()
    return value


def peak_mib(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def curl(tunnel, path, *options):
    """(MB/s, what came)"""
    command = ["curl", "-sSf", "--max-time", "300", "-H", f"Host: {tunnel.headers['Host']}", "-H", "Expect:", *options]
    began = time.monotonic()
    done = subprocess.Popen([*command, tunnel.url + path], stdout=subprocess.PIPE)
    digest, size, last = hashlib.sha256(), 0, b""
    while piece := done.stdout.read(MIB):
        digest.update(piece)
        size, last = size + len(piece), piece
    if done.wait() != 0:
        raise RuntimeError(f"curl ended with {done.returncode}")
    return size, digest.hexdigest(), last, time.monotonic() - began


def both_ways(down, up, name, file, expected):
    size, digest, _, seconds = curl(down, name)
    answer = curl(up, "sha256", "-T", str(file))
    return {
        "down_mb_s": size / seconds / 1e6,
        "up_mb_s": file.stat().st_size / answer[3] / 1e6,
        "same_bytes": digest == expected and answer[2].decode() == expected,
    }


class Good(threading.Thread):
    """A visitor who asks for 1 KB again and again, until stop(); `runs` are his figures, second by second."""

    def __init__(self, tunnel):
        super().__init__(daemon=True)
        self.tunnel, self.ended, self.runs = tunnel, threading.Event(), []
        self.start()

    def run(self):
        while not self.ended.is_set():
            self.runs.append(wrk(self.tunnel, Scenario("1k", "", "wrk", 1, "1k", 1024), 2)[1])

    def stop(self):
        self.ended.set()
        self.join()
        return {
            "p99_ms": max(run["p99_us"] for run in self.runs) / 1000,
            "p50_ms": max(run["p50_us"] for run in self.runs) / 1000,
            "failed": sum(run["failed"] for run in self.runs),
        }


class Bench:
    def __init__(self, folder, options):
        self.folder, self.options, self.started, self.rows = folder, options, [], []

    def make(self, kind, service=None, *arguments, name=None):
        peer = kind(self.folder / (name or kind.name), self.options.bin, self.options.out / "tools", service)
        self.started.append(peer)
        peer.start(*arguments)
        return peer

    def row(self, title, value, unit, sign, target):
        met = value <= target if sign == "<=" else value >= target
        self.rows.append({"title": title, "value": value, "unit": unit, "sign": sign, "target": target, "met": met})
        print(f"  {title:62} {value:9.1f} {unit:5} {sign} {target:<6g} {'pass' if met else 'miss'}", flush=True)

    def big(self, web, sink, file, expected):
        print(f"{file.stat().st_size / 1e9:.1f} GB down and up beside {SLOW} readers of {SLOW_BYTES_A_SECOND // 1000} KB/s and {STALLED} that read nothing")
        down, up = self.make(Tunnel, web, name="down"), self.make(Tunnel, sink, name="up")
        readers = Readers(down, "50m")
        settled(lambda: sum(sent_by(web.port).values()) // MIB)
        read_by = set(sent_by(web.port, 100_000))
        good = Good(down)
        found = both_ways(down, up, "big", file, expected)
        visitor = good.stop()
        sent = [bytes_sent for peer, bytes_sent in sent_by(web.port).items() if peer in read_by]
        readers.stop()
        self.row("the same bytes came (1: yes)", int(found["same_bytes"]), "", ">=", 1)
        self.row("download", found["down_mb_s"], "MB/s", ">=", 1)
        self.row("upload", found["up_mb_s"], "MB/s", ">=", 1)
        self.row("most that the service has sent to one of the readers", max(sent) / MIB, "MiB", "<=", 16)
        self.row("a good visitor's 1 KB meanwhile, worst p99", visitor["p99_ms"], "ms", "<=", 50)
        self.row("his requests that failed", visitor["failed"], "", "<=", 0)
        for tunnel, way in ((down, "down"), (up, "up")):
            for label, pid in tunnel.pids.items():
                self.row(f"peak resident memory, {label} ({way})", peak_mib(pid), "MiB", "<=", 64)

    def far(self, web, sink, file, expected):
        print("100 MB down and up with 25 ms in each direction between gateway and ttf")

        def between(endpoint):
            relay = self.started[-1]
            log = relay.run("relay", sys.executable, "-B", RELAY, endpoint.rpartition(":")[2], "25")
            return f"ws://127.0.0.1:{wait_line(log, r'^port (.*)', relay.processes['relay'])[1]}"

        down = self.make(Tunnel, web, between, name="far-down")
        up = self.make(Tunnel, sink, between, name="far-up")
        found = both_ways(down, up, "100m", file, expected)
        self.row("the same bytes came (1: yes)", int(found["same_bytes"]), "", ">=", 1)
        self.row("download", found["down_mb_s"], "MB/s", ">=", 60)
        self.row("upload", found["up_mb_s"], "MB/s", ">=", 60)
        good = Good(down)
        while len(good.runs) < 3:
            curl(down, "100m")
        visitor = good.stop()
        self.row("1 KB beside a download, worst p99", visitor["p99_ms"], "ms", "<=", 150)
        self.row("requests that failed", visitor["failed"], "", "<=", 0)


def make_file(path, size):
    digest = hashlib.sha256()
    with path.open("wb") as out:
        for left in range(size, 0, -10_000_000):
            piece = os.urandom(min(left, 10_000_000))
            digest.update(piece)
            out.write(piece)
    return digest.hexdigest()


def main():
    parser = argparse.ArgumentParser(prog="./dev bench --load", description=__doc__)
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--big", type=int, default=1_000_000_000, help="bytes of the big file")
    options = parser.parse_args()
    options.out = options.out.resolve()
    with tempfile.TemporaryDirectory(prefix="load-", dir=options.out) as name:
        bench = Bench(Path(name), options)
        try:
            web, sink = bench.make(Web), bench.make(Sink)
            big = make_file(web.folder / "big", options.big)
            make_file(web.folder / "50m", 50_000_000)
            make_file(web.folder / "1k", 1024)
            hundred = hashlib.sha256((web.folder / "100m").read_bytes()).hexdigest()
            bench.big(web, sink, web.folder / "big", big)
            bench.far(web, sink, web.folder / "100m", hundred)
        finally:
            for peer in reversed(bench.started):
                peer.stop()
    (options.out / "load.json").write_text(json.dumps(bench.rows, indent=1) + "\n")
    sys.exit(0 if all(row["met"] for row in bench.rows) else 1)


if __name__ == "__main__":
    main()
