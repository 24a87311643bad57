"""Python source, cut and mended by the places that ``ast`` names, so that comments and layout survive."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_FOR_TOOLS = re.compile(r"\s*# (fmt: (skip|off|on)|noqa\b.*|type: ignore\b.*)$")  # means nothing outside the project


class Edits:
    """Changes of one source text, collected and then made at once. Lines count from 1, as in ``ast``."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._lines = source.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))
        self._changes: list[tuple[int, int, str]] = []

    def place(self, line: int, column: int) -> int:
        """The offset of a place; ``ast`` counts columns in bytes."""
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())

    def text(self, node: ast.AST) -> str:
        """What stands there now."""
        return self.source[slice(*self._span(node))]

    def _span(self, node: ast.AST) -> tuple[int, int]:
        assert isinstance(node, ast.expr | ast.stmt)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.place(node.lineno, node.col_offset), self.place(node.end_lineno, node.end_col_offset)

    def replace(self, node: ast.AST, text: str) -> None:
        """Put another text in the place of a node."""
        self._changes.append((*self._span(node), text))

    def replace_first(self, line: int, pattern: str, text: str) -> None:
        """Replace what first matches from the beginning of a line on."""
        found = re.compile(pattern).search(self.source, self._starts[line - 1])
        assert found is not None, pattern
        self._changes.append((*found.span(), text))

    def delete_lines(self, first: int, last: int) -> None:
        """Remove whole lines, both ends included."""
        if last >= first:
            self._changes.append((self._starts[first - 1], self._starts[last], ""))

    def insert_before(self, line: int, text: str) -> None:
        self._changes.append((self._starts[line - 1], self._starts[line - 1], text))

    def dedent(self, first: int, last: int, columns: int = 4) -> None:
        """Move lines to the left."""
        for line in range(first, last + 1):
            if self._lines[line - 1].strip():
                self._changes.append((self._starts[line - 1], self._starts[line - 1] + columns, ""))

    def done(self, first: int = 1, last: int = 0) -> str:
        """The changed text, or of it the lines from `first` to `last`. What lies in deleted lines is gone with them."""
        start, stop = self._starts[first - 1], self._starts[last or len(self._lines)]
        pieces, at = [], start
        for begin, end, text in sorted(self._changes, key=lambda change: (change[0], -change[1])):
            if begin < at or end > stop:
                continue
            pieces += [self.source[at:begin], text]
            at = end
        return "".join([*pieces, self.source[at:stop]])


def first_line(node: ast.stmt) -> int:
    """Where a statement begins, decorators included."""
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef | ast.ClassDef) else []
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def last_line(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno


def with_comment(lines: list[str], node: ast.stmt) -> int:
    """Where a statement begins, with the lines of comment right above it."""
    first = first_line(node)
    while first > 1 and lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return first


def members(body: list[ast.stmt], start: int) -> Iterator[tuple[ast.stmt, int, int]]:
    """The statements of a class with the lines that belong to each: its own, and all since the one before."""
    for node in body:
        yield node, start, last_line(node)
        start = last_line(node) + 1


def without_tools(text: str) -> str:
    """Without the comments that speak to a formatter or type checker."""
    kept = []
    for line in text.splitlines():
        bare = _FOR_TOOLS.sub("", line)
        if bare.strip() or not line.strip():
            kept.append(bare)
    return "\n".join(kept) + "\n"


def blocks(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    """Every list of statements in a tree."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                yield block


def fold(source: str, facts: dict[str, bool]) -> str:
    """Leave out what cannot happen, given conditions, as ``ast.unparse`` writes them, and whether each is true."""
    while True:
        edits = Edits(source)
        tree = ast.parse(source)
        if not (_fold_expression(tree, edits, facts) or _fold_statement(tree, edits, facts)):
            return source
        source = edits.done()


def _fold_expression(tree: ast.AST, edits: Edits, facts: dict[str, bool]) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.IfExp) and (known := facts.get(ast.unparse(node.test))) is not None:
            edits.replace(node, edits.text(node.body if known else node.orelse))
            return True
    return False


def _fold_statement(tree: ast.AST, edits: Edits, facts: dict[str, bool]) -> bool:
    for block in blocks(tree):
        for place, node in enumerate(block):
            if not isinstance(node, ast.If) or node.orelse:
                continue
            known = facts.get(ast.unparse(node.test))
            if known is None:
                continue
            if known:
                edits.delete_lines(node.lineno, node.body[0].lineno - 1)
                edits.dedent(node.body[0].lineno, last_line(node))
                if isinstance(node.body[-1], ast.Return | ast.Raise):
                    edits.delete_lines(last_line(node) + 1, last_line(block[-1]))
            else:
                rest = block[place + 1 :]
                edits.delete_lines(node.lineno, first_line(rest[0]) - 1 if rest else last_line(node))
            return True
    return False
