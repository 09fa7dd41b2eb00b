"""How to score, whatever the stream."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to score, whatever the stream.

    Attributes:
        batch: snippets in a batch.
        precision: "float32" or "bfloat16".
        runtime: name of what runs the network, one of runtimes.catalogue.RUNTIMES.
        scheduler: address of a Dask cluster's scheduler, or None for this machine.
    """

    batch: int = 5
    precision: str = "float32"
    runtime: str = "keras"
    scheduler: str | None = None
