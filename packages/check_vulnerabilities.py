#!/usr/bin/env python3
"""Looks up the libraries of bills of materials (sbom.py) in packages/known_vulnerabilities.json; exit code 1 for a hit.

    check_vulnerabilities.py BILL.cdx.json...

An entry names Debian's source package and the version that has the fault no more; versions are compared as dpkg does. The list
is kept by hand: it knows what stands in it, and is no substitute for Debian's security tracker.
"""

import json
import subprocess
import sys
from pathlib import Path

KNOWN = Path(__file__).with_name("known_vulnerabilities.json")


def is_before(version, fixed):
    return subprocess.run(["dpkg", "--compare-versions", version, "lt", fixed]).returncode == 0


def hits(bill, known):
    """(entry, source package, version) of each fault in it."""
    for component in bill["components"]:
        told = {one["name"]: one["value"] for one in component.get("properties", [])}
        source, version = told["debian:source"], told["debian:source-version"]
        for entry in known:
            if entry["package"] == source and is_before(version, entry["fixed"]):
                yield entry, source, version


def main(files):
    known, found = json.loads(KNOWN.read_text()), 0
    for file in files:
        bill = json.loads(Path(file).read_text())
        name = bill["metadata"]["component"]["name"]
        for entry, source, version in hits(bill, known):
            found += 1
            print(f"{name}: {source} {version} has {entry['id']} ({entry['about']}), fixed in {entry['fixed']}")
    print(f"{len(files)} programs, {len(known)} known faults, {found} found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if len(sys.argv) > 1 else __doc__)
