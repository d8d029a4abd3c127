"""Downloads from a simulated server: only the expected files are kept."""

import hashlib
import io

import pytest
import requests
from urllib3 import HTTPResponse

from minisiam import datasets
from minisiam.app import cli
from minisiam.datasets import downloads as files

DATA = bytes(range(256)) * 20


@pytest.fixture
def published(monkeypatch):
    """A data set with one file, and a dictionary of responses: bytes, an address to redirect to, or an exception."""
    url = "https://example.org/set/one.bin"
    file = files.Published(url, len(DATA), hashlib.sha256(DATA).hexdigest())
    monkeypatch.setitem(files.SETS, "small", (file,))
    answers, asked = {url: DATA}, []

    def send(adapter, request, **_):
        asked.append(request.url)
        answer = answers[request.url]
        if isinstance(answer, Exception):
            raise answer
        moved = isinstance(answer, str)
        headers = {"location": answer} if moved else {"content-length": str(len(answer))}
        raw = HTTPResponse(io.BytesIO(b"" if moved else answer), headers, 302 if moved else 200, preload_content=False)
        return adapter.build_response(request, raw)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    return url, answers, asked


def test_fetch_downloads_once_and_replaces_damaged_files(published, tmp_path):
    url, _, asked = published
    said = []
    (path,) = datasets.fetch("small", tmp_path / "data", said.append)
    assert path.read_bytes() == DATA
    assert [p.name for p in path.parent.iterdir()] == ["one.bin"]
    assert "100 %" in said[-1]
    datasets.fetch("small", tmp_path / "data", said.append)
    assert asked == [url]  # what is there is not fetched again
    path.write_bytes(b"damaged")
    datasets.fetch("small", tmp_path / "data", said.append)
    assert path.read_bytes() == DATA


def test_a_file_with_a_wrong_checksum_is_not_kept(published, tmp_path):
    url, answers, _ = published
    for wrong in (DATA[:-1], DATA + b"0", b"", bytes(3_000_000)):
        answers[url] = wrong
        with pytest.raises(ValueError, match="nothing was kept"):
            datasets.fetch("small", tmp_path, print)
        assert not list(tmp_path.iterdir())


def test_without_a_network_the_error_gives_the_address(published, tmp_path, capsys):
    url, answers, _ = published
    answers[url] = requests.exceptions.ConnectionError("no route")
    assert cli.main(["data", "fetch", "small", "--out", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "cannot be reached (ConnectionError): download it by hand into" in error
    assert hashlib.sha256(DATA).hexdigest() in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_redirects_to_http_are_errors(published, tmp_path):
    url, answers, asked = published
    answers |= {url: "https://elsewhere.org/one.bin", "https://elsewhere.org/one.bin": DATA}
    assert datasets.fetch("small", tmp_path, print)
    answers[url] = "http://elsewhere.org/one.bin"
    (tmp_path / "one.bin").unlink()
    asked.clear()
    with pytest.raises(ValueError, match="is not https"):
        datasets.fetch("small", tmp_path, print)
    assert asked == [url]


def test_every_file_has_https_a_size_and_a_checksum():
    for some in files.SETS.values():
        for file in some:
            files.require_https(file.url)
            assert len(bytes.fromhex(file.sha256)) == 32
            assert file.name.endswith((".zip", ".gz"))
    assert set(files.SETS) == {"omniglot", "omniglot-small1", "omniglot-small2", "mnist", "fashion-mnist"}


def test_the_command_downloads_a_data_set(published, tmp_path, capsys):
    assert cli.main(["data", "fetch", "small", "--out", str(tmp_path)]) == 0
    assert "minisiam train --data small:" in capsys.readouterr().out
    assert cli.main(["data", "fetch", "smal"]) == 1
    assert "did you mean 'small'" in capsys.readouterr().err
    assert cli.main(["data", "get"]) == 1
    assert "use minisiam data fetch NAME" in capsys.readouterr().err
