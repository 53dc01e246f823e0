"""`%objwhy` in a real kernel: after its advice, nothing holds the object any more."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

import pytest

from tests.kernels import Kernel, running_kernel

pytestmark = [pytest.mark.kernel]

SETUP = """
import asyncio, contextvars, functools, gc, logging, os, signal, sys, threading, typing, weakref
class Big: pass
def make():
    global alive
    made = Big()
    alive = weakref.ref(made)
    return made
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    with running_kernel() as running:
        assert running.run(SETUP).status == "ok"
        yield running


def words(kernel: Kernel, line: str) -> str:
    reply = kernel.run(line)
    assert reply.status == "ok", reply.traceback
    (report,) = reply.reports
    return report


HOLDERS = {
    "a variable": (["b = make()"], ["variable b"]),
    "two variables": (["b = c = make()"], ["variable b", "variable c"]),
    "a displayed value": (["b = make()", "b"], ["variable b", "IPython Out["]),
    "a displayed value whose name is gone": (["b = make()", "b", "del b"], ["IPython Out["]),
    "a value displayed long ago": (["make()", "1", "2", "3", "4"], ["IPython Out["]),
    "the same after %reset out": (["make()", "%reset -f out"], ["IPython"]),
    "hidden names only": (
        [
            "make()",
            "1",
            "2",
            "3",
            "n = max(k for k, v in Out.items() if v is alive()); del Out[n]; del globals()[f'_{n}']",
        ],
        ["IPython hidden _"],
    ),
    "the last error": (["def fails():\n    kept = make()\n    1 / 0", "fails()"], ["last error the last error"]),
    "an error that a variable keeps": (
        [
            "def fails():\n    kept = make()\n    1 / 0",
            "try:\n    fails()\nexcept ZeroDivisionError as e:\n    error = e",
        ],
        ["variable error"],
    ),
    "an item": (["d = {'k': [make()]}"], ["variable d"]),
    "an item of a displayed value": (["[make()]", "0"], ["IPython Out["]),
    "an attribute": (["o = Big(); o.child = make()"], ["variable o"]),
    "a class": (["class C: registry = [make()]"], ["variable C"]),
    "a closure": (["def keep(v):\n    return lambda: v\nf = keep(make())"], ["variable f"]),
    "a cache": (["@functools.lru_cache\ndef cached(n):\n    return make()\ncached(1);"], ["variable cached"]),
    "a module": (["import colorsys; colorsys.kept = make()"], ["module colorsys .kept"]),
    "a figure": (
        [
            "import matplotlib.pyplot as plt; plt.switch_backend('agg'); figure = plt.figure()",
            "alive = weakref.ref(figure); del figure",
        ],
        ["matplotlib figure 1"],
    ),
    "a generator": (["def gen():\n    kept = make()\n    yield 1\ng = gen(); next(g);"], ["variable g"]),
    "a local of a thread": (["tl = threading.local(); tl.kept = make()"], ["variable tl"]),
    "a timer": (["threading.Timer(1000, print, [make()]).start()"], ["thread thread Thread-"]),
    "a pending task": (
        ["async def wait(v):\n    await asyncio.sleep(1000)\nasyncio.get_running_loop().create_task(wait(make()));"],
        ["task Task-"],
    ),
    "a task that has begun": (
        [
            "async def wait(v):\n    await asyncio.sleep(1000)",
            "asyncio.get_running_loop().create_task(wait(make())); await asyncio.sleep(0.01)",
        ],
        ["task Task-"],
    ),
    "a call that the event loop will make": (
        ["asyncio.get_running_loop().call_later(1000, print, make());"],
        ["event loop a call that waits"],
    ),
    "a context variable": (["var = contextvars.ContextVar('var'); var.set(make());"], ["context a context"]),
    "a callback of a weak reference": (
        ["def callback(v):\n    return weakref.ref(Big, lambda _: v)\nwr = callback(make())"],
        ["variable wr"],
    ),
    "a finalizer": (["weakref.finalize(Big, print, make());"], ["finalizer weakref.finalize number"]),
    "a handler of a signal": (
        ["signal.signal(signal.SIGUSR1, lambda *a, v=make(): None);"],
        ["signal SIGUSR1 has this handler"],
    ),
    "a hook of Python": (["sys.unraisablehook = lambda _, v=make(): None"], ["module sys .unraisablehook"]),
    "a callback of IPython": (
        ["get_ipython().events.register('pre_run_cell', lambda _, v=make(): None)"],
        ["shell IPython itself"],
    ),
    "a name that IPython hides": (
        ["get_ipython().user_ns_hidden['_i7'] = make()"],
        ["IPython hidden _i7"],
    ),
    "an attribute of a figure": (
        [
            "import matplotlib.pyplot as plt; plt.switch_backend('agg'); figure = plt.figure(); figure.kept = make()",
            "del figure",
        ],
        ["matplotlib figure"],
    ),
    "a callback of a widget": (
        ["import ipywidgets; button = ipywidgets.Button(); button.on_click(lambda _, v=make(): None); del button"],
        ["widgets open widgets"],
    ),
    "a cached property": (
        ["class C:\n    @functools.cached_property\n    def x(self): return make()\nc = C(); c.x;"],
        ["variable c"],
    ),
    "a task that a variable keeps, too": (
        [
            "async def wait():\n    kept = make()\n    await asyncio.sleep(1000)",
            "tasks = {asyncio.create_task(wait())}; await asyncio.sleep(0.01)",
        ],
        ["task Task-", "variable tasks"],
    ),
    "gathered tasks": (
        [
            "async def wait(v):\n    await asyncio.sleep(1000)",
            "both = asyncio.gather(wait(make())); await asyncio.sleep(0.01)",
        ],
        ["task Task-", "variable both"],
    ),
    "a finished task": (
        ["async def done():\n    return make()", "task = asyncio.create_task(done()); await task; None"],
        ["variable task"],
    ),
    "two calls that the event loop will make": (
        ["v = make()", "for delay in (1000, 999): asyncio.get_running_loop().call_later(delay, print, v)", "del v"],
        ["event loop a call that waits"] * 2,
    ),
    "a reader of the event loop": (
        ["ends = os.pipe(); asyncio.get_running_loop().add_reader(ends[0], lambda v=make(): None)"],
        ["event loop the event loop"],
    ),
    "a context of its own": (
        ["var = contextvars.ContextVar('var'); context = contextvars.Context(); context.run(lambda: var.set(make()));"],
        ["variable context"],
    ),
    "a context variable of a task": (
        [
            "var = contextvars.ContextVar('var')\nasync def sets():\n    var.set(make())\n    await asyncio.sleep(500)",
            "asyncio.get_running_loop().create_task(sets()); await asyncio.sleep(0.01)",
        ],
        ["task Task-"],
    ),
    "two finalizers": (
        ["v = make()", "weakref.finalize(Big, print, v); weakref.finalize(Big, print, v); del v"],
        ["finalizer weakref.finalize number"] * 2,
    ),
    "a handler of a logger": (
        [
            "handler = logging.StreamHandler(); handler.kept = make()",
            "logging.getLogger('mine').addHandler(handler); del handler",
        ],
        ["logger the logger mine"],
    ),
    "a filter of the root logger": (
        ["logging.getLogger().addFilter(lambda record, v=make(): True)"],
        ["logger the root logger"],
    ),
    "a profiler of Python": (
        ["sys.setprofile(functools.partial(lambda v, *_: None, make()))"],
        ["hook sys.setprofile"],
    ),
    "a hook of threads": (["threading.excepthook = lambda _, v=make(): None"], ["module threading .excepthook"]),
    "a callback of the collector": (["gc.callbacks.append(lambda *_, v=make(): None)"], ["module gc .callbacks"]),
    "the cache of typing": (["typing.Annotated[int, make()];"], None),  # how many ways lead there differs
    "a magic of the user's": (
        ["get_ipython().register_magic_function(lambda line, v=make(): None, magic_name='users')"],
        ["shell IPython itself"] * 2,
    ),
    "a transformer of cells": (
        ["get_ipython().input_transformers_cleanup.append(lambda lines, v=make(): lines)"],
        ["shell IPython itself"],
    ),
    "a handler of errors": (
        ["get_ipython().set_custom_exc((KeyError,), lambda *_, v=make(): None)"],
        ["shell IPython itself"],
    ),
    "a comm": (
        [
            "import comm; opened = comm.create_comm(target_name='t'); opened.on_msg(lambda _, v=make(): None); del opened"
        ],
        ["comms the open comm"],
    ),
    "a class with nothing but instances": (
        ["class Old: pass", "instance = Old(); alive = weakref.ref(Old); del Old"],
        ["variable instance"],
    ),
    "a class in a registry": (
        [
            "class Base:\n    known = []\n    def __init_subclass__(cls): Base.known.append(cls)",
            "class Old(Base): kept = make()",
            "del Old",
        ],
        ["variable Base"],
    ),
    "an object column": (["import pandas as pd; df = pd.DataFrame({'o': [make(), 1]})"], ["variable df"]),
    "what is noted with a table": (["df = pd.DataFrame({'o': [1]}); df.attrs['k'] = make()"], ["variable df"]),
    "a chain of errors": (
        [
            "def fails():\n    kept = make()\n    raise KeyError",
            "def hides():\n    try: fails()\n    except KeyError as e: raise ValueError from e",
            "hides()",
        ],
        ["last error the last error"],
    ),
    "a group of errors": (
        [
            "def fails():\n    kept = make()\n    raise KeyError",
            "def groups():\n    try: fails()\n    except KeyError as e: raise ExceptionGroup('all', [e])",
            "groups()",
        ],
        ["last error the last error"],
    ),
    "a cycle with a name": (["p = make(); p.child = Big(); p.child.parent = p"], ["variable p"]),
}


