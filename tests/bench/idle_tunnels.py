"""Opens many idle tunnels on one gateway (tests/bench/idle_agents.c, protocol v2), lets keep-alives keep them for a while,
and reports the gateway's resident memory for each. Then one request goes to every tunnel: all must answer.
`./dev bench --idle [--tunnels 10000] [--wait 120]`; ends with 1 where the target or a tunnel is missed."""

import argparse
import http.client
import json
import re
import resource
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import tools
from peers import Peer, cpu_seconds, rss_kib, wait_line

TARGET_KIB = 16


class Gateway(Peer):
    name = "gateway"

    def start(self):
        any_port = "127.0.0.1:0"
        log = self.run(
            "gateway", self.bin / "ttf-gateway", "--public-listen", any_port, "--agent-listen", any_port,
            "--admin-listen", any_port, "--state-dir", self.folder / "state", "--log-level", "warn",
        )  # fmt: skip
        wait_line(log, r"^Ready", self.processes["gateway"])
        self.agent_port = int(wait_line(log, r"^Agents: .*:(\d+)", self.processes["gateway"])[1])
        self.public = wait_line(log, r"^Public: +http://(\S+)", self.processes["gateway"])[1]

    @property
    def pid(self):
        return self.processes["gateway"].pid


class Agents(Peer):
    name = "agents"
    tool = "idle_agents"

    def start(self, port, count):
        self.log = self.run("agents", self.bin / "idle_agents", port, count)
        wait_line(self.log, rf"^all {count}$", self.processes["agents"], seconds=180)

    def urls(self):
        return re.findall(r"^url (\S+)$", self.log.read_text(), re.M)

    def lost(self):
        return len(re.findall(r"^lost ", self.log.read_text(), re.M))


def raise_file_limit(count):
    """For us and for what we start."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 1000
    if hard != resource.RLIM_INFINITY and hard < wanted:
        hard = wanted  # only root may
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else max(soft, wanted), hard))


def visit_all(public, urls):
    """How many answer 200, asked one after the other on one connection."""
    connection, answered = http.client.HTTPConnection(public, timeout=10), 0
    for url in urls:
        connection.request("GET", "/", headers={"Host": urlsplit(url).netloc})
        response = connection.getresponse()
        response.read()
        answered += response.status == 200
    connection.close()
    return answered


def measure(gateway, agents, options):
    empty_kib = rss_kib(gateway.pid)
    begin = time.monotonic()
    agents.start(gateway.agent_port, options.tunnels)
    opened_s = time.monotonic() - begin
    opened_kib, cpu = rss_kib(gateway.pid), cpu_seconds(gateway.pid)
    end = time.monotonic() + options.wait
    while time.monotonic() < end and not agents.died() and not gateway.died():
        time.sleep(1)
    idle_cpu = (cpu_seconds(gateway.pid) - cpu) / max(1, options.wait)
    after_kib = rss_kib(gateway.pid)
    lost = agents.lost()
    answered = visit_all(gateway.public, agents.urls())
    return {
        "tunnels": options.tunnels,
        "wait_s": options.wait,
        "opened_s": opened_s,
        "lost": lost,
        "answered": answered,
        "gateway_rss_kib": {"empty": empty_kib, "opened": opened_kib, "after_wait": after_kib, "after_visits": rss_kib(gateway.pid)},
        "bytes_a_tunnel": (after_kib - empty_kib) * 1024 / options.tunnels,
        "gateway_cpu_while_idle": idle_cpu,
        "agents_rss_kib": rss_kib(agents.processes["agents"].pid),
    }


def main():
    parser = argparse.ArgumentParser(prog="./dev bench --idle", description=__doc__)
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tunnels", type=int, default=10000)
    parser.add_argument("--wait", type=int, default=120, help="seconds of nothing but keep-alives")
    options = parser.parse_args()
    raise_file_limit(options.tunnels)
    started = []
    with tempfile.TemporaryDirectory(prefix="idle-") as folder:
        try:
            for kind in (Gateway, Agents):
                started.append(kind(Path(folder), options.bin, options.out.resolve() / "tools"))
            started[0].start()
            found = measure(*started, options)
        finally:
            for one in reversed(started):
                one.stop()
    rss = found["gateway_rss_kib"]
    print(f"{found['tunnels']} idle tunnels, opened in {found['opened_s']:.1f} s, left alone for {found['wait_s']} s")
    print("  gateway's resident memory, MiB: " + ", ".join(f"{when} {kib / 1024:.1f}" for when, kib in rss.items()))
    print(f"  its CPU time meanwhile: {found['gateway_cpu_while_idle']:.1%} of a core")
    alive = found["lost"] == 0 and found["answered"] == found["tunnels"]
    print(f"  lost {found['lost']}; {found['answered']} of {found['tunnels']} answer a visitor: {'pass' if alive else 'miss'}")
    kib = found["bytes_a_tunnel"] / 1024
    print(f"  {found['bytes_a_tunnel']:.0f} bytes a tunnel, {kib:.1f} KiB (target {TARGET_KIB}): {'pass' if kib <= TARGET_KIB else 'miss'}")
    (options.out / "idle.json").write_text(json.dumps(found, indent=1) + "\n")
    sys.exit(0 if alive and kib <= TARGET_KIB else 1)


if __name__ == "__main__":
    main()
