"""tests/mutate.py: which faults it makes, and which tests it gives them to."""

import mutate
import pytest

SOURCE = """
int run(int count, int *out);
int run(int count, int *out) {
    if (count < 3)
        return 7;
    *out = count;
    return count == 9 && *out;
}
"""


@pytest.fixture
def changes(tmp_path, monkeypatch):
    pytest.importorskip("clang.cindex", reason="python3-clang is not here (./dev mutate installs it)")
    monkeypatch.setattr(mutate, "COPY", tmp_path)
    (tmp_path / "it.c").write_text(SOURCE)
    return mutate.find_mutants("it.c", ["-std=c17"])


def test_every_kind_of_fault(changes):
    made = {(m.line, SOURCE[m.start:m.end], m.new) for m in changes}
    assert made == {
        (4, "count < 3", "!(count < 3)"), (4, "<", "<="), (4, "3", "(3 + 1)"), (5, "7", "(7 + 1)"),
        (6, "*out = count", "(void)0"), (7, "==", "!="), (7, "9", "(9 + 1)"), (7, "&&", "||"),
    }


def test_the_nearest_tests():
    assert mutate.nearest_tests("common/http/chunked.c")[0] == "test_chunked"
    assert mutate.nearest_tests("gateway/apigw/mapping_filter.c")[0] == "test_mapping_filter"


def test_a_sample_is_the_same_for_a_seed():
    mutants = [mutate.Mutant("a.c", line, line, line, "", "", "") for line in range(100)]
    assert mutate.chosen(mutants, 5, 1) == mutate.chosen(mutants, 5, 1) != mutate.chosen(mutants, 5, 2)
    assert mutate.chosen(mutants, 0, 1) == mutants


def test_an_equivalent_needs_a_reason(tmp_path):
    path = tmp_path / "equivalent"
    path.write_text("# for people\na.c @@ x = 0; @@ 0 becomes one more @@ nobody reads it\n")
    assert mutate.read_equivalents(path) == {("a.c", "x = 0;", "0 becomes one more"): "nobody reads it"}
    path.write_text("a.c @@ x = 0; @@ 0 becomes one more\n")
    with pytest.raises(SystemExit):
        mutate.read_equivalents(path)


def test_the_equivalents_of_the_tree_are_well_formed():
    for file, code, _ in mutate.read_equivalents(mutate.ROOT / "tests/mutate_equivalent.txt"):
        assert code in (line.strip() for line in (mutate.ROOT / file).read_text().splitlines())
