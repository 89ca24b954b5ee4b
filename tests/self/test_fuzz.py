"""tests/fuzz/fuzz.py: what a log says was found, and what the last lines say."""

import os
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/fuzz"))

import differential
import edges
import fuzz
import nginx
import seeded

LEAK = """==1==ERROR: LeakSanitizer: detected memory leaks
    #0 0x55b0830951c6 in __interceptor_realloc (/build/fuzz/bin/fuzz_coding+0xe61c6)
    #1 0x55b0830d8707 in grow /work/build/fuzz/../../common/base/buf.c:49:17
"""
ABORTED = """==1== ERROR: libFuzzer: deadly signal
    #8 0x55d0 in abort stdlib/abort.c:79:7
    #9 0x55d1 in require /x/tests/fuzz/fuzz.h:14:17
    #10 0x55d2 in same /x/tests/fuzz/fuzz_head.c:60:5
"""


@pytest.mark.parametrize("log, status, found", [
    ("", 0, ""),
    (LEAK, 77, "memory that is not given back"),
    (ABORTED, 77, "a promise that was not kept"),
    ("==1==ERROR: AddressSanitizer: heap-buffer-overflow on address", 1, "heap-buffer-overflow"),
    ("a.c:1:2: runtime error: shift exponent 64", 1, "undefined: shift exponent 64"),
    ("fuzz_link: a.c:1: f: Assertion `a == b' failed.\n== ERROR: libFuzzer: deadly signal", 77, "assertion: a == b"),
    ("ERROR: libFuzzer: timeout after 60 seconds", 70, "slow"),
    ("ERROR: libFuzzer: out-of-memory (used: 2049Mb; limit: 2048Mb)", 71, "out of memory"),
    ("cannot open shared object", 127, "exit code 127"),
])
def test_what_was_found(log, status, found):
    assert fuzz.what_was_found(log, status) == found


@pytest.mark.parametrize("log, place", [(LEAK, "grow (buf.c:49:17)"), (ABORTED, "same (fuzz_head.c:60:5)"), ("", "")])
def test_where(log, place):
    assert fuzz.where(log) == place


def test_the_last_lines_name_who_found_what(tmp_path):
    log = tmp_path / "log"
    log.write_text(LEAK)
    lines = fuzz.summary([fuzz.Result("head", 20, "", log), fuzz.Result("coding", 3, "memory that is not given back", log)])
    assert lines[-2].startswith("FOUND by coding: memory that is not given back in grow (buf.c:49:17)")
    assert any("in grow" in line for line in lines[1:-2])
    assert lines[-1] == "2 targets, 23 inputs, 1 found something"


def test_a_target_that_is_not_built_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "BUILD", tmp_path)
    assert fuzz.run_target("nothing", 1, fuzz.BY_CHANCE).found == "it is not built"


def test_a_target_has_inputs_to_begin_with():
    thin = {target: [folder for folder in fuzz.seeds(target) if not folder.is_dir() or not any(folder.iterdir())]
            for target in fuzz.all_targets()}
    assert not {target: folders for target, folders in thin.items() if folders}


# ---- the table of parsers ----

# Of a function that reads bytes of somebody else, as this tree calls them.
READS = re.compile(r"^(?!static inline)[a-z][\w *]*?\b\*?(\w*(?:parse|decode|scan|unescape|feed)\w*)\((?=[^;]*$)|\b(json_load\w+)\(", re.M)
ROOMS = ("common", "gateway", "forwarder", "aws-adapter")


