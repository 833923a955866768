"""A stand-in for the Hugging Face hub on 127.0.0.1: it serves folders as model and data set repositories, read-only.

The real clients (`huggingface_hub`, `datasets`, `transformers`) talk to it by the hub's own HTTP calls, so what a test
checks is what a user's machine does. A repository is a folder; it has one commit, made from its content, and the branch
`main`:

    with hub_server.serve(models={"me/tiny-t5": folder}, datasets={"me/news": other}) as server:
        environment = server.environment(tmp_path / "home")      # for a child process: clients read it when imported
        server.commit("me/news")                                 # 40 hexadecimal digits
        server.requests                                          # "GET /api/datasets/me/news/...", in order
        server.sent                                              # ("data/train.jsonl", bytes), one for each answer
        server.failures = 2                                      # answer the next two requests with `failure_status`

Standard library only. An unknown repository, revision or file gets the hub's 404 with its X-Error-Code.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

# How much of a file is written at once.
BITE = 1 << 16
# What the hub keeps in LFS: its ETag is the SHA-256, other files' is git's blob id.
LARGE = (".safetensors", ".parquet", ".bin", ".arrow")
API = re.compile(r"/api/(?P<kind>models|datasets)/(?P<name>[^/]+(?:/[^/]+)?)")
VERB = re.compile(r"/(?P<verb>revision|tree|paths-info)/(?P<revision>[^/]+)(?:/(?P<path>.*))?")
FILE = re.compile(r"/(?P<kind>datasets/)?(?P<name>[^/]+(?:/[^/]+)?)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")


class Repository:
    """One folder, as the hub shows it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        content = [[path, hashlib.sha256(data).hexdigest()] for path, data in self.files.items()]
        self.commit = hashlib.sha1(json.dumps([name, content]).encode(), usedforsecurity=False).hexdigest()

    def has(self, revision: str) -> bool:
        return revision in ("main", self.commit)

    def etag(self, path: str) -> str:
        data = self.files[path]
        if path.endswith(LARGE):
            return hashlib.sha256(data).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()

    def entry(self, path: str) -> dict[str, Any]:
        size, etag = len(self.files[path]), self.etag(path)
        large = {"lfs": {"oid": etag, "size": size, "pointerSize": 130}} if path.endswith(LARGE) else {}
        return {"type": "file", "path": path, "size": size, "oid": etag[:40], **large}

    def folders(self) -> set[str]:
        return {parent.as_posix() for path in self.files for parent in Path(path).parents} - {"."}

    def tree(self, under: str, recursive: bool) -> list[dict[str, Any]]:
        """What lies under a folder (the top one is empty), as the hub lists it."""
        listed = [self.entry(path) for path in self.files]
        listed += [{"type": "directory", "path": path, "size": 0, "oid": "0" * 40} for path in self.folders()]
        start = f"{under}/" if under else ""
        inside = [item for item in listed if item["path"].startswith(start) and item["path"] != under]
        return sorted(
            (item for item in inside if recursive or "/" not in item["path"][len(start) :]),
            key=lambda item: item["path"],
        )

    def info(self) -> dict[str, Any]:
        return {
            "_id": "0",
            "id": self.name,
            "sha": self.commit,
            "private": False,
            "gated": False,
            "disabled": False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "lastModified": "2026-01-01T00:00:00.000Z",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "siblings": [{"rfilename": path} for path in self.files],
        }


