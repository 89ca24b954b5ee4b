"""tests/mutants.py and tests/mutate.py: which faults are made, that each is switched on alone, and who sees it."""

import subprocess

import mutants
import mutate
import pytest

SOURCE = """#include <assert.h>
#include <stdlib.h>
int run(int count, int *out) {
    char text[8] = {0};
    if (count < 3 || !out)
        return 7;
    char *room = malloc(9);
    free(room); assert(out);
    *out = count < 9 ? count : 9;
    count += sizeof(text[4]) - 1;
    return count == 5 && *out + text[0];
}
"""

# The toy's test: each line prints what the function gives for one input.
TOY = """
#include <stdlib.h>
int run(int count, int *out);
void cmocka_set_test_filter(const char *pattern) { (void)pattern; }
int main(void) {
    int out = 1;
    if (run(2, &out) != 7 || out != 1) return 1;
    if (run(3, &out) != 0 || out != 3) return 1;
    return run(5, &out) == 1 ? 0 : 1;
}
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A program with all faults of SOURCE, where tests/mutate.py looks for the tests."""
    pytest.importorskip("clang.cindex", reason="python3-clang is not here (./dev mutate installs it)")
    (tmp_path / "bin").mkdir()
    (tmp_path / "it.c").write_text(SOURCE)
    (tmp_path / "test_toy.c").write_text(TOY)
    numbered = list(enumerate(mutants.find_mutants(tmp_path, "it.c", ["-std=gnu17"])))
    copy = tmp_path / "copy.c"
    found = mutants.compiling(SOURCE.encode(), numbered, copy, ["gcc", "-std=c17"])
    subprocess.run(["gcc", "-fsanitize=address", "-std=c17", "-w", "-D_GNU_SOURCE", f"-DMUTANT_COUNT={len(numbered)}", str(copy),
                    str(tmp_path / "test_toy.c"), str(mutants.RUNTIME), "-o", str(tmp_path / "bin/test_toy")], check=True)
    monkeypatch.setattr(mutate, "TREE", tmp_path)
    return dict(found)


def test_every_kind_of_fault(toy):
    assert {(m.line, m.change) for m in toy.values()} == {
        (5, "(count < 3 || !out) is negated"), (5, "< becomes <= before 3"), (5, "3 becomes one more"), (5, "|| becomes && before !out"),
        (6, "7 becomes one more"),
        (7, "9 becomes one more"), (8, "free(room) is deleted"),
        (9, "*out = count < 9 ? count : 9 is deleted"), (9, "(count < 9) is negated"), (9, "9 becomes one more"),
        (10, "count += sizeof(text[4]) - 1 is deleted"), (10, "1 becomes one more"),
        (11, "== becomes != before 5"), (11, "5 becomes one more"), (11, "&& becomes || before *out + text[0]"), (11, "0 becomes one more"),
    }  # neither the array's size, nor `count <= 9 ? count : 9`, which is the same, nor the assertion


def test_what_a_test_sees_and_what_it_does_not(toy):
    run = mutate.observe("test_toy")
    assert [toy[number].change for number in set(toy) - run.reached] == ["9 becomes one more"]  # the 9 that is never returned
    search = mutate.Search([run], toy)
    survivors = {(m.line, m.change) for number, m in toy.items() if not search.find(number, m)}
    search.servers.close()
    assert survivors == {
        (7, "9 becomes one more"), (9, "9 becomes one more"), (10, "count += sizeof(text[4]) - 1 is deleted"),
        (11, "0 becomes one more"),
    }  # and not the free(): sanitizers see what is not given back


def test_what_hangs_is_seen(toy, tmp_path):
    (tmp_path / "test_hangs.c").write_text("int mutant_it(void);int main(void){for(;mutant_it(););return 0;}")
    (tmp_path / "it.c").write_text("extern int mutant_now;int mutant_it(void){return mutant_now == 0;}")
    subprocess.run(["gcc", "-w", "-D_GNU_SOURCE", "-DMUTANT_COUNT=1", str(tmp_path / "it.c"), str(tmp_path / "test_hangs.c"),
                    str(mutants.RUNTIME), "-o", str(tmp_path / "bin/test_hangs")], check=True)
    run = mutate.Run("test_hangs", "*", 0.01, 0.01, frozenset({0}), ())
    search = mutate.Search([run], {})
    assert search.servers.run(run, 0, 0.2) == -9
    assert search.servers.run(run, 1, 20) == 0
    search.servers.close()


def test_a_sample_is_the_same_for_a_seed():
    numbers = list(range(100))
    assert mutate.chosen(numbers, 5, 1) == mutate.chosen(numbers, 5, 1) != mutate.chosen(numbers, 5, 2)
    assert mutate.chosen(numbers, 0, 1) == numbers


def test_an_equivalent_needs_a_reason(tmp_path):
    path = tmp_path / "equivalent"
    path.write_text("# for people\na.c @@ x = 0; @@ 0 becomes one more @@ nobody reads it\n")
    assert mutate.read_equivalents(path) == {("a.c", "x = 0;", "0 becomes one more"): "nobody reads it"}
    path.write_text("a.c @@ x = 0; @@ 0 becomes one more\n")
    with pytest.raises(SystemExit):
        mutate.read_equivalents(path)


def test_the_equivalents_of_the_tree_are_well_formed():
    for file, code, _ in mutate.read_equivalents(mutate.ROOT / "tests/mutate_equivalent.txt"):
        lines = [line.strip() for line in (mutate.ROOT / file).read_text().splitlines()]
        assert code in lines, f"tests/mutate_equivalent.txt names a line that {file} does not have any more: take it out"
