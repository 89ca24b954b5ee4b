"""The formula for Homebrew and the expression for Nix: they are read by the tools that will read them, and name what CMake wants."""

import re
import shutil

import pytest

from conftest import ROOT, cannot, run

READERS = {"homebrew/ttf.rb": ["ruby", "-wc"], "nix/default.nix": ["nix-instantiate", "--parse"]}
# The pkg-config modules of CMakeLists.txt, by the names that they have elsewhere.
NAMES = {
    "jansson": "jansson", "libjwt": "libjwt", "libcrypto": "openssl", "libssl": "openssl", "libcurl": "curl", "libcares": "c-ares",
    "zlib": "zlib", "libbrotlidec": "brotli", "libbrotlienc": "brotli", "libzstd": "zstd", "libmicrohttpd": "libmicrohttpd",
    "yaml-0.1": "libyaml", "libnghttp2": "nghttp2", "libwebsockets": "libwebsockets", "hiredis": "hiredis", "hiredis_ssl": "hiredis",
    "libuv": "libuv", "libqrencode": "qrencode", "libseccomp": "libseccomp",
}  # fmt: skip


@pytest.mark.parametrize("recipe", READERS)
def test_it_is_read(recipe, tmp_path):
    words = READERS[recipe]
    if not shutil.which(words[0]):
        cannot(f"no {words[0]}")
    run(*words, ROOT / "packages" / recipe, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "NIX_STATE_DIR": str(tmp_path), "NIX_REMOTE": ""})


@pytest.mark.parametrize("recipe", READERS)
def test_it_names_every_library(recipe):
    cmake = (ROOT / "CMakeLists.txt").read_text()
    modules = {re.split(r"[<>=]", word)[0] for line in re.findall(r"pkg_check_modules\((.*)\)", cmake) for word in line.split()[1:]}
    modules = {"libuv" if module == "${libuv}" else module for module in modules - {"REQUIRED", "IMPORTED_TARGET"}}
    text = (ROOT / "packages" / recipe).read_text()
    missing = {module for module in modules if not re.search(rf"\b(lib)?{re.escape(NAMES[module])}\b", text)}
    assert not missing


@pytest.mark.parametrize("recipe", READERS)
def test_it_is_of_this_version(recipe):
    version = re.search(r"http_tunnel VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
    assert version in (ROOT / "packages" / recipe).read_text()
