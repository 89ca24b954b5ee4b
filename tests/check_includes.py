#!/usr/bin/env python3
"""Refuses an #include that goes the wrong way. The direction of #include is the architecture (docs/ARCHITECTURE.md).

    check_includes.py              checks the tree
    check_includes.py --self-test  checks that the check finds what it should
"""

import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

COMMON = {"common/base", "common/http", "common/protocol", "common/link", "common/handler", "common/rewrite", "common/auth",
          "common/net", "common/yaml", "common/metrics", "common/mhd", "common/policy", "common/fetch", "common/sandbox", "common/doorman", "common/issuer",
          "common/dns", "common/coding", "common/windows"}

# folder: (folders of ours it may include besides itself, libraries)
TABLE = {
    "common/windows": (set(), {"windows"}),
    "common/base": (set(), {"glibc", "sanitizer"}),
    "common/http": ({"common/base"}, set()),
    "common/protocol": ({"common/base", "common/http"}, {"jansson"}),
    "common/link": ({"common/base", "common/http", "common/protocol"}, {"nghttp2"}),
    "common/coding": ({"common/base"}, {"zlib", "brotli", "zstd"}),
    "common/rewrite": ({"common/base", "common/http", "common/coding"}, {"zlib", "brotli", "zstd"}),
    "common/net": ({"common/base", "common/http", "common/auth"}, {"uv", "openssl"}),
    "common/auth": ({"common/base"}, {"openssl", "jwt", "jansson"}),
    "common/fetch": ({"common/base", "common/http", "common/net"}, {"uv", "curl", "openssl"}),
    "common/yaml": ({"common/base"}, {"yaml"}),
    "common/mhd": ({"common/base", "common/net"}, {"uv", "microhttpd"}),
    "common/metrics": ({"common/base", "common/http"}, set()),
    "common/policy": ({"common/base", "common/http"}, {"openssl"}),
    "common/sandbox": ({"common/base"}, {"seccomp", "linux"}),
    "common/handler": ({"common/base", "common/http", "common/protocol", "common/rewrite", "common/coding", "common/auth", "common/metrics", "common/policy"},
                       set()),
    "common/dns": ({"common/base", "common/http", "common/protocol", "common/net", "common/handler"}, {"uv", "ares"}),
    "common/doorman": ({"common/base", "common/http", "common/protocol", "common/handler", "common/fetch"}, {"openssl"}),
    "common/issuer": ({"common/base", "common/http", "common/auth", "common/net", "common/handler", "common/fetch"}, set()),
    # the rooms of the gateway, lowest first: each may include those above it here, never the other way
    "gateway/sockets": (COMMON, {"uv", "openssl", "linux"}),
    "gateway/store": (COMMON, {"uv", "hiredis", "openssl"}),
    "gateway/public": (COMMON | {"gateway/sockets"}, {"uv"}),
    "gateway/agents": (COMMON | {"gateway/sockets"}, {"uv", "libwebsockets"}),
    "gateway/cluster": (COMMON | {"gateway/agents"}, {"uv", "openssl"}),
    "gateway/config": (COMMON | {"gateway/sockets", "gateway/store"}, {"uv"}),
    "gateway/acme": (COMMON | {"gateway/sockets", "gateway/store"}, {"uv", "openssl", "jansson"}),
    "gateway/control": (COMMON | {"gateway/store", "gateway/agents"}, {"uv", "jansson"}),
    "gateway/admin": (COMMON | {"gateway/sockets", "gateway/config", "gateway/control"}, {"uv", "microhttpd", "jansson"}),
    "gateway/apigw": (COMMON | {"gateway", "gateway/sockets", "gateway/agents", "gateway/config", "gateway/admin", "aws-adapter/aws"},
                      {"uv", "microhttpd", "jansson", "linux"}),
    "gateway": (COMMON | {"gateway/sockets", "gateway/store", "gateway/public", "gateway/agents", "gateway/cluster", "gateway/config",
                          "gateway/control", "gateway/admin", "gateway/apigw", "gateway/acme"}, {"uv", "openssl", "linux"}),
    "forwarder/local": (COMMON, {"uv", "openssl"}),
    "forwarder/display": (COMMON, {"uv", "qrencode"}),
    "forwarder/folder": (COMMON, {"microhttpd", "linux"}),
    "forwarder/inspect": (COMMON | {"forwarder/local"}, {"uv", "microhttpd", "jansson"}),
    "forwarder/mcp": (COMMON | {"forwarder/local", "forwarder/inspect"}, {"uv", "jansson"}),
    "forwarder/oidc": (COMMON | {"forwarder/local"}, {"jansson"}),
    "forwarder": (COMMON | {"forwarder/oidc", "forwarder/folder", "forwarder/local", "forwarder/display", "forwarder/inspect", "forwarder/mcp"}, {"uv", "openssl", "linux"}),
    "aws-adapter/aws": (COMMON - {"common/link"}, {"uv", "openssl", "jansson"}),
    "aws-adapter/store": ((COMMON - {"common/link"}) | {"aws-adapter/aws"}, {"uv", "openssl", "jansson"}),
    "aws-adapter/direct": ((COMMON - {"common/link"}) | {"aws-adapter/aws", "aws-adapter/store"}, {"uv", "ares", "openssl", "jansson"}),
    "aws-adapter/runtime": ((COMMON - {"common/link"}) | {"aws-adapter/aws", "aws-adapter/store", "aws-adapter/direct"},
                            {"uv", "openssl", "jansson"}),
    "aws-adapter": ((COMMON - {"common/link"}) | {"aws-adapter/aws", "aws-adapter/store", "aws-adapter/direct", "aws-adapter/runtime"},
                    {"uv", "curl", "openssl"}),
}  # fmt: skip

