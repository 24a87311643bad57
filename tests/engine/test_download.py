"""Downloads against a server on this machine that breaks off, stalls and lies."""

from __future__ import annotations

import errno
import hashlib
import http.server
import random
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

from engine.data import Cancelled, DataError, DataMissing, DataSet, catalogue, find_files
from engine.data import download as download_module
from engine.data.catalogue import RemoteFile
from engine.data.download import download
from engine.data.errors import DiskFull, DownloadFailed, WrongFile

CONTENT = random.Random(1).randbytes(1_000_000)
HALF = 500_000


@dataclass
class Site:
    """What the server does with each path, and what it was asked."""

    content: dict[str, bytes] = field(default_factory=dict)
    behaviour: dict[str, str] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    ranges: list[tuple[str, str]] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def file(self, name: str, content: bytes = CONTENT, behaviour: str = "good") -> RemoteFile:
        self.content[f"/{name}"] = content
        self.behaviour[f"/{name}"] = behaviour
        return RemoteFile(name, self.url + name, hashlib.sha256(content).hexdigest(), len(content))


def handler_for(site: Site) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            site.requests[self.path] += 1
            asked = self.headers.get("Range", "")
            site.ranges.append((self.path, asked))
            content, behaviour = site.content[self.path], site.behaviour[self.path]
            if behaviour.startswith("redirect "):
                self.send_response(302)
                self.send_header("Location", behaviour.removeprefix("redirect "))
                self.send_header("Content-Length", "0")
                return self.end_headers()
            match behaviour:
                case "404":
                    return self.send_error(404)
                case "silent":
                    site.release.wait()
                    return None
                case "503 once" if site.requests[self.path] == 1:
                    return self.send_error(503)
                case "other content":
                    content = bytes(len(content))
                case "login page":
                    content = b"<html>Please log in to this network</html>"
                case "twice as long, unannounced":
                    content = content * 2
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
            if behaviour == "ignores range":
                start = 0
            if start >= len(content):
                return self.send_error(416)
            if behaviour == "another range":
                start = 0 if start == 0 else start - 1000
            body = content[start:]
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            if "unannounced" not in behaviour:
                self.send_header("Content-Length", str(len(body) + (1000 if behaviour == "announces more" else 0)))
            self.end_headers()
            if (behaviour in ("drops once", "ignores range") and site.requests[self.path] == 1) or behaviour == "drops":
                body = body[:HALF]
            if behaviour == "stalls":
                self.wfile.write(body[:HALF])
                self.wfile.flush()
                site.release.wait()
                return None
            self.wfile.write(body)
            return None

    return Handler


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """The other side hanging up is what some tests are about."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download_module, "PAUSE_SECONDS", 0.0)
    site = Site()
    server = Server(("127.0.0.1", 0), handler_for(site))
    site.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    site.release.set()
    for reader in threading.enumerate():
        if reader.name == "download":
            reader.join(10)
            assert not reader.is_alive()
    server.shutdown()
    thread.join()
    server.server_close()


def a_set(*files: RemoteFile) -> DataSet:
    return DataSet("toy", "Toy set", "images", False, sum(f.bytes for f in files), "CC0", "here", files, "toy")


def test_files_arrive_whole_and_progress_counts_every_byte(site: Site, tmp_path: Path) -> None:
    files = site.file("a.bin"), site.file("b.bin", b"short")
    seen: list[tuple[int, int]] = []
    folder = download(a_set(*files), tmp_path / "toy", progress=lambda done, total: seen.append((done, total)))
    assert (folder / "a.bin").read_bytes() == CONTENT
    assert (folder / "b.bin").read_bytes() == b"short"
    assert seen[-1] == (1_000_005, 1_000_005)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert len(seen) > 10
    assert sorted(path.name for path in folder.iterdir()) == ["a.bin", "b.bin"]


def test_what_is_there_already_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    files = site.file("a.bin"), site.file("b.bin", b"short")
    (tmp_path / "a.bin").write_bytes(CONTENT)
    (tmp_path / "b.bin").write_bytes(b"shirt")  # the right size, but not the file
    download(a_set(*files), tmp_path)
    assert site.requests == {"/b.bin": 1}
    assert (tmp_path / "b.bin").read_bytes() == b"short"


def test_downloads_are_found_in_the_cache(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPSCOPE_DATA", raising=False)
    monkeypatch.setattr(catalogue, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(download_module, "cache_folder", lambda: tmp_path)
    toy = a_set(site.file("a.bin"))
    with pytest.raises(DataMissing, match="Toy set is not on this machine") as missing:
        find_files(toy)
    assert missing.value.dataset == "toy"
    download(toy)
    assert find_files(toy) == {"a.bin": tmp_path / "toy" / "a.bin"}


def test_a_broken_connection_is_taken_up_where_it_ended(site: Site, tmp_path: Path) -> None:
    download(a_set(site.file("a.bin", behaviour="drops once")), tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    (_, first), (_, second) = site.ranges
    assert first == ""
    assert 0 < int(second.removeprefix("bytes=").removesuffix("-")) <= HALF


def test_a_server_that_ignores_range_is_asked_for_all(site: Site, tmp_path: Path) -> None:
    download(a_set(site.file("a.bin", behaviour="ignores range")), tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert site.ranges[1][1].startswith("bytes=")


def test_a_server_that_goes_on_elsewhere_is_asked_for_all(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:HALF])
    download(a_set(site.file("a.bin", behaviour="another range")), tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert [asked for _, asked in site.ranges] == [f"bytes={HALF}-", ""]


def test_a_server_that_keeps_dropping_is_given_up_with_its_part_kept(site: Site, tmp_path: Path) -> None:
    content = CONTENT * 4  # five connections' worth
    toy = a_set(site.file("a.bin", content, "drops"))
    with pytest.raises(DownloadFailed, match=r"a\.bin could not be downloaded from 127\.0\.0\.1: the connection"):
        download(toy, tmp_path)
    assert site.requests["/a.bin"] == download_module.ATTEMPTS
    part = (tmp_path / "a.bin.part").read_bytes()
    assert part
    assert content.startswith(part)
    site.behaviour["/a.bin"] = "good"
    download(toy, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == content
    assert site.ranges[-1][1] == f"bytes={len(part)}-"


def test_a_passing_server_error_is_tried_again(site: Site, tmp_path: Path) -> None:
    download(a_set(site.file("a.bin", behaviour="503 once")), tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_stalled_connection_is_replaced(site: Site, tmp_path: Path) -> None:
    download(a_set(site.file("a.bin", behaviour="stalls")), tmp_path, stall_seconds=0.2)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert site.requests["/a.bin"] > 1


def test_a_silent_server_is_given_up(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match=r"nothing arrived for 0\.1 seconds|did not answer in time"):
        download(a_set(site.file("a.bin", behaviour="silent")), tmp_path, stall_seconds=0.1)
    assert list(tmp_path.iterdir()) == []


def test_cancel_acts_while_the_server_is_silent(site: Site, tmp_path: Path) -> None:
    cancel = threading.Event()

    def cancel_at_the_last_chunk(done: int, _total: int) -> None:
        if done + download_module.CHUNK > HALF:  # the server now holds its connection open and says nothing
            cancel.set()

    toy = a_set(site.file("a.bin", behaviour="stalls"))
    with pytest.raises(Cancelled):
        download(toy, tmp_path, progress=cancel_at_the_last_chunk, cancel=cancel, stall_seconds=60)
    assert not (tmp_path / "a.bin").exists()
    kept = (tmp_path / "a.bin.part").stat().st_size
    assert HALF - download_module.CHUNK < kept <= HALF
    site.behaviour["/a.bin"] = "good"
    download(toy, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert site.ranges[-1][1] == f"bytes={kept}-"


def test_cancel_in_the_middle_and_a_callback_that_raises(site: Site, tmp_path: Path) -> None:
    cancel = threading.Event()
    toy = a_set(site.file("a.bin"))
    with pytest.raises(Cancelled):
        download(toy, tmp_path, progress=lambda done, _total: cancel.set() if done > 300_000 else None, cancel=cancel)
    first = (tmp_path / "a.bin.part").stat().st_size
    assert 300_000 < first < 1_000_000

    def stop(_done: int, _total: int) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        download(toy, tmp_path, progress=stop)
    assert (tmp_path / "a.bin.part").stat().st_size > first
    assert not (tmp_path / "a.bin").exists()


@pytest.mark.parametrize("behaviour", ["other content", "login page", "twice as long, unannounced"])
def test_a_wrong_file_is_refused_named_and_removed(site: Site, tmp_path: Path, behaviour: str) -> None:
    with pytest.raises(WrongFile, match=r"127\.0\.0\.1 sent as a\.bin is not the file that is wanted"):
        download(a_set(site.file("a.bin", behaviour=behaviour)), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert site.requests["/a.bin"] == 1


def test_a_false_length_is_refused_before_it_is_fetched(site: Site, tmp_path: Path) -> None:
    with pytest.raises(WrongFile, match=r"1,001,000 bytes; 1,000,000 bytes with checksum"):
        download(a_set(site.file("a.bin", behaviour="announces more")), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [HALF, len(CONTENT), len(CONTENT) + 7])
def test_a_spoilt_part_is_replaced_from_nothing(site: Site, tmp_path: Path, length: int) -> None:
    (tmp_path / "a.bin.part").write_bytes(bytes(length))
    download(a_set(site.file("a.bin")), tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_spoilt_part_and_a_wrong_server_end(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(b"x" * HALF)
    with pytest.raises(WrongFile, match="the right size but other contents"):
        download(a_set(site.file("a.bin", behaviour="other content")), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert site.requests["/a.bin"] == 2


def test_a_missing_file_and_a_missing_server_are_named(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match=r"a\.bin could not be downloaded: 127\.0\.0\.1 answers 404"):
        download(a_set(site.file("a.bin", behaviour="404")), tmp_path)
    nowhere = RemoteFile("b.bin", "http://127.0.0.1:9/b.bin", "0" * 64, 10)
    with pytest.raises(DownloadFailed, match="there is no connection to it"):
        download(a_set(nowhere), tmp_path)


def test_a_full_disk_is_told_before_and_during(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = a_set(site.file("a.bin"))
    with monkeypatch.context() as full:
        full.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10**9, 10**9 - 5000, 5000))
        with pytest.raises(DiskFull, match=r"Toy set needs 1\.0 MB; 5 kB are free"):
            download(toy, tmp_path)
    assert site.requests["/a.bin"] == 0

    def open_on_a_full_disk(path: Path, mode: str) -> IO[bytes]:
        file = open(path, mode)  # noqa: SIM115
        return FullDisk(file)  # type: ignore[return-value]

    with monkeypatch.context() as full:
        full.setattr(Path, "open", open_on_a_full_disk)
        with pytest.raises(DiskFull, match="the disk is full"):
            download(toy, tmp_path)
    assert list(tmp_path.iterdir()) == []


class FullDisk:
    """A file that takes 200 kB and no more."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.written = file, 0

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *args: object) -> None:
        self.file.close()

    def write(self, data: bytes) -> int:
        self.written += len(data)
        if self.written > 200_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.file.write(data)