@pytest.mark.parametrize("case", HOLDERS)
def test_after_the_advice_a_weak_reference_is_dead(kernel, case):
    cells, expected = HOLDERS[case]
    for cell in cells:
        kernel.run(cell)
    assert kernel.run("%objwhy -q -v why alive()").status == "ok"
    told = eval(kernel.value("[(c.kind + ' ' + c.name, c.free) for c in why.chains]"))
    if expected is not None:
        names = [name for name, _ in told]
        assert [name.startswith(start) for name, start in zip(names, expected, strict=True)] == [True] * len(expected)
    assert kernel.value("alive() is None") == "False"
    for _, statement in told:
        assert kernel.run(statement).status == "ok"
    kernel.run("await asyncio.sleep(0.05)")
    kernel.run("gc.collect();")
    assert kernel.value("alive() is None") == "True"


@pytest.mark.parametrize(
    "where",
    [
        *("sys.last_traceback", "sys.last_value", "sys.last_exc", "get_ipython().InteractiveTB.tb"),
        *("get_ipython().displayhook._", "get_ipython().displayhook.__", "get_ipython().displayhook.___"),
        *("_", "__", "___", "_123", "Out[123]", "get_ipython().user_ns_hidden['_123']"),
    ],
)
def test_each_place_of_the_shell_by_itself_is_found_and_let_go(kernel, where):
    kernel.run("1"), kernel.run("2"), kernel.run("3")
    is_error = "last" in where or "TB" in where
    made = "error.__traceback__" if where.endswith(("traceback", "tb")) else "error"
    setup = f"""
    def fails():
        kept = make()
        1 / 0
    def put():
        try:
            fails()
        except ZeroDivisionError as error:
            {where} = {made if is_error else "make()"}
    """
    is_name = where.startswith("_")
    if is_name:
        kernel.run(f"globals()[{where!r}] = make()", silent=True)
    else:
        kernel.run(textwrap.dedent(setup) + "\nput()", silent=True)
    assert kernel.value("alive() is None") == "False", "it must be there to be found"
    kernel.run("from jupyter_profkit.cells.objects import explain_holders", silent=True)
    kernel.run("starts = [alive()]; why = explain_holders(starts); starts.clear()", silent=True)
    statements = eval(kernel.value("[c.free for c in why.chains]"))
    assert len(statements) == 1
    for statement in statements:
        assert kernel.run(statement, silent=True).status == "ok"
    kernel.run("gc.collect()", silent=True)
    assert kernel.value("alive() is None") == "True"


