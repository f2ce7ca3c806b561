from __future__ import annotations

import pytest

from forensic.errors import UsageError
from forensic.scan.shard import Shard, shard_from


def test_each_path_is_in_one_part_and_parts_are_alike() -> None:
    names = [f"folder/{number:05d}.jpg".encode() for number in range(3000)]
    held = [[name for name in names if Shard(number, 3).holds(b"/e", name)] for number in (1, 2, 3)]
    assert sorted(name for part in held for name in part) == names
    assert all(900 < len(part) < 1100 for part in held)


def test_the_part_depends_on_the_path_below_the_argument_alone() -> None:
    shards = [Shard(number, 4) for number in range(1, 5)]
    assert [shard.holds(b"/e/in", b"a/b.jpg") for shard in shards] == [
        shard.holds(b"/mnt/copy", b"a/b.jpg") for shard in shards
    ]
    assert [shard.holds(b"/e/b.jpg", b"") for shard in shards] == [shard.holds(b"/x/b.jpg", b"") for shard in shards]
    # the last bit of the first eight bytes that `printf a.jpg | sha256sum` gives, and so on
    assert [name for name in (b"a.jpg", b"b.jpg", b"c.jpg", b"d.jpg") if Shard(1, 2).holds(b"/e", name)] == [
        b"a.jpg",
        b"b.jpg",
        b"d.jpg",
    ]


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/", "/2", "a/b", "1/0", "-1/2", "1/2/3", "1/2\n"])
def test_what_is_no_part(text) -> None:
    with pytest.raises(UsageError, match="is no part"):
        shard_from(text)


def test_as_given() -> None:
    assert shard_from("2/3") == Shard(2, 3)
    assert str(Shard(2, 3)) == "2/3"
