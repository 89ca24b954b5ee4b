"""Small faults of C code: a negated condition, a deleted statement, a constant that is one more, a swapped comparison.

All faults of a file stand in one text, each behind a switch, so that a program is built once for all of them:
MUTANT=12 in its environment makes the twelfth. What a compiler needs as a constant (a case label, the size of an array,
what a static variable begins with) cannot have a switch and is left alone.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

SWAPS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&"}

# What nobody misses when it is deleted: what tells the compiler that a parameter is not looked at, and an assertion that holds.
IDLE = re.compile(r"\(void\)\s*\w+(\s*,\s*\(void\)\s*\w+)*|assert\(.*\)", re.DOTALL)

# In front of a file with faults, in its first line; FAULT(n) also notes that n was reached.
DECLARATIONS = ("extern int mutant_now; extern unsigned char *mutant_reached; "
                "\n#define FAULT(n) (mutant_reached[n] = 1, mutant_now == (n))\n#line 1\n")

# Linked once into each program with faults (tests/mutant_runtime.c) for so many of them.
RUNTIME = Path(__file__).with_name("mutant_runtime.c")


@dataclass(frozen=True)
class Mutant:
    file: str  # from the root
    line: int
    start: int  # the bytes of the file that the switch stands around
    end: int
    kind: str  # negate, delete, increment or an operator
    left: int  # of an operator: where its left side ends, and its right one begins
    right: int
    change: str  # in words
    code: str  # the line, stripped: what tests/mutate_equivalent.txt names, as numbers of lines move

    def key(self) -> tuple[str, str, str]:
        return self.file, self.code, self.change


# ---- finding them ----


def find_mutants(root: Path, file: str, arguments: list[str]) -> list[Mutant]:
    import clang.cindex as clang

    path = root / file
    unit = clang.Index.create().parse(str(path), args=arguments)
    errors = [str(d) for d in unit.diagnostics if d.severity >= clang.Diagnostic.Error]
    if errors:
        raise SystemExit(f"mutate: {file}: {errors[0]}")
    source = path.read_bytes()
    lines = source.splitlines()
    found: dict[tuple[int, int, str], Mutant] = {}

    def text(start: int, end: int) -> str:
        return source[start:end].decode()

    def add(start: int, end: int, kind: str, change: str, at: int = 0, left: int = 0, right: int = 0) -> None:
        line = source.count(b"\n", 0, at or start) + 1
        found.setdefault((start, end, kind), Mutant(file, line, start, end, kind, left, right, " ".join(change.split()),
                                                    lines[line - 1].decode().strip()))

    def visit(cursor, within_function: bool, is_minimum: bool = False) -> None:
        if cursor.location.file and cursor.location.file.name != str(path):
            return
        if cursor.kind == clang.CursorKind.CXX_UNARY_EXPR:  # sizeof, which evaluates nothing
            return
        if cursor.kind == clang.CursorKind.INIT_LIST_EXPR and text(*span(cursor)) == "{0}":  # all is zero, whatever comes first
            return
        children = list(cursor.get_children())
        if cursor.kind == clang.CursorKind.CALL_EXPR and cursor.spelling == "calloc":  # so much memory or more
            del children[1]
        within_function = within_function or cursor.kind == clang.CursorKind.COMPOUND_STMT
        if within_function:
            look_at(clang.CursorKind, cursor, children, text, add, is_minimum)
        for child in children:
            visit(child, within_function, is_minimum_of(clang.CursorKind, cursor, children, text))

    for cursor in unit.cursor.get_children():
        visit(cursor, False)
    return well_nested(sorted(found.values(), key=lambda mutant: (mutant.start, -mutant.end, mutant.kind in SWAPS, mutant.kind)))


def well_nested(mutants: list[Mutant]) -> list[Mutant]:
    """Without those that cross another one's edge, as within a macro's arguments."""
    kept: list[Mutant] = []
    around: list[Mutant] = []
    for mutant in mutants:
        while around and around[-1].end <= mutant.start:
            around.pop()
        if around and (mutant.end > around[-1].end or around[-1].kind in SWAPS and
                       not (mutant.end <= around[-1].left or mutant.start >= around[-1].right)):
            continue
        kept.append(mutant)
        around.append(mutant)
    return kept


def span(cursor) -> tuple[int, int]:
    return cursor.extent.start.offset, cursor.extent.end.offset


def is_minimum_of(kinds, cursor, children, text) -> bool:
    """Whether it is `a < b ? a : b`, which is the same with <=."""
    if cursor.kind != kinds.CONDITIONAL_OPERATOR or len(children) != 3:
        return False
    condition = list(children[0].get_children())
    if children[0].kind != kinds.BINARY_OPERATOR or len(condition) != 2:
        return False
    compared, results = ({re.sub(r"^\([a-z_0-9 ]+\)", "", text(*span(each))) for each in some} for some in (condition, children[1:]))
    return compared == results


def look_at(kinds, cursor, children, text, add, is_minimum) -> None:
    kind = cursor.kind
    if kind in (kinds.IF_STMT, kinds.WHILE_STMT, kinds.CONDITIONAL_OPERATOR) and children:
        start, end = span(children[0])
        within_macro = (start, end) == span(cursor)  # which looks like one place from outside
        if not within_macro and (kind != kinds.WHILE_STMT or text(start, end) not in ("1", "true")):
            add(start, end, "negate", f"({text(start, end)}) is negated")
    elif kind == kinds.BINARY_OPERATOR and len(children) == 2:
        left, right = span(children[0])[1], span(children[1])[0]
        operator = text(left, right) if left < right else ""
        match = re.fullmatch(r"\s*(<=|>=|==|!=|<|>|&&|\|\|)\s*", operator)
        if match and not (match[1] in ("<", ">", "<=", ">=") and is_minimum):
            add(*span(cursor), match[1], f"{match[1]} becomes {SWAPS[match[1]]} before {text(*span(children[1]))}",
                left + operator.index(match[1]), left, right)
    elif kind == kinds.INTEGER_LITERAL:
        literal = text(*span(cursor))
        if re.fullmatch(r"(0[xX][0-9a-fA-F]+|[0-9]+)[uUlL]*", literal):
            add(*span(cursor), "increment", f"{literal} becomes one more")
    for child in statements(kinds, kind, children):
        is_expression = child.kind in (kinds.CALL_EXPR, kinds.BINARY_OPERATOR, kinds.COMPOUND_ASSIGNMENT_OPERATOR,
                                       kinds.UNARY_OPERATOR)
        if is_expression and not IDLE.fullmatch(text(*span(child))):
            add(*span(child), "delete", f"{text(*span(child))} is deleted")


def statements(kinds, kind, children):
    if kind in (kinds.COMPOUND_STMT, kinds.DEFAULT_STMT, kinds.LABEL_STMT):
        return children
    if kind in (kinds.IF_STMT, kinds.WHILE_STMT, kinds.CASE_STMT):
        return children[1:]
    return {kinds.FOR_STMT: children[-1:], kinds.DO_STMT: children[:1]}.get(kind, [])


# ---- one text for all ----


def with_switches(source: bytes, mutants: list[tuple[int, Mutant]]) -> bytes:
    """The file with each fault behind the switch of its number; outer ones come before inner ones."""
    rest = list(mutants)

    def render(start: int, end: int) -> str:
        """Of these bytes, with the faults that lie within."""
        out, at = [], start
        while rest and rest[0][1].start < end:
            number, mutant = rest.pop(0)
            out += [source[at : mutant.start].decode(), switch(number, mutant)]
            at = mutant.end
        return "".join([*out, source[at:end].decode()])

    def switch(number: int, mutant: Mutant) -> str:
        if mutant.kind not in SWAPS:
            inner = render(mutant.start, mutant.end)
            return {"negate": f"(!!({inner}) != FAULT({number}))", "delete": f"(FAULT({number}) ? (void)0 : (void)({inner}))",
                    "increment": f"({inner} + FAULT({number}))"}[mutant.kind]
        left = render(mutant.start, mutant.left)
        between = source[mutant.left : mutant.right].decode().replace(mutant.kind, "")
        right = between + render(mutant.right, mutant.end)
        a, b, operator = f"left_{number}", f"right_{number}", mutant.kind
        if operator in ("&&", "||"):
            evaluated = "!=" if operator == "&&" else "=="
            return f"({{ int {a} = !!({left}); {a} {evaluated} FAULT({number}) ? !!({right}) : {a}; }})"
        return (f"({{ __auto_type {a} = (0, {left}); __auto_type {b} = (0, {right}); "
                f"FAULT({number}) ? {a} {SWAPS[operator]} {b} : {a} {operator} {b}; }})")

    return (DECLARATIONS + render(0, len(source))).encode()


def bad_lines(path: Path, compiler: list[str]) -> set[int]:
    """Of a file that does not compile; empty when it does. An array whose size is a switch compiles, and must not."""
    said = subprocess.run([*compiler, "-fsyntax-only", "-Werror=vla", str(path)], capture_output=True, text=True, check=False)
    if said.returncode == 0:
        return set()
    return {int(line) for line in re.findall(r"^[^:\n]+:(\d+):\d+: error", said.stderr, re.M)} or {0}


def compiling(source: bytes, mutants: list[tuple[int, Mutant]], path: Path, compiler: list[str]) -> list[tuple[int, Mutant]]:
    """Those that can have a switch, and the file with them at `path`. What stands in lines that do not compile is left
    out at first, and then tried by itself."""

    def errors(some: list[tuple[int, Mutant]]) -> set[int]:
        path.write_bytes(with_switches(source, sorted(some, key=lambda pair: pair[0])))
        return bad_lines(path, compiler)

    kept, suspects = mutants, []
    while bad := errors(kept):
        if not kept:
            raise SystemExit(f"mutate: {path}: does not compile without a fault")
        in_bad = [pair for pair in kept if pair[1].line in bad] or kept
        suspects += in_bad
        kept = [pair for pair in kept if pair not in in_bad]
    for pair in suspects:
        if not errors([*kept, pair]):
            kept = [*kept, pair]
    errors(kept)
    return sorted(kept, key=lambda pair: pair[0])
