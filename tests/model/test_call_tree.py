"""A tree of frames: sums, merging and pruning keep every second."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_profkit.model.call_tree import CallTree, Frame


def frame(name, weight=0.0, *children, user=True, samples=1):
    return Frame(name, "work.py", 1, "In [1]", user, weight, samples if weight else 0, children)


TREE = CallTree((frame("main", 0.25, frame("a", 0.5, frame("leaf", 1.0)), frame("b", 0.25, frame("leaf", 2.0))),))

frames = st.recursive(
    st.builds(frame, st.sampled_from("abc"), st.sampled_from([0.0, 0.5, 1.0, 2.0])),
    lambda inner: st.builds(
        lambda name, weight, children: frame(name, weight, *children),
        st.sampled_from("abc"),
        st.sampled_from([0.0, 0.5]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=12,
)
trees = st.builds(lambda roots: CallTree(tuple(roots)), st.lists(frames, max_size=3))
NOTHING = CallTree()


def by_path(tree):
    found = {}
    for path, weight in tree.stacks():
        names = tuple(each.function for each in path)
        found[names] = found.get(names, 0.0) + weight
    return found


def test_a_total_is_the_frame_and_all_it_called():
    assert TREE.total == 4.0
    assert [child.total for child in TREE.roots[0].children] == [1.5, 2.25]
    assert TREE.n_samples == 5


def test_stacks_are_the_paths_with_time_of_their_own():
    assert by_path(TREE) == {
        ("main",): 0.25,
        ("main", "a"): 0.5,
        ("main", "a", "leaf"): 1.0,
        ("main", "b"): 0.25,
        ("main", "b", "leaf"): 2.0,
    }


def test_walking_meets_callers_first():
    assert ["/".join([*(each.function for each in path), met.function]) for path, met in TREE.walk()] == [
        *("main", "main/a", "main/a/leaf", "main/b", "main/b/leaf"),
    ]


def test_the_users_code_stands_before_libraries_and_then_the_heavier():
    tree = NOTHING.merge(CallTree((frame("lib", 9.0, user=False), frame("light", 1.0), frame("heavy", 2.0))))
    assert [root.function for root in tree.roots] == ["heavy", "light", "lib"]


@given(trees, trees)
def test_a_merged_tree_has_the_stacks_of_both_and_makes_no_path(one, other):
    both = one.merge(other)
    expected = by_path(one)
    for path, weight in by_path(other).items():
        expected[path] = expected.get(path, 0.0) + weight
    assert by_path(both) == expected
    assert both.n_samples == one.n_samples + other.n_samples


@given(trees, trees, trees)
def test_merging_is_associative(one, two, three):
    assert one.merge(two).merge(three) == one.merge(two.merge(three))


@given(trees, st.sampled_from([0.0, 0.1, 0.3]))
def test_what_is_pruned_counts_on_the_caller(tree, share):
    pruned = tree.prune(share)
    roots = {root.function for root in pruned.roots}
    assert pruned.total == pytest.approx(sum(root.total for root in tree.roots if root.total >= share * tree.total))
    assert all(met.total >= share * tree.total for _, met in pruned.walk())
    assert {path[0] for path in by_path(pruned)} <= roots
