"""Which names of its module a piece of code uses, and which attributes it reads."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

Function = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class References(ast.NodeVisitor):
    """Visit a statement of a module; `keep` says which members of a class count."""

    def __init__(self, keep: Callable[[ast.ClassDef, ast.stmt], bool] = lambda _cls, _member: True) -> None:
        self.names: list[ast.Name] = []  # those that are neither local nor attributes
        self.reads: set[str] = set()  # attributes that are read somewhere
        self.imports: list[ast.ImportFrom] = []  # of this project's modules, within functions
        self._keep = keep
        self._scopes: list[tuple[str, set[str]]] = []

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, Function):
            self._visit_function(node)
        elif isinstance(node, Comprehension):
            self._visit_comprehension(node)
        else:
            super().visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        last = len(self._scopes) - 1
        local = any(
            node.id in names and (kind != "class" or place == last) for place, (kind, names) in enumerate(self._scopes)
        )
        if not local:
            self.names.append(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.ctx, ast.Load):
            self.reads.add(node.attr)
        self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Attribute):
            self.reads.add(node.target.attr)
        self.generic_visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if (node.module or "").split(".")[0] == "engine":
            self.imports.append(node)

    def _visit_all(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def _visit_within(self, kind: str, names: set[str], nodes: Iterable[ast.AST]) -> None:
        self._scopes.append((kind, names))
        self._visit_all(nodes)
        self._scopes.pop()

    def _visit_function(self, node: Function) -> None:
        every = _arguments(node.args)
        self._visit_all([*node.decorator_list, *node.args.defaults, *node.args.kw_defaults, node.returns])
        self._visit_all(argument.annotation for argument in every)
        self._visit_within("function", {argument.arg for argument in every} | _bound(node.body), node.body)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit_all([*node.args.defaults, *node.args.kw_defaults])
        self._visit_within("function", {argument.arg for argument in _arguments(node.args)}, [node.body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit_all([*node.decorator_list, *node.bases, *node.keywords])
        kept = [member for member in node.body if self._keep(node, member)]
        self._visit_within("class", _bound(node.body), kept)

    def _visit_comprehension(self, node: Comprehension) -> None:
        targets = {each.id for part in node.generators for each in ast.walk(part.target) if isinstance(each, ast.Name)}
        self._visit_within("function", targets, ast.iter_child_nodes(node))


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return found + [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]


def _bound(body: list[ast.stmt]) -> set[str]:
    """The names that statements bind in their own scope."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function | ast.ClassDef):
            found.add(node.name)
            continue
        if isinstance(node, ast.Lambda | Comprehension):
            inner = (each for each in ast.walk(node) if isinstance(each, ast.NamedExpr))
            found.update(each.target.id for each in inner)
            continue
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.Import):
            found.update((each.asname or each.name).split(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] != "engine":
            found.update(each.asname or each.name for each in node.names)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            found.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            found.add(node.rest)
        waiting += ast.iter_child_nodes(node)
    return found
