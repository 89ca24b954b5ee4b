"""One visitor of a quiet tunnel, one request after the other, and 64 of a greedy one, who ask without end: how much longer do the answers
of the first take? Compared with the time when nobody else is there, and with the time while the greedy tunnel is on a second gateway of
the same machine (that is what the machine makes of it); beside it on its gateway, and in its ttf, too. Gateways have a core of their own, as if they were a machine of their own; all
else that is the greedy one's gives way to what is the quiet one's, but for a ttf of both. `./dev bench --fair [--seconds N] [--rounds N]`: each round measures
all, and medians are told."""

import argparse
import os
import re
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import loaders
from peers import Tunnel, Web, wait_line

CONNECTIONS, LEAD_S = 64, 1
CORES = sorted(os.sched_getaffinity(0))
GATEWAYS, OTHERS = CORES[0], CORES[1:] or CORES
GIVE_WAY = ["chrt", "--idle", "0"]
ONE = loaders.Scenario("one", "13 B, 1 connection", "wrk")
PLACES = ("elsewhere", "one gateway", "one ttf")
WISHES = {"64 x 13 B": "", "64 x 64 KB": "64k"}


class Placed:
    """A gateway runs on the first core, whosever it is; `words` say how all else is run, which is on the others."""

    words = []

    def run(self, label, *arguments, env=None):
        words = ["taskset", "--cpu-list", str(GATEWAYS)] if label == "gateway" else self.words
        return super().run(label, *words, *arguments, env=env)


class GivingWay(Placed):
    words = GIVE_WAY


class GreedyWeb(GivingWay, Web):
    name = "web-of-the-greedy"


class Quiet(Placed, Tunnel):
    name = "quiet"

    def start(self):
        self.place = self.gateway("gateway")
        self.tunnel(*self.place)


class Greedy(GivingWay, Tunnel):
    """On the gateway of the quiet one."""

    name = "greedy"
    place = None

    def start(self):
        self.tunnel(*self.place)


class Elsewhere(GivingWay, Tunnel):
    """On a gateway of its own."""

    name = "elsewhere"


@dataclass
class Side:
    url: str
    headers: dict


class Both(Placed, Tunnel):
    """A quiet one and a greedy one of one ttf, on the gateway of the quiet one."""

    name = "both"
    place = greedy_service = None

    def start(self):
        endpoint, public = self.place
        config = self.folder / "ttf.yaml"
        services = {"quiet": self.service.port, "greedy": self.greedy_service.port}
        config.write_text(f"endpoint: {endpoint}\ntunnels: {services}\n")
        log = self.run("ttf", self.bin / "ttf", "--config", config, env={"XDG_STATE_HOME": str(self.folder), "TTF_INSPECT": "off"})
        self.url = f"http://{public}/"
        found = [wait_line(log, rf"{label}: Tunnel established: http://([^.]+)", self.processes["ttf"])[1] for label in services]
        self.headers, greedy_headers = ({"Host": f"{name}.localhost"} for name in found)
        self.greedy = Side(self.url, greedy_headers)


def take(greedy, path, seconds):
    host = greedy.headers["Host"]
    command = [*GIVE_WAY, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-H", f"Host: {host}", greedy.url + path]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def ask(quiet, seconds):
    good, figures = loaders.wrk(quiet, ONE, seconds)
    if figures["failed"] or not good:
        raise RuntimeError(f"the quiet tunnel's visitor got {good} answers, and {figures['failed']} failed")
    return figures["p50_us"] / 1000, figures["p99_us"] / 1000


def beside(quiet, greedy, path, seconds):
    taker = take(greedy, path, seconds + 2 * LEAD_S)
    try:
        taker.wait(LEAD_S)
        raise RuntimeError(f"wrk ended: {taker.stdout.read()}")
    except subprocess.TimeoutExpired:
        pass
    p50, p99 = ask(quiet, seconds)
    return p50, p99, float(re.search(r"Requests/sec: +([\d.]+)", taker.communicate()[0])[1])


def median(rows):
    return [statistics.median(column) for column in zip(*rows)]


def show(found):
    alone = median(found["alone", None])[1]
    print("the quiet one's requests          p50 ms   p99 ms   p99, times: alone   elsewhere   greedy requests/s")
    print(f"{'alone':32}  {median(found['alone', None])[0]:7.2f}  {alone:7.2f}")
    for wish in WISHES:
        control = median(found[wish, "elsewhere"])[1]
        for where in PLACES:
            p50, p99, taken = median(found[wish, where])
            what = f"beside {wish}, {where}"
            print(f"{what:32}  {p50:7.2f}  {p99:7.2f}  {p99 / alone:18.1f}  {p99 / control:10.1f}  {taken:18.0f}")


def start(made, peer):
    made.append(peer)
    peer.start()
    peer.wait_answer()
    return peer


def measure(options, folder, made):
    web, greedy_web = (start(made, kind(folder, options.bin, options.out)) for kind in (Web, GreedyWeb))
    quiet = start(made, Quiet(folder, options.bin, options.out, web))
    elsewhere = start(made, Elsewhere(folder, options.bin, options.out, greedy_web))
    greedy, both = Greedy(folder, options.bin, options.out, greedy_web), Both(folder, options.bin, options.out, web)
    greedy.place = both.place = quiet.place
    both.greedy_service = greedy_web
    start(made, greedy)
    start(made, both)
    pairs = dict(zip(PLACES, [(quiet, elsewhere), (quiet, greedy), (both, both.greedy)]))
    found = {}
    for _ in range(options.rounds):
        found.setdefault(("alone", None), []).append(ask(quiet, options.seconds))
        for wish, path in WISHES.items():
            for where, (asked, taken) in pairs.items():
                found.setdefault((wish, where), []).append(beside(asked, taken, path, options.seconds))
    show(found)


def main():
    parser = argparse.ArgumentParser(prog="./dev bench --fair", description=__doc__)
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for what is built")
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.sched_setaffinity(0, OTHERS)
    made = []
    with tempfile.TemporaryDirectory(prefix="ttf-bench-") as folder:
        try:
            measure(options, Path(folder), made)
        finally:
            for peer in reversed(made):
                peer.stop()


if __name__ == "__main__":
    main()
