"""Deepscope without a window: ``python -m engine list | run | export | check | prove | bench``. It needs no Qt."""

from __future__ import annotations

import argparse
import sys
from typing import Any


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status: 0 done, 1 a check or proof failed, 2 wrong input."""
    options = _parser().parse_args(arguments)
    from engine.interruption import Interrupted, interruptible

    try:
        with interruptible():
            return _carry_out(options)
    except (Interrupted, KeyboardInterrupt):
        print("engine: interrupted", file=sys.stderr)
        return 130


def _carry_out(options: argparse.Namespace) -> int:
    from engine import headless  # torch only now: --help answers at once

    commands: dict[str, Any] = {
        "list": headless.list_labs,
        "run": headless.run,
        "export": headless.export,
        "check": headless.check,
        "prove": headless.prove,
        "bench": headless.bench,
    }
    try:
        status: int = commands[options.command](options)
        return status
    except headless.WrongInput as error:
        print(f"engine: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    from engine import __version__

    parser = argparse.ArgumentParser(prog="python -m engine", description="Deepscope without a window.")
    parser.add_argument("--version", action="version", version=f"Deepscope {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="the labs, in the order of the course")
    listing.add_argument("--json", action="store_true", help="with hyperparameters, their limits and help")

    run = commands.add_parser("run", help="train a lab; the last line printed is one JSON object")
    run.add_argument("lab", metavar="LAB")
    run.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a hyperparameter; repeatable")
    run.add_argument("--data", default="", metavar="NAME", help="a data set's name, or a file or folder of your own")
    length = run.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, metavar="N", help="until step N, counted from 0, also with --resume")
    length.add_argument("--seconds", type=float, metavar="S", help="for S seconds (default: 10)")
    run.add_argument("--seed", type=int, default=None, metavar="K")
    run.add_argument("--device", default=None, help="auto, cpu, cuda or mps (default: auto)")
    run.add_argument("--threads", type=int, default=0, metavar="N", help="torch's threads (default: the lab's choice)")
    change = "a live hyperparameter changes after STEP steps; repeatable"
    run.add_argument("--at", action="append", default=[], metavar="STEP:NAME=VALUE", help=change)
    run.add_argument("--marks", metavar="FILE", help="what changed a run in the window, to be repeated: JSON")
    run.add_argument("--save", metavar="FILE", help="write a checkpoint at the end")
    run.add_argument("--resume", metavar="FILE", help="go on from a checkpoint")
    trust = "with --resume: read the files of your own that the checkpoint learns from"
    run.add_argument("--trust-data", action="store_true", help=trust)
    run.add_argument("--weights", metavar="FILE", help="write the weights at the end, as safetensors")
    run.add_argument("--metrics", metavar="FILE", help="write all metrics at the end, as CSV")
    run.add_argument("--json", action="store_true", help="no progress bar: the JSON object alone")

    export = commands.add_parser("export", help="write a lab as one PyTorch script that runs without Deepscope")
    export.add_argument("lab", metavar="LAB")
    export.add_argument("--script", metavar="FILE", required=True, help="the script; its data, if any, lie beside it")
    export.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a hyperparameter; repeatable")
    export.add_argument("--at", action="append", default=[], metavar="STEP:NAME=VALUE", help=change)
    export.add_argument("--data", default="", metavar="NAME", help="a data set's name, or a file or folder of your own")
    export.add_argument("--steps", type=int, default=1000, metavar="N", help="how many it trains (default: 1000)")
    export.add_argument("--seed", type=int, default=0, metavar="K")
    export.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")

    check = commands.add_parser("check", help="the contract that every lab keeps; exit status 1 if one fails")
    check.add_argument("lab", nargs="?", metavar="LAB")

    prove = commands.add_parser("prove", help="train, measure the figure that proves a lab, and compare it")
    prove.add_argument("lab", nargs="?", metavar="LAB")

    bench = commands.add_parser("bench", help="the benchmarks, each a ratio from one run")
    bench.add_argument("name", nargs="?", metavar="NAME")
    bench.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    return parser


if __name__ == "__main__":
    from engine.interruption import leave

    sys.exit(leave(main()))
