"""What sends the requests: wrk for many, curl for one long stream. Each run gives numbers of one shape:

    requests_per_second, p50_us, p99_us   wrk's
    mb_per_second                         of bodies, 10^6 bytes
    failed                                requests that got no answer of 2xx
    loader                                its own CPU time, as a part of the run: near 1, it is what was measured
    cpu_us                                by process of the peer: for a request (wrk), for a megabyte (curl)
    error                                 what the loader said where something failed
"""

import json
import resource
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from peers import FILES, cpu_seconds

HERE = Path(__file__).resolve().parent
ERRORS = ("connect", "read", "write", "status", "timeout")
TRANSFERS = 8  # of one run of curl, one after the other on one connection


@dataclass
class Scenario:
    name: str
    title: str
    loader: str  # "wrk" or "curl"
    connections: int = 1
    path: str = ""
    body_bytes: int = 13
    service: str = "web"


SCENARIOS = [
    Scenario("tiny1", "13 B, 1 connection", "wrk"),
    Scenario("tiny32", "13 B, 32 connections", "wrk", 32),
    Scenario("64k", "64 KB, 8 connections", "wrk", 8, "64k", FILES["64k"]),
    Scenario("down", "100 MB download, one stream", "curl", 1, "100m", FILES["100m"]),
    Scenario("up", "100 MB upload, one stream", "curl", 1, "100m", FILES["100m"], "sink"),
]


def wrk(peer, scenario, seconds):
    command = ["wrk", "-t", "1", "-c", scenario.connections, "-d", f"{seconds}s", "--latency", "--timeout", "10s"]
    command += ["-s", HERE / "report.lua"]
    for name, value in peer.headers.items():
        command += ["-H", f"{name}: {value}"]
    done = subprocess.run([*map(str, command), peer.url + scenario.path], capture_output=True, text=True, timeout=seconds + 60)
    line = next((line for line in done.stdout.splitlines() if line.startswith("JSON ")), None)
    if not line:
        raise RuntimeError(done.stdout + done.stderr)
    n = json.loads(line[5:])
    good, took = n["requests"] - n["status"], n["duration_us"] / 1e6
    return good, {
        "requests_per_second": good / took,
        "mb_per_second": good * scenario.body_bytes / took / 1e6,
        "p50_us": n["p50_us"],
        "p99_us": n["p99_us"],
        "failed": sum(n[kind] for kind in ERRORS),
    }


def curl(peer, scenario, seconds, upload_file):
    """`seconds` is how long it is given for what should take tenths of one."""
    command = ["curl", "-sS", "--max-time", str(10 + 2 * seconds), "-w", r"%{http_code} %{size_download} %{size_upload} %{time_total}\n"]
    for name, value in peer.headers.items():
        command += ["-H", f"{name}: {value}"]
    is_upload = scenario.name == "up"
    for number in range(TRANSFERS):
        command += ["-o", "/dev/null", f"{peer.url}{scenario.path}?{number}"]
        if is_upload:
            command += ["-T", str(upload_file)]
    if is_upload:
        command += ["-H", "Expect:"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TRANSFERS * (10 + 2 * seconds) + 10)
    rows = [line.split() for line in done.stdout.splitlines()]
    whole = [float(r[3]) for r in rows if r[0] == "200" and int(r[2 if is_upload else 1]) == scenario.body_bytes]
    megabytes = len(whole) * scenario.body_bytes / 1e6
    run = {"mb_per_second": megabytes / sum(whole) if whole else 0.0, "failed": TRANSFERS - len(whole)}
    if run["failed"]:
        run["error"] = f"{done.stderr.strip()} (code, down, up, seconds: {'; '.join(done.stdout.splitlines())})"
    return megabytes, run


def own_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(peer, scenario, seconds, upload_file):
    before, loader, begin = {label: cpu_seconds(pid) for label, pid in peer.pids.items()}, own_cpu(), time.monotonic()
    try:
        if scenario.loader == "wrk":
            units, run = wrk(peer, scenario, seconds)
        else:
            units, run = curl(peer, scenario, seconds, upload_file)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        units, run = 0, {"mb_per_second": 0.0, "failed": 1, "error": str(error)}
    used = {label: cpu_seconds(pid) - before[label] for label, pid in peer.pids.items()}
    run["loader"] = (own_cpu() - loader) / (time.monotonic() - begin)
    run["cpu_us"] = {label: spent * 1e6 / units if units else 0.0 for label, spent in used.items()}
    return run