def test_all_seven_places_of_the_shell_are_named(kernel):
    kernel.run("shown = make()")
    kernel.run("shown")
    graph = words(kernel, "%objrefs -b shown")  # a cell later that result is no longer the last
    number = kernel.value("max(Out)")
    kernel.run("del shown")
    kernel.run("%objwhy -q -v why alive()")
    assert kernel.value("[chain.name for chain in why.chains]") == repr(
        [f"Out[{number}], _, _{number}, display hook ._, hidden _, hidden _{number}"]
    )
    assert f"Out[{number}], _, _{number}, display hook, hidden names, last result" in graph
    kernel.run(f"%xdel _{number}")
    assert kernel.value("alive() is None") == "True"


def test_what_only_c_code_holds_is_told_with_what_it_holds(kernel):
    kernel.run("import atexit\ndef at_the_end(v): pass\natexit.register(at_the_end, make());")
    text = words(kernel, "%objwhy alive()")
    assert "a running function or C code" in text
    assert "atexit.unregister" in text
    kernel.run("atexit.unregister(at_the_end)")
    assert kernel.value("alive() is None") == "True"


def test_one_statement_is_enough_for_a_shown_variable(kernel):
    kernel.run("shown = make()")
    kernel.run("shown")
    text = words(kernel, "%objwhy shown")
    (statement,) = re.findall(r"(%xdel \w+)  # takes the variable shown away too", text)
    assert kernel.run(statement).status == "ok"
    assert kernel.value("alive() is None") == "True"


