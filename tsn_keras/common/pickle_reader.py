"""Pickles of strangers, read as data.

A pickle is a program that can name any function and have it called. The machine
below carries out the instructions that build data, and nothing else: it looks up
no name and calls nothing. What a name or a call stands for is told by a policy.
"""

import pickletools
import warnings

from tsn_keras.common.errors import Refused

_VALUES = "INT BININT BININT1 BININT2 LONG LONG1 BINUNICODE SHORT_BINUNICODE UNICODE"
_VALUES += " BINBYTES SHORT_BINBYTES BINBYTES8"
_MORE_VALUES = "FLOAT BINFLOAT BINUNICODE8 BYTEARRAY8"
_LONGEST = 1000  # characters of a name
_LARGEST = 2048  # bits of an integer; those of LONG1 have fewer
_MAX_MEMO = 2**32  # Pickles of any length have smaller numbers.


class EightBit(bytes):
    """A text of Python 2, where texts are bytes."""


class Name:
    """The name of a class or function; never looked up.

    Attributes:
        name: its module, a blank, and its name in it.
    """

    __slots__ = ("name",)

    def __init__(self, name):
        self.name = name


class Pairs:
    """A dict, as a list of pairs.

    Keys of strangers may be slow to hash or to compare, so none is looked up here.

    Attributes:
        items: list of (key, value) in the order of the pickle.
    """

    __slots__ = ("items",)

    def __init__(self):
        self.items = []


class Placeholder(Pairs):
    """An object of a class that is not known; nothing of the class is run.

    Attributes:
        name: see Name.
        items: pairs that the pickle puts into it, if it is a kind of dict.
    """

    __slots__ = ("name",)

    def __init__(self, name):
        super().__init__()
        self.name = name


class Policy:
    """What becomes of what is more than plain data.

    Attributes:
        steps: {instruction: function}, BASIC or EVERY.
    """

    steps = {}

    def named(self, name: str):
        """What stands for a class or function, see Name."""
        raise NotImplementedError

    def called(self, function, arguments):
        """What a call would give; `function` and `arguments` are anything."""
        raise NotImplementedError

    def built(self, target, state):
        """Sets the state of an object."""
        raise NotImplementedError

    def persistent(self, value):
        """What stands for an object that lies outside the pickle."""
        raise NotImplementedError


class Machine:
    """Carries out the instructions of a pickle that only builds data.

    Lists may hold themselves, and tuples may be nested without end: what is
    described must be walked through with a bound, and never compared or shown whole.

    Args:
        policy: Policy.
        most: number of instructions, at most; each takes about 2 microseconds.
    """

    def __init__(self, policy, most):
        self.policy, self._most = policy, most
        self._stack, self._marks, self._memo = [], [], {}

    def run(self, data):
        """Reads one pickle.

        Args:
            data: bytes, or a file at its beginning. No read of the file may take
                more memory than the file has bytes.

        Returns:
            What it describes.

        Raises:
            Refused: it cannot be used.
        """
        steps = self.policy.steps
        try:
            with warnings.catch_warnings():
                # pickletools complains about odd escapes in texts.
                warnings.simplefilter("ignore", DeprecationWarning)
                for count, (opcode, value, _) in enumerate(pickletools.genops(data)):
                    if count > self._most:
                        raise Refused("its pickle has too many instructions")
                    step = steps.get(opcode.name)
                    if step is None:
                        raise Refused(f"its pickle has an instruction {opcode.name}")
                    step(self, value)
            (result,) = self._stack
        except Refused:
            raise
        except Exception as error:
            # Raised when the stack holds something unexpected.
            raise Refused(f"its pickle is damaged: {type(error).__name__}") from None
        return result

    def push(self, value):
        self._stack.append(value)

    def pop(self):
        return self._stack.pop()

    def last(self, count):
        """Takes the last values off the stack, as a list."""
        return self._from(len(self._stack) - count)

    def since_mark(self):
        """Takes what lies above the last mark off the stack, as a list."""
        return self._from(self._marks.pop())

    def _from(self, start):
        if not 0 <= start <= len(self._stack):
            raise Refused("its pickle is damaged: a tuple of nothing")
        values = self._stack[start:]
        del self._stack[start:]
        return values

    def mark(self):
        self._marks.append(len(self._stack))

    def put(self, number):
        if not 0 <= number < _MAX_MEMO:
            raise Refused("its pickle is damaged: a memo out of range")
        self._memo[number] = self._stack[-1]

    def memoize(self):
        self._memo[len(self._memo)] = self._stack[-1]

    def get(self, number):
        self._stack.append(self._memo[number])

    def extend(self, values):
        """Appends values to the list on top of the stack."""
        target = self._stack[-1]
        if isinstance(target, list):
            target.extend(values)
        elif not isinstance(target, Placeholder):
            raise Refused("its pickle appends to what is no list")

    def update(self, values):
        """Sets keys and values, one after the other, of the dict on top."""
        target = self._stack[-1]
        if not isinstance(target, Pairs):
            raise Refused("its pickle sets items of what is no dict")
        target.items.extend(zip(values[::2], values[1::2], strict=True))

    def dict_of(self, values):
        self.push(Pairs())
        self.update(values)

    def name(self, name):
        self.push(self.policy.named(name))

    def name_on_stack(self):
        attribute, module = self.pop(), self.pop()
        self.name(f"{text(module)} {text(attribute)}")

    def call(self, function, arguments):
        self.push(self.policy.called(function, arguments))

    def reduce(self):
        arguments, function = self.pop(), self.pop()
        self.call(function, arguments)

    def build(self):
        state = self.pop()
        self.policy.built(self._stack[-1], state)

    def discard(self):
        """Takes a value, or a mark with nothing above it, off the stack."""
        if self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()
        else:
            self.pop()

    def integer(self, value):
        if value.bit_length() > _LARGEST:
            raise Refused(f"its pickle has an integer of {value.bit_length()} bits")
        self.push(value)

    def persist(self, value):
        self.push(self.policy.persistent(value))


