"""Tables of numbers in CSV files, of which a line may be damaged."""

import csv


def read(path, columns=None, whole=()):
    """Reads the rows; one that a kill cut off, or that a crash damaged, is left out.

    Args:
        path: the file, with a header.
        columns: names of the columns that are read; None: all of the header.
        whole: names of columns of whole numbers.

    Returns:
        list of {column: float or int}.

    Raises:
        OSError: the file cannot be read.
    """
    found = []
    with open(path, newline="", errors="replace") as file:
        # After a crash a line may hold anything.
        reader = csv.DictReader(line.replace("\0", "") for line in file)
        for row in reader:
            wanted = reader.fieldnames if columns is None else columns
            try:
                found.append(
                    {
                        name: int(float(row[name]))
                        if name in whole
                        else float(row[name])
                        for name in wanted
                    }
                )
            except (KeyError, TypeError, ValueError, OverflowError):
                continue
    return found
