"""A notebook's kernel: one thread, and nothing said about itself. For papermill: `papermill --engine l2o`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines

from .threads import ONE_THREAD

ENGINE = "l2o"
START_TIMEOUT = 300  # seconds; a kernel starts in one, on a machine with nothing else to do
QUIET = ["--IPKernelApp.log_level=CRITICAL"]


class OneThreadEngine(NBClientEngine):
    """papermill's own engine, with a say in the kernel's process: its environment, folder and output."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        *,
        start_timeout: float = START_TIMEOUT,
        execution_timeout: float | None = None,
        input_path: str | None = None,
        environment: dict[str, str] | None = None,
        process: dict[str, Any] | None = None,
        started: Callable[[int], None] = lambda pid: None,
        **options: Any,
    ) -> None:
        """Run all cells.

        `environment` goes over this process's own, `process` holds options of `subprocess.Popen` (cwd,
        stdout, stderr), and `started` is called with the kernel's process id, which leads a group of its own.
        """

        def tell(notebook: Any) -> None:
            manager: Any = client.km
            started(manager.provisioner.pid)

        client: Any = PapermillNotebookClient(
            nb_man,
            kernel_name=kernel_name,
            startup_timeout=max(start_timeout, START_TIMEOUT),
            timeout=execution_timeout,
            extra_arguments=QUIET,
            on_notebook_start=tell,
            **options,
        )
        client.execute(env={**os.environ, **ONE_THREAD, **(environment or {})}, **(process or {}))


papermill_engines.register(ENGINE, OneThreadEngine)
