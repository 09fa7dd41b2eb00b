"""Tables of published experiments: their cells are trained, tested and compared."""
