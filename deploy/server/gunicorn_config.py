"""gunicorn's settings for every server, and its hooks.

Read by gunicorn as `--config python:deploy.server.gunicorn_config`. Promises: the process is hardened before the
application, and so any secret, is loaded; nothing of a visit is logged; no control socket is opened; the
application is loaded once, so that its session key is made in the master, shared by the forked workers and
never written.
"""

import os
from typing import Any

from deploy.run.servers import LINK_FD, PARENT
from deploy.server import hardening, log_filter, worker_renewal

hardening.harden()
log_filter.install()
if PARENT in os.environ:
    hardening.end_with_parent(int(os.environ.pop(PARENT)))

preload_app = True
worker_class = "deploy.server.worker.Worker"
worker_connections = hardening.raise_open_files() // 2  # one that waits holds no thread
keepalive = 60  # seconds; over Tor a new connection costs round trips, and an idle one holds no thread
umask = 0o077
accesslog = None
errorlog = "-"
loglevel = "warning"
capture_output = False
control_socket_disable = True
forwarded_allow_ips = ""
graceful_timeout = 5
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  a folder in memory


def when_ready(server: Any) -> None:
    """Hand the one-time link to the supervisor, over a pipe that no worker inherits."""
    descriptor = os.environ.pop(LINK_FD, None)
    if descriptor is None:
        return
    with os.fdopen(int(descriptor), "w", encoding="utf-8") as pipe:
        pipe.write(server.app.wsgi().config["ONE_TIME_LINK"] + "\n")


def nworkers_changed(server: Any, new: int, old: int | None) -> None:
    """The master looks how many workers there should be: at its start, and when one asks to be replaced or ends."""
    wanted = worker_renewal.workers_wanted(server.cfg.workers, server.WORKERS.values())
    server._num_workers = wanted  # noqa: SLF001  # gunicorn has just set it, and asks for it next


def child_exit(server: Any, worker: Any) -> None:
    """A worker has ended."""
    server.num_workers = server.cfg.workers


def post_fork(server: Any, worker: Any) -> None:
    """A worker may change its user after the fork, which would undo it: harden again."""
    hardening.harden()
