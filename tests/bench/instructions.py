"""How many instructions gateway and ttf execute for a small request, by callgrind: the same in each run, however busy the machine
is, so that a change of a few percent can be told. `./dev bench --instructions [--before DIR]`. What the kernel does is not counted."""

import argparse
import contextlib
import os
import re
import socket
import subprocess
import tempfile
from pathlib import Path

from peers import Tunnel, TunnelBefore, Web

ROUNDS_BEFORE = 50  # until tables have their sizes and allocators their blocks


class Counted:
    """One of a tunnel's programs runs under callgrind, which counts when it is told to."""

    counted = None  # its label

    def run(self, label, *arguments, env=None):
        tool = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={self.out}"] if label == self.counted else []
        return super().run(label, *tool, *arguments, env=env)

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


def measure(kind, label, connections, requests, options, folder):
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
        tunnel.count(True)
        ask(sockets, request, requests // connections)
        tunnel.count(False)
    return tunnel.instructions() // (requests // connections * connections)


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
    print("program  connections  instructions a request" + ("  before" if options.before else ""))
    for label in ("gateway", "ttf"):
        for connections in (1, 32):
            with tempfile.TemporaryDirectory(prefix="ttf-bench-") as folder:
                found = [measure(kind, label, connections, options.requests, options, Path(folder) / kind.__name__) for kind in kinds]
            print(f"{label:8} {connections:11}  {found[0]:22}" + "".join(f"  {one:6}" for one in found[1:]), flush=True)


if __name__ == "__main__":
    main()
