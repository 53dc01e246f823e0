"""A real terminal IPython in a process of its own, with the same face as `tests.kernels.Kernel`.

    with running_terminal() as terminal:
        terminal.run("1 + 1").value        '2'

Run as a program it is that process: it reads cells as lines of JSON and runs
them in a `TerminalInteractiveShell`, as the prompt would.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_REPORT = re.compile(r"^%%?\w+  .*", re.MULTILINE)
_VALUE = re.compile(r"^Out\[\d+\]: ?(.*)$", re.MULTILINE)


def wait_for(path: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} did not appear"
        time.sleep(0.01)
    time.sleep(0.3)  # what wrote it goes on to where it waits


def main() -> None:
    from IPython.terminal.interactiveshell import TerminalInteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    config.TerminalInteractiveShell.colors = "nocolor"
    config.TerminalInteractiveShell.simple_prompt = True
    shell = TerminalInteractiveShell.instance(config=config)
    channel = os.fdopen(os.dup(1), "w")
    caught = [tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")]
    for number, file in enumerate(caught, 1):  # what subprocesses print is caught too
        os.dup2(file.fileno(), number)
    for line in sys.stdin:
        request = json.loads(line)
        if "expression" in request:
            try:
                answer = repr(eval(request["expression"], shell.user_ns))  # as a kernel's user_expressions
            except Exception as error:
                answer = f"{type(error).__name__}: {error}"
            print(json.dumps({"answer": answer}), file=channel, flush=True)
            continue
        result = shell.run_cell(request["code"], store_history=True)
        out, err = (_drain(stream, file) for stream, file in zip((sys.stdout, sys.stderr), caught, strict=True))
        error = result.error_before_exec or result.error_in_exec
        reply = {"error": type(error).__name__ if error else None, "stdout": out, "stderr": err}
        print(json.dumps(reply), file=channel, flush=True)


def _drain(stream: Any, file: Any) -> str:
    stream.flush()
    file.seek(0)
    text = file.read()
    file.seek(0)
    file.truncate()
    return text


class Terminal:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def run(self, code: str, *, interrupt_when: Path | None = None, **_: Any) -> Any:
        from tests.kernels import Reply

        timer = None
        if interrupt_when is not None:
            timer = threading.Thread(target=self._interrupt, args=(interrupt_when,))
            timer.start()
        answer = self._ask(code=code)
        if timer is not None:
            timer.join()
        text = _ANSI.sub("", answer["stdout"])
        reply = Reply("error" if answer["error"] else "ok", {"ename": answer["error"]}, text, answer["stderr"])
        starts = [match.start() for match in _REPORT.finditer(text)]
        ends = [*starts[1:], len(text)]
        reply.displays = [{"text/plain": text[start:end]} for start, end in zip(starts, ends, strict=False)]
        values = _VALUE.findall(text)
        reply.value = values[-1] if values else None
        if answer["error"]:
            head = text[: starts[0]] if starts else text
            found = re.findall(r"^\w*(?:Error|Exit|Interrupt)\b", head, re.MULTILINE)
            n_errors = max(1, sum(head.count(f"{name}  ") for name in set(found)))
            reply.errors = [{"ename": answer["error"], "traceback": [head]}] * n_errors
        return reply

    def _interrupt(self, when: Path) -> None:
        wait_for(when)
        self._process.send_signal(signal.SIGINT)

    def value(self, expression: str) -> str:
        return self._ask(expression=expression)["answer"]


@contextlib.contextmanager
def running_terminal() -> Iterator[Terminal]:
    from tests.kernels import ROOT

    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PROFKIT_DEBUG": "1",
        "COLUMNS": "140",
        "IPYTHONDIR": "/dev/null",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.terminals"],
        text=True,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    terminal = Terminal(process)
    try:
        assert terminal.run("%load_ext jupyter_profkit").status == "ok"
        yield terminal
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


if __name__ == "__main__":
    main()
