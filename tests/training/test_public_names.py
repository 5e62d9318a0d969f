"""What the package says it offers is there, and is not a module of the same name."""

import types

import pytest

import eostheory.training


@pytest.mark.parametrize("name", eostheory.training.__all__)
def test_every_public_name_is_there(name):
    assert not isinstance(getattr(eostheory.training, name), types.ModuleType)


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        eostheory.training.nonsense
    assert set(dir(eostheory.training)) == set(eostheory.training.__all__)
