r"""DOT as its grammar has it, for what is written here: quoted names, one statement for each node and edge.

nodes, edges = statements('digraph "g" {\n  "n0" [label="a"]\n}')
nodes["n0"]["label"]        'a', escapes undone
"""

from __future__ import annotations

import re
from html import unescape

_TOKEN = re.compile(r'"(?:[^"\\\n\x00]|\\.)*"|->|[{}\[\]=;,]|[A-Za-z_][A-Za-z_0-9]*|-?\d+(?:\.\d+)?')
_SPACE = re.compile(r"[ \n]*")


class NoDotError(ValueError):
    """The text is not in the language."""


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    while True:
        at = _SPACE.match(text, at).end()
        if at == len(text):
            return found
        match = _TOKEN.match(text, at)
        if match is None:
            raise NoDotError(f"no token at {text[at : at + 40]!r}")
        found.append(match[0])
        at = match.end()


def _plain(token: str) -> str:
    """What Graphviz shows for a name or a string."""
    if token[0] != '"':
        return token
    text = re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], token[1:-1])
    return unescape(text)


def statements(text: str) -> tuple[dict[str, dict[str, str]], list[tuple[str, str, dict[str, str]]]]:
    """The nodes by name, and the edges, each with its attributes; NoDotError if there is anything else."""
    tokens = _tokens(text)
    if tokens[0] != "digraph" or tokens[1][0] != '"' or tokens[2] != "{" or tokens[-1] != "}":
        raise NoDotError("no digraph")
    nodes: dict[str, dict[str, str]] = {}
    edges: list[tuple[str, str, dict[str, str]]] = []
    rest = tokens[3:-1]
    while rest:
        name = rest.pop(0)
        if rest[0] == "->":
            target = rest[1]
            del rest[:2]
            edges.append((_plain(name), _plain(target), _attributes(rest)))
        elif name in {"graph", "node", "edge"}:
            _attributes(rest)
        elif name[0] == '"':
            nodes[_plain(name)] = _attributes(rest)
        else:
            raise NoDotError(f"no statement begins with {name!r:.40}")
    return nodes, edges


def _attributes(rest: list[str]) -> dict[str, str]:
    if rest.pop(0) != "[":
        raise NoDotError("no attributes")
    found = {}
    while rest[0] != "]":
        key, equals, value = rest[:3]
        if equals != "=" or not re.match(r"[a-z]+$|[A-Z]+$", key) or value in {"[", "]", "{", "}", "="}:
            raise NoDotError(f"no attribute: {rest[:3]}")
        found[key] = _plain(value)
        del rest[:3]
    rest.pop(0)
    return found
