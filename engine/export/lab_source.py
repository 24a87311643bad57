"""A lab's source, cut down to what trains."""

from __future__ import annotations

import ast
import importlib
import json
import re
import sys

from engine.data.plane import SETS
from engine.discovery import Card
from engine.export import beside
from engine.export.gather import WIDTH, Gatherer, Module, ScriptError
from engine.export.source import Edits, blocks, first_line, fold, last_line, members
from engine.hyperparameters import Value, hyperparameters_of
from engine.lab import Lab

DECORATORS = {"view", "action"}  # of methods that are for the window
HANDLERS = {"probe", "edit"}
DESCRIPTIONS = {"engine.views", "engine.diagrams", "engine.lab"}  # class attributes of these are for the window
TYPES = {"real": "float", "integer": "int", "choice": "str", "flag": "bool"}
BEGINNING = """\
    def __init__(self, hp: {params}, dataset: str, device: torch.device) -> None:
        self.hp, self.dataset, self.device = hp, dataset, device
        self.step_count = 0  # completed steps
        self.steps_per_epoch = 0.0

"""


class LabSource:
    """The lab's module and all that it needs, once everything for the window is taken out."""

    def __init__(
        self, card: Card, lab_class: type[Lab], values: dict[str, Value], dataset: str, also: set[str]
    ) -> None:
        self.card, self.params, self._lab = card, lab_class.Params.__name__, lab_class
        self.in_phases = False  # step() remains a generator
        self._dataset = dataset
        self._declared, self._values = hyperparameters_of(lab_class.Params), values
        self.source = card.path.read_text(encoding="utf-8")
        self._strip()
        self._join_phases()
        self.gatherer = self._gather(also)

    def class_node(self) -> ast.ClassDef:
        """The lab's class as it now stands."""
        return self._node(self.card.class_name)

    def _node(self, name: str) -> ast.ClassDef:
        for node in ast.parse(self.source).body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                return node
        raise ScriptError(f"{self.card.path.name} defines no class {name}")

    def method(self, name: str) -> ast.FunctionDef | None:
        """A method of the lab's class, if it has it."""
        found = (each for each in self.class_node().body if isinstance(each, ast.FunctionDef) and each.name == name)
        return next(found, None)

    # ------------------------------------------------------------------------------------------- taking out

    def _strip(self) -> None:
        """Views, buttons, what the gallery shows, and the base class."""
        node, edits, module = self.class_node(), Edits(self.source), Module("", self.source)
        if [ast.unparse(base) for base in node.bases] != ["Lab"] or node.keywords:
            raise ScriptError(f"{node.name} is not derived from Lab alone")
        if any(isinstance(each, ast.Name) and each.id == "super" for each in _training(node)):
            raise ScriptError(f"{node.name} calls super() in what trains")
        edits.replace_first(node.lineno, rf"{node.name}\(Lab\)", node.name)
        begun = False
        for member, first, last in members(node.body, first_line(node.body[0])):
            if isinstance(member, ast.FunctionDef) and not begun and not _for_window(member, module):
                edits.insert_before(first_line(member), BEGINNING.format(params=self.params))
                begun = True
            if _for_window(member, module):
                edits.delete_lines(first, last)
        self.source = edits.done()

    def _join_phases(self) -> None:
        """Make of a generator that names its phases a plain function, where it yields nothing but their names."""
        step, edits = self.method("step"), Edits(self.source)
        if step is None:
            raise ScriptError(f"{self.card.class_name} has no step()")
        yields = [each for each in ast.walk(step) if isinstance(each, ast.Yield | ast.YieldFrom)]
        lines = self.source.splitlines()
        for block in blocks(step):
            for node in block:
                if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield)):
                    continue
                alone = lines[node.lineno - 1].strip().startswith("yield") and node.lineno == last_line(node)
                if isinstance(node.value.value, ast.Constant) and alone and len(block) > 1:
                    edits.delete_lines(node.lineno, last_line(node))
                    yields.remove(node.value)
        self.in_phases = bool(yields)
        if self.in_phases:
            return
        if step.returns is not None and ast.unparse(step.returns) == "Step":
            returns = any(isinstance(each, ast.Return) for each in ast.walk(step))
            metrics = "Metrics" if re.search(r"import .*\bMetrics\b", self.source) else "dict"
            edits.replace(step.returns, f"{metrics} | None" if returns else "None")
        self.source = edits.done()

    # --------------------------------------------------------------------------------------------- gathering

    def _prepare(self, name: str, source: str) -> str:
        if name == self.card.module:
            return self.source
        for loader in beside.loaders(self._dataset):
            if name == loader.module:
                source = beside.replaced(source, loader)
        if name.startswith("engine.data"):
            known = {"name in SETS": self._dataset in SETS, "name == 'digits'": self._dataset == "digits"}
            source = fold(source, {**known, "not 4 <= size <= 256": False})
        return source

    def _gather(self, also: set[str]) -> Gatherer:
        """Follow all names; then leave out what turned out to be for the views alone, until nothing more does."""
        self._write_params(None)
        while True:
            found = Gatherer(self.card.module, self.card.class_name, self._prepare, also)
            before = self.source
            self._drop_unread(found)
            self._write_params(found.reads)
            if self.source == before:
                return found

    def _drop_unread(self, found: Gatherer) -> None:
        """Attributes that are set and never read, where setting them computes nothing."""
        edits = Edits(self.source)
        for block in blocks(self.class_node()):
            for node in block:
                if not isinstance(node, ast.Assign | ast.AnnAssign) or len(block) == 1:
                    continue
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                unread = all(isinstance(each, ast.Attribute) and each.attr not in found.reads for each in targets)
                if unread and not any(isinstance(each, ast.Call) for each in ast.walk(node)):
                    edits.delete_lines(node.lineno, last_line(node))
        self.source = edits.done()

    def _write_params(self, reads: set[str] | None) -> None:
        """The hyperparameters as plain values; those that change what is shown alone go unless they are read."""
        fields = []
        for name, declared in self._declared.items():
            if declared.view and reads is not None and name not in reads:
                continue
            field = f"    {name}: {TYPES[declared.kind]} = {literal(self._values[name])}"
            comment = f"# {declared.help}"
            long = len(field) + 2 + len(comment) > WIDTH
            fields.append(f"    {comment}\n{field}\n" if long else f"{field}  {comment}\n")
        node, lines = self._node(self.params), self.source.splitlines(keepends=True)
        text = f"@dataclass(frozen=True)\nclass {self.params}:\n" + ("".join(fields) or "    pass\n")
        self.source = "".join([*lines[: first_line(node) - 1], text, *lines[last_line(node) :]])

    def argument(self, loader: beside.Loader) -> object:
        """What the loader is called with after the name of the set; None where nothing follows."""
        for (name, _), statement in self.gatherer.kept.items():
            for call in ast.walk(statement):
                if not (isinstance(call, ast.Call) and ast.unparse(call.func) == loader.name and len(call.args) > 1):
                    continue
                given = call.args[1]
                if isinstance(given, ast.Constant):
                    return given.value
                if isinstance(given, ast.Name):
                    in_lab = name == self.card.module
                    module = sys.modules[self._lab.__module__] if in_lab else importlib.import_module(name)
                    return getattr(module, given.id)
                raise ScriptError(f"it is not known what {ast.unparse(call)} loads")
        return None


