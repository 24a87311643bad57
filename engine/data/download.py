"""Downloads a catalogued set into the cache: resumed, checked, cancellable.

pooch checks the files. It does not fetch them, because its downloaders can neither be cancelled nor go on where
they stopped; `requests`, which pooch brings along, streams them instead.
"""

from __future__ import annotations

import errno
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from engine.data.catalogue import DataSet, RemoteFile, cache_folder, lookup, megabytes
from engine.data.errors import Cancelled, DataError, DiskFull, DownloadFailed, WrongFile

Progress = Callable[[int, int], None]  # bytes so far, bytes in all

CHUNK = 65_536
ATTEMPTS = 4  # connections to a server that breaks off
PAUSE_SECONDS = 0.5  # before the second, longer before the next
STALL_SECONDS = 15.0
REDIRECTS = 5
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_POLL_SECONDS = 0.05  # how late a cancel may be noticed

_under_way: set[Path] = set()
_lock = threading.Lock()


def download(
    dataset: str | DataSet,
    folder: Path | None = None,
    *,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    stall_seconds: float = STALL_SECONDS,
) -> Path:
    """Bring a set's files into `folder` (by default the cache, where `find_files` looks) and return that folder.

    Blocks until all is there: call it from a thread. Setting `cancel` makes it raise Cancelled; what has arrived is
    kept as NAME.part, and the next call goes on from there. Raises DownloadFailed, WrongFile or DiskFull.
    """
    wanted = lookup(dataset) if isinstance(dataset, str) else dataset
    target = folder or cache_folder() / wanted.folder
    job = _Job(progress, cancel or threading.Event(), stall_seconds, wanted.bytes)
    with _alone(target), _disk_errors(wanted, target):
        target.mkdir(parents=True, exist_ok=True)
        missing = [file for file in wanted.files if not _matches(target / file.name, file)]
        needed = sum(file.bytes - _size(_part(target, file)) for file in missing)
        free = shutil.disk_usage(target).free
        if free < needed:
            raise DiskFull(f"{wanted.title} needs {megabytes(needed)}; {megabytes(free)} are free in {target}")
        job.done = wanted.bytes - sum(file.bytes for file in missing)
        for file in missing:
            _fetch(file, target, job)
    return target


@dataclass
class _Job:
    """What one call of `download` keeps in mind."""

    progress: Progress | None
    cancel: threading.Event
    stall_seconds: float
    total: int
    done: int = 0  # bytes of finished files

    def report(self, here: int) -> None:
        if self.cancel.is_set():
            raise Cancelled("the download was cancelled")
        if self.progress is not None:
            self.progress(self.done + here, self.total)


class _Broken(Exception):
    """The connection was lost or stalled: worth another try."""


def _fetch(file: RemoteFile, target: Path, job: _Job) -> None:
    """One file: as many connections as it takes, then the check, then its real name."""
    part = _part(target, file)
    resumed, fresh_start_left = part.exists(), True
    attempt = 0
    while True:
        have = _size(part)
        if have < file.bytes:
            attempt += 1
            try:
                resumed = _transfer(file, part, have, job)
            except _Broken as broken:
                if attempt >= ATTEMPTS:
                    raise DownloadFailed(
                        f"{file.name} could not be downloaded from {_host(file)}: {broken}"
                    ) from broken
                job.cancel.wait(PAUSE_SECONDS * attempt)
                continue
        size = _size(part)
        if size == file.bytes and _sha256(part) == file.sha256:
            break
        part.unlink()
        if not (resumed and fresh_start_left):
            raise _wrong(file, f"{size:,} bytes" if size != file.bytes else "the right size but other contents")
        fresh_start_left = False  # the old beginning may have been at fault: once more, from nothing
    os.replace(part, target / file.name)
    job.done += file.bytes
    job.report(0)


def _transfer(file: RemoteFile, part: Path, have: int, job: _Job) -> bool:
    """Append what the server sends to `part`, which holds `have` bytes. Returns whether it went on from there."""
    stream = _Stream(file.url, have, job.stall_seconds)
    try:
        status, headers = stream.begin(job)
        if status == 416:  # the server has nothing after our part
            part.unlink(missing_ok=True)
            raise _Broken("the server would not go on from where it stopped")
        if status >= 500:
            raise _Broken(f"the server answers {status}")
        if status not in (200, 206):
            raise DownloadFailed(f"{file.name} could not be downloaded: {_host(file)} answers {status} for {file.url}")
        if status == 206 and not headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink(missing_ok=True)
            raise _Broken("the server went on from another place")
        resumes = status == 206 and have > 0
        have = have if resumes else 0
        announced = headers.get("Content-Length", "")
        if announced.isdigit() and "Content-Encoding" not in headers and int(announced) != file.bytes - have:
            part.unlink(missing_ok=True)
            raise _wrong(file, f"{int(announced) + have:,} bytes")
        with part.open("ab" if resumes else "wb") as out:
            for chunk in stream.chunks(job):
                have += len(chunk)
                if have > file.bytes:
                    out.close()
                    part.unlink()
                    raise _wrong(file, f"more than {file.bytes:,} bytes")
                out.write(chunk)
                job.report(have)
        if have < file.bytes:
            raise _Broken(f"the connection ended after {have:,} of {file.bytes:,} bytes")
        return resumes
    finally:
        stream.stop.set()


