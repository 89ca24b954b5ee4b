"""Each test that docs/SECURITY.md names is there, and each protection names one."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`(test_\w+\.(?:py|c))::(\w+)`")
UNPROTECTED = "who runs a gateway"


def text():
    return (ROOT / "docs" / "SECURITY.md").read_text()


def rows():
    """Of each table, its rows as lists of cells."""
    for line in text().splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def has_test(file, name):
    found = [path.read_text() for path in (ROOT / "tests").rglob(file)]
    definition = rf"^def {name}\(" if file.endswith(".py") else rf"^static void {name}\(void \*\*state\)"
    return any(re.search(definition, source, re.M) for source in found)


def test_named_tests_exist():
    named = NAMED.findall(text())
    assert len(named) > 30
    assert not [f"{file}::{name}" for file, name in named if not has_test(file, name)]


def test_a_name_that_is_none_is_seen():
    assert has_test("test_security.py", "test_named_tests_exist")
    assert not has_test("test_security.py", "test_of_nothing")


def test_every_protection_names_its_test():
    untested = [row for row in rows() if row[-1] != "test" and not NAMED.search(row[-1])]
    assert all(row[0].startswith(UNPROTECTED) for row in untested), untested


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\(([\w./]+)(?:#[\w-]*)?\)", text()):
        assert (ROOT / "docs" / target).exists(), target
