"""All code of this project that a lab needs in order to train, gathered from its modules into one text."""

from __future__ import annotations

import ast
import builtins
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engine.export.references import References
from engine.export.source import Edits, first_line, last_line, members, with_comment, without_tools
from engine.lab import LabError

ROOT = Path(__file__).parent.parent.parent
WIDTH = 120
RESERVED = {"main", "advance", "SEED", "STEPS", "EACH", "DATASET", "DEVICE", "CHANGES"}  # names of the script's own


class ScriptError(LabError):
    """This lab cannot be written as a script; the message says why."""


@dataclass(frozen=True)
class Import:
    """A name from outside the project: ``import dotted as name``, or ``from head import tail as name``."""

    dotted: str
    name: str
    plain: bool

    def line(self) -> str:
        head, _, tail = self.dotted.rpartition(".")
        if self.plain:
            return f"import {self.dotted}" + ("" if self.name == self.dotted else f" as {self.name}")
        return f"from {head} import {tail}" + ("" if self.name == tail else f" as {self.name}")


@dataclass
class Module:
    """A file of the project, and what its names stand for."""

    name: str
    source: str
    package: bool = False
    tree: ast.Module = field(init=False)
    lines: list[str] = field(init=False)
    defined: dict[str, ast.stmt] = field(init=False, default_factory=dict)
    imported: dict[str, Import] = field(init=False, default_factory=dict)
    needs: list[str] = field(init=False, default_factory=list)  # modules of the project, in the order of the imports

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.source)
        self.lines = self.source.splitlines()
        for statement in self.tree.body:
            self._read(statement, for_types=False)

    def _read(self, statement: ast.stmt, *, for_types: bool) -> None:
        match statement:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                for each in statement.body:
                    self._read(each, for_types=True)
            case ast.Import():
                for alias in statement.names:
                    name = alias.asname or alias.name
                    plain = alias.asname is None or "." not in alias.name  # else as if it were: from head import tail
                    self.imported[name.split(".")[0]] = Import(alias.name, name, plain)
            case ast.ImportFrom(module=str(module)):
                for alias in statement.names:
                    name = alias.asname or alias.name
                    self.imported[name] = Import(f"{module}.{alias.name}", name, plain=False)
                if module.split(".")[0] == "engine" and (self.package or not for_types):
                    self.needs.append(module)  # a package imports lazily what it passes on
            case ast.FunctionDef() | ast.ClassDef():
                self.defined[statement.name] = statement
            case ast.Assign() | ast.AnnAssign():
                for node in ast.walk(statement):
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                        self.defined[node.id] = statement

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[2]


