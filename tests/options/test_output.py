from __future__ import annotations

import pytest

from jupyter_profkit.export import suffixes_of
from jupyter_profkit.options import OptionSet
from jupyter_profkit.options.cprofile import CPROFILE
from jupyter_profkit.options.memprofile import MEMPROFILE
from jupyter_profkit.options.mprof import MPROF_PLOT, MPROF_RUN
from jupyter_profkit.options.objects import MEMWHOS, OBJLEAKS, OBJWHY
from jupyter_profkit.options.objrefs import OBJGROWTH, OBJREFS, OBJTYPES


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (MEMPROFILE, "line_memory"),
        (CPROFILE, "functions"),
        (MPROF_PLOT, "timeline"),
        (MPROF_RUN, "timeline"),
        (OBJREFS, "references"),
        (OBJGROWTH, "type_growth"),
        (OBJTYPES, "type_counts"),
        (OBJWHY, "holders"),
        (OBJLEAKS, "leaks"),
        (MEMWHOS, "namespace_memory"),
    ],
    ids=lambda each: each.name if isinstance(each, OptionSet) else "",
)
def test_a_magic_takes_the_suffixes_that_its_result_can_be_written_with(options: OptionSet, kind: str) -> None:
    (dump,) = (option for option in options.options if option.name == "dump")
    assert sorted(dump.suffixes) == sorted(suffixes_of(kind))
    assert f"FILE   write the result in the format of the suffix: {' '.join(dump.suffixes)}" in options.help()
