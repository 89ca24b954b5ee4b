#!/usr/bin/env python3
"""What the linker and the compiler were asked for is in the finished programs.

    check_hardening.py FOLDER       checks ttf, ttf-gateway, ttf-apigw and bootstrap in FOLDER
    check_hardening.py --self-test  checks that a program built without any of it is refused, for each reason
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAMS = ("ttf", "ttf-gateway", "ttf-apigw", "bootstrap")


def told(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}).stdout


def lacks(program):
    """What a program is without, in words."""
    elf, symbols = told("readelf", "-hlWd", program), told("readelf", "-Ws", program)
    stack = re.search(r"GNU_STACK.*", elf)
    found = {
        "a position of its own at each start (PIE)": re.search(r"Flags:.*\bPIE\b", elf),
        "tables that nobody writes after the start (RELRO)": "GNU_RELRO" in elf,
        "all its functions bound at the start (BIND_NOW)": "BIND_NOW" in elf or re.search(r"Flags:.*\bNOW\b", elf),
        "a stack that holds no code": stack and not re.search(r"RWE|R E", stack[0]),
        "canaries on the stack (stack protector)": "__stack_chk_fail" in symbols,
        "bounds on copies (FORTIFY)": re.search(r"__(mem|str|sn?printf|vsn?printf|fprintf|fdelt|read|recv)\w*_chk", symbols),
    }
    if re.search(r"Machine:.*X86-64", elf):
        main = told("objdump", "-d", "--no-show-raw-insn", "--disassemble=main", program)
        found["landing pads for indirect calls (CET)"] = "endbr64" in main
    return [what for what, there in found.items() if not there]


def self_test():
    source = "#include <string.h>\nint main(int c, char **v) { char b[64]; strcpy(b, v[c - 1]); return b[3]; }\n"
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare"
        flags = ["-O1", "-no-pie", "-fno-stack-protector", "-U_FORTIFY_SOURCE", "-fcf-protection=none", "-z", "norelro", "-z", "lazy", "-z", "execstack"]
        subprocess.run(["gcc", "-x", "c", "-", "-o", bare, *flags], input=source, text=True, check=True, capture_output=True)
        assert len(lacks(bare)) >= 6, lacks(bare)


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    folder, wrong = Path(arguments[0]), 0
    for name in PROGRAMS:
        for what in lacks(folder / name):
            print(f"{name} lacks {what}")
            wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
