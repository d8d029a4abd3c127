"""Serve the site on this computer:   python web/serve.py [FOLDER] [--port N]

Pages that run Python need a server, because browsers start no workers from files. Only this computer can reach it.
"""

from __future__ import annotations

import argparse
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SITE = Path(__file__).parents[1] / "build" / "site"
TYPES = {  # the registry of Windows may give other types, and a browser then refuses the script
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".whl": "application/zip",
    ".woff2": "font/woff2",
}


class Handler(SimpleHTTPRequestHandler):
    """Files with the right types, and no log."""

    protocol_version = "HTTP/1.1"
    extensions_map = SimpleHTTPRequestHandler.extensions_map | TYPES

    def log_message(self, *arguments: Any) -> None:  # noqa: D102
        pass


def make_server(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server of the folder, which only this computer can reach; port 0 takes a free one."""
    if not (folder / "index.html").is_file():
        raise SystemExit(f"{folder} has no index.html: build the site first, with `make site`")
    return ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, directory=str(folder)))


def address(server: ThreadingHTTPServer) -> str:
    """The address of the site."""
    return f"http://127.0.0.1:{server.server_port}"


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the folder during a `with`, which gets the address."""
    with make_server(folder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield address(server)
        server.shutdown()


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=SITE)
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    with make_server(arguments.folder, arguments.port) as server:
        print(f"{address(server)}     Ctrl-C stops", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
