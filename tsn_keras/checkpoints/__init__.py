"""Foreign weight files: readers, and the way into Keras variables."""
