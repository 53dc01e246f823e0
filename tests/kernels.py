"""A real ipykernel, driven as a front end drives it.

    with running_kernel() as kernel:
        reply = kernel.run("1 + 1")
        reply.status, reply.value, reply.reports

Its sockets are files in a temporary folder; no port is opened.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from jupyter_profkit.cells.place import NOTHING
from tests.terminals import wait_for

ROOT = Path(__file__).parent.parent
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Reply:
    """All that a cell sent."""

    status: str = ""
    content: dict[str, Any] = field(default_factory=dict)
    stdout: str = ""
    stderr: str = ""
    displays: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    """What displays were replaced by, in the order in which that came."""
    named: dict[str | None, dict[str, Any]] = field(default_factory=dict)
    """The displays that have an id."""
    wiped: list[dict[str, Any] | None] = field(default_factory=list)
    """Those that were emptied: a line on progress, on a slow machine."""
    value: str | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)

    @property
    def kept(self) -> list[dict[str, Any]]:
        """The displays that stay."""
        return [display for display in self.displays if not any(display is each for each in self.wiped)]

    @property
    def reports(self) -> list[str]:
        """The text of each report of ours."""
        texts = [bundle.get("text/plain", "") for bundle in self.displays]
        return [text for text in texts if text.lstrip().startswith("%")]

    @property
    def traceback(self) -> str:
        return "\n".join(_ANSI.sub("", "\n".join(error["traceback"])) for error in self.errors)


class Kernel:
    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client

    def run(
        self,
        code: str,
        *,
        timeout: float = 60,
        interrupt_after: float | None = None,
        interrupt_when: Path | None = None,
        **content: Any,
    ) -> Reply:
        """Execute `code` and collect what comes until the kernel is idle again; interrupt it when a file appears."""
        message_id = self.client.execute(code, **content)
        if interrupt_when is not None:
            wait_for(interrupt_when)
            self.manager.interrupt_kernel()
        if interrupt_after is not None:
            time.sleep(interrupt_after)
            self.manager.interrupt_kernel()
        return self.collect(message_id, timeout)

    def collect(self, message_id: str, timeout: float = 60) -> Reply:
        reply = Reply()
        while True:
            message = self.client.get_iopub_msg(timeout=timeout)
            if message["parent_header"].get("msg_id") != message_id:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
            self._add(reply, message)
        while True:
            message = self.client.get_shell_msg(timeout=timeout)
            if message["parent_header"].get("msg_id") == message_id:
                reply.content = message["content"]
                reply.status = message["content"]["status"]
                return reply

    @staticmethod
    def _add(reply: Reply, message: dict[str, Any]) -> None:
        content = message["content"]
        match message["msg_type"]:
            case "stream" if content["name"] == "stdout":
                reply.stdout += content["text"]
            case "stream":
                reply.stderr += content["text"]
            case "display_data":
                reply.displays.append(content["data"])
                reply.named[content.get("transient", {}).get("display_id")] = content["data"]
            case "update_display_data":
                reply.updates.append(content["data"])
                if content["data"] == NOTHING:
                    reply.wiped.append(reply.named.get(content["transient"]["display_id"]))
            case "execute_result":
                reply.value = content["data"]["text/plain"]
            case "error":
                reply.errors.append(content)

    def report(self, code: str) -> str:
        """The text of the one report that `code`, which must not fail, shows."""
        reply = self.run(code)
        assert reply.status == "ok", reply.traceback or reply.content.get("evalue")
        (report,) = reply.reports
        return report

    def value(self, expression: str) -> str | None:
        """The repr of an expression in the kernel's namespace, without leaving a trace there."""
        reply = self.run("", user_expressions={"x": expression}, silent=True)
        answer = reply.content["user_expressions"]["x"]
        return answer["data"]["text/plain"] if answer["status"] == "ok" else f"{answer['ename']}: {answer['evalue']}"


def kernel_with(code: str, scope: Literal["function", "module"] = "module") -> Any:
    """A fixture: a kernel in which `code` ran, one for each module or test."""

    @pytest.fixture(scope=scope)
    def kernel() -> Iterator[Kernel]:
        with running_kernel() as running:
            assert running.run(code).status == "ok"
            yield running

    return kernel


@contextlib.contextmanager
def running_kernel(cwd: Path | None = None, load: bool = True, **environment: str) -> Iterator[Kernel]:
    """A kernel of this Python, with the extension loaded, ended when the block ends."""
    folder = tempfile.TemporaryDirectory()
    manager = KernelManager(transport="ipc", connection_file=f"{folder.name}/kernel.json")
    command = [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager.kernel_spec.argv = command
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "PROFKIT_DEBUG": "1", **environment}
    manager.start_kernel(cwd=str(cwd or ROOT / "tests"), env=environment)
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        kernel = Kernel(manager, client)
        if load:
            assert kernel.run("%load_ext jupyter_profkit").status == "ok"
        yield kernel
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
        manager.context.destroy(linger=0)
        folder.cleanup()
