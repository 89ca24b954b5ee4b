#!/usr/bin/env python3
"""Do the targets find bugs? Each patch of tests/fuzz/seeded puts one in (and names the target that should see it); its file is
built alone, linked in front of the rest, and the target run on the corpus of the repository until it finds something.

    seeded.py [--seconds N] [PATCH...]  each for so long at most (180); PATCH is a name without .patch

`./dev fuzz --seeded` builds the targets first and then starts this.
"""

import argparse
import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import fuzz

PATCHES = fuzz.HERE / "seeded"
WORK = fuzz.BUILD / "seeded"


@dataclass
class Bug:
    name: str
    target: str
    kind: str
    file: str  # that it is in
    patch: Path


def read(patch: Path) -> Bug:
    text = patch.read_text()
    target, kind, file = (re.search(rf"^{word}(.+)$", text, re.M) for word in ("Target: ", "Kind: ", r"\+\+\+ b/"))
    if not (target and kind and file) or text.count("\n+++ ") != 1:
        raise ValueError(f"{patch.name}: a patch of one file, behind `Target: NAME` and `Kind: WORDS`")
    return Bug(patch.stem, target[1], kind[1], file[1], patch)


def all_bugs() -> list[Bug]:
    return [read(patch) for patch in sorted(PATCHES.glob("*.patch"))]


def apply(bug: Bug, out: Path, root: Path = fuzz.ROOT) -> bool:
    """Writes the file with the bug. False: the patch does not apply any more."""
    out.parent.mkdir(parents=True, exist_ok=True)
    result = subprocess.run(["patch", "--quiet", "--force", "--reject-file=-", "--input", str(bug.patch), "-o",
                             str(out), bug.file], cwd=root, capture_output=True, check=False)
    return result.returncode == 0


def compile_command(bug: Bug, source: Path, out: Path) -> list[str]:
    for entry in json.loads((fuzz.BUILD / "compile_commands.json").read_text()):
        if Path(entry["directory"], entry["file"]).resolve() == fuzz.ROOT / bug.file:
            words = shlex.split(entry["command"])
            words[words.index("-o") + 1] = str(out)
            words[words.index("-c") + 1] = str(source)
            return [*words, "-w"]  # what a bug leaves unused is no matter
    raise ValueError(f"{bug.file} is not built")


def link_command(bug: Bug, thing: Path, out: Path) -> list[str]:
    """The target's own, with the thing in front: what it defines is not taken from the libraries."""
    commands = subprocess.run(["ninja", "-t", "commands", f"fuzz_{bug.target}"], cwd=fuzz.BUILD, capture_output=True, text=True,
                              check=True).stdout.splitlines()
    words = [word for word in shlex.split(commands[-1]) if word not in ("&&", ":")]
    words[words.index("-o") + 1] = str(out)
    first = next(i for i, word in enumerate(words) if word.endswith(".a"))
    return [*words[:first], str(thing), *words[first:]]


def build(bug: Bug, folder: Path) -> Path:
    source, thing, program = folder / Path(bug.file).name, folder / "bug.o", folder / "target"
    if not apply(bug, source):
        raise ValueError(f"{bug.patch.name} does not apply")
    subprocess.run(compile_command(bug, source, thing), cwd=fuzz.BUILD, check=True)
    subprocess.run(link_command(bug, thing, program), cwd=fuzz.BUILD, check=True)
    return program


def hunt(bug: Bug, seconds: int) -> tuple[str, float]:
    """What was found ("": nothing), and after how many seconds."""
    folder = WORK / bug.name
    shutil.rmtree(folder, ignore_errors=True)
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    program = build(bug, folder)
    begin = time.monotonic()
    result = subprocess.run([program, f"-max_total_time={seconds}", f"-max_len={fuzz.INPUT_BYTES}", f"-rss_limit_mb={fuzz.MEMORY_MB}",
                             f"-artifact_prefix={folder}/", corpus, *fuzz.seeds(bug.target)],
                            capture_output=True, check=False)
    return fuzz.what_was_found(result.stderr.decode(errors="replace"), result.returncode), time.monotonic() - begin


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev fuzz --seeded", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=180, help="for each bug at most (180)")
    parser.add_argument("names", nargs="*", metavar="PATCH", help="a name without .patch; all")
    chosen = parser.parse_args(arguments)
    bugs = [bug for bug in all_bugs() if not chosen.names or bug.name in chosen.names]
    if len(bugs) < len(chosen.names) or not bugs:
        parser.error("no such patch")
    missed = []
    for bug in bugs:
        found, seconds = hunt(bug, chosen.seconds)
        print(f"{bug.name}: {bug.kind}, in {bug.file}: " + (f"found after {seconds:.1f} s ({found})" if found else "NOT found"),
              flush=True)
        if not found:
            missed.append(bug.name)
    print(f"{len(bugs)} bugs, {len(bugs) - len(missed)} found" + (f"; not found: {', '.join(missed)}" if missed else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