def test_a_widget_is_closed(kernel):
    kernel.run("import ipywidgets; slider = ipywidgets.IntSlider(); alive = weakref.ref(slider)")
    assert "slider.close()" in words(kernel, "%objwhy slider")
    kernel.run("slider.close()")
    kernel.run("del slider")
    kernel.run("gc.collect();")
    assert kernel.value("alive() is None") == "True"


def test_a_thread_is_named(kernel):
    kernel.run("go_on = threading.Event()\ndef work(v):\n    go_on.wait()\nv = make()")
    kernel.run("t = threading.Thread(target=work, args=(v,), name='worker')\nt.start()")
    text = words(kernel, "%objwhy v")
    kernel.run("go_on.set(); t.join()")
    assert "thread worker" in text
    assert "it goes when that function returns" in text


def test_an_object_in_nothing_but_a_cycle_is_said_to_be_garbage(kernel):
    kernel.run("gc.disable(); m = make(); m.me = m; del m")
    text = words(kernel, "%objwhy alive()")
    kernel.run("gc.enable()")
    assert "held by nothing but a reference cycle of its own" in text


def test_the_report_is_words_and_a_table(kernel):
    kernel.run("b = make(); d = {'k': [b]}")
    bundle = kernel.run("%objwhy b").displays[-1]
    assert set(bundle) == {"text/plain", "text/html"}
    assert bundle["text/plain"].startswith("%objwhy b\n")
    assert "b (Big) is kept alive by variable b and variable d." in bundle["text/plain"]
    assert "d[&#x27;k&#x27;][0] = None" in re.sub(r"</?span[^>]*>", "", bundle["text/html"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%objwhy", "give the object to explain"),
        ("%objwhy nope", "name 'nope' is not defined"),
        ("%objwhy None", "which Python keeps"),
        ("%objwhy --nope x", "--nope"),
        ("%objwhy -t 0 x", "seconds above 0"),
    ],
)
def test_bad_input_is_one_line(kernel, line, message):
    reply = kernel.run(line)
    assert (reply.status, reply.content["ename"]) == ("error", "UsageError")
    assert message in reply.content["evalue"]
    assert "\n" not in reply.content["evalue"]


def test_the_result_is_returned_and_written(kernel, tmp_path):
    kernel.run("b = make()")
    kernel.run(f"r = %objwhy -r -q -D {tmp_path / 'why.json'} -D {tmp_path / 'why.csv'} b")
    assert kernel.value(f"__import__('jupyter_profkit').load({str(tmp_path / 'why.json')!r}) == r") == "True"
    assert (tmp_path / "why.csv").read_text().splitlines()[1].startswith("variable,b,")


def test_memwhos_tells_variables_outputs_and_the_last_error(kernel):
    kernel.run("kept_in_test = bytearray(5_000_000)\nshown_in_test = [bytearray(3_000_000)]")
    kernel.run("shown_in_test")
    kernel.run("[bytearray(4_000_000)]")
    kernel.run("def fails_in_test():\n    kept = bytearray(2_000_000)\n    1 / 0\nfails_in_test()")
    assert kernel.run("%memwhos -q -v memory -l 0").status == "ok"
    sizes = eval(
        kernel.value("{h.name: (h.kind, round(h.exclusive / 1e6), round(h.shared / 1e6)) for h in memory.holders}")
    )
    assert sizes["kept_in_test"] == ("variable", 5, 0)
    assert sizes["shown_in_test"] == ("variable", 0, 3)
    outputs = [size for name, size in sizes.items() if name.startswith("Out[")]
    assert [size for size in outputs if size[1] or size[2]] == [("output", 0, 3), ("output", 4, 0)]
    assert sizes["the last error"] == ("IPython", 2, 0)
    assert {"history", "IPython itself", "modules, classes, their code", "other objects"} <= set(sizes)
    assert kernel.value("sum(part.size for part in memory.parts) == memory.rss") == "True"
    text = words(kernel, "%memwhos -s name --trim")
    assert "--trim gave" in text
    assert "kept_in_test" in text
    kernel.run("import sys; sys.last_exc = sys.last_value = sys.last_traceback = get_ipython().InteractiveTB.tb = None")
    kernel.run("del kept_in_test, shown_in_test, memory")


def test_memwhos_takes_options_only(kernel):
    reply = kernel.run("%memwhos kept")
    assert "takes options only" in reply.stderr + reply.traceback
    reply = kernel.run("%memwhos -s age")
    assert "not one of size" in reply.stderr + reply.traceback
