"""Medians, the table, and the targets."""

import statistics
from dataclasses import dataclass

BASE, OURS = "nginx-2-hops", "tunnel"


@dataclass
class Target:
    """Ours (or that of `whose`) compared with `factor` times a peer's."""

    title: str
    scenario: str
    number: str
    sign: str
    factor: float
    peer: str
    whose: str = OURS


def faster_than_relays(title, scenario):
    return [Target(title, scenario, "mb_per_second", ">=", 1.0, peer) for peer in ("rathole", "bore")]


TARGETS = [
    Target("requests/s, 32 connections", "tiny32", "requests_per_second", ">=", 1.0, BASE),
    Target("requests/s, 32 connections", "tiny32", "requests_per_second", ">=", 6.0, "frp-http"),
    Target("requests/s, 32 connections", "tiny32", "requests_per_second", ">=", 1.7, "frp-tcp"),
    Target("CPU a request, 32 connections", "tiny32", "cpu_us_sum", "<=", 1.0, BASE),
    Target("p50, 1 connection", "tiny1", "p50_us", "<=", 1.3, BASE),
    *faster_than_relays("MB/s, 64 KB x 8", "64k"),
    *faster_than_relays("MB/s, 100 MB down", "down"),
    *faster_than_relays("MB/s, 100 MB up", "up"),
    Target("requests/s with the inspector", "tiny32", "requests_per_second", ">=", 0.93, OURS, "tunnel-inspected"),
    Target("requests/s with Redis, the agent here", "tiny32", "requests_per_second", ">=", 0.95, OURS, "tunnel-redis"),
    Target("requests/s through a peer", "tiny32", "requests_per_second", ">=", 0.6, OURS, "tunnel-peer"),
    Target("goal: requests/s, 32 connections", "tiny32", "requests_per_second", ">=", 1.0, "rathole"),
]


def median_of(runs):
    """Of each number; failures are added up, and a run in which nothing came through is no number."""
    whole = [run for run in runs if run["mb_per_second"]]
    medians = {"failed": sum(run["failed"] for run in runs)}
    if errors := [run["error"] for run in runs if "error" in run]:
        medians["errors"] = errors
    if not whole:
        return medians
    for name, value in whole[0].items():
        if name not in ("failed", "cpu_us", "error"):
            medians[name] = statistics.median(run[name] for run in whole)
    medians["cpu_us"] = {label: statistics.median(run["cpu_us"][label] for run in whole) for label in whole[0]["cpu_us"]}
    medians["cpu_us_sum"] = sum(medians["cpu_us"].values())
    return medians


def ratio(one, other, number):
    if not one or not other or not other.get(number) or number not in one:
        return None
    return one[number] / other[number]


def shown(value, form):
    return "-" if value is None else format(value, form)


def scenario_lines(scenario, peers):
    main = "requests_per_second" if scenario.body_bytes < 1000 else "mb_per_second"
    is_wrk = scenario.loader == "wrk"
    unit, each = ("req/s", "request") if main == "requests_per_second" else ("MB/s", "request" if is_wrk else "MB")
    lines = ["", scenario.title]
    waits = f" {'p50 ms':>8} {'p99 ms':>8}" if is_wrk else ""
    lines.append(f"  {'':14} {unit:>9}{waits} {'failed':>7} {'x nginx':>8} {'tunnel x':>8} {'loader':>7}  CPU us a {each}")
    for peer, m in peers.items():
        waits = ""
        if is_wrk:
            waits = "".join(f" {shown(m[n] / 1000 if n in m else None, '.2f'):>8}" for n in ("p50_us", "p99_us"))
        parts = " + ".join(f"{label} {value:.1f}" for label, value in m.get("cpu_us", {}).items())
        lines.append(
            f"  {peer:14} {shown(m.get(main), '.0f'):>9}{waits} {m['failed']:7}"
            f" {shown(ratio(m, peers.get(BASE), main), '.2f'):>8} {shown(ratio(peers.get(OURS), m, main), '.2f'):>8}"
            f" {shown(m.get('loader'), '.0%'):>7}  " + (f"{m['cpu_us_sum']:.1f} ({parts})" if parts else "")
        )
    return lines


def judge(target, medians):
    """A row: pass, miss, or that it was not measured."""
    peers = medians.get(target.scenario, {})
    ours, other = peers.get(target.whose), peers.get(target.peer)
    if not ours or not other:
        return None, "not measured"
    if ours["failed"]:
        return None, f"miss ({ours['failed']} failed)"
    found = ratio(ours, other, target.number)
    if found is None:
        return None, "no number of the peer"
    met = found >= target.factor if target.sign == ">=" else found <= target.factor
    return found, "pass" if met else "miss"


def target_rows(medians):
    rows = []
    for target in TARGETS:
        found, verdict = judge(target, medians)
        rows.append({**vars(target), "found": found, "verdict": verdict})
    return rows


def table(scenarios, medians, memory, settings, missing):
    lines = []
    for scenario in scenarios:
        lines += scenario_lines(scenario, medians[scenario.name])
    for scenario in scenarios:
        for peer, m in medians[scenario.name].items():
            lines += [f"  {scenario.name}: {peer}: {error}" for error in m.get("errors", [])]
    lines += ["", "x nginx: of the two hops' figure; tunnel x: the tunnel's figure in multiples of this one;"]
    lines += ["loader: CPU time of wrk or curl, 100% is a core: near it, the loader is what was measured."]
    lines += ["", "resident memory afterwards, MiB"]
    lines += [f"  {peer:14} " + ", ".join(f"{label} {kib / 1024:.1f}" for label, kib in one.items()) for peer, one in memory.items() if one]
    lines += ["", "settings"] + [f"  {peer:14} {text}" for peer, text in settings.items()]
    if missing:
        lines += ["", "not measured, or died"] + [f"  {peer:14} {why}" for peer, why in missing.items()]
    lines += ["", "targets: the tunnel's figure in multiples of the peer's"]
    for row in target_rows(medians):
        want = f"{row['sign']} {row['factor']:g} x {row['peer']}"
        lines.append(f"  {row['title']:38} {want:22} {shown(row['found'], '.2f'):>6}  {row['verdict']}")
    return "\n".join(lines)
