"""README.zh-CN.md says what README.md says: the same commands, the same tables, the same places to go."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"^```\n(.*?)^```$", re.M | re.S)


def texts():
    return [(ROOT / name).read_text() for name in ("README.md", "README.zh-CN.md")]


def tables(text):
    """For each row of each table the code words, which must not be translated: of its first column, and all."""
    found, rows = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            rows.append([re.findall(r"`[^`]+`|^[0-9, ]+$", cells[0]), sorted(re.findall(r"`[^`]+`", line))])
        elif rows:
            found.append(rows[2:])  # without the heading and its rule
            rows = []
    return found


def links(text):
    """Files, not places in this one."""
    return sorted(target for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) if not target.startswith("README"))


def without_comments(block):
    return [re.sub(r"\s+#.*", "", line) for line in block.splitlines()]


@pytest.mark.parametrize("what", [
    lambda text: [without_comments(block) for block in CODE.findall(text)],
    tables,
    links,
    lambda text: [len(mark) for mark in re.findall(r"^(#+) ", CODE.sub("", text), re.M)],
])  # fmt: skip
def test_both_say_the_same(what):
    english, chinese = texts()
    assert what(english) == what(chinese)


def test_every_link_leads_somewhere():
    for text in texts():
        assert not [target for target in links(text) if not (ROOT / target).exists()]
