"""Training and test images of the networks of lyu22, standardized by the training images."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch

from eostheory.experiments.data import BATCH, RECORD, Data, DataError, load


def split(name: str, folder: str = "", examples: int = 0, tests: int = 0) -> tuple[Data, Data]:
    """Training and test images.

    Args:
        name: ``digits``, of which the training images are the first; or ``cifar10``.
        folder: of the user's copy, as for :func:`~eostheory.experiments.data.load`.
        examples: training images; 0 for all of CIFAR-10, or two thirds of the digits.
        tests: test images at most; 0 for all.

    Raises:
        DataError: data that are absent, or not what they should be, or too few.
    """
    whole = load(name, folder)
    if name == "cifar10":
        place = Path(folder) if folder else Path(os.environ.get("EOSTHEORY_DATA", "data")) / name
        train = whole.first(examples or len(whole))
        test = _cifar_test(place)
    else:
        train = whole.first(examples or 2 * len(whole) // 3)
        count = len(train)
        if count == len(whole):
            raise DataError(f"all {count} images of {name} are for training, none for the test")
        test = Data(name, whole.inputs[count:], whole.labels[count:], whole.classes)
    test = test.first(min(tests or len(test), len(test)))
    mean = train.inputs.mean((0, 2, 3), keepdim=True)
    deviation = train.inputs.std((0, 2, 3), keepdim=True, unbiased=False)
    found = [
        Data(part.name, (part.inputs - mean) / deviation, part.labels, part.classes)
        for part in (train, test)
    ]
    return found[0], found[1]


def _cifar_test(folder: Path) -> Data:
    """The 10000 test images of CIFAR-10.

    Raises:
        DataError: ``test_batch.bin`` is absent, has another size or a class above 9.
    """
    path = folder / "test_batch.bin"
    if not path.exists():
        raise DataError(
            f"{path} is absent: it comes with the binary version of CIFAR-10, beside "
            "data_batch_1.bin"
        )
    raw = np.fromfile(path, dtype=np.uint8)
    if raw.size != RECORD * BATCH:
        raise DataError(
            f"{path} has {raw.size} bytes, expected {RECORD * BATCH}: it is cut, or not of the "
            "binary version; unpack it again"
        )
    rows = raw.reshape(BATCH, RECORD)
    if rows[:, 0].max() > 9:
        raise DataError(f"{path} has a class {rows[:, 0].max()}, expected 0 to 9")
    images = torch.from_numpy(rows[:, 1:].reshape(BATCH, 3, 32, 32).copy()).to(torch.float64)
    return Data("cifar10", images / 255, torch.from_numpy(rows[:, 0].astype(np.int64)))
