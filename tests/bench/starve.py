"""Everybody who wants to starve a gateway, at once: slow clients (heads, bodies, readers), idle connections, agents with a wrong token,
heads of 200 000 names; and one good visitor of a good tunnel, who waits 50 ms at most (p99), and longer only as the machine is busy
with other things: as much as the gateway had to wait for a processor, or thrice what he waits at the same time at a second gateway, which
nobody attacks. `./dev bench --starve [--seconds N] [--slow N] …`; ends
with 1 where the visitor had an error, waited too long, memory grew, or one address got more connections than it may."""

import argparse
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
P99_MS, TIMES_BASE = 50, 3
MEMORY_KIB = 256 * 1024
ENOUGH_S = 60


class Process:
    def __init__(self, *words, env=None, err=subprocess.DEVNULL):
        self.process = subprocess.Popen([str(w) for w in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, env=env, text=True)

    def line(self, pattern="."):
        for line in self.process.stdout:
            if found := re.search(pattern, line):
                return found
        raise RuntimeError(f"{self.process.args} ended before it said {pattern}")

    def end(self):
        """What it says when its input ends."""
        self.process.stdin.close()
        return json.loads(self.process.stdout.read())

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()


def part(*words):
    return Process(sys.executable, HERE / "starve_parts.py", *words, err=None)


class Place:
    """A gateway with two tunnels."""

    def __init__(self, started, programs, folder, services):
        folder.mkdir()
        secret = secrets.token_hex(32)
        env = {**os.environ, "JWT_SECRET": secret, "TTF_INSPECT": "off", "HOME": str(folder), "XDG_STATE_HOME": str(folder)}
        self.gateway = Process(programs / "ttf-gateway", "--public-listen", "0.0.0.0:0", "--agent-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
                               "--state-dir", folder / "state", "--require-auth", "true", "--trusted-proxies", "127.0.0.0/8",
                               "--access-log-format", "off", env=env)  # fmt: skip
        started.append(self.gateway)
        self.port, self.agents, self.admin = (int(self.gateway.line(rf"^{name}: +\S+:(\d+)")[1]) for name in ("Public", "Agents", "Admin"))
        self.gateway.line("^Ready")
        token = subprocess.run([programs / "ttf-gateway", "token", "--sub", "ann", "--ttl", "1h"], env=env, check=True, capture_output=True, text=True)
        self.tunnels = []
        for name, service in zip(("good", "other"), services):
            ttf = Process(programs / "ttf", "-e", f"ws://127.0.0.1:{self.agents}", "-n", name, "--log", "errors", str(service),
                          env={**env, "TTF_TOKEN": token.stdout.strip()})  # fmt: skip
            started.append(ttf)
            self.tunnels.append(ttf.line(r"Tunnel established: http://(\S+)")[1])

    def rss_kib(self):
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.gateway.process.pid}/status").read_text())[1])

    def processor_s(self):
        """Seconds on a processor, and seconds it had to wait for one."""
        return [int(word) / 1e9 for word in Path(f"/proc/{self.gateway.process.pid}/schedstat").read_text().split()[:2]]

    def metric(self, start):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics") as page:
            return sum(float(line.rpartition(" ")[2]) for line in page.read().decode().splitlines() if line.startswith(start))

    def visitor(self, seconds):
        return part("visitor", "127.0.0.1", self.port, self.tunnels[0], seconds)


def share(before, after):
    """How many times longer than alone the gateway took for all that it did."""
    ran, waited = (end - begin for begin, end in zip(before, after))
    return round(1 + waited / max(ran, 1e-3), 1)


def look(figures, rss_kib, caps):
    """What is missed."""
    good, base = figures["visitor"], figures["visitor of a gateway in peace"]
    limit = max(P99_MS * figures["machine"]["took longer, times"], TIMES_BASE * base["p99"])
    if good["errors"]:
        yield f"the good visitor had {good['errors']} errors: {good['first']}"
    if good["p99"] > limit:
        yield f"the good visitor's p99 is {good['p99']} ms, over {limit:.0f}"
    if rss_kib > MEMORY_KIB:
        yield f"the gateway has {rss_kib // 1024} MiB"
    if set(figures["agents"]["wrong agents"]) - {"401", "429", "503", "none"}:
        yield f"an agent with a wrong token got {figures['agents']['wrong agents']}"
    if caps and caps["left open"] > min(caps["may be"], 1024):
        yield f"one address has {caps['left open']} connections"


def attack(options, started, folder):
    services = [part("service"), part("service")]
    started += services
    ports = [int(service.line(r"\d+")[0]) for service in services]
    place, peace = (Place(started, options.bin, folder / name, ports) for name in ("attacked", "peace"))
    tunnels = [place.tunnels[0], *place.tunnels[1:] * 9]  # a tenth of the slow ones goes where the good visitor goes
    crowd = part("slow", "127.0.0.1", place.port, ",".join(tunnels), options.slow, options.idle, options.bombs)
    knocking = part("agents", "127.0.0.1", place.agents, options.agents)
    started += [crowd, knocking]
    crowd.line("here"), knocking.line("here")
    before = place.processor_s()
    visitors = {"visitor": place.visitor(options.seconds), "visitor of a gateway in peace": peace.visitor(options.seconds)}
    started += [*visitors.values()]
    storm = part("storm", place.port, 2000 if options.idle >= 5000 else 800)
    started.append(storm)
    figures = {name: json.loads(one.process.stdout.read()) for name, one in visitors.items()}
    caps = json.loads(storm.process.stdout.read())
    figures["machine"] = {"took longer, times": share(before, place.processor_s()), "load": os.getloadavg()[0]}
    held = {"connections": int(place.metric('ttf_connections{port="public"}')), "MiB": place.rss_kib() // 1024,
            "refused": int(place.metric('ttf_connections_refused_total{port="public"}'))}  # fmt: skip
    rss_kib = place.rss_kib()
    figures |= {"slow and idle": crowd.end(), "agents": knocking.end(), "gateway": held, "one address": caps}
    return figures, list(look(figures, rss_kib, caps))


def main():
    parser = argparse.ArgumentParser(prog="./dev bench --starve", description=__doc__)
    parser.add_argument("--bin", type=Path, required=True, help="folder of ttf and ttf-gateway")
    parser.add_argument("--out", type=Path, help="not used")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--slow", type=int, default=2000)
    parser.add_argument("--idle", type=int, default=5000)
    parser.add_argument("--agents", type=int, default=1000, help="with a wrong token, a second")
    parser.add_argument("--bombs", type=int, default=20, help="heads of 200 000 names, a second")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    started = []
    with tempfile.TemporaryDirectory(prefix="starve-") as name:
        try:
            figures, missed = attack(options, started, Path(name))
        finally:
            for one in reversed(started):
                one.stop()
    for what, found in figures.items():
        print(f"{what}: {json.dumps(found)}")
    for one in missed:
        print(f"MISSED: {one}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
