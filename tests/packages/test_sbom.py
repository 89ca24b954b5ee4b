"""Bills of materials: what they name is what is linked, they are CycloneDX, and a library with a known fault is found."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from conftest import PACKAGES, ROOT, cannot, run
from programs import BIN

VALIDATES = ROOT / "build/cyclonedx/bin/python"
sys.path.insert(0, str(ROOT / "packages"))
import check_vulnerabilities  # noqa: E402

PROGRAMS = [*(BIN / name for name in ("ttf", "ttf-gateway", "ttf-apigw", "bootstrap")), PACKAGES / "ttf-linux-amd64", PACKAGES / "ttf-linux-arm64"]
CORE = {"openssl", "libuv1", "nghttp2", "jansson", "libyaml", "libmicrohttpd", "glibc"}
OF_TTF = {"libseccomp", "qrencode", "zlib", "brotli", "libzstd"}
MORE = {"ttf-gateway": {"libwebsockets", "hiredis", "libseccomp"}, "ttf-apigw": {"libwebsockets", "hiredis", "curl"},
        "ttf": OF_TTF, "ttf-linux-amd64": OF_TTF, "ttf-linux-arm64": OF_TTF}  # fmt: skip


@pytest.fixture(scope="module", params=PROGRAMS, ids=lambda program: program.name)
def bill(request, tmp_path_factory):
    if not request.param.exists():
        cannot(f"there is no {request.param}: ./dev package")
    folder = tmp_path_factory.mktemp("sbom")
    run(ROOT / "packages/sbom.py", folder, request.param)
    return folder / f"{request.param.name}.cdx.json"


def sources(bill):
    return {one["properties"][0]["value"]: one["properties"][1]["value"] for one in json.loads(bill.read_text())["components"]}


def test_it_names_what_is_linked(bill):
    held, name = sources(bill), bill.name.removesuffix(".cdx.json")
    wanted = CORE - {"libyaml", "libmicrohttpd", "nghttp2"} | {"curl"} if name == "bootstrap" else CORE | MORE.get(name, set())
    assert wanted <= set(held)
    assert ("libwebsockets" in held) == (name in ("ttf-gateway", "ttf-apigw"))
    if name in ("ttf", "ttf-gateway", "ttf-linux-amd64"):
        program = next(program for program in PROGRAMS if program.name == name)
        loaded = re.search(r"OpenSSL (\S+)", run(program, "--version"))[1]
        assert held["openssl"].startswith(loaded)


def test_it_is_cyclonedx(bill):
    if not VALIDATES.exists():
        cannot("build/cyclonedx is missing: ./dev test packages")
    script = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
sys.exit(str(JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(sys.argv[1]).read()) or "") or None)
"""
    assert not run(VALIDATES, "-c", script, bill)
    broken = bill.with_suffix(".broken")
    broken.write_text(bill.read_text().replace('"library"', '"bookshelf"', 1))
    assert subprocess.run([VALIDATES, "-c", script, broken], capture_output=True).returncode == 1


@pytest.mark.skipif(not shutil.which("dpkg"), reason="no dpkg")
def test_nothing_in_it_is_known_to_be_vulnerable(bill, tmp_path):
    look = ROOT / "packages/check_vulnerabilities.py"
    assert run(look, bill).endswith(" 0 found\n")
    old = json.loads(bill.read_text())
    told = next(one for one in old["components"] if one["properties"][0]["value"] == "openssl")
    told["properties"][1]["value"] = "3.0.14-1~deb12u1"
    (tmp_path / "old.json").write_text(json.dumps(old))
    done = subprocess.run([look, tmp_path / "old.json"], capture_output=True, text=True)
    assert done.returncode == 1 and re.findall(r"CVE-\d+-\d+", done.stdout) == ["CVE-2024-6119"]


def test_the_list_of_known_faults():
    known = json.loads(check_vulnerabilities.KNOWN.read_text())
    assert len({entry["id"] for entry in known}) == len(known) > 10
    for entry in known:
        assert set(entry) == {"id", "package", "fixed", "about"} and re.fullmatch(r"CVE-\d{4}-\d{4,}", entry["id"])
        run("dpkg", "--validate-version", entry["fixed"])
