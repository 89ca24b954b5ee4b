"""What `./dev package` has made, and places to try it in."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
PACKAGES = ROOT / "build/packages"


def cannot(why):
    """Skips a test; in CI, which has what the tests need, fails it."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def run(*words, **more):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=600, **more)
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return done.stdout


def dependencies(deb):
    """Names of the packages that it depends on, the first of alternatives."""
    fields = run("dpkg-deb", "-f", deb, "Depends").split(",")
    return {field.split("|")[0].split("(")[0].strip().partition(":")[0] for field in fields if field.strip()}


@pytest.fixture(scope="session")
def debs():
    found = {file.name.partition("_")[0]: file for file in PACKAGES.glob("*.deb")}
    if not found:
        cannot("there are no Debian packages: ./dev package")
    assert set(found) == {"ttf", "ttf-gateway"}
    return found


def archive():
    """The address of this machine's Debian archive, and its release."""
    release = next(line.partition("=")[2] for line in Path("/etc/os-release").read_text().splitlines() if line.startswith("VERSION_CODENAME="))
    for line in run("apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)", "Created-By: Packages").splitlines():
        site, suite, component = line.split()
        if suite == release and component == "main":
            return site, release
    pytest.skip(f"apt of this machine knows no archive of {release}")


@pytest.fixture(scope="session")
def debian(debs):
    """A minimal Debian with what the packages depend on; made once."""
    if os.getuid() != 0 or not shutil.which("debootstrap"):
        pytest.skip("needs root and debootstrap")
    wanted = sorted(set().union(*map(dependencies, debs.values())))
    root, made = PACKAGES / "root", PACKAGES / "root.of"
    if not made.exists() or made.read_text() != " ".join(wanted):
        shutil.rmtree(root, ignore_errors=True)
        site, release = archive()
        run("debootstrap", "--variant=minbase", f"--include={','.join(wanted)}", release, root, site)
        made.write_text(" ".join(wanted))
    return root


@pytest.fixture
def system(debian, tmp_path):
    """A copy of it, to be changed."""
    root = tmp_path / "system"
    run("cp", "-a", debian, root)
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    yield root
    shutil.rmtree(root)
