"""Download what the site is made of, once, into build/vendor/:   python web/vendor.py

    build/vendor/pyodide/        Python for the page, NumPy, matplotlib, and the wheels of the gradient check
    build/vendor/node_modules/   the editor, the maths and the compressor, from npm

Every file is compared with a SHA-256: a wheel of Pyodide's with that in Pyodide's lock, all others with vendored.toml.
A file with another hash is an error, and it is not kept. The downloads use npm and pip with their own settings.

NumPy and matplotlib have no WebAssembly wheel on PyPI. Each is taken from the first place that has it: a folder of
yours (`--wheels`), Pyodide's CDN, or a wheel on PyPI that contains it, of which nothing else is kept.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import urllib.request
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
VENDOR = HERE.parent / "build" / "vendor"
CDN = "https://cdn.jsdelivr.net/pyodide/v{version}/full/{file}"
WASM = ("--platform", "pyemscripten_2026_0_wasm32", "--python-version", "3.14", "--implementation", "cp",
        "--abi", "cp314", "--abi", "none", "--platform", "any")  # fmt: skip
LOCK = "pyodide-lock.json"
PLAN: dict[str, Any] = tomllib.loads((HERE / "vendored.toml").read_text(encoding="utf-8"))


class WrongHash(Exception):
    """A downloaded file is not the one that was pinned."""


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def keep(found: Path, expected: str, place: Path) -> None:
    """Move a file to its place if it has the expected hash."""
    actual = sha256(found)
    if actual != expected:
        raise WrongHash(f"{found.name} has the SHA-256 {actual}, but {expected} is pinned in web/vendored.toml")
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(place.name + ".part")
    shutil.copyfile(found, part)
    part.replace(place)


def present(place: Path, expected: str) -> bool:
    """Whether the file is there and whole."""
    return place.is_file() and sha256(place) == expected


def run(*command: str) -> None:
    """Run npm or pip, and show its output only if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def npm(package: str, folder: Path) -> tarfile.TarFile:
    """Download a package of npm, and open it."""
    into = Path(tempfile.mkdtemp(dir=folder))
    run("npm", "pack", "--silent", package, "--pack-destination", str(into))
    return tarfile.open(next(into.glob("*.tgz")))