# Roots from which "name.h" is looked up besides the including file's own folder (as CMakeLists.txt has them).
ROOTS = {"common": ["common"], "gateway": ["gateway", "common", "aws-adapter"], "forwarder": ["forwarder", "common"],
         "aws-adapter": ["aws-adapter", "common", "."]}  # fmt: skip

LIBRARIES = {
    "jansson": r"jansson\.h",
    "nghttp2": r"nghttp2/.*",
    "openssl": r"openssl/.*",
    "jwt": r"jwt\.h",
    "uv": r"uv\.h",
    "microhttpd": r"microhttpd\.h",
    "libwebsockets": r"libwebsockets\.h",
    "hiredis": r"hiredis/.*",
    "yaml": r"yaml\.h",
    "curl": r"curl/.*",
    "ares": r"ares\.h",
    "qrencode": r"qrencode\.h",
    "zlib": r"zlib\.h",
    "brotli": r"brotli/.*",
    "zstd": r"zstd\.h",
    "seccomp": r"seccomp\.h",
    "glibc": r"malloc\.h",
    "sanitizer": r"sanitizer/asan_interface\.h",
    "windows": r"(afunix|bcrypt|direct|io|iphlpapi|psapi|wincrypt|windows|winsock2|ws2ipdef|ws2tcpip)\.h",
    "linux": r"sys/epoll\.h|sys/eventfd\.h|sys/timerfd\.h|sys/prctl\.h|sys/syscall\.h|linux/.*",
}

# C17 and POSIX, which every folder may use; what only Linux has is not among them.
LIBC = set(
    """assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic
    stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype
    arpa/inet dirent dlfcn fcntl fnmatch getopt glob grp iconv langinfo libgen monetary net/if netdb netinet/in netinet/tcp
    poll pthread pwd regex sched semaphore strings sys/file sys/ioctl sys/mman sys/random sys/resource sys/select
    sys/socket sys/stat sys/statvfs sys/time sys/times sys/types sys/uio sys/un sys/utsname sys/wait syslog termios
    unistd utime wordexp""".split()
)

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def folder_of(path):
    """The row of the table that a file belongs to: the longest that fits."""
    found = [folder for folder in TABLE if path.parent.as_posix() == folder or path.parent.as_posix().startswith(folder + "/")]
    return max(found, key=len, default=None)


def resolve(root, path, name):
    """Where "name" leads, relative to the root; None when nowhere."""
    for base in [path.parent.as_posix(), *ROOTS[path.parts[0]]]:
        target = (root / base / name).resolve()
        if target.is_file() and target.is_relative_to(root):
            return target.relative_to(root)
    return None


def check_system(folder, path, name):
    for library, pattern in LIBRARIES.items():
        if re.fullmatch(pattern, name):
            is_its_own = library == "windows" and path.name.endswith("_windows.c")
            return None if is_its_own or library in TABLE[folder][1] else f"{folder}/ may not use {library}"
    return None if name.removesuffix(".h") in LIBC else f"<{name}> is neither C17 nor POSIX nor a library in the table"


def check_own(root, folder, path, name):
    target = resolve(root, path, name)
    if target is None:
        return f'"{name}" is not a file of ours'
    other = folder_of(target)
    if other == folder or other in TABLE[folder][0]:
        return None
    return f"{folder}/ may not include {other or target.parent.as_posix()}/"