def test_a_folder_that_cannot_be_written_to(site: Site, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(DataError, match="taken cannot be written to"):
        download(a_set(site.file("a.bin")), tmp_path / "taken")


def test_the_same_folder_is_not_filled_twice_at_once(site: Site, tmp_path: Path) -> None:
    toy = a_set(site.file("a.bin"))
    refused: list[str] = []

    def start_another(_done: int, _total: int) -> None:
        if not refused:
            with pytest.raises(DownloadFailed, match="is being downloaded already") as error:
                download(toy, tmp_path)
            refused.append(str(error.value))

    download(toy, tmp_path, progress=start_another)
    assert refused
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    download(toy, tmp_path)  # and afterwards it is free again


def test_the_catalogue_names_the_publishers_files() -> None:
    for item in catalogue.CATALOGUE.values():
        assert item.bundled == (not item.files)
        assert item.bytes == sum(file.bytes for file in item.files) or item.bundled
        for file in item.files:
            assert file.url.startswith("https://")
            assert file.url.endswith("/" + file.name)
            assert len(bytes.fromhex(file.sha256)) == 32


# ------------------------------------------------------------------ redirects


def test_a_redirect_on_the_same_machine_is_followed(site: Site, tmp_path: Path) -> None:
    file = site.file("a.bin", behaviour="redirect /elsewhere.bin")
    site.file("elsewhere.bin")
    assert (download(a_set(file), tmp_path) / "a.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("target", ["http://example.org/a.bin", "file:///etc/hostname", "ftp://127.0.0.1/a.bin"])
def test_a_redirect_to_anything_but_https_is_refused(site: Site, tmp_path: Path, target: str) -> None:
    file = site.file("a.bin", behaviour=f"redirect {target}")
    with pytest.raises(DownloadFailed, match=f"leads to {target}, which is not an https address: it was not opened"):
        download(a_set(file), tmp_path)
    assert site.requests["/a.bin"] == 1
    assert not (tmp_path / "a.bin").exists()


def test_a_redirect_from_elsewhere_never_leads_to_this_machine() -> None:
    download_module._check_address("https://other.example/a", "https://example.org/a")
    for url in ("http://127.0.0.1/a", "http://localhost/a", "http://example.org/a"):
        with pytest.raises(DownloadFailed, match="not an https address"):
            download_module._check_address(url, "https://example.org/a")
    with pytest.raises(DownloadFailed, match="not an https address"):
        download_module._check_address("http://example.org/a", "http://example.org/a")


def test_redirects_in_a_circle_end(site: Site, tmp_path: Path) -> None:
    file = site.file("a.bin", behaviour="redirect /a.bin")
    with pytest.raises(DownloadFailed, match="redirects more than 5 times"):
        download(a_set(file), tmp_path)
