"""A lab as one PyTorch script that runs without this project and does what the lab does, number for number.

The lab's own source is cut down to what trains: views, buttons and the window's declarations go, its hyperparameters
become plain values, and whatever it uses of this project's modules is copied in, comments and all.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine import device
from engine.discovery import find_card, load_lab
from engine.export import beside
from engine.export.gather import WIDTH, Import, heading
from engine.export.lab_source import LabSource, literal
from engine.files import writing
from engine.hyperparameters import make_params, values_of
from engine.messages import Mark, RunSpec

LINES = 20  # about so many are printed

ADVANCE = '''\
def advance(lab: {lab}) -> dict[str, Any]:
    """One whole step, its phases one after the other."""
    phases = lab.step()
    while True:
        try:
            next(phases)
        except StopIteration as end:
            return end.value or {{}}


'''
MAIN = '''\
def main() -> None:
    """Train, and say now and then how far it is."""
    torch.set_num_threads({threads})  # with more or fewer, sums are rounded differently
    torch.manual_seed(SEED)
    lab = {lab}({params}(), DATASET, DEVICE)
    lab.build()
    metrics = {{}}
    for step in range(1, STEPS + 1):
{changes}        metrics.update({advance})
{counts}        if step % EACH == 0 or step == STEPS:
            print(f"step {{step}}:", ", ".join(f"{{name}} {{float(value)}}" for name, value in metrics.items()))


if __name__ == "__main__":
    main()
'''
CHANGES = """\
        for after, name, value in CHANGES:
            if after == step - 1:
                lab.hp = replace(lab.hp, **{name: value})
"""
TELL = """\
                lab.changed(name)
"""


@dataclass(frozen=True)
class Script:
    """The text, and what must lie beside it."""

    text: str
    dataset: str
    loader: beside.Loader | None
    argument: object  # what the lab gives the loader after the name of the set


def write_script(path: Path, spec: RunSpec, steps: int, marks: Iterable[Mark] = (), *, threads: int = 0) -> list[Path]:
    """Write the script, and beside it the data it needs; returns the files.

    Of the marks, it repeats those that set a hyperparameter. Raises ScriptError, DataError or OSError.
    """
    script = make_script(spec.lab, spec, steps, marks, threads=threads, file=path.name)
    written = [path]
    if script.loader is not None:
        written.append(path.with_suffix(script.loader.suffix))
        script.loader.write(written[1], script.dataset, script.argument)
    with writing(path) as out:
        out.write(script.text.encode())
    return written


def make_script(
    lab_id: str, spec: RunSpec, steps: int, marks: Iterable[Mark] = (), *, threads: int = 0, file: str = ""
) -> Script:
    """The script, and what must lie beside it when it is called `file`."""
    card, lab_class = find_card(lab_id), load_lab(lab_id)
    dataset = spec.dataset or (lab_class.datasets[0] if lab_class.datasets else "")
    values = values_of(make_params(lab_class.Params, spec.hyperparameters))
    changes = [(mark.step, mark.name, mark.new) for mark in marks if mark.kind == "set" and mark.step < steps]
    code = LabSource(card, lab_class, values, dataset, {"changed"} if changes else set())
    found = code.gatherer
    loader = next((each for each in beside.loaders(dataset) if (each.module, each.name) in found.kept), None)

    body = ""
    for module, text in found.sections():
        title = heading(module) if module.name != card.module else _rule("The lab")
        body += f"\n\n{title}\n\n\n{text}\n"
    body += f"\n\n{_rule('Training')}\n\n\n"
    body += ADVANCE.format(lab=card.class_name) if code.in_phases else ""
    tell = TELL if code.method("changed") is not None else ""
    body += MAIN.format(
        threads=device.threads_for(lab_class, threads),
        lab=card.class_name,
        params=code.params,
        advance="advance(lab)" if code.in_phases else "lab.step() or {}",
        changes=CHANGES + tell if changes else "",
        counts="        lab.step_count = step\n" if "step_count" in found.reads else "",
    )

    more = {Import("torch", "torch", plain=True)}
    more |= {Import("dataclasses.replace", "replace", plain=False)} if changes else set()
    more |= {Import("typing.Any", "Any", plain=False)} if code.in_phases else set()
    settings = [f"SEED, STEPS = {spec.seed}, {steps}"]
    settings += [f"EACH = {max(1, steps // LINES)}  # of so many steps one is printed"]
    settings += [f"DATASET, DEVICE = {literal(Path(dataset).name)}, torch.device({literal(str(_where(spec)))})"]
    if changes:
        rows = [f"    ({after}, {literal(name)}, {literal(value)})," for after, name, value in changes]
        settings += ["CHANGES = (  # after how many steps, of which hyperparameter, to what", *rows, ")"]
    head = _docstring(code, body, file or f"{card.id}.py", loader)
    head += f"\nfrom __future__ import annotations\n\n{found.import_lines(more)}\n" + "\n".join(settings) + "\n"
    return Script(head + body, dataset, loader, code.argument(loader) if loader else None)


def _where(spec: RunSpec) -> object:
    return device.choose(spec.device)


def _rule(text: str) -> str:
    return f"# {'-' * (WIDTH - 2)}\n# {text}"


def _docstring(code: LabSource, body: str, file: str, loader: beside.Loader | None) -> str:
    about = (ast.get_docstring(ast.parse(code.source)) or code.card.title).split("\n\n")[0]
    needs = "torch, numpy and scikit-learn" if "sklearn" in body else "torch and numpy"
    data = f" The data lie beside it, in {Path(file).with_suffix(loader.suffix).name}." if loader else ""
    told = f"One run of Deepscope's lab “{code.card.title}”, by itself. It needs {needs}.{data} "
    told += "On a CPU it gives the same numbers as the lab, to the last bit."
    filled = textwrap.fill(told, WIDTH, break_long_words=False, break_on_hyphens=False)
    return f'"""{about}\n\n{filled}\n\n    python {file}\n"""\n'
