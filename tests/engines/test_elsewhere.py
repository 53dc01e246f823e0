"""Memory over time where the system has no /proc: psutil says what is resident, and nobody tells the exact peak.

Linux has psutil too. Here this process and those that it starts take it for another system.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from jupyter_profkit import mprof
from jupyter_profkit.cells.script import run_script
from jupyter_profkit.engines import bootstrap, sampler
from jupyter_profkit.engines.records import Records
from jupyter_profkit.engines.timeline import TimelineEngine, check_process
from jupyter_profkit.model.session import Session
from jupyter_profkit.options.mprof import MPROF_RUN
from jupyter_profkit.units import MIB

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="what is started is said as POSIX has it"),
]

ELSEWHERE = """\
import runpy, sys
from importlib.machinery import ModuleSpec

sys.path.append({psutil!r})
import psutil
sys.path.pop()

class Again:  # psutil asks which system this is when it is imported first, and not again
    def find_spec(name, path=None, target=None):
        return ModuleSpec(name, Again) if name == "psutil" else None
    def create_module(spec):
        return psutil
    def exec_module(module):
        pass

del sys.modules["psutil"]
sys.meta_path.insert(0, Again)
sys.platform = "elsewhere"
runpy.run_path({program!r}, run_name="__main__")
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "elsewhere")
    for module in (sampler, bootstrap):
        program = Path(module.__file__)
        folder = str(Path(psutil.__file__).parent.parent)
        (tmp_path / program.name).write_text(ELSEWHERE.format(psutil=folder, program=str(program)))
        monkeypatch.setattr(module, "__file__", str(tmp_path / program.name))


def script(folder: Path, code: str) -> Path:
    path = folder / "script.py"
    path.write_text(code)
    return path


CHILD = "import time; kept = b'x' * (40 << 20); print('ready', flush=True); time.sleep(60)"


def test_samples_follow_an_allocation_and_no_exact_peak_is_claimed() -> None:
    with mprof(interval=0.002) as p:
        block = b"x" * (80 * MIB)
        time.sleep(0.2)
        del block
    timeline = p.result
    assert timeline.exact_peak is None
    assert timeline.peak.rss - timeline.main[0].rss == pytest.approx(80 * MIB, rel=0.1)
    assert "what came and went between two of them is not in it" in str(timeline.report())
    assert not timeline.method.notes


def until_seen(engine: TimelineEngine, pid: int) -> None:
    """psutil looks at every process of the machine to find the children of one, and so not often."""
    for _ in range(300):
        records = Records(engine.started)
        assert engine._helper is not None
        records.read(engine._helper.read(0))
        if pid in records.children:
            return
        time.sleep(0.1)
    pytest.fail(f"process {pid} was not seen")


@pytest.mark.parametrize("options", [{"per_child": True}, {"children": True}])
def test_children_have_curves_with_their_commands_or_are_added(options: dict[str, bool]) -> None:
    engine = TimelineEngine(**options)
    engine.start()
    try:
        with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            until_seen(engine, child.pid)
            child.kill()
    finally:
        engine.stop()
    timeline = engine.timeline(Session("a test", 1_750_000_000.0, 1.0))
    if "children" in options:
        assert timeline.peak.rss - timeline.main[0].rss > 40 * MIB
        assert "shared pages counted for each" in timeline.method.engine
        return
    (process,) = timeline.processes
    assert process.pid == child.pid
    assert process.command.endswith(f"-c {CHILD}")
    assert all(sample.rss for sample in timeline.children[child.pid])


def test_a_script_has_its_curve_and_the_memory_of_its_marks(tmp_path: Path) -> None:
    code = (
        "import time\n@profile\ndef load():\n    global kept\n    kept = b'x' * (50 << 20); time.sleep(0.1)\nload()\n"
    )
    run = run_script([str(script(tmp_path, code))], MPROF_RUN.from_keywords({"quiet": True}))
    assert run.returncode == 0
    (load,) = run.timeline.marks
    assert load.rss_start is not None
    assert load.rss_end is not None
    assert load.rss_end - load.rss_start == pytest.approx(50 * MIB, rel=0.05)
    assert min(sample.rss for sample in run.timeline.main) > MIB, "nothing is measured of a process that has ended"


@pytest.mark.parametrize("mention", ["profile", "nothing"])
def test_psutil_is_imported_before_a_script_only_if_it_may_be_needed(
    mention: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = f"import sys  # {mention}\nprint('psutil' in sys.modules)\n"
    run_script([str(script(tmp_path, code))], MPROF_RUN.from_keywords({"quiet": True}))
    assert capsys.readouterr().out == f"{mention == 'profile'}\n"


def test_another_process_is_known_by_its_command_and_its_end_ends_the_recording() -> None:
    code = "import time; print('ready', flush=True); time.sleep(0.5)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()  # its command is known when it has begun
        assert code[:30] in check_process(other.pid)
        with mprof(attach=other.pid) as p:
            time.sleep(0.2)  # it is not reaped before the block ends
            while psutil.Process(other.pid).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.02)
            time.sleep(0.05)
    assert min(sample.rss for sample in p.result.main) > MIB
