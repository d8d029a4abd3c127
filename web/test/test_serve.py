"""The local server."""

from __future__ import annotations

import mimetypes
from urllib.request import urlopen

import pytest
from serve import TYPES, make_server, serving


def test_types_do_not_depend_on_the_registry_of_the_system(tmp_path, monkeypatch):
    monkeypatch.setattr(mimetypes, "guess_type", lambda *_: ("text/plain", None))  # as Windows may have it
    (tmp_path / "index.html").touch()
    with serving(tmp_path) as url:
        for suffix, expected in TYPES.items():
            (tmp_path / f"file{suffix}").touch()
            with urlopen(f"{url}/file{suffix}") as answer:
                assert answer.headers["Content-Type"] == expected


def test_a_folder_without_a_site_is_an_error(tmp_path):
    with pytest.raises(SystemExit, match="make site"):
        make_server(tmp_path)
