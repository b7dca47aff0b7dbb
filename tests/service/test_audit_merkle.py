"""The Merkle tree: roots and proofs equal those of pymerkle (a test oracle under the GPL, installed for tests alone)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree
from pymerkle import verify_consistency as their_consistency
from pymerkle import verify_inclusion as their_inclusion
from voxelhub_service.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_path,
    frontier_of,
    inclusion_path,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)


def _leaves(size: int) -> list[bytes]:
    return [leaf_hash(b"record %d" % number) for number in range(size)]


def _nodes(leaves: list[bytes]):
    def nodes(level: int, index: int) -> bytes:
        assert (index + 1) << level <= len(leaves), "a subtree that is not full"
        if level == 0:
            return leaves[index]
        return node_hash(nodes(level - 1, 2 * index), nodes(level - 1, 2 * index + 1))

    return nodes


def _theirs(size: int) -> InmemoryTree:
    return InmemoryTree.init_from_entries([b"record %d" % number for number in range(size)], algorithm="sha256")


TREE = _theirs(130)


def test_the_values_of_the_standard():
    """The root of an empty tree is SHA-256 of nothing; leaves and nodes cannot be taken for each other."""
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert Frontier().root() == EMPTY_ROOT


@pytest.mark.parametrize("size", range(131))
def test_the_root_is_theirs_however_it_was_grown(size):
    leaves = _leaves(size)
    assert root_of(leaves) == (TREE.get_root(size) if size else EMPTY_ROOT)
    half = frontier_of(size // 2, _nodes(leaves))
    for leaf in leaves[size // 2:]:
        half.append(leaf)
    assert (half.size, half.root()) == (size, root_of(leaves))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_inclusion_proofs_are_theirs_and_prove(data):
    size = data.draw(st.integers(1, 130))
    index = data.draw(st.integers(0, size - 1))
    leaves = _leaves(size)
    path = inclusion_path(index, size, _nodes(leaves))
    theirs = TREE.prove_inclusion(index + 1, size)
    assert [leaves[index], *path][1:] == theirs.path[1:]
    their_inclusion(leaves[index], root_of(leaves), theirs)
    assert verify_inclusion(leaves[index], index, size, path, root_of(leaves))
    assert not verify_inclusion(leaves[index], index, size, path, root_of(leaves[:-1]))
    if path:
        spot = data.draw(st.integers(0, len(path) - 1))
        wrong = [*path[:spot], bytes([path[spot][0] ^ 1, *path[spot][1:]]), *path[spot + 1:]]
        assert not verify_inclusion(leaves[index], index, size, wrong, root_of(leaves))
        assert not verify_inclusion(leaves[index], index, size, path[:-1], root_of(leaves))
    assert not verify_inclusion(leaves[index], index, size, [*path, path[-1] if path else leaves[0]], root_of(leaves))
    other = data.draw(st.integers(0, size - 1))
    assert verify_inclusion(leaves[index], other, size, path, root_of(leaves)) == (other == index)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_consistency_proofs_agree_with_theirs(data):
    second = data.draw(st.integers(1, 130))
    first = data.draw(st.integers(1, second))
    leaves = _leaves(second)
    old, new = root_of(leaves[:first]), root_of(leaves)
    path = consistency_path(first, second, _nodes(leaves))
    assert verify_consistency(first, second, old, new, path)
    their_consistency(old, new, TREE.prove_consistency(first, second))  # their proof is of another form; our roots fit it
    assert verify_consistency(first, second, new, old, path) == (old == new)
    if path:
        spot = data.draw(st.integers(0, len(path) - 1))
        wrong = [*path[:spot], bytes([path[spot][0] ^ 1, *path[spot][1:]]), *path[spot + 1:]]
        assert not verify_consistency(first, second, old, new, wrong)
        assert not verify_consistency(first, second, old, new, path[:-1])
    assert not verify_consistency(first, second, old, new, [*path, new])


def test_the_examples_of_the_standard():
    """RFC 9162, section 2.1.5: the tree of seven leaves."""
    a, b, c, d, e, f, j = _leaves(7)
    g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
    k, l_ = node_hash(g, h), node_hash(i, j)
    nodes = _nodes([a, b, c, d, e, f, j])
    assert inclusion_path(0, 7, nodes) == [b, h, l_]
    assert inclusion_path(3, 7, nodes) == [c, g, l_]
    assert inclusion_path(4, 7, nodes) == [f, j, k]
    assert inclusion_path(6, 7, nodes) == [i, k]
    assert consistency_path(3, 7, nodes) == [c, d, g, l_]
    assert consistency_path(4, 7, nodes) == [l_]
    assert consistency_path(6, 7, nodes) == [i, j, k]
    assert consistency_path(7, 7, nodes) == []


@given(st.integers(2, 130), st.data())
@settings(max_examples=200, deadline=None)
def test_a_history_that_was_rewritten_has_no_consistency_proof(second, data):
    first = data.draw(st.integers(1, second))
    changed = data.draw(st.integers(0, first - 1))
    leaves = _leaves(second)
    forged = [*leaves[:changed], leaf_hash(b"forged"), *leaves[changed + 1:]]
    path = consistency_path(first, second, _nodes(forged))
    assert not verify_consistency(first, second, root_of(leaves[:first]), root_of(forged), path)


def test_what_is_not_in_the_tree_has_no_proof():
    nodes = _nodes(_leaves(4))
    for index, size in ((4, 4), (-1, 4), (0, 0)):
        with pytest.raises(ValueError):
            inclusion_path(index, size, nodes)
    for first, second in ((0, 4), (5, 4)):
        with pytest.raises(ValueError):
            consistency_path(first, second, nodes)
    with pytest.raises(ValueError):
        Frontier(3, [b"one"])
    assert not verify_inclusion(b"", 4, 4, [], b"")
    assert not verify_consistency(0, 4, b"", b"", [])
