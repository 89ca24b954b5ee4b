"""How fast bodies pass through path mode's chain, in one thread: `./dev bench --rewrite [--seconds 2]`."""

import argparse
import subprocess
from pathlib import Path

import tools


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="not used: the chain is measured by itself")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", default="2", help="of each")
    options = parser.parse_args()
    programs = tools.need(options.out, "rewrite_bodies")
    subprocess.run([programs / "rewrite_bodies", options.seconds], check=True)


if __name__ == "__main__":
    main()
