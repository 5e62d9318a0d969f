"""Data of the experiments: scikit-learn's digits here, CIFAR-10 and SST-2 from a user's own copy.

Nothing is downloaded.  CIFAR-10 is read in its binary version, so that nothing is unpickled.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eostheory.training.checkpoint import digest

RECORD = 3073
"""Bytes of an image of CIFAR-10: its class, then red, green and blue, 32 by 32 each."""

BATCH = 10_000
"""Images in a file of CIFAR-10."""


class DataError(ValueError):
    """Data that are absent, or not what they should be; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Data:
    """Labelled data.

    Args:
        name: of the data set.
        inputs: (N, ...) float64, or (N, L) int64 tokens.
        labels: (N,) int64, from 0.
        classes: how many classes there are.
        vocabulary: number of tokens, for texts.
    """

    name: str
    inputs: Tensor = field(repr=False)
    labels: Tensor = field(repr=False)
    classes: int = 10
    vocabulary: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def fingerprint(self) -> str:
        """A digest of inputs and labels."""
        return digest(self.inputs, self.labels)

    def first(self, count: int) -> Data:
        """The first ``count`` examples.

        Raises:
            DataError: there are fewer.
        """
        if not 1 <= count <= len(self):
            raise DataError(f"{self.name} has {len(self)} examples, {count} were asked for")
        return Data(
            self.name, self.inputs[:count], self.labels[:count], self.classes, self.vocabulary
        )

    def only(self, *wanted: int) -> Data:
        """The examples of some classes, which become 0, 1, ... in the order given."""
        kept = torch.isin(self.labels, torch.tensor(wanted))
        place = torch.full((self.classes,), -1)
        place[list(wanted)] = torch.arange(len(wanted))
        labels = place[self.labels[kept]]
        return Data(self.name, self.inputs[kept], labels, len(wanted), self.vocabulary)

    def standardized(self) -> Data:
        """Inputs with mean zero and deviation one over all examples and entries, by channel for
        images (N, C, H, W)."""
        axes = (0, 2, 3) if self.inputs.dim() == 4 else (0, 1)
        mean = self.inputs.mean(axes, keepdim=True)
        deviation = self.inputs.std(axes, keepdim=True, unbiased=False)
        inputs = (self.inputs - mean) / deviation
        return Data(self.name, inputs, self.labels, self.classes, self.vocabulary)

    def one_hot(self) -> Tensor:
        """(N, classes) float64."""
        return torch.nn.functional.one_hot(self.labels, self.classes).to(torch.float64)

    def signs(self) -> Tensor:
        """(N,) float64, -1 for class 0 and 1 for class 1.

        Raises:
            DataError: not two classes.
        """
        if self.classes != 2:
            raise DataError(f"signs need two classes, {self.name} has {self.classes}; use only()")
        return 2.0 * self.labels.to(torch.float64) - 1.0


def load(name: str, folder: str | Path = "") -> Data:
    """The training data of a set: ``digits``, ``cifar10`` or ``sst2``.

    Args:
        folder: where the user's copy lies; by default the folder of that name in what the
            environment variable ``EOSTHEORY_DATA`` names, or in ``data``.

    Raises:
        DataError: unknown name; data absent, cut or mislabelled.
    """
    loaders = {"digits": lambda _: digits(), "cifar10": cifar10, "sst2": sst2}
    if name not in loaders:
        raise DataError(f"unknown data {name!r}; known: {', '.join(loaders)}")
    place = Path(folder) if str(folder) else Path(os.environ.get("EOSTHEORY_DATA", "data")) / name
    return loaders[name](place)


def digits() -> Data:
    """scikit-learn's digits: 1797 images (N, 1, 8, 8) with values 0 to 1, in the order they come.

    Raises:
        DataError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError("the digits come with scikit-learn: pip install scikit-learn") from error
    found = load_digits()
    inputs = torch.from_numpy(found.images).to(torch.float64)[:, None] / 16
    return Data("digits", inputs, torch.from_numpy(found.target).to(torch.int64))


def cifar10(folder: Path) -> Data:
    """The 50000 training images of CIFAR-10, (N, 3, 32, 32) with values 0 to 1.

    Args:
        folder: holds ``data_batch_1.bin`` to ``data_batch_5.bin`` of the binary version.

    Raises:
        DataError: a file is absent, has another size or a class above 9, or the classes are not
            of equal size.
    """
    images, labels = [], []
    for number in range(1, 6):
        path = Path(folder) / f"data_batch_{number}.bin"
        if not path.exists():
            raise DataError(
                f"{path} is absent: get the binary version of CIFAR-10 (cifar-10-binary.tar.gz "
                "from https://www.cs.toronto.edu/~kriz/cifar.html), and name the folder of its "
                "data_batch_*.bin files by --set data_folder=... or EOSTHEORY_DATA"
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
        labels.append(torch.from_numpy(rows[:, 0].astype(np.int64)))
        images.append(torch.from_numpy(rows[:, 1:].reshape(BATCH, 3, 32, 32).copy()))
    found = torch.cat(labels)
    sizes = torch.bincount(found, minlength=10)
    if not bool((sizes == 5000).all()):
        raise DataError(f"the classes in {folder} have {sizes.tolist()} images, expected 5000 each")
    return Data("cifar10", torch.cat(images).to(torch.float64) / 255, found)


def sst2(folder: Path, *, length: int = 32, words: int = 4000) -> Data:
    """The training sentences of SST-2 as tokens (N, length); 0 pads, 1 is a rare word.

    Args:
        folder: holds ``train.tsv`` of the GLUE version: a header, then sentence, tab, 0 or 1.
        words: how many of the most frequent words are told apart.

    Raises:
        DataError: the file is absent, has no such header, or a line with another label.
    """
    path = Path(folder) / "train.tsv"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataError(
            f"{path} is absent: get SST-2 (https://gluebenchmark.com/tasks), and name its folder "
            "by --set data_folder=... or EOSTHEORY_DATA"
        ) from None
    if not lines or lines[0].split("\t") != ["sentence", "label"]:
        raise DataError(f"{path} does not begin with the header 'sentence<tab>label'")
    sentences, labels = [], []
    for number, line in enumerate(lines[1:], 2):
        text, tab, label = line.rpartition("\t")
        if not tab or label not in ("0", "1"):
            raise DataError(f"{path}, line {number}: expected a sentence, a tab and 0 or 1")
        sentences.append(text.lower().split())
        labels.append(int(label))
    counts = Counter(word for sentence in sentences for word in sentence)
    # Equally frequent words in alphabetical order, so that the tokens are always the same.
    frequent = sorted(counts, key=lambda word: (-counts[word], word))[:words]
    token = {word: index for index, word in enumerate(frequent, 2)}
    inputs = torch.zeros(len(sentences), length, dtype=torch.int64)
    for row, sentence in zip(inputs, sentences, strict=True):
        for place, word in enumerate(sentence[:length]):
            row[place] = token.get(word, 1)
    return Data("sst2", inputs, torch.tensor(labels), 2, words + 2)
