"""Builds, once, what the bench runs beside the tunnel: the peers that Debian has no package of, out of their package
registries, and the C programs of this folder. Quietly: what the compilers say is in a log beside the programs. Nothing of
the peers' code is in this repository."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FRP, RATHOLE, BORE = "v0.65.0", "0.5.0", "0.6.0"
TIME_LIMIT = 1500
CC = ["cc", "-O2", "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra"]


class NotBuilt(Exception):
    """Why a program is not there, in a few words."""


def run(log, *command, cwd=None, env=None):
    if not shutil.which(command[0]):
        raise NotBuilt(f"{command[0]} is not installed")
    with log.open("ab") as out:
        arguments = ["nice", *map(str, command)]
        try:
            status = subprocess.run(
                arguments, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **(env or {})}, timeout=TIME_LIMIT
            ).returncode
        except subprocess.TimeoutExpired:
            status = "out of time"
    if status != 0:
        raise NotBuilt(f"{command[0]} failed ({status}): {log}")


def frp(folder, log):
    """The module's source is copied to a place of its own: its go.mod replaces a module, which Go heeds in a main module only."""
    if not shutil.which("go"):
        raise NotBuilt("go is not installed")
    asked = subprocess.run(
        ["go", "mod", "download", "-json", f"github.com/fatedier/frp@{FRP}"], cwd=folder, capture_output=True, text=True, timeout=TIME_LIMIT
    )
    answer = json.loads(asked.stdout or "{}")
    if "Dir" not in answer:
        raise NotBuilt(f"not to be downloaded: {answer.get('Error', asked.stderr).strip()}")
    source = folder / "frp-source"
    shutil.rmtree(source, ignore_errors=True)
    try:
        shutil.copytree(answer["Dir"], source)
        source.chmod(0o755)
        out = {"GOBIN": str(folder / "bin"), "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
        run(log, "go", "install", "-trimpath", "./cmd/frpc", "./cmd/frps", cwd=source, env=out)
    finally:
        subprocess.run(["chmod", "-R", "u+w", source], check=False)
        shutil.rmtree(source, ignore_errors=True)


def rathole(folder, log):
    """Not --locked: what its lock file names, today's Rust no longer compiles (time 0.3.29)."""
    only = ["--no-default-features", "--features", "server,client"]
    run(log, "cargo", "install", "--root", folder, f"rathole@{RATHOLE}", *only)


def bore(folder, log):
    run(log, "cargo", "install", "--locked", "--root", folder, f"bore-cli@{BORE}")


def sink(folder, log):
    run(log, *CC, HERE / "sink.c", "-o", folder / "bin" / "sink", "-pthread", "-lcrypto")


def idle_agents(folder, log):
    """On the libraries of the release build."""
    parts = [ROOT / "build" / f"libcommon_{name}.a" for name in ("link", "protocol", "http", "base")]
    target = folder / "bin" / "idle_agents"
    run(log, *CC, "-I", ROOT / "common", HERE / "idle_agents.c", "-o", target, *parts, "-lnghttp2", "-ljansson")


def rewrite_bodies(folder, log):
    parts = [ROOT / "build" / f"libcommon_{name}.a" for name in ("rewrite", "http", "base")]
    target = folder / "bin" / "rewrite_bodies"
    run(log, *CC, "-I", ROOT / "common", HERE / "rewrite_bodies.c", "-o", target, *parts, "-lz", "-lbrotlidec", "-lbrotlienc", "-lzstd")


# name: how, its programs, the version that is written into a stamp (None: ours, built each time)
TOOLS = {
    "frp": (frp, ["frps", "frpc"], FRP),
    "rathole": (rathole, ["rathole"], RATHOLE),
    "bore": (bore, ["bore"], BORE),
    "sink": (sink, ["sink"], None),
    "idle_agents": (idle_agents, ["idle_agents"], None),
    "rewrite_bodies": (rewrite_bodies, ["rewrite_bodies"], None),
}


def need(folder, name):
    """The folder of the programs of that tool, built if they are not; raises NotBuilt."""
    build, programs, version = TOOLS[name]
    bin_dir, stamp, log = folder / "bin", folder / f"{name}.version", folder / f"{name}.log"
    bin_dir.mkdir(parents=True, exist_ok=True)
    there = all((bin_dir / program).exists() for program in programs)
    if version and there and stamp.exists() and stamp.read_text() == version:
        return bin_dir
    if version:
        print(f"Building {name} {version} (once; what the compiler says is in {log})", file=sys.stderr, flush=True)
    log.unlink(missing_ok=True)
    build(folder, log)
    if version:
        stamp.write_text(version)
    return bin_dir
