from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kernels import Kernel, running_kernel

pytestmark = pytest.mark.kernel

KNOWN = (
    "[name in get_ipython().magics_manager.magics[kind] for kind in ('line', 'cell') for name in ('memit', 'mprun')]"
)


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    with running_kernel(load=False) as kernel:
        yield kernel


def test_memory_profilers_magics_say_what_to_type_instead(kernel: Kernel) -> None:
    kernel.run("%load_ext jupyter_profkit")
    for code, instead in [
        (
            "%memit sum([1])",
            "UsageError: %memit is memory_profiler's; here it is %memprofile STATEMENT, or %%memprofile",
        ),
        ("%%memit\nsum([1])", "UsageError: %memit is memory_profiler's; here it is %memprofile STATEMENT"),
        ("%mprun -f f f()", "UsageError: %mprun is memory_profiler's; here it is %memprofile STATEMENT"),
    ]:
        reply = kernel.run(code)
        assert reply.stderr.startswith(instead)
        assert len(reply.stderr.splitlines()) == 1
    kernel.run("%unload_ext jupyter_profkit")
    assert kernel.value(KNOWN) == "[False, False, False, False]"


@pytest.mark.parametrize("order", [("memory_profiler", "jupyter_profkit"), ("jupyter_profkit", "memory_profiler")])
def test_they_are_memory_profilers_where_it_is_loaded(kernel: Kernel, order: tuple[str, str]) -> None:
    for name in order:
        kernel.run(f"%load_ext {name}")
    assert kernel.run("%memit sum([1])").stdout.startswith("peak memory: ")
    kernel.run("%unload_ext jupyter_profkit")
    assert kernel.value(KNOWN.replace("('line', 'cell')", "('line',)")) == "[True, True]"
