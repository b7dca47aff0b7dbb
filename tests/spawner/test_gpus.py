"""Leases of GPUs: each card has one holder, and a lease outlives the hub."""

from __future__ import annotations

import copy
from pathlib import Path

from voxelhub_spawner.gpus import Gpu, GpuPool, detect_gpus, shared_devices

CARDS = [Gpu("nvidia-a100", "/dev/nvidia0"), Gpu("nvidia-a100", "/dev/nvidia1"), Gpu("amd-mi300", "/dev/dri/renderD128")]


def test_a_card_has_one_holder() -> None:
    pool = GpuPool(CARDS)
    assert pool.lease("ada", "nvidia", 1) == [CARDS[0]]
    assert pool.lease("ben", "nvidia", 1) == [CARDS[1]]
    assert pool.lease("eve", "nvidia", 1) is None
    pool.release("ada")
    assert pool.lease("eve", "nvidia", 1) == [CARDS[0]]


def test_all_or_none() -> None:
    pool = GpuPool(CARDS)
    assert pool.lease("ada", "nvidia", 3) is None
    assert len(pool.free()) == 3
    assert pool.lease("ada", "", 0) == []


def test_asking_again_gives_up_the_earlier_lease() -> None:
    pool = GpuPool(CARDS)
    pool.lease("ada", "nvidia", 2)
    assert pool.lease("ada", "nvidia", 1) == [CARDS[0]]
    assert pool.free("nvidia") == [CARDS[1]]


def test_a_lease_that_outlived_the_hub_is_claimed() -> None:
    pool = GpuPool(CARDS)
    pool.claim("ada", ["/dev/nvidia1"])
    assert pool.lease("ben", "nvidia", 2) is None
    assert pool.held_by("ada") == ["/dev/nvidia1"]


def test_configuration_does_not_copy_the_pool() -> None:
    pool = GpuPool(CARDS)
    assert copy.deepcopy({"gpus": pool})["gpus"] is pool


def test_cards_are_read_from_the_driver(tmp_path: Path) -> None:
    for bus, model, minor in (("0000:01:00.0", "NVIDIA H100 80GB HBM3", 0), ("0000:02:00.0", "NVIDIA A100-SXM4-40GB", 1)):
        (tmp_path / bus).mkdir()
        (tmp_path / bus / "information").write_text(f"Model: \t\t {model}\nIRQ:   \t\t 42\nDevice Minor: \t {minor}\n")
    pool = GpuPool(detect_gpus(tmp_path))
    assert pool.kinds() == {"nvidia-h100-80gb-hbm3": 1, "nvidia-a100-sxm4-40gb": 1}
    assert [g.device for g in pool.gpus] == ["/dev/nvidia0", "/dev/nvidia1"]
    assert detect_gpus(tmp_path / "none") == [] == shared_devices(tmp_path)
