#!/usr/bin/env python3
"""Writes what each program is linked of, as CycloneDX (JSON): OUT/PROGRAM.cdx.json.

    sbom.py OUT PROGRAM...

A dynamic program: the libraries that the loader finds on this machine, and the Debian packages that hold them. A static one
(build/packages/ttf-linux-*, ttf-macos-*, ttf-windows-*, build/lambda/*/bootstrap): the libraries of its link line, by the list of versions that
the script leaves beside them which made them (sysroot.sh). Each component tells the source package, by which Debian counts faults.
"""

import hashlib
import json
import re
import subprocess
import sys
import uuid
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[1]
ARCHITECTURES = {"Advanced Micro Devices X86-64": "x86_64", "AArch64": "arm64"}
LOADED = {"ttf-gateway": ["libwebsockets-evlib-uv"], "ttf-apigw": ["libwebsockets-evlib-uv"]}  # opened at run time
ALWAYS = ["libc.a"]  # of a static program for Linux, without being named
MACH_O = b"\xcf\xfa\xed\xfe"


def output(*words):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True).stdout


def purl(kind, name, version, **qualifiers):
    tail = "&".join(f"{key}={value}" for key, value in sorted(qualifiers.items()))
    return f"pkg:deb/{kind}/{quote(name, safe='~.-_')}@{quote(version, safe='~.-_')}?{tail}"


def component(name, version, source, source_version, **qualifiers):
    reference = purl("debian", name, version, **qualifiers)
    return {
        "type": "library", "bom-ref": reference, "name": name, "version": version, "purl": reference,
        "properties": [{"name": "debian:source", "value": source}, {"name": "debian:source-version", "value": source_version}],
    }  # fmt: skip


# ---- dynamic ----


def names_of(path):
    """Those by which dpkg may know a file; it may have been told the way before /usr was merged."""
    real = str(path.resolve())
    return [str(path), real, real.removeprefix("/usr")]


def packages_of(paths):
    """The Debian packages that files are of."""
    names = {path: names_of(path) for path in paths}
    asked = sorted(set().union(*names.values()))
    done = subprocess.run(["dpkg-query", "-S", *asked], capture_output=True, text=True)
    owners = {file: owner for owner, _, file in (line.partition(": ") for line in done.stdout.splitlines())}
    found = {path: next((owners[name] for name in names[path] if name in owners), None) for path in paths}
    missing = [str(path) for path, owner in found.items() if not owner]
    if missing:
        sys.exit(f"sbom.py: of no Debian package: {' '.join(missing)}")
    return set(found.values())


def packages_linked(program):
    lines = [line for line in output("ldd", program).splitlines() if "linux-vdso" not in line]
    paths = [re.search(r"(/\S+) \(0x", line) for line in lines]
    if not all(paths):
        sys.exit(f"sbom.py: {program}: a library is not found:\n" + "\n".join(lines))
    return sorted(packages_of([Path(path[1]) for path in paths]) | set(LOADED.get(program.name, [])))


def dynamic_components(program):
    form = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n"
    for line in output("dpkg-query", "-W", "-f", form, *packages_linked(program)).splitlines():
        name, version, architecture, source, source_version = line.split("\t")
        yield component(name, version, source, source_version, arch=architecture)


# ---- static ----


def static_components(program, folder, always):
    known = {file: (name, version) for file, name, version in (line.split() for line in (folder / "root/versions").read_text().splitlines())}
    target = "bootstrap" if program.name == "bootstrap" else "ttf"
    line = output("ninja", "-C", folder / "build", "-t", "commands", target).splitlines()[-1]
    files = [Path(word).name for word in line.split() if word.endswith(".a") and str(folder / "root") in word]
    for name, version in sorted({known[file] for file in files + always}):
        yield component(name, version, name, version, arch="source")


def components_of(program):
    with program.open("rb") as file:
        if file.read(4) == MACH_O:
            return list(static_components(program, ROOT / "build/macos" / program.name.rpartition("-")[2], []))
    if program.suffix == ".exe":
        return list(static_components(program, ROOT / "build/windows/x86_64", []))
    headers = output("readelf", "-hlW", program)
    if "INTERP" in headers:
        return list(dynamic_components(program))
    machine = re.search(r"Machine: +(.*)", headers)[1]
    return list(static_components(program, ROOT / "build/lambda" / ARCHITECTURES[machine], ALWAYS))


def bill(program):
    components = components_of(program)
    version = re.search(r"http_tunnel VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
    digest = hashlib.sha256(program.read_bytes()).hexdigest()
    about = {"type": "application", "bom-ref": program.name, "name": program.name, "version": version,
             "hashes": [{"alg": "SHA-256", "content": digest}]}  # fmt: skip
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
        "metadata": {"component": about}, "components": components,
        "dependencies": [{"ref": program.name, "dependsOn": [one["bom-ref"] for one in components]}],
    }  # fmt: skip


def main(out, *programs):
    Path(out).mkdir(parents=True, exist_ok=True)
    for program in map(Path, programs):
        folder = program.parent.name if program.name == "bootstrap" and program.parent.name in ARCHITECTURES.values() else ""
        file = Path(out) / f"{program.name}{'-' if folder else ''}{folder}.cdx.json"
        made = bill(program)
        file.write_text(json.dumps(made, indent=2) + "\n")
        print(f"{file}: {len(made['components'])} libraries")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