class _Stream:
    """A connection that is read in a thread of its own, so that a silent server cannot hold up a cancel."""

    def __init__(self, url: str, start: int, stall_seconds: float) -> None:
        self.stop = threading.Event()
        self._stall_seconds = stall_seconds
        self._news: queue.Queue[tuple[int, Mapping[str, str]] | bytes | Exception | None] = queue.Queue(maxsize=16)
        threading.Thread(target=self._read, args=(url, start), name="download", daemon=True).start()

    def begin(self, job: _Job) -> tuple[int, Mapping[str, str]]:
        """The status and headers of the answer."""
        news = self._next(job)
        assert isinstance(news, tuple)  # _read puts them first
        return news

    def chunks(self, job: _Job) -> Iterator[bytes]:
        """The body, piece by piece."""
        while (news := self._next(job)) is not None:
            assert isinstance(news, bytes)
            yield news

    def _next(self, job: _Job) -> tuple[int, Mapping[str, str]] | bytes | None:
        give_up = time.monotonic() + self._stall_seconds
        while True:
            try:
                news = self._news.get(timeout=_POLL_SECONDS)
                break
            except queue.Empty:
                if job.cancel.is_set():
                    raise Cancelled("the download was cancelled") from None
                if time.monotonic() > give_up:
                    raise _Broken(f"nothing arrived for {self._stall_seconds:g} seconds") from None
        if isinstance(news, Exception):
            raise news
        return news

    def _read(self, url: str, start: int) -> None:
        import requests

        start_url = url
        # identity: a server that packs the file on the way would make sizes and ranges mean something else
        headers = {"Accept-Encoding": "identity", "User-Agent": "deepscope"}
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            for _ in range(REDIRECTS + 1):
                _check_address(url, start_url)
                with requests.get(
                    url, headers=headers, stream=True, timeout=self._stall_seconds, allow_redirects=False
                ) as response:
                    if response.is_redirect:
                        url = urljoin(url, response.headers["Location"])
                        continue
                    self._put((response.status_code, response.headers))
                    for chunk in response.iter_content(CHUNK):
                        if not self._put(chunk):
                            return
                self._put(None)
                return
            self._put(DownloadFailed(f"{urlsplit(start_url).hostname} redirects more than {REDIRECTS} times"))
        except DownloadFailed as refused:
            self._put(refused)
        except (requests.RequestException, OSError, ValueError) as error:
            self._put(_Broken(_why(error)))

    def _put(self, news: tuple[int, Mapping[str, str]] | bytes | Exception | None) -> bool:
        """Hand it over; False where nobody waits for it any more."""
        while not self.stop.is_set():
            try:
                self._news.put(news, timeout=_POLL_SECONDS)
                return True
            except queue.Full:
                continue
        return False


def _check_address(url: str, start: str) -> None:
    """DownloadFailed unless the address is https. Plain http is only for a server on this machine that was named as
    such to begin with: a redirect never leads to it from elsewhere, nor from it to another host."""
    address, origin = urlsplit(url), urlsplit(start)
    local = address.scheme == origin.scheme == "http" and {address.hostname, origin.hostname} <= set(LOOPBACK)
    if address.scheme != "https" and not local:
        raise DownloadFailed(
            f"{origin.hostname} leads to {url[:200]}, which is not an https address: it was not opened"
        )


def _why(error: Exception) -> str:
    """A failed connection in a few words; the exceptions of requests carry a page of them."""
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate was not accepted"
    if isinstance(error, requests.Timeout):
        return "the server did not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, requests.ConnectionError):
        return "there is no connection to it"
    return str(error) or type(error).__name__


def _wrong(file: RemoteFile, found: str) -> WrongFile:
    return WrongFile(
        f"what {_host(file)} sent as {file.name} is not the file that is wanted "
        f"({found}; {file.bytes:,} bytes with checksum {file.sha256[:8]}… are wanted). It was removed"
    )


def _part(target: Path, file: RemoteFile) -> Path:
    return target / f"{file.name}.part"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _matches(path: Path, file: RemoteFile) -> bool:
    return _size(path) == file.bytes and _sha256(path) == file.sha256


def _sha256(path: Path) -> str:
    import pooch

    return str(pooch.file_hash(str(path), alg="sha256"))


def _host(file: RemoteFile) -> str:
    return urlsplit(file.url).hostname or file.url


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Two downloads into one folder would write into the same file."""
    with _lock:
        if target in _under_way:
            raise DownloadFailed(f"{target.name} is being downloaded already")
        _under_way.add(target)
    try:
        yield
    finally:
        with _lock:
            _under_way.discard(target)


@contextmanager
def _disk_errors(dataset: DataSet, target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            for file in dataset.files:  # what has arrived would keep the disk full
                _part(target, file).unlink(missing_ok=True)
            raise DiskFull(f"the disk is full: there is no room for the file in {target}") from error
        raise DataError(f"{target} cannot be written to: {error.strerror or error}") from error
