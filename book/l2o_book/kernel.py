"""papermill's engine `l2o`: a kernel with one thread that says nothing about itself.

    papermill --engine l2o notebooks/quickstart.ipynb out.ipynb

The module itself is the engine. It imports papermill inside functions, as papermill, while it is imported,
imports all engines that are installed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .threads import ONE_THREAD

if TYPE_CHECKING:
    from nbformat import NotebookNode

ENGINE = "l2o"
START_TIMEOUT = 300  # seconds; a kernel starts in one, on a machine with nothing else to do
QUIET = ["--IPKernelApp.log_level=CRITICAL"]


def execute_notebook(
    notebook: NotebookNode,
    kernel_name: str,
    *,
    output_path: str | None = None,
    progress_bar: bool = True,
    log_output: bool = False,
    autosave_cell_every: int = 30,
    start_timeout: float = START_TIMEOUT,
    execution_timeout: float | None = None,
    input_path: str | None = None,
    environment: dict[str, str] | None = None,
    process: dict[str, Any] | None = None,
    started: Callable[[int], None] = lambda pid: None,
    **options: Any,
) -> NotebookNode:
    """Run all cells, as papermill's own engine does, with a say in the kernel's process.

    `environment` goes over this process's own, `process` holds options of `subprocess.Popen` (cwd, stdout,
    stderr), and `started` is called with the kernel's process id, which leads a group of its own.
    """
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NotebookExecutionManager

    def tell(notebook: NotebookNode) -> None:
        manager: Any = client.km
        started(manager.provisioner.pid)

    run = NotebookExecutionManager(
        notebook,
        output_path=output_path,
        progress_bar=progress_bar,
        log_output=log_output,
        autosave_cell_every=autosave_cell_every,
    )
    client: Any = PapermillNotebookClient(
        run,
        kernel_name=kernel_name,
        startup_timeout=max(start_timeout, START_TIMEOUT),
        timeout=execution_timeout,
        extra_arguments=QUIET,
        on_notebook_start=tell,
        log_output=log_output,
        **options,
    )
    run.notebook_start()
    try:
        client.execute(env={**os.environ, **ONE_THREAD, **(environment or {})}, **(process or {}))
    finally:
        run.cleanup_pbar()
        run.notebook_complete()
    return run.nb


def nb_kernel_name(notebook: NotebookNode, name: str | None = None) -> str:
    """The kernel that a notebook asks for."""
    from papermill.utils import nb_kernel_name

    return nb_kernel_name(notebook, name)


def nb_language(notebook: NotebookNode, language: str | None = None) -> str:
    """The language that a notebook is in."""
    from papermill.utils import nb_language

    return nb_language(notebook, language)
