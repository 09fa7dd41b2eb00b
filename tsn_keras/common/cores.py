"""The processor's cores."""


def cores() -> int:
    """How many this process may have, of which a container may grant a few."""
    import joblib  # Takes a quarter of a second.

    return joblib.cpu_count()