class Gatherer:
    """Follows names from a lab's class to all they need. `prepare` may change the source of a module beforehand; the
    attributes in `also` are read by whoever asks."""

    def __init__(self, lab_module: str, lab_class: str, prepare: Callable[[str, str], str], also: set[str]) -> None:
        self.lab = (lab_module, lab_class)
        self._prepare = prepare
        self._modules: dict[str, Module] = {}
        self.kept: dict[tuple[str, str], ast.stmt] = {}  # by module and name
        self.imports: set[Import] = set()
        self.reads = set(also)  # attributes that are read somewhere
        self.uses: dict[tuple[str, int], References] = {}
        self._gather()
        self.names = self._final_names()

    def module(self, name: str) -> Module:
        """A module of the project, read once."""
        if name == self.lab[0] and name not in self._modules:  # its text is at hand, and may lie anywhere
            self._modules[name] = Module(name, self._prepare(name, ""))
        elif name not in self._modules:
            path = ROOT.joinpath(*name.split("."))
            package = path.is_dir()
            path = path / "__init__.py" if package else path.with_suffix(".py")
            self._modules[name] = Module(name, self._prepare(name, path.read_text(encoding="utf-8")), package)
        return self._modules[name]

    # ------------------------------------------------------------------------------------------ what is needed

    def keep(self, cls: ast.ClassDef, member: ast.stmt) -> bool:
        """Whether a member of a class is needed: methods nobody calls are not, nor are a lab's unread constants."""
        if cls.name == self.lab[1] and isinstance(member, ast.Assign | ast.AnnAssign):
            names = (each.id for each in ast.walk(member) if isinstance(each, ast.Name))
            return any(name in self.reads for name in names)
        if not isinstance(member, ast.FunctionDef):
            return True
        own = {"build", "step"} if cls.name == self.lab[1] else {"forward"}
        return member.name in self.reads | own or (member.name.startswith("__") and member.name.endswith("__"))

    def _gather(self) -> None:
        """Until nothing new turns up: a method kept may read an attribute for which another method is kept."""
        before = -1
        while before != len(self.reads) + len(self.kept):
            before = len(self.reads) + len(self.kept)
            self.kept.clear()
            self.imports.clear()
            self.uses.clear()
            self._need(*self.lab)

    def _need(self, module_name: str, name: str) -> None:
        module = self.module(module_name)
        statement = module.defined.get(name)
        if statement is None or (module_name, name) in self.kept:
            return
        self.kept[module_name, name] = statement
        if (module_name, id(statement)) in self.uses:
            return
        found = References(self.keep)
        found.visit(statement)
        self.uses[module_name, id(statement)] = found
        self.reads |= found.reads
        for node in found.names:
            target = self.resolve(module, node.id, found)
            if isinstance(target, Import):
                self.imports.add(target)
            elif target is not None:
                self._need(*target)

    def resolve(self, module: Module, name: str, within: References | None = None) -> tuple[str, str] | Import | None:
        """What a name of a module stands for: a definition of the project, an import from outside, or a builtin."""
        for statement in within.imports if within else ():
            for alias in statement.names:
                if name == (alias.asname or alias.name):
                    return self._definition(f"{statement.module}.{alias.name}", name)
        if name in module.defined:
            return module.name, name
        if name in module.imported:
            found = module.imported[name]
            return self._definition(found.dotted, name) if found.dotted.split(".")[0] == "engine" else found
        if hasattr(builtins, name) or name.startswith("__"):
            return None
        raise ScriptError(f"{module.name} uses {name!r}, which cannot be found")

    def _definition(self, dotted: str, name: str) -> tuple[str, str] | Import:
        """Where a name of the project is defined, through packages that pass it on."""
        module_name, _, tail = dotted.rpartition(".")
        module = self.module(module_name)
        if tail in module.defined:
            return module_name, tail
        if tail in module.imported:
            found = module.imported[tail]
            return self._definition(found.dotted, name) if found.dotted.split(".")[0] == "engine" else found
        raise ScriptError(f"{dotted} cannot be found")

    # ------------------------------------------------------------------------------------------------- names

    def _final_names(self) -> dict[tuple[str, str], str]:
        """What each definition is called in the one text: where two have the same name, the lab's keeps it."""
        taken = {each.name for each in self.imports} | RESERVED
        final: dict[tuple[str, str], str] = {}
        ordered = sorted(self.kept, key=lambda key: key[0] != self.lab[0])
        for module_name, name in ordered:
            wanted, stem = name, self.module(module_name).stem
            if wanted in taken:
                wanted = f"{name}_{stem.upper()}" if name.isupper() else f"{stem}_{name}"
                wanted = stem.title().replace("_", "") + name if name[0].isupper() and not name.isupper() else wanted
            if wanted in taken:
                raise ScriptError(f"{name!r} is defined more than twice")
            taken.add(wanted)
            final[module_name, name] = wanted
        return final

    # -------------------------------------------------------------------------------------------------- text

    def import_lines(self, more: set[Import]) -> str:
        """The imports, Python's own first."""
        plain, of = [], dict[str, list[Import]]()
        for each in sorted(self.imports | more, key=lambda each: (each.dotted, each.name)):
            if each.plain:
                plain.append((each.dotted, each.line()))
            else:
                of.setdefault(each.dotted.rpartition(".")[0], []).append(each)
        froms = []
        for head, group in of.items():
            tails = (
                each.line().partition(" import ")[2] for each in sorted(group, key=lambda each: _ordering(each.dotted))
            )
            froms.append((head, f"from {head} import {', '.join(dict.fromkeys(tails))}"))
        text = []
        for own in (True, False):
            for lines in (plain, froms):
                text += [line for head, line in sorted(lines) if (head.split(".")[0] in sys.stdlib_module_names) == own]
            text.append("")
        return "\n".join(text).strip() + "\n"

    def sections(self) -> Iterator[tuple[Module, str]]:
        """The modules that something is taken from, those needed by others first, with their text."""
        begun: set[str] = set()
        ordered: list[str] = []

        def visit(name: str) -> None:
            if name not in begun:
                begun.add(name)
                for needed in self.module(name).needs:
                    visit(needed)
                ordered.append(name)

        visit(self.lab[0])
        wanted = {module for module, _ in self.kept}
        for name in [*sorted(wanted - begun), *ordered]:
            if name in wanted:
                yield self.module(name), self._text(self.module(name))

    def _text(self, module: Module) -> str:
        """What is kept of a module, in its order, with its comments."""
        kept = {id(statement) for (name, _), statement in self.kept.items() if name == module.name}
        edits = Edits(module.source)
        pieces = []
        for statement in module.tree.body:
            if id(statement) not in kept:
                continue
            self._mend(module, statement, edits)
            start = with_comment(module.lines, statement)
            text = without_tools(edits.done(start, last_line(statement))).strip("\n")
            pieces.append((isinstance(statement, ast.FunctionDef | ast.ClassDef), text))
        joined = ""
        for place, (large, text) in enumerate(pieces):
            if place:
                joined += "\n\n\n" if large or pieces[place - 1][0] else "\n"
            joined += text
        return joined

    def _mend(self, module: Module, statement: ast.stmt, edits: Edits) -> None:
        """Drop methods nobody calls and imports of the project; give names their final form."""
        if isinstance(statement, ast.ClassDef):
            for member, first, last in members(statement.body, last_line(statement.body[0]) + 1):
                if not self.keep(statement, member):
                    edits.delete_lines(min(first, first_line(member)), last)
        uses = self.uses[module.name, id(statement)]
        for inner in uses.imports:
            edits.delete_lines(inner.lineno, last_line(inner) + (not module.lines[last_line(inner)].strip()))
        for node in uses.names:
            target = self.resolve(module, node.id, uses)
            if isinstance(target, tuple) and self.names.get(target, node.id) != node.id:
                edits.replace(node, self.names[target])
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            final = self.names[module.name, statement.name]
            if final != statement.name:
                edits.replace_first(statement.lineno, rf"\b{statement.name}\b", final)


def _ordering(dotted: str) -> tuple[int, str]:
    """As import sorters have it: constants, classes, then functions."""
    tail = dotted.rpartition(".")[2]
    return 0 if tail.isupper() and len(tail) > 1 else 1 if tail[0].isupper() else 2, tail.lower()


def heading(module: Module) -> str:
    """A line of comment that says what follows, from the module's docstring."""
    about = (ast.get_docstring(module.tree) or module.stem).split("\n\n")[0].replace("\n", " ")
    about = "What all labs share." if module.name == "engine.lab" else about
    lines = textwrap.wrap(about, WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return "\n".join([f"# {'-' * (WIDTH - 2)}", *(f"# {line}" for line in lines)])
