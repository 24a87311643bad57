"""What can go wrong with data. Every message is written for the viewer, who can mend it."""

from __future__ import annotations


class DataError(Exception):
    """The data cannot be used; the message says what was found and what is wanted."""


class DataMissing(DataError):
    """A catalogued set is not on this machine. `dataset` is its name: the window offers to download it."""

    def __init__(self, dataset: str, message: str) -> None:
        super().__init__(message)
        self.dataset = dataset


class DownloadFailed(DataError):
    """The transfer did not succeed; trying again may help, and goes on where it stopped if the server can."""


class WrongFile(DownloadFailed):
    """What arrived is not the file that was asked for. It has been removed."""


class DiskFull(DownloadFailed):
    """There is no room for the file."""


class Cancelled(DataError):
    """The viewer stopped it. A progress callback may raise this too."""
