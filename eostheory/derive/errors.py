"""What says that something cannot be derived."""


class DerivationError(ValueError):
    """An object from which the wanted thing cannot be derived; the message says why."""


class NotDerived(DerivationError):
    """A value that this result does not have."""
