"""Changes of good files: of any bytes, and of texts."""

_EDGES = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)
_NUMBERS = (
    *("0", "-1", "1e308", "1e999", "-0.0", "nan", "inf", "2147483648"),
    *("9" * 19, "9" * 400, "0x7f", "1_0", "00", "1e-320", "true", "+5", "٣"),
)
_LONGEST = 200_000  # characters of a line
_PIECES = (
    *("\0", "\r", "\n", "\r\n", "\x1b[2J", "\u2028", "\x85", "\ufeff", "\u202e"),
    *("../", "/", "\\", "'", '"', "[", "]", "{", "}", "=", "#", ",", " ", "\t"),
    *("%s", "{0}", "`weights`", "\ud7ff", "\U0010ffff", "e\u0301"),
)


def of_bytes(random, data, at=None):
    """Changes a few bytes or runs of bytes.

    Args:
        random: random.Random.
        data: bytes.
        at: function (random, length) to a position; without one anywhere.
    """
    data = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 3, 8))):
        if not data:
            break
        place = at(random, len(data)) if at else random.randrange(len(data))
        length = random.choice((1, 2, 4, 8, 16, 64))
        how = random.randrange(8)
        if how <= 1:
            data[place] ^= 1 << random.randrange(8)
        elif how == 2:
            data[place] = random.choice(_EDGES)
        elif how == 3:
            data[place : place + length] = bytes([random.choice(_EDGES)]) * length
        elif how == 4:  # An integer of the common sizes, near an edge.
            size = random.choice((2, 4, 8))
            value = random.choice((0, 1, 2**15, 2**31, 2**32, 2**63, 2 ** (8 * size)))
            value = (value - random.randrange(2)) % 2 ** (8 * size)
            order = random.choice(("little", "big"))
            data[place : place + size] = value.to_bytes(size, order)
        elif how == 5:
            source = random.randrange(len(data))
            data[place : place + length] = data[source : source + length]
        elif how == 6:
            del data[place : place + random.choice((1, length))]
        elif random.random() < 0.3:
            del data[place:]
        else:
            data[place:place] = random.randbytes(length)
    return bytes(data)


def of_text(random, text):
    """Changes words, lines and characters of a text; returns bytes."""
    lines = text.split("\n")
    for _ in range(random.choice((1, 1, 2, 4))):
        number = random.randrange(len(lines))
        line, how = lines[number], random.randrange(8)
        if how == 0:
            del lines[number]
            lines = lines or [""]
        elif how == 1:
            lines.insert(random.randrange(len(lines)), line)
        elif how == 2:
            words = line.split(" ")
            words[random.randrange(len(words))] = random.choice(_NUMBERS)
            lines[number] = " ".join(words)
        elif how == 3:
            words = line.split(" ")
            random.shuffle(words)
            lines[number] = " ".join(words)
        elif how == 4:
            place = random.randint(0, len(line))
            piece = random.choice(_PIECES) * random.choice((1, 1, 1, 3, 2000))
            lines[number] = line[:place] + piece + line[place:]
        elif how == 5:
            place = random.randint(0, len(line))
            lines[number] = line[:place]
        elif how == 6:
            lines[number] = (line[:1000] * random.choice((2, 50, 5000)))[:_LONGEST]
        else:
            lines[number] = (lines[random.randrange(len(lines))] + line)[:_LONGEST]
    ending = random.choice(("\n", "\n", "\n", "\r\n", "\r"))
    coded = random.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"))
    data = ending.join(lines).encode(coded, "replace")
    return of_bytes(random, data) if random.random() < 0.3 else data
