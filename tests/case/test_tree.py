from __future__ import annotations

import hashlib

import pytest

from forensic.case.tree import audit_path, leaf_hash, root_from, root_hash

# the test tree of the certificate transparency reference log
DATA = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
DATA.append(bytes.fromhex("606162636465666768696a6b6c6d6e6f"))
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


@pytest.mark.parametrize("size", range(9))
def test_recorded_roots(size) -> None:
    assert root_hash([leaf_hash(data) for data in DATA[:size]]).hex() == ROOTS[size]


def split(size: int) -> int:
    k = 1
    while 2 * k < size:
        k *= 2
    return k


def plain_root(data: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not data:
        return hashlib.sha256(b"").digest()
    if len(data) == 1:
        return hashlib.sha256(b"\0" + data[0]).digest()
    k = split(len(data))
    return hashlib.sha256(b"\1" + plain_root(data[:k]) + plain_root(data[k:])).digest()


def plain_path(m: int, data: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1, word for word."""
    if len(data) == 1:
        return []
    k = split(len(data))
    if m < k:
        return [*plain_path(m, data[:k]), plain_root(data[k:])]
    return [*plain_path(m - k, data[k:]), plain_root(data[:k])]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33, 100])
def test_paths_are_those_of_the_definition_and_lead_to_the_root(size) -> None:
    data = [bytes(range(number % 50)) for number in range(size)]
    leaves = [leaf_hash(one) for one in data]
    root = root_hash(leaves)
    assert root == plain_root(data)
    for index in range(size):
        path = audit_path(leaves, len(leaves), index)
        assert path == plain_path(index, data)
        assert root_from(leaves[index], index, size, path) == root
        if size > 1:
            for wrong in range(size):
                if wrong != index and len(plain_path(wrong, data)) == len(path):
                    assert root_from(leaves[index], wrong, size, path) != root


def test_a_node_is_no_leaf() -> None:
    leaves = [leaf_hash(data) for data in DATA[:2]]
    assert leaf_hash(leaves[0] + leaves[1]) != root_hash(leaves)


def test_what_is_no_proof() -> None:
    leaves = [leaf_hash(data) for data in DATA]
    path = audit_path(leaves, len(leaves), 3)
    for index, size, some in ((8, 8, path), (-1, 8, path), (0, 0, []), (3, 8, path[:-1]), (3, 8, [*path, path[0]])):
        with pytest.raises(ValueError, match=r"index must|a path of"):
            root_from(leaves[3], index, size, some)
    for index in (-1, 8):
        with pytest.raises(IndexError):
            audit_path(leaves, len(leaves), index)
