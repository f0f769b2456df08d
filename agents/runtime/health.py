"""Liveness, readiness and metrics of a worker on HTTP: /live, /ready, /metrics."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from agents.errors import BrokerError, SetupError
from agents.runtime.metrics import Metrics
from agents.settings import Settings

STALLED_AFTER_S = 120.0
"""A worker that did not come round for so long is not alive; the longest honest batch takes seconds."""


class Health:
    """What a worker says of itself. `reasons` names what it waits for; empty: it is ready."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beat = clock()
        self._behind_since: float | None = None
        self.reasons: tuple[str, ...] = ("starting",)
        self.still: tuple[str, ...] = ()
        """What it does beside its work until it is complete."""

    def beat(self) -> None:
        """The worker came round: it is not stuck in a batch."""
        self._beat = self._clock()

    def note_lag(self, *, moved: bool, behind: bool) -> None:
        """Whether records wait at the broker, and whether any were absorbed since the last look."""
        if moved or not behind:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = self._clock()

    def check(self) -> None:
        """Raise `BrokerError` if records wait and none came for too long: a new start reaches them."""
        if self._behind_since is not None and self._clock() - self._behind_since > STALLED_AFTER_S:
            raise BrokerError(f"records wait at the broker, and none came for {STALLED_AFTER_S:.0f} s: start again")

    def alive(self) -> bool:
        """False: stuck in a batch, or records wait and none comes."""
        try:
            self.check()
        except BrokerError:
            return False
        return self._clock() - self._beat <= STALLED_AFTER_S


class HealthServer:
    """Serves a `Health` and `Metrics`; a daemon thread, on `http_host` only."""

    def __init__(self, settings: Settings, health: Health, metrics: Metrics) -> None:
        handler = _handler(health, metrics)
        try:
            self._server = ThreadingHTTPServer((settings.http_host, settings.http_port), handler)
        except OSError as exc:
            raise SetupError(
                f"cannot serve health on {settings.http_host}:{settings.http_port}: {exc}\n  "
                "Choose another PROFILESTREAM_HTTP_PORT, or 0 for none."
            ) from exc
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _readiness(health: Health) -> dict[str, object]:
    return {"ready": not health.reasons, "waiting_for": list(health.reasons), "still": list(health.still)}


def _handler(health: Health, metrics: Metrics) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, generate_latest(metrics.registry), CONTENT_TYPE_LATEST)
            elif self.path == "/live":
                self._state(health.alive(), {"alive": health.alive()})
            elif self.path == "/ready":
                self._state(not health.reasons, _readiness(health))
            else:
                self._answer(404, b"see /live, /ready, /metrics\n", "text/plain")

        def _state(self, good: bool, body: dict[str, object]) -> None:
            self._answer(200 if good else 503, json.dumps(body).encode(), "application/json")

        def _answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: probes come every few seconds."""

    return Handler
