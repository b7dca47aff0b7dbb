"""The Merkle tree of RFC 9162, section 2.1, with SHA-256: pure functions on hashes of 32 bytes.

`Frontier` grows the tree leaf by leaf and keeps no more than one hash for each bit of its size. Proofs are made from
`nodes(level, index)`, the hash of the perfect subtree over the leaves [index·2^level, (index+1)·2^level), so that it is
the caller's matter where these are kept (tree.py). Verification needs nothing but the proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import reduce

Nodes = Callable[[int, int], bytes]
EMPTY_ROOT = hashlib.sha256().digest()


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The perfect subtrees that a tree of `size` leaves is made of, the largest first: what a further leaf needs to know."""

    def __init__(self, size: int = 0, nodes: Sequence[bytes] = ()) -> None:
        if size < 0 or len(nodes) != size.bit_count():
            raise ValueError("a frontier has one hash for each set bit of its size")
        self.size, self.nodes = size, list(nodes)

    def append(self, leaf: bytes) -> None:
        """Amortised two hashes: as many subtrees close as the old size ends in ones."""
        self.nodes.append(leaf)
        full = self.size
        while full & 1:
            right = self.nodes.pop()
            self.nodes[-1] = node_hash(self.nodes[-1], right)
            full >>= 1
        self.size += 1

    def root(self) -> bytes:
        return _fold(self.nodes) if self.nodes else EMPTY_ROOT


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def frontier_of(size: int, nodes: Nodes) -> Frontier:
    return Frontier(size, list(_perfect(0, size, nodes)))


def inclusion_path(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """PATH(index, D_size): the siblings from the leaf up to the root of a tree of `size` leaves."""
    if not 0 <= index < size:
        raise ValueError("the leaf is not in the tree")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_hash_of(middle, end, nodes))
            end = middle
        else:
            path.append(_hash_of(begin, middle, nodes))
            begin = middle
    return path[::-1]


def consistency_path(first: int, second: int, nodes: Nodes) -> list[bytes]:
    """PROOF(first, D_second): that the tree of `second` leaves begins with that of `first`."""
    if not 0 < first <= second:
        raise ValueError("the first tree is larger than the second, or empty")
    path: list[bytes] = []
    begin, end, whole = 0, second, True  # whole: the first tree's own root, which the verifier has, is a node here
    while end != first:
        middle = begin + _split(end - begin)
        if first <= middle:
            path.append(_hash_of(middle, end, nodes))
            end = middle
        else:
            path.append(_hash_of(begin, middle, nodes))
            begin, whole = middle, False
    return ([] if whole else [_hash_of(begin, end, nodes)]) + path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """RFC 9162, section 2.1.3.2."""
    if not 0 <= index < size:
        return False
    fn, sn, found = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            found = node_hash(sibling, found)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = node_hash(found, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and found == root


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]) -> bool:
    """RFC 9162, section 2.1.4.2."""
    if not 0 < first <= second:
        return False
    if first == second:
        return not path and first_root == second_root
    hashes = [first_root, *path] if first & (first - 1) == 0 else list(path)
    if not path or not hashes:
        return False
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = hashes[0]
    for sibling in hashes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(sibling, fr), node_hash(sibling, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == first_root and sr == second_root


def _split(size: int) -> int:
    """The largest power of two below `size` (size > 1)."""
    return 1 << ((size - 1).bit_length() - 1)


def _hash_of(begin: int, end: int, nodes: Nodes) -> bytes:
    """The hash over the leaves [begin, end), where `begin` is where a subtree of such a size may begin."""
    return _fold(list(_perfect(begin, end, nodes)))


def _perfect(begin: int, end: int, nodes: Nodes) -> Iterable[bytes]:
    while begin < end:
        level = (end - begin).bit_length() - 1
        yield nodes(level, begin >> level)
        begin += 1 << level


def _fold(parts: Sequence[bytes]) -> bytes:
    """From the right, as the smaller subtrees hang under the larger ones."""
    return reduce(lambda right, left: node_hash(left, right), reversed(parts))