def pip(folder: Path, *words: str) -> None:
    """Download a wheel for any machine."""
    run(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", str(folder), *words)


def pyodide(out: Path, folder: Path) -> dict[str, Any]:
    """Fetch Pyodide from npm; returns its lock, which stays beside the lock of the site."""
    plan = PLAN["pyodide"]
    places = {name: out / name for name in plan["files"]} | {LOCK: out / f"npm-{LOCK}"}
    missing = [name for name, place in places.items() if not present(place, plan["files"][name])]
    if missing:
        with npm(f"pyodide@{plan['version']}", folder) as package:
            for name in missing:
                package.extract(f"package/{name}", folder, filter="data")
                keep(folder / "package" / name, plan["files"][name], places[name])
    return json.loads(places[LOCK].read_text(encoding="utf-8"))


def closure(names: list[str], packages: dict[str, Any]) -> list[str]:
    """These packages of the lock, and all that they depend on."""
    found: list[str] = []
    while names:
        name, *names = names
        if name not in found:
            found.append(name)
            names += packages[name]["depends"]
    return found


def from_lock(entries: list[dict[str, Any]], out: Path, folder: Path, wheels: Path | None) -> None:
    """Fetch the wheels of Pyodide's lock from the first place that has them."""
    missing = {e["file_name"]: e["sha256"] for e in entries if not present(out / e["file_name"], e["sha256"])}
    for place in (partial(from_folder, wheels), from_cdn, from_carrier):
        for found in place(list(missing), folder) if missing else ():
            keep(found, missing.pop(found.name), out / found.name)
    if missing:
        raise SystemExit(f"no place has {', '.join(missing)}: use --wheels FOLDER")


def from_folder(wheels: Path | None, names: list[str], folder: Path) -> list[Path]:
    """The wheels that are in the folder of `--wheels`."""
    return [wheels / name for name in names if (wheels / name).is_file()] if wheels else []


def from_cdn(names: list[str], folder: Path) -> list[Path]:
    """Download wheels from Pyodide's CDN, until it does not answer."""
    found = []
    for name in names:
        url = CDN.format(version=PLAN["pyodide"]["version"], file=name)
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                (folder / name).write_bytes(answer.read())
        except OSError as error:
            print(f"Pyodide's CDN does not answer ({error}); {PLAN['pyodide']['carrier']} is used instead", flush=True)
            break
        found.append(folder / name)
    return found


def from_carrier(names: list[str], folder: Path) -> list[Path]:
    """Take wheels out of the wheel on PyPI that contains them."""
    plan = PLAN["pyodide"]
    pip(folder, "--ignore-requires-python", plan["carrier"])
    with zipfile.ZipFile(next(folder.glob(f"{plan['carrier'].split('=')[0].replace('-', '_')}-*.whl"))) as carrier:
        inside = [name for name in names if plan["carrier_folder"] + name in carrier.namelist()]
        for name in inside:
            (folder / name).write_bytes(carrier.read(plan["carrier_folder"] + name))
    return [folder / name for name in inside]


def from_pypi(out: Path, folder: Path) -> None:
    """Fetch the wheels that vendored.toml pins."""
    for wheel in PLAN["wheel"]:
        if not present(out / wheel["file"], wheel["sha256"]):
            name, version = wheel["file"].split("-")[:2]
            pip(folder, *WASM, f"{name}=={version}")
            keep(folder / wheel["file"], wheel["sha256"], out / wheel["file"])


def described(wheel: Path, depends: list[str]) -> dict[str, Any]:
    """A wheel as an entry of Pyodide's lock."""
    name, version = wheel.name.split("-")[:2]
    return {
        "name": name.replace("_", "-"),
        "version": version,
        "file_name": wheel.name,
        "install_dir": "site",
        "sha256": sha256(wheel),
        "package_type": "package",
        "imports": [name],
        "depends": depends,
        "unvendored_tests": False,
    }


def fetch_pyodide(out: Path, wheels: Path | None = None) -> None:
    """Fill the folder with Pyodide and all wheels, and write the lock of what is there."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lock = pyodide(out, folder)
        entries = [lock["packages"][package] for package in closure(PLAN["pyodide"]["packages"], lock["packages"])]
        from_lock(entries, out, folder, wheels)
        from_pypi(out, folder)
    entries += [described(out / wheel["file"], wheel["depends"]) for wheel in PLAN["wheel"]]
    by_name = {entry["name"].lower(): entry for entry in entries}  # a dependency on Pillow is written "pillow"
    write_lock(out, lock | {"packages": by_name})


def write_lock(out: Path, lock: dict[str, Any]) -> None:
    """Write the lock of the site, from which the browser checks every wheel once more."""
    (out / LOCK).write_text(json.dumps(lock, indent=1), encoding="utf-8")


def fetch_npm(out: Path) -> None:
    """Fill node_modules with the pinned packages."""
    for package in PLAN["npm"]:
        place, mark = out / package["name"], out / package["name"] / ".sha256"
        if mark.is_file() and mark.read_text() == package["sha256"]:
            continue
        with tempfile.TemporaryDirectory() as name:
            archive = Path(name) / "package.tgz"
            with npm(f"{package['name']}@{package['version']}", Path(name)) as found:
                keep(Path(str(found.name)), package["sha256"], archive)
            shutil.rmtree(place, ignore_errors=True)
            with tarfile.open(archive) as tar:
                tar.extractall(Path(name) / "unpacked", filter="data")
            shutil.move(next((Path(name) / "unpacked").iterdir()), place)
            mark.write_text(package["sha256"])


def main() -> None:
    """Fetch what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheels", type=Path, metavar="FOLDER", help="a folder that may contain Pyodide's wheels")
    wheels = parser.parse_args().wheels
    fetch_pyodide(VENDOR / "pyodide", wheels)
    fetch_npm(VENDOR / "node_modules")


if __name__ == "__main__":
    main()
