"""Records by name: backbones, modalities, protocols, data sets, presets."""

from tsn_keras.common.errors import InputError


class Catalogue(dict):
    """{name: record} of one kind of record.

    Args:
        kind: what the records are, for messages.
        records: iterable of records with an attribute `name`.

    Raises:
        ValueError: two records have one name.
    """

    def __init__(self, kind, records):
        records = tuple(records)
        super().__init__((record.name, record) for record in records)
        if len(self) != len(records):
            raise ValueError(f"two records of the kind {kind} have one name")
        self.kind = kind

    def find(self, name, where=""):
        """The record of a name.

        Args:
            name: whatever a user or a file gives.
            where: what gave it, for the message.

        Raises:
            InputError: there is none; the text lists those there are.
        """
        if isinstance(name, str) and name in self:
            return self[name]
        names = ", ".join(self)
        prefix = f"{where}: " if where else ""
        shown = repr(name) if len(repr(name)) <= 80 else f"{repr(name)[:80]}..."
        raise InputError(f"{prefix}there is no {self.kind} {shown}; there are: {names}")
