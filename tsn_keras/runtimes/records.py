"""The records of file formats and of runtimes, and what they are given."""

import contextlib
import dataclasses
import functools
import importlib.util
import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from tsn_keras.common import console
from tsn_keras.common.errors import InputError, reason_of

# Under this name a file says of itself what it is, as JSON.
ABOUT = "tsn_keras"
SCORES, PROBABILITIES = "scores", "probabilities"


@dataclasses.dataclass(frozen=True)
class Function:
    """What is to run elsewhere: a function in TensorFlow's operations.

    Attributes:
        call: of a tensor, to {name: tensor}.
        spec: tf.TensorSpec of what it takes, with a name.
    """

    call: Callable
    spec: Any

    @functools.cached_property
    def traced(self):
        """It as a tf.function of that signature."""
        import tensorflow as tf

        return tf.function(self.call, input_signature=[self.spec], autograph=False)

    @property
    def outputs(self) -> dict[str, Any]:
        """{name: tensor} of what it returns, for their shapes."""
        return self.traced.get_concrete_function().structured_outputs


@dataclasses.dataclass(frozen=True)
class Form:
    """How a file is to be written.

    Attributes:
        about: what it says of itself, a dict of JSON values.
        precision: of the numbers, one of the format's.
        samples: arrays of the function's input, batches of one: an int8 file's
            ranges are those that they cause.
    """

    about: Mapping
    precision: str = "float32"
    samples: Iterable[np.ndarray] = ()


@dataclasses.dataclass(frozen=True)
class Needs:
    """Packages that are no part of a plain installation.

    Attributes:
        extra: the extra of setup.cfg that installs them.
        packages: their names, as they are imported.
    """

    extra: str
    packages: tuple[str, ...]

    def check(self, what: str) -> None:
        """Refuses what cannot run here.

        Args:
            what: needs them, for the message.

        Raises:
            InputError: one is not installed.
        """
        for package in self.packages:
            if importlib.util.find_spec(package) is None:
                raise InputError(
                    f"{what} needs {package}, which is not installed: pip install "
                    f"'tsn-keras[{self.extra}]'"
                )


def _check_precision(precision, name, known):
    if precision not in known:
        raise InputError(f"`precision` is {precision!r}; {name} has {', '.join(known)}")


@dataclasses.dataclass(frozen=True)
class Format:
    """A form of file that another program runs.

    Attributes:
        name: what users call it.
        title: the program that runs it, for people.
        suffix: how a file's name ends.
        is_folder: whether it is a folder.
        tolerances: {precision: by how much scores may differ from those of Keras, as
            a share of the largest}.
        write: function (Function, path, Form).
        read: function of a path to (function of an array to {name: array}, what the
            file says of itself).
        needs: {precision: Needs}; those that it lacks need nothing.
    """

    name: str
    title: str
    suffix: str
    tolerances: Mapping[str, float]
    write: Callable
    read: Callable
    needs: Mapping[str, Needs] = dataclasses.field(default_factory=dict)
    is_folder: bool = False

    def check(self, precision: str) -> None:
        """Refuses what it does not have, or what cannot be written here.

        Raises:
            InputError: it has no such precision, or a package is missing.
        """
        _check_precision(precision, self.name, self.tolerances)
        if precision in self.needs:
            self.needs[precision].check(f"{self.name} of {precision}")


@dataclasses.dataclass(frozen=True)
class Runtime:
    """What runs the network of an evaluation.

    Attributes:
        name: what users and score files call it.
        precisions: that it has.
        session: function of a Function in float32 and of a precision, which its own
            kernels have, to a function of an array to {name: array}, on the processor;
            None: TensorFlow runs it.
        needs: Needs, or None.
    """

    name: str
    precisions: tuple[str, ...] = ("float32",)
    session: Callable | None = None
    needs: Needs | None = None

    def check(self, precision: str) -> None:
        """Refuses what it does not have, or what cannot run here.

        Raises:
            InputError: it has no such precision, or a package is missing.
        """
        _check_precision(precision, f"the runtime {self.name}", self.precisions)
        if self.needs is not None:
            self.needs.check(f"`runtime` {self.name}")

    def made(self, make: Callable[[str], Function], precision: str) -> Callable:
        """A network as it runs there.

        Args:
            make: function of a precision to the network.
            precision: one of `precisions`.

        Returns:
            Function of a tensor to the tensor of its scores, for eager calls and
            graphs.
        """
        if self.session is None:
            function = make(precision)
            return lambda inputs: function.call(inputs)[SCORES]
        import tensorflow as tf

        function = make("float32")
        shape = function.outputs[SCORES].shape
        session = self.session(function, precision)

        def run(inputs):
            scores = tf.numpy_function(
                lambda array: session(array)[SCORES], [inputs], tf.float32
            )
            return tf.ensure_shape(scores, shape)

        return run


@contextlib.contextmanager
def converting(what):
    """Turns a converter's error into one line for people, and hides what it prints.

    Raises:
        InputError: the converter cannot do it.
    """
    failure = None
    # nncf shows its progress on standard output.
    with console.quiet_frameworks(), contextlib.redirect_stdout(io.StringIO()):
        try:
            yield
        # Converters raise errors of many kinds, of which many are plain Exceptions.
        except Exception as error:
            failure = error
    if isinstance(failure, (InputError, OSError, MemoryError)):
        raise failure
    if failure is not None:
        raise InputError(f"cannot make {what}: {reason_of(failure)}") from failure
