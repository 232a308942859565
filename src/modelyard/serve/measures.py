"""What a server counts, in the text form that Prometheus reads."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Measures:
    """Counters of one server."""

    def __init__(self, model: str, version: str) -> None:
        self._all = CollectorRegistry()
        labels = {"model": model, "version": version}
        told = Gauge("modelyard_model_info", "The model that is served.", list(labels), registry=self._all)
        told.labels(**labels).set(1)
        self._requests = Counter(
            "modelyard_requests", "Requests answered, by route and status.", ["route", "status"], registry=self._all
        )
        self._seconds = Histogram(
            "modelyard_request_seconds", "Seconds until a request was answered.", ["route"], buckets=SECONDS,
            registry=self._all,
        )  # fmt: skip
        self._batch = Histogram(
            "modelyard_batch_rows", "Rows in a call of the model.", buckets=ROWS, registry=self._all
        )
        self._model = Histogram(
            "modelyard_model_seconds", "Seconds that a call of the model took.", buckets=SECONDS, registry=self._all
        )
        self.open = Gauge("modelyard_open_requests", "Requests that are not answered yet.", registry=self._all)
        """Counted up and down by whoever answers."""
        self._queue = Gauge("modelyard_queue", "Requests that wait for the model.", registry=self._all)

    def request(self, route: str, status: int, seconds: float) -> None:
        """One request was answered."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def call(self, rows: int, seconds: float) -> None:
        """The model was called once."""
        self._batch.observe(rows)
        self._model.observe(seconds)

    def watch(self, waiting: Callable[[], int]) -> None:
        """Asks for the length of the queue whenever somebody reads."""
        self._queue.set_function(waiting)

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self._all)