def text(value):
    """A name in a pickle, as str, also from Python 2.

    Raises:
        Refused: it is no text, or longer than names are.
    """
    if isinstance(value, bytes) and len(value) <= _LONGEST:
        value = value.decode("latin-1")
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise Refused("its pickle has no text where one is due")
    return value


def _each(names, step):
    return dict.fromkeys(names.split(), step)


# What a pickle of arrays and lists needs.
BASIC = {
    **_each("PROTO FRAME STOP", lambda m, _: None),
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    **_each(_VALUES, Machine.push),
    **_each(
        "STRING BINSTRING SHORT_BINSTRING",
        lambda m, value: m.push(EightBit(value.encode("latin-1"))),
    ),
    **_each("PUT BINPUT LONG_BINPUT", Machine.put),
    "MEMOIZE": lambda m, _: m.memoize(),
    **_each("GET BINGET LONG_BINGET", Machine.get),
    "MARK": lambda m, _: m.mark(),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "TUPLE1": lambda m, _: m.push(tuple(m.last(1))),
    "TUPLE2": lambda m, _: m.push(tuple(m.last(2))),
    "TUPLE3": lambda m, _: m.push(tuple(m.last(3))),
    "TUPLE": lambda m, _: m.push(tuple(m.since_mark())),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "APPEND": lambda m, _: m.extend(m.last(1)),
    "APPENDS": lambda m, _: m.extend(m.since_mark()),
    "GLOBAL": Machine.name,
    "STACK_GLOBAL": lambda m, _: m.name_on_stack(),
    "REDUCE": lambda m, _: m.reduce(),
    "BUILD": lambda m, _: m.build(),
}


def _instance(machine, name):
    arguments = tuple(machine.since_mark())
    machine.call(machine.policy.named(name), arguments)


def _object(machine, _):
    function, *arguments = machine.since_mark()
    machine.call(function, tuple(arguments))


def _object_with_keywords(machine, _):
    function, arguments, _ = machine.last(3)
    machine.call(function, arguments)


# What pickles of other objects need. Sets become lists.
EVERY = {
    **BASIC,
    **_each(_MORE_VALUES, Machine.push),
    "LONG4": Machine.integer,
    "POP": lambda m, _: m.discard(),
    "POP_MARK": lambda m, _: m.since_mark(),
    "DUP": lambda m, _: [m.push(value) for value in m.last(1) * 2],
    "LIST": lambda m, _: m.push(m.since_mark()),
    "EMPTY_SET": lambda m, _: m.push([]),
    "ADDITEMS": lambda m, _: m.extend(m.since_mark()),
    "FROZENSET": lambda m, _: m.push(m.since_mark()),
    "EMPTY_DICT": lambda m, _: m.push(Pairs()),
    "DICT": lambda m, _: m.dict_of(m.since_mark()),
    "SETITEM": lambda m, _: m.update(m.last(2)),
    "SETITEMS": lambda m, _: m.update(m.since_mark()),
    "INST": _instance,
    "OBJ": _object,
    "NEWOBJ": lambda m, _: m.reduce(),
    "NEWOBJ_EX": _object_with_keywords,
    **_each("EXT1 EXT2 EXT4", lambda m, value: m.name(f"copyreg {value}")),
    "PERSID": Machine.persist,
    "BINPERSID": lambda m, _: m.persist(m.pop()),
}
