#!/usr/bin/env python3
"""What a formatter leaves open is written one way: `sizeof(x)` with its parentheses, a number that has a name as `#define`
in capitals (several that belong together as an `enum`), never as a `const` variable of a file.

    check_style.py        checks the tree
    check_style.py --fix  writes the parentheses
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("common", "gateway", "forwarder", "aws-adapter", "tests")

BARE_SIZEOF = re.compile(r"\bsizeof (\*?[A-Za-z_]\w*(?:->\w+|\.\w+|\[[^\]]*\])*)")
CONST_NUMBER = re.compile(r"^static const (?:unsigned |signed )?(?:char|short|int|long|size_t|u?int\d+_t)\s+\w+\s*=", re.M)


def sources():
    return sorted(file for folder in FOLDERS for end in "ch" for file in (ROOT / folder).rglob(f"*.{end}"))


def without_comments(text):
    return re.sub(r"/\*.*?\*/", lambda found: re.sub(r"[^\n]", " ", found[0]), text, flags=re.S)


def fix():
    for file in sources():
        text = file.read_text()
        better = BARE_SIZEOF.sub(r"sizeof(\1)", text)
        if better != text:
            file.write_text(better)


def main(arguments):
    if arguments == ["--fix"]:
        fix()
    wrong = 0
    for file in sources():
        text = without_comments(file.read_text())
        for rule, why in ((BARE_SIZEOF, "sizeof wants parentheses"), (CONST_NUMBER, "a named number is a #define or of an enum")):
            for found in rule.finditer(text):
                print(f"{file.relative_to(ROOT)}:{text.count(chr(10), 0, found.start()) + 1}: {why}: {found[0]}")
                wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
