"""The processes of the application, by command line only: the application never imports the worker."""

import sys
from pathlib import Path

from app.supervisor.keeper import Child
from app.supervisor.ports import answers

WEB_KILL_SECONDS = 4
BACKLOG = 8192  # connections of one web process: a thousand that only crawl must not keep the others out


def web(host: str, port: int, workers: int, threads: int, metrics: Path | None = None, *, demo: bool = False) -> Child:
    """With the demo's pages, or without. `metrics` is an empty folder where several workers keep their figures together; without it each has its own."""
    own = {"HOI_WEB_THREADS": str(threads)}
    if metrics is not None and workers > 1:
        own["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
    return Child(
        name="web",
        label="Web",
        command=(
            *(sys.executable, "-m", "demo.front" if demo else "app.front"),
            *("--host", host, "--port", str(port), "--workers", str(workers)),
            *("--backlog", str(BACKLOG), "--backpressure", str(BACKLOG)),
            *(
                "--no-ws",
                "--respawn-failed-workers",
                "--respawn-interval",
                "0.5",
                "--workers-kill-timeout",
                str(WEB_KILL_SECONDS),
                "--log-level",
                "warning",
            ),
        ),
        ready=lambda: answers(host, port, "/healthz"),
        stop_seconds=WEB_KILL_SECONDS + 2,  # granian itself must end first, or it could not end its workers
        environment=own,
    )


def relay() -> Child:
    return Child("relay", "Chuyển việc", (sys.executable, "-m", "worker.relay"))


CELERY = (sys.executable, "-m", "celery", "-A", "worker.celery_app:celery")
WORKER = (*CELERY, "worker", "--include", "worker.tasks", "--loglevel", "INFO", "--without-gossip", "--without-mingle")


def worker(processes: int) -> Child:
    """Only what follows from what people just did, so that nobody waits for a job, an import or a rebuild."""
    own = ("--queues", "hoi", "--hostname", "work@%h", "--concurrency", str(processes))
    return Child("worker", "Xử lý việc người dùng", (*WORKER, *own), stop_seconds=5)


def bulk(processes: int, *, demo: bool = False) -> Child:
    """Jobs, rebuilds and chores, however long they take; with the demo's job, or without."""
    own = ("--queues", "hoi.bulk", "--hostname", "bulk@%h", "--concurrency", str(processes))
    more = ("--include", "worker.tasks,demo.jobs") if demo else ()  # of two the last counts
    return Child("bulk", "Xử lý việc dài", (*WORKER, *own, *more), stop_seconds=5)


def caller(threads: int) -> Child:
    """Only what waits for other companies: its threads mostly sleep, and however slow a shop is, work goes on."""
    own = ("--queues", "hoi.calls", "--hostname", "calls@%h", "--pool", "threads", "--concurrency", str(threads))
    return Child("caller", "Gọi ra sàn", (*WORKER, *own), stop_seconds=5)


def looker(threads: int) -> Child:
    """Only looks at what is on sale: thousands of pages, with threads and an interpreter of their own."""
    own = ("--queues", "hoi.looks", "--hostname", "looks@%h", "--pool", "threads", "--concurrency", str(threads))
    return Child("looker", "Xem lại sàn", (*WORKER, *own), stop_seconds=5)


def scheduler(directory: Path) -> Child:
    schedule = str(directory / "run" / "beat")
    return Child("scheduler", "Hẹn giờ", (*CELERY, "beat", "--schedule", schedule, "--pidfile="))


def double(port: int, directory: Path) -> Child:
    return Child(
        name="double",
        label="Sàn mô phỏng",
        command=(
            *(sys.executable, "-m", "doubles.woocommerce"),
            *("--port", str(port), "--state", str(directory / "double.sqlite")),
        ),
        ready=lambda: answers("127.0.0.1", port, "/"),
    )
