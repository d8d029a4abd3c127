"""What the site downloads is kept only if it is what was pinned."""

import hashlib
import re

import pytest
import vendor

DATA = b"what was pinned"
HASH = hashlib.sha256(DATA).hexdigest()


def test_a_file_with_the_pinned_hash_is_kept(tmp_path):
    (tmp_path / "found").write_bytes(DATA)
    vendor.keep(tmp_path / "found", HASH, tmp_path / "folder" / "place")
    assert (tmp_path / "folder" / "place").read_bytes() == DATA
    assert vendor.present(tmp_path / "folder" / "place", HASH)


def test_another_file_is_an_error_that_names_it_and_is_not_kept(tmp_path):
    (tmp_path / "found").write_bytes(b"something else")
    with pytest.raises(vendor.WrongHash, match=f"found has the SHA-256 .*, but {HASH} is pinned"):
        vendor.keep(tmp_path / "found", HASH, tmp_path / "place")
    assert not (tmp_path / "place").exists()


def test_every_download_is_pinned():
    plan = vendor.PLAN
    hashes = [*plan["pyodide"]["files"].values(), *(one["sha256"] for one in [*plan["wheel"], *plan["npm"]])]
    assert all(re.fullmatch("[0-9a-f]{64}", one) for one in hashes)
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", one["version"]) for one in plan["npm"])
