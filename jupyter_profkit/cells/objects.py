"""Objects of the notebook: why one is alive.

    explain_holders([x], name="x")      ObjectHolders

Evaluating what the user typed is the magic's business; nothing of the user's runs here.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from jupyter_profkit.engines.reference_holders import Holders
from jupyter_profkit.engines.safe_repr import describe, printable, type_name
from jupyter_profkit.engines.why import find_holders
from jupyter_profkit.errors import TargetError
from jupyter_profkit.model.objects import ObjectHolders
from jupyter_profkit.model.session import Method, Session
from jupyter_profkit.source import running_shell

__all__ = ["explain_holders"]

_IMMORTAL = 2**29


def explain_holders(
    objects: Sequence[Any],
    *,
    name: str = "",
    time_limit: float = 5.0,
    shell: Any = None,
    namespace: dict[str, Any] | None = None,
) -> ObjectHolders:
    """Who keeps an object alive, and the statement that ends each chain.

    Parameters
    ----------
    objects : a list with the one object; the list itself is not told as a holder.
    name : what the object is called.
    time_limit : seconds after which the search ends with what it found.
    shell : the InteractiveShell, to name what it holds; the running one by default.
    namespace : the variables; the shell's by default.

    Raises
    ------
    TargetError
        If it is not one object.
    """
    if len(objects) != 1:
        raise TargetError(f"objwhy takes one object, not {len(objects)}: %objwhy x")
    if sys.getrefcount(objects[0]) > _IMMORTAL or type(objects[0]) in {type(None), bool}:
        raise TargetError(
            f"{printable(name)} is {type_name(type(objects[0]))} {describe(objects[0])}, which Python keeps"
        )
    holders = Holders(shell if shell is not None else running_shell(), namespace)
    started, clock = time.time(), time.perf_counter()
    found = find_holders(objects, holders, name, time_limit)
    return ObjectHolders(
        Session("%objwhy", started, time.perf_counter() - clock),
        Method(f"gc.get_referrers, {found.n_read:,} objects looked behind", notes=tuple(found.notes)),
        printable(name) or f"this {type_name(type(objects[0]))}",
        type_name(type(objects[0])),
        describe(objects[0]),
        tuple(found.chains),
        found.in_cycle,
        found.n_unseen,
    )
