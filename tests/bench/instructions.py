"""How many instructions gateway and ttf execute for a small request, by callgrind: the same in each run, however busy the machine
is, so that a change of a few percent can be told; and how many the gateway executes to show its metrics once. `./dev bench
--instructions [--before DIR]`. What the kernel does is not counted."""

import argparse
import contextlib
import os
import re
import socket
import subprocess
import tempfile
from pathlib import Path

from peers import Tunnel, TunnelBefore, Web

REQUESTS_A_SECOND = 10_000  # far below what one core carries: a scrape's share is smaller still
ROUNDS_BEFORE = 50  # until tables have their sizes and allocators their blocks


class Counted:
    """One of a tunnel's programs runs under callgrind, which counts when it is told to."""

    counted = None  # its label

    def run(self, label, *arguments, env=None):
        tool = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={self.out}"] if label == self.counted else []
        bare = ["--sandbox", "off"] if tool else []  # valgrind makes code while it runs, which the sandbox refuses
        return super().run(label, *tool, *arguments, *bare, env=env)

    @property
    def out(self):
        return self.folder / "callgrind.out"

    def count(self, on):
        command = ["callgrind_control", "-i", "on" if on else "off", self.pids[self.counted]]
        subprocess.run([str(word) for word in command], check=True, capture_output=True)

    def instructions(self):
        return int(re.findall(r"^totals: (\d+)", self.out.read_text(errors="replace"), re.M)[-1])


class CountedTunnel(Counted, Tunnel):
    pass


class CountedBefore(Counted, TunnelBefore):
    pass


SCRAPES = 20
SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


def scrape(tunnel):
    host, port = re.search(r"^Admin: +http://([\d.]+):(\d+)", (tunnel.folder / "gateway.log").read_text(), re.M).groups()
    with socket.create_connection((host, int(port))) as one:
        one.sendall(SCRAPE)
        page = b"".join(iter(lambda: one.recv(65536), b""))
    assert b"ttf_requests_total" in page, page[:200]


def ask(sockets, request, rounds):
    """A request on each connection, then all answers; so often."""
    for _ in range(rounds):
        for one in sockets:
            one.sendall(request)
        for one in sockets:
            answer = b""
            while not answer.endswith(b"Hello, World!"):
                piece = one.recv(65536)
                assert piece, f"no answer: {answer}"
                answer += piece


def measure(kind, label, connections, requests, options, folder, scrapes=False):
    with contextlib.ExitStack() as stack:
        web = Web(folder, options.bin, options.out)
        stack.callback(web.stop)
        web.start()
        tunnel = kind(folder, options.bin, options.out, web)
        tunnel.counted = label
        stack.callback(tunnel.stop)
        tunnel.start()
        tunnel.wait_answer()
        address = re.match(r"http://([\d.]+):(\d+)/", tunnel.url).groups()
        request = f"GET / HTTP/1.1\r\nHost: {tunnel.headers['Host']}\r\n\r\n".encode()
        sockets = [stack.enter_context(socket.create_connection(address)) for _ in range(connections)]
        ask(sockets, request, ROUNDS_BEFORE)
        if scrapes:
            scrape(tunnel)
        tunnel.count(True)
        for _ in range(SCRAPES if scrapes else 0):
            scrape(tunnel)
        if not scrapes:
            ask(sockets, request, requests // connections)
        tunnel.count(False)
    return tunnel.instructions() // (SCRAPES if scrapes else requests // connections * connections)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--before", type=Path, help="folder of another build of both programs, to compare with")
    parser.add_argument("--out", type=Path, required=True, help="folder for what is built")
    parser.add_argument("--requests", type=int, default=640)
    options = parser.parse_args()
    kinds = [CountedTunnel]
    if options.before:
        os.environ["TTF_BENCH_BEFORE"] = str(options.before)
        kinds.append(CountedBefore)
    requests = {}
    print("program  connections  instructions a request" + ("  before" if options.before else ""))
    for label in ("gateway", "ttf"):
        for connections in (1, 32):
            with tempfile.TemporaryDirectory(prefix="ttf-bench-") as folder:
                found = [measure(kind, label, connections, options.requests, options, Path(folder) / kind.__name__) for kind in kinds]
            print(f"{label:8} {connections:11}  {found[0]:22}" + "".join(f"  {one:6}" for one in found[1:]), flush=True)
            requests.setdefault(label, found[0])
    with tempfile.TemporaryDirectory(prefix="ttf-bench-") as folder:
        a_scrape = measure(CountedTunnel, "gateway", 1, options.requests, options, Path(folder) / "scrape", scrapes=True)
    share = a_scrape / requests["gateway"] / REQUESTS_A_SECOND
    print(f"a scrape of the gateway: {a_scrape} instructions, as many as {a_scrape / requests['gateway']:.1f} requests; each second, of a gateway that "
          f"carries {REQUESTS_A_SECOND} a second: {1 - share:.4f} of its requests are left")  # fmt: skip


if __name__ == "__main__":
    main()