def rows():
    """By file: its targets, or none and the reason."""
    table = {}
    for line in (fuzz.HERE / "parsers.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        file, _, behind = line.partition(" ")
        assert file not in table, file
        behind = behind.strip()
        table[file] = ([], behind[1:].strip()) if behind.startswith("-") else (behind.split(), "")
    return table


def parsers(root=ROOT):
    """By file: the names that say so."""
    found = {}
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.c")):
            if names := [one or other for one, other in READS.findall(path.read_text())]:
                found[str(path.relative_to(root))] = names
    return found


def test_no_parser_without_a_target():
    missing = {file: names for file, names in parsers().items() if file not in rows()}
    assert not missing, f"name their targets in tests/fuzz/parsers.txt: {missing}"


def test_the_table_names_what_is_there():
    assert not [file for file in rows() if not (ROOT / file).is_file()]
    known = set(fuzz.all_targets())
    assert not {file: set(targets) - known for file, (targets, _) in rows().items() if set(targets) - known}
    assert known == {target for targets, _ in rows().values() for target in targets}


def test_no_row_without_target_or_reason():
    assert not [file for file, (targets, reason) in rows().items() if not targets and len(reason) < 20]


def test_a_new_parser_would_be_seen(tmp_path):
    (tmp_path / "common").mkdir()
    (tmp_path / "common/new.c").write_text(
        "bool thing_parse(struct view v,\n                 int *ret) {\n}\nint main(void) {\n    thing_decode(v);\n}\n")
    (tmp_path / "common/none.c").write_text("bool thing_parse(struct view v);\nstatic int look(void) {\n}\n")
    (tmp_path / "common/json.c").write_text("static void take(struct view v) {\n    json_loadb(v.ptr, v.len, 0, NULL);\n}\n")
    assert parsers(tmp_path) == {"common/json.c": ["json_loadb"], "common/new.c": ["thing_parse"]}


# ---- bugs that are put in ----


def test_each_bug_can_still_be_put_in(tmp_path):
    bugs = seeded.all_bugs()
    assert len(bugs) >= 20
    for bug in bugs:
        out = tmp_path / bug.name
        assert seeded.apply(bug, out), f"{bug.patch.name} does not apply any more: make it anew"
        assert out.read_text() != (ROOT / bug.file).read_text(), bug.name


def test_each_bug_has_a_target_that_reads_its_file():
    table = rows()
    for bug in seeded.all_bugs():
        assert bug.target in fuzz.all_targets()
        assert bug.file not in table or bug.target in table[bug.file][0], f"{bug.name}: {bug.file}"


def test_a_patch_that_does_not_apply_is_seen(tmp_path):
    bug = seeded.all_bugs()[0]
    patch = tmp_path / "other.patch"
    patch.write_text(re.sub(r"^-.*$", "-something else stood here", bug.patch.read_text(), flags=re.M))
    assert not seeded.apply(seeded.Bug("other", bug.target, bug.kind, bug.file, patch), tmp_path / "out")


# ---- a second parser ----


def request(body=b"", state="whole", **others):
    fields = [(b"host", b"a")]
    return differential.Request(**{"method": b"POST", "target": b"/", "fields": fields, "body": body, "state": state, **others})


@pytest.mark.parametrize("ours, others, word", [
    ([request(b"abc")], [request(b"abc")], ""),
    ([request(b"abc")], [], ""),  # refused by one
    ([request()], [request(target=b"/other")], "another one"),
    ([request()], [request(fields=[(b"Host", b"b")])], "another one"),
    ([request(b"abc")], [request(b"ab"), request()], "another body"),
    ([request(b"abc", "part")], [request(b"ab")], "goes on elsewhere"),
    ([request(b"ab")], [request(b"abc", "part")], "goes on elsewhere"),
    ([request(b"ab", "part")], [request(b"abc", "part")], ""),
    ([request(b"ab", "part")], [request(b"ax", "part")], "goes on elsewhere"),
    ([request(b"ab", "cut")], [request(b"abc")], ""),  # refused by one within
    ([request(b"abc", "cut")], [request(b"ab")], "goes on elsewhere"),
    ([request(b"abc", "part")], [request(b"abc")], "goes on elsewhere"),
    ([request(state="other")], [request()], ""),
])
def test_what_is_a_difference(ours, others, word):
    said = differential.difference(ours, others)
    assert word in said if word else not said


def test_h11_reads_what_stands_behind():
    data = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: b\r\n\r\nPUT"
    assert [(one.method, one.body, one.state) for one in differential.h11_requests(data)] == [(b"POST", b"abc", "whole"), (b"GET", b"", "whole")]


def line(status=200, **others):
    return {"method": "POST", "target": "/", "status": status, "host": "a", "length": "", "coding": "", "body": "", **others}


WAITED = b"1 client prematurely closed connection, client: unix:"
IN_HEAD = b"1 client prematurely closed connection while reading client request headers, client: unix:"
IN_CHUNK = b"1 client sent invalid chunked body, client: unix:"


@pytest.mark.parametrize("lines, errors, states", [
    ([line(), line()], b"", ["whole", "whole"]),
    ([line(), line(400, body="ab"), line()], WAITED, ["whole", "part"]),
    ([line(400, body="ab")], IN_CHUNK, ["cut"]),
    ([line(), line(400)], IN_HEAD, ["whole"]),
    ([line(405), line()], b"", []),
])
def test_what_the_log_of_nginx_says(lines, errors, states):
    taken = nginx.requests(lines, errors)
    assert [one.state for one in taken] == states
    assert all(one.fields == [(b"host", b"a")] and one.body == said["body"].encode() for one, said in zip(taken, lines))


@pytest.mark.parametrize("ours, theirs, word", [
    (request(), request(), ""),
    (request(fields=[(b"Host", b"A"), (b"X", b"y")]), request(), ""),
    (request(target=b"http://b/x?y"), request(target=b"/x?y"), ""),
    (request(target=b"HTTP://b"), request(target=b"/"), ""),
    (request(target=b"http://b/x"), request(target=b"/y"), "/y"),
    (request(target=b"/x"), request(target=b"/"), "/x"),
    (request(method=b"PUT"), request(), "PUT"),
    (request(fields=[(b"host", b"b")]), request(), "host"),
    (request(fields=[(b"host", b"a"), (b"Content-Length", b"3")]), request(), "content-length"),
    (request(), request(fields=[(b"host", b"a"), (b"transfer-encoding", b"chunked")]), "transfer-encoding"),
])
def test_what_differs_from_nginx(ours, theirs, word):
    said = nginx.differs(ours, theirs)
    assert word in said if word else not said


@pytest.mark.skipif(not nginx.program() and not os.environ.get("CI"), reason="no nginx")
def test_nginx_reads_what_stands_behind():
    parser = nginx.Nginx()
    try:
        data = (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\x00\n\xff\r\n0\r\n\r\n"
                b"GET http://b/2 HTTP/1.1\r\nHost: b\r\n\r\nPUT /3 HTTP/1.1\r\nHost: c\r\nContent-Length: 3\r\n\r\nab")
        for _ in range(2):  # nothing of the first is left over
            assert [(one.method, one.target, one.body, one.state) for one in parser.read(data)] == [
                (b"POST", b"/", b"\x00\n\xff", "whole"), (b"GET", b"/2", b"", "whole"), (b"PUT", b"/3", b"ab", "part")]
        assert parser.read(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx")[0].state == "cut"
        assert parser.read(b"GET / HTTP/1.1\r\nHo") == []
    finally:
        parser.close()
    assert not parser.folder.exists()


# ---- edges ----


def function(name, file, entered, *branches):
    rows = [[line, 1, line, 9, yes, no, 0, 0, 4] for line, yes, no in branches]
    return {"name": name, "filenames": [str(ROOT / file)], "count": entered, "branches": rows}


def numbers(counted):
    return {file: {name: edges.of_file({name: found}) for name, found in named.items()} for file, named in counted.items()}


def test_edges_of_a_function_of_several_programs_count_once():
    found = [
        function("a.c:look", "common/a.c", 2, (3, 1, 0)),
        function("a.c:look", "common/a.c", 0, (3, 0, 2), (4, 0, 0)),
        function("b_parse", "build/x/../../common/b.c", 0),
        function("main", "../elsewhere.c", 1),
    ]
    found[1]["branches"].append([7, 1, 7, 9, 0, 0, 1, 0, 4])  # of a macro
    assert numbers(edges.count(found)) == {"common/a.c": {"look": (3, 5)}, "common/b.c": {"b_parse": (0, 1)}}


def test_what_is_named_does_not_count(tmp_path):
    (tmp_path / "a.c").write_text("bool look(void) {\n    return one(1,\n               2) &&\n           two;\n}\n")
    found = [{"name": "look", "filenames": [str(tmp_path / "a.c")], "count": 1,
              "branches": [[2, 12, 3, 18, 1, 0, 0, 0, 4], [4, 12, 4, 15, 1, 0, 0, 0, 4]]}]
    left = list(edges.left_of("a.c", edges.count(found, root=tmp_path)["a.c"]))
    assert left == ["a.c look false `one(1, 2)` line 2", "a.c look false `two` line 4"]
    place, reason = edges.ROW.fullmatch(left[0].replace("line 2", "no memory")).groups()[:4], "no memory"
    assert place == ("a.c", "look", "false", "one(1, 2)") and reason
    assert numbers(edges.count(found, {place}, tmp_path)) == {"a.c": {"look": (3, 4)}}
    assert numbers(edges.count(found, {("a.c", "look")}, tmp_path)) == {}
    gone = ("a.c", "look", "true", "three")
    assert edges.stale(found, {place, gone, ("a.c", "look"), ("b.c", "other")}, {"a.c"}, tmp_path) == [" ".join(gone)]


def counted_of(taken, all_of_them):
    return {edges.Edge(number, 1, "true", "x"): number < taken for number in range(all_of_them)}


def test_what_is_said_of_edges(capsys):
    counted = {"common/a.c": {"look": counted_of(9, 10)}, "common/b.c": {"b_parse": counted_of(1, 4)}}
    table = {"common/a.c": ["a"], "common/b.c": ["b"]}
    assert edges.report(table, counted) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "9 of    10 ( 90 %)" in lines[0] and "not taken" not in lines[0]
    assert "( 25 %)" in lines[1] and lines[1].endswith("not taken: b_parse 3")
    assert lines[2] == "2 files, 10 of 14 edges (71 %), 1 below 90 %"


def test_a_file_that_nothing_reaches_is_said(capsys):
    assert edges.report({"common/a.c": ["a"]}, {}) == 1
    assert "all of it" in capsys.readouterr().out


def test_what_is_unreached_is_there_and_has_a_reason():
    """Functions; a condition that is there no more is said by edges.py."""
    for (file, name, *what), reason in edges.unreached().items():
        assert file in edges.parsers(), file
        assert what or re.search(rf"\b{name}\(", (ROOT / file).read_text()), f"{file}: {name}"
        assert len(reason) > 8, name