def _training(lab: ast.ClassDef) -> list[ast.AST]:
    """All code of the methods that the engine calls in training."""
    names = {"build", "step", "changed"}
    methods = (each for each in lab.body if isinstance(each, ast.FunctionDef) and each.name in names)
    return [inner for method in methods for inner in ast.walk(method)]


def _for_window(member: ast.stmt, module: Module) -> bool:
    """Whether a member of the lab's class is for the window, not for training."""
    if isinstance(member, ast.FunctionDef):
        for decorator in member.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(called, ast.Name) and called.id in DECORATORS:
                return True
            if isinstance(called, ast.Attribute) and called.attr in HANDLERS:
                return True
        return False
    if isinstance(member, ast.Expr):  # surface.probe(handler): one handler for several views
        return any(isinstance(each, ast.Attribute) and each.attr in HANDLERS for each in ast.walk(member))
    if not isinstance(member, ast.Assign | ast.AnnAssign):
        return False
    targets = member.targets if isinstance(member, ast.Assign) else [member.target]
    names = [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
    if all(name in Lab.__annotations__ for name in names):
        return True
    value = member.value
    if not (isinstance(value, ast.Call) and isinstance(value.func, ast.Name)):
        return False
    source = module.imported.get(value.func.id)
    return source is not None and source.dotted.rpartition(".")[0] in DESCRIPTIONS


def literal(value: object) -> str:
    """A value as Python writes it, words in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
