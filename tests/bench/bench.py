"""Measures the tunnel on loopback, side by side with direct access, two hops of nginx, frp, rathole and bore, the rounds of
all of them interleaved, so that what else the machine does meets all of them alike. Prints a table of medians, says which
targets are met, and writes all numbers as JSON. Not a test with a time limit: `./dev bench`."""

import argparse
import datetime
import json
import os
import platform
import signal
import sys
import tempfile
from pathlib import Path

from loaders import SCENARIOS, measure
from peers import FILES, PEERS, SERVICES, rss_kib
from report import median_of, table, target_rows
from tools import NotBuilt


class Field:
    """Everybody who is measured: `by_service` has, for each local service, its peers by name, itself first."""

    def __init__(self, folder, options, names):
        self.folder, self.options, self.names = folder, options, names
        self.by_service, self.started, self.missing, self.settings = {}, [], {}, {}

    def add(self, kind, service=None):
        peer = kind(self.folder, self.options.bin, self.options.out / "tools", service)
        self.started.append(peer)
        peer.start()
        peer.wait_answer()
        if peer.settings:
            self.settings[peer.name] = peer.settings
        return peer

    def start(self, service_name):
        service = self.add(SERVICES[service_name])
        peers = self.by_service[service_name] = {service.name: service}
        for kind in PEERS:
            if kind.name in self.missing or (self.names and kind.name not in self.names):
                continue
            try:
                peers[kind.name] = self.add(kind, service)
            except (NotBuilt, RuntimeError, OSError) as why:
                self.missing[kind.name] = str(why).strip()

    def stop(self):
        for peer in reversed(self.started):
            peer.stop()

    def look_for_dead(self):
        for peer in self.started:
            if peer.died():
                self.missing.setdefault(peer.name, f"ended while it was measured: {', '.join(peer.died())}")

    def memory(self):
        """By peer; where it runs for several services, the larger of each process."""
        memory = {}
        for peers in self.by_service.values():
            for peer in peers.values():
                one = memory.setdefault(peer.name, {})
                for label, pid in peer.pids.items():
                    one[label] = max(one.get(label, 0), rss_kib(pid))
        return memory


def run_all(field, scenarios, options, upload_file):
    runs = {s.name: {name: [] for name in field.by_service[s.service]} for s in scenarios}
    for scenario in scenarios:
        for peer in field.by_service[scenario.service].values():
            measure(peer, scenario, 1, upload_file)  # connections open, caches warm
    for number in range(options.rounds):
        for scenario in scenarios:
            for name, peer in field.by_service[scenario.service].items():
                print(f"round {number + 1}: {scenario.title}: {name}", file=sys.stderr)
                runs[scenario.name][name].append(measure(peer, scenario, options.seconds, upload_file))
    return runs


def parse():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--bin", type=Path, required=True, help="folder of ttf and ttf-gateway")
    parser.add_argument("--before", type=Path, help="folder of another build of both programs, measured in the same rounds")
    parser.add_argument("--out", type=Path, required=True, help="folder for the numbers, and for the peers that are built")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="of each run of wrk")
    parser.add_argument("--only", default="", help="these scenarios, with commas: " + ", ".join(s.name for s in SCENARIOS))
    parser.add_argument("--peers", default="", help="these peers, with commas: " + ", ".join(p.name for p in PEERS))
    options = parser.parse_args()
    if options.before:
        os.environ["TTF_BENCH_BEFORE"] = str(options.before.resolve())
    only, names = (set(filter(None, text.split(","))) for text in (options.only, options.peers))
    if unknown := (only - {s.name for s in SCENARIOS}) | (names - {p.name for p in PEERS}):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return options, [s for s in SCENARIOS if not only or s.name in only], names


def main():
    options, scenarios, names = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options.out = options.out.resolve()

    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        upload_file = folder / "upload"
        upload_file.write_bytes(os.urandom(FILES["100m"]))
        field = Field(folder, options, names)
        try:
            for service in dict.fromkeys(s.service for s in scenarios):
                field.start(service)
            runs = run_all(field, scenarios, options, upload_file)
            memory = field.memory()
            field.look_for_dead()
        finally:
            field.stop()

    medians = {scenario: {peer: median_of(one) for peer, one in by_peer.items()} for scenario, by_peer in runs.items()}
    print(table(scenarios, medians, memory, field.settings, field.missing))
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    document = {
        "time": stamp,
        "machine": {"cpus": os.cpu_count(), "system": platform.platform()},
        "rounds": options.rounds,
        "seconds": options.seconds,
        "settings": field.settings,
        "missing": field.missing,
        "medians": medians,
        "targets": target_rows(medians),
        "rss_kib": memory,
        "runs": runs,
    }
    for name in (f"{stamp}.json", "latest.json"):
        (options.out / name).write_text(json.dumps(document, indent=1) + "\n")
    print(f"\nAll numbers: {options.out / 'latest.json'}")


if __name__ == "__main__":
    main()
