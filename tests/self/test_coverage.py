"""tests/coverage.py: what gcov says, added up by folder."""

import coverage_by_folder as coverage


def document(root, file, *lines):
    rows = [{"line_number": number, "count": count, "branches": [{"count": taken} for taken in branches]}
            for number, count, branches in lines]
    return {"current_working_directory": str(root), "files": [{"file": file, "lines": rows}]}


def test_lines_and_branches_by_folder(tmp_path):
    documents = [
        document(tmp_path, "common/http/a.c", (1, 0, [0, 0]), (2, 4, [4, 0])),
        document(tmp_path, "common/http/a.c", (1, 1, [1, 0])),  # the same file in another program
        document(tmp_path, "gateway/b.c", (1, 0, [])),
        document(tmp_path, "tests/unit/test_a.c", (1, 1, [])),
        document(tmp_path, "/usr/include/stdio.h", (1, 1, [])),
    ]
    assert coverage.count(documents, tmp_path) == {
        "common/http": {"lines": [2, 2], "branches": [2, 4]},
        "gateway": {"lines": [0, 1], "branches": [0, 0]},
    }


def test_a_path_from_the_folder_of_the_build(tmp_path):
    """As a compiler's cache names it."""
    documents = [document(tmp_path / "build/coverage", "../../common/http/a.c", (1, 1, []))]
    assert list(coverage.count(documents, tmp_path)) == ["common/http"]