class Server(ThreadingHTTPServer):
    """The server and what it was asked."""

    def __init__(self, models: Mapping[str, Path], datasets: Mapping[str, Path]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories = {("models", name): Repository(name, folder) for name, folder in models.items()}
        self.repositories |= {("datasets", name): Repository(name, folder) for name, folder in datasets.items()}
        self.requests: list[str] = []
        # Path in its repository, and how much of it went out before the client had enough.
        self.sent: list[tuple[str, int]] = []
        # How many requests to answer badly before answering well again, and with which status. The hub's client tries
        # again by itself after a 503, not after a 400.
        self.failures, self.failure_status = 0, 503

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def commit(self, name: str) -> str:
        """The only commit of a repository."""
        return next(found.commit for (_, known), found in self.repositories.items() if known == name)

    def environment(self, home: Path) -> dict[str, str]:
        """This process's environment, with the hub's clients pointed here and their caches under `home`."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        return {
            **kept,
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "127.0.0.1",
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *arguments: object) -> None:
        """Say nothing: tests read `requests`."""

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        # The length of what GET would send, for HEAD too.
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_file(self, status: int, path: str, data: bytes, headers: Mapping[str, str]) -> None:
        """A file's bytes in bites: a client that streams goes away once it has what it wants."""
        if self.command == "HEAD":
            self._send(status, data, headers)
            return
        number = len(self.server.sent)
        self.server.sent.append((path, 0))
        self._send(status, b"", headers | {"Content-Length": str(len(data))})
        try:
            for at in range(0, len(data), BITE):
                self.wfile.write(data[at : at + BITE])
                self.server.sent[number] = (path, min(at + BITE, len(data)))
        except ConnectionError:
            self.close_connection = True

    def _json(self, content: Any) -> None:
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _missing(self, code: str, message: str) -> None:
        body = json.dumps({"error": message}).encode()
        self._send(404, body, {"X-Error-Code": code, "X-Error-Message": message, "Content-Type": "application/json"})

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        path, query = unquote(parts.path), parse_qs(parts.query)
        self.server.requests.append(f"{self.command} {self.path}")
        if self.server.failures > 0:
            self.server.failures -= 1
            self._send(self.server.failure_status, b"", {})
        elif found := FILE.fullmatch(path):
            self._file(found)
        elif found := API.match(path):
            self._api(found["kind"], found["name"], path[found.end("kind") + 1 :], body, query)
        else:
            self._missing("EntryNotFound", f"no such page: {path}")

    def _api(self, kind: str, name: str, rest: str, body: bytes, query: Mapping[str, list[str]]) -> None:
        # A name may have an owner or not ("me/news", "t5-small"), so try what is there.
        names = [known for known_kind, known in self.server.repositories if known_kind == kind]
        known = next((known for known in names if rest == known or rest.startswith(f"{known}/")), None)
        if known is None:
            self._missing("RepoNotFound", f"Repository not found: {name}")
            return
        repository, tail = self.server.repositories[kind, known], rest[len(known) :]
        found = VERB.fullmatch(tail)
        if tail and found is None:
            self._missing("EntryNotFound", f"no such call: {tail}")
        elif found is not None and not repository.has(found["revision"]):
            self._missing("RevisionNotFound", f"Invalid rev id: {found['revision']}")
        elif found is None or found["verb"] == "revision":
            self._json(repository.info())
        elif found["verb"] == "tree":
            recursive = query.get("recursive", ["False"])[0].lower() in ("true", "1")
            self._json(repository.tree((found["path"] or "").strip("/"), recursive))
        else:
            self._json(self._paths(repository, body))

    def _paths(self, repository: Repository, body: bytes) -> list[dict[str, Any]]:
        if self.headers.get("Content-Type", "").startswith("application/json"):
            asked = json.loads(body)["paths"]
        else:
            asked = parse_qs(body.decode()).get("paths", [])
        paths = [asked] if isinstance(asked, str) else asked
        entries = {item["path"]: item for item in repository.tree("", recursive=True)}
        return [entries[path] for path in paths if path in entries]

    def _file(self, found: re.Match[str]) -> None:
        repository = self.server.repositories.get(("datasets" if found["kind"] else "models", found["name"]))
        if repository is None:
            self._missing("RepoNotFound", f"Repository not found: {found['name']}")
        elif not repository.has(found["revision"]):
            self._missing("RevisionNotFound", f"Invalid rev id: {found['revision']}")
        elif found["path"] not in repository.files:
            self._missing("EntryNotFound", f"Entry not found: {found['path']}")
        else:
            data = repository.files[found["path"]]
            headers = {
                "ETag": f'"{repository.etag(found["path"])}"',
                "X-Repo-Commit": repository.commit,
                "Accept-Ranges": "bytes",
            }
            wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
            if wanted is None:
                self._send_file(200, found["path"], data, headers)
                return
            first, last = int(wanted[1]), min(int(wanted[2] or len(data) - 1), len(data) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
            self._send_file(206, found["path"], data[first : last + 1], headers)

    do_GET = do_HEAD = do_POST = _answer  # noqa: N815 - the names that http.server calls


@contextlib.contextmanager
def serve(models: Mapping[str, Path] | None = None, datasets: Mapping[str, Path] | None = None) -> Iterator[Server]:
    """Serve folders as repositories for the length of the block; their content is read once, at the start."""
    with Server(models or {}, datasets or {}) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
