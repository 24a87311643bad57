"""``python -m engine.data``: the data sets there are; ``python -m engine.data download mnist``: fetch one."""

from __future__ import annotations

import argparse
import sys

from engine.data.catalogue import CATALOGUE, megabytes
from engine.data.describe import describe_data
from engine.data.download import download
from engine.data.errors import DataError


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m engine.data", description="Data sets: list them, download one")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("list", help="the data sets there are (also without a command)")
    fetch = commands.add_parser("download", help="fetch a set into the cache")
    fetch.add_argument("name", choices=[item.name for item in CATALOGUE.values() if not item.bundled])
    chosen = parser.parse_args(arguments)
    if chosen.command != "download":
        for item in CATALOGUE.values():
            print(f"{item.name:16} {item.title}: {describe_data(item.name)}")
        return 0
    try:
        folder = download(chosen.name, progress=_show)
    except DataError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return 130
    print(f"\n{chosen.name} is in {folder}")
    return 0


def _show(done: int, total: int) -> None:
    print(f"\r{megabytes(done)} of {megabytes(total)} ", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