def check_file(root, path):
    folder = folder_of(path)
    if folder is None:
        yield f"{path}: its folder is not in the table"
        return
    text = (root / path).read_text(errors="replace")
    for match in INCLUDE.finditer(text):
        kind, name = match.groups()
        problem = check_system(folder, path, name) if kind == "<" else check_own(root, folder, path, name)
        if problem:
            yield f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {problem}"


def check_tree(root):
    problems = []
    for top in ROOTS:
        for file in sorted((root / top).rglob("*.[ch]")):
            problems += check_file(root, file.relative_to(root))
    return problems


# path: (text, what must be said about it; None: nothing)
SELF_TEST = {
    "common/base/a.h": ("#include <stddef.h>\n", None),
    "common/http/h.h": ('#include "base/a.h"\n', None),
    "common/protocol/p.h": ('#include <jansson.h>\n#include "http/h.h"\n', None),
    "common/handler/c.h": ('#include "protocol/p.h"\n#include "handler/c.h"\n', None),
    "gateway/g.c": ('#include <sys/epoll.h>\n#include "store/s.h"\n#include "handler/c.h"\n', None),
    "gateway/store/s.h": ('#include "base/a.h"\n', None),
    "forwarder/f.c": ('#include <uv.h>\n  #  include "protocol/p.h"\n', None),
    "aws-adapter/b.c": ('#include "aws/x.h"\n', None),
    "aws-adapter/aws/x.h": ("#include <openssl/hmac.h>\n", None),
    "gateway/apigw/e.c": ('#include "../../aws-adapter/aws/x.h"\n', None),
    "common/base/up.c": ('#include "http/h.h"\n', "common/base/ may not include common/http/"),
    "common/base/lib.c": ("#include <uv.h>\n", "common/base/ may not use uv"),
    "common/http/up.c": ('\n\n#include "protocol/p.h"\n', "up.c:3: common/http/ may not include common/protocol/"),
    "common/protocol/crypto.c": ("#include <openssl/sha.h>\n", "common/protocol/ may not use openssl"),
    "common/handler/host.c": ('#include "../../gateway/store/s.h"\n', "common/handler/ may not include gateway/store/"),
    "common/handler/json.c": ("#include <jansson.h>\n", "common/handler/ may not use jansson"),
    "common/auth/http.c": ('#include "http/h.h"\n', "common/auth/ may not include common/http/"),
    "forwarder/local/epoll.c": ("#include <sys/epoll.h>\n", "forwarder/local/ may not use linux"),
    "forwarder/netlink.c": ("#include <linux/rtnetlink.h>\n", None),
    "forwarder/across.c": ('#include "../gateway/store/s.h"\n', "forwarder/ may not include gateway/store/"),
    "forwarder/odd.c": ("#include <error.h>\n", "neither C17 nor POSIX"),
    "gateway/aws.c": ('#include "../aws-adapter/aws/x.h"\n', "gateway/ may not include aws-adapter/aws/"),
    "gateway/curl.c": ("#include <curl/curl.h>\n", "gateway/ may not use curl"),
    "gateway/lost.c": ('#include "nowhere.h"\n', "is not a file of ours"),
    "common/new/n.c": ("#include <stddef.h>\n", "not in the table"),
    "gateway/sockets/p.h": ('#include "base/a.h"\n', None),
    "gateway/agents/l.c": ('#include "sockets/p.h"\n#include <libwebsockets.h>\n', None),
    "gateway/sockets/up.c": ('#include "agents/a.h"\n', "gateway/sockets/ may not include gateway/agents/"),
    "gateway/agents/a.h": ("#include <microhttpd.h>\n", "gateway/agents/ may not use microhttpd"),
    "forwarder/local/c.h": ("#include <uv.h>\n", None),
    "forwarder/local/up.c": ('#include "../f.h"\n', "forwarder/local/ may not include forwarder/"),
    "forwarder/f.h": ("#include <stddef.h>\n", None),
    "forwarder/f_windows.c": ("#include <windows.h>\n", None),
    "forwarder/g.c": ("#include <windows.h>\n", "may not use windows"),
}


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        for name, (text, _) in SELF_TEST.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        failures = []
        for name, (_, expected) in SELF_TEST.items():
            problems = list(check_file(root, Path(name)))
            fine = not problems if expected is None else len(problems) == 1 and expected in problems[0]
            if not fine:
                failures.append(f"{name}: expected {expected!r}, got {problems}")
        wrong = sum(expected is not None for _, expected in SELF_TEST.values())
        if len(check_tree(root)) != wrong:
            failures.append("the whole tree: a file was not looked at")
        return failures


if __name__ == "__main__":
    found = self_test() if sys.argv[1:] == ["--self-test"] else check_tree(ROOT)
    for line in found:
        print(line, file=sys.stderr)
    sys.exit(1 if found else 0)
