"""A notebook's kernel: one thread, and nothing said about itself. For papermill: `papermill --engine l2o`."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from .threads import ONE_THREAD

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from papermill.engines import NBClientEngine, NotebookExecutionManager

ENGINE = "l2o"
START_TIMEOUT = 300  # seconds; a kernel starts in one, on a machine with nothing else to do
QUIET = ["--IPKernelApp.log_level=CRITICAL"]


class OneThreadEngine:
    """The engine as papermill's registry knows it.

    papermill imports this module while it is itself imported, to fill the registry, so the engine proper,
    which is built on papermill's own, is made at its first use.
    """

    @staticmethod
    def execute_notebook(notebook: NotebookNode, kernel_name: str, **options: Any) -> NotebookNode:
        """Run all cells; see `_engine` for the options beyond papermill's."""
        return _engine().execute_notebook(notebook, kernel_name, **options)


@cache
def _engine() -> type[NBClientEngine]:
    """papermill's own engine, with a say in the kernel's process: its environment, folder and output."""
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine

    class Engine(NBClientEngine):
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
            stdout, stderr), and `started` is called with the kernel's process id, which leads a group of its
            own.
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

    return Engine


def register() -> None:
    """Tell papermill of the engine, also where this package was not installed with its entry points."""
    from papermill.engines import papermill_engines

    papermill_engines.register(ENGINE, OneThreadEngine)
