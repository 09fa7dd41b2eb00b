"""How flow is computed: named parameters of TV-L1, and what computes it."""

import dataclasses

from tsn_keras.common.errors import InputError
from tsn_keras.flow.quantiser import BOUND

OPENCV = "opencv"
DEVICES = (OPENCV, "auto", "cpu", "gpu")

# What stands before the number in the names of the files: dense_flow
# src/common.cpp:52-57. The original's tool for warped flow names none of its own, and
# none of the tools makes backward flow.
PLAIN, WARPED = ("flow_x_", "flow_y_"), ("warped_x_", "warped_y_")
BACKWARD = ("flow_bx_", "flow_by_")


class DeviceError(InputError):
    """A device cannot compute flow; the text says which, and what would help."""


@dataclasses.dataclass(frozen=True)
class Parameters:
    """Parameters of TV-L1, by OpenCV's names.

    Attributes:
        tau: time step.
        lambda_: weight of the data term; smaller is smoother.
        theta: tightness of the coupling of data term and smoothness.
        scales: images in the pyramid.
        scale_step: size of each over that of the one below.
        warps: linearisations at each scale.
        epsilon: mean squared change of the flow at which iteration stops.
        inner_iterations: iterations between two median filters.
        outer_iterations: median filters of a warp, and their iterations.
        median: side of the median filter; 1 is none.
    """

    tau: float = 0.25
    lambda_: float = 0.15
    theta: float = 0.3
    scales: int = 5
    scale_step: float = 0.5
    warps: int = 5
    epsilon: float = 0.01
    inner_iterations: int = 300
    outer_iterations: int = 1
    median: int = 1

    def keywords(self):
        """As the keyword arguments of `flow.tvl1.tvl1`."""
        values = dataclasses.asdict(self)
        values["iterations"] = values.pop("inner_iterations")
        values["median_filter"] = values.pop("median")
        return values


PARAMETERS = {
    # The class of OpenCV 2.4 that the original runs, on GPUs
    # (dense_flow src/dense_flow_gpu.cpp:28): up to 300 iterations in a row, a
    # pyramid by halves, no median filter. It also smooths before it halves, which
    # this class does not.
    "original": Parameters(),
    # The defaults of OpenCV 3 and 4, which most later tools use.
    "opencv4": Parameters(
        scale_step=0.8, inner_iterations=30, outer_iterations=10, median=5
    ),
}


@dataclasses.dataclass(frozen=True)
class FlowSettings:
    """How to compute and store the flow of a video.

    Attributes:
        parameters: name of the TV-L1 parameters, in PARAMETERS.
        device: what computes flow: "opencv", or Keras on "cpu", "gpu" or "auto",
            a GPU where there is one. None: not decided yet, see
            extraction.run.extract.
        batch: pairs that Keras computes at once; None: what suits the device.
        bound: pixels of motion that become grey levels 0 and 255; None: the levels
            span each field's own range, see quantiser.
        warped: whether flow without the camera's motion is made as well.
        backward: whether flow from each frame to the one before it is made as well.
    """

    parameters: str = "original"
    device: str | None = OPENCV
    batch: int | None = None
    bound: float | None = BOUND
    warped: bool = False
    backward: bool = False

    @property
    def on_device(self) -> bool:
        """Whether Keras computes flow, which differs from OpenCV's in rounding."""
        return self.device != OPENCV

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What stands before the number in the names of the files, x and y."""
        warped = WARPED if self.warped else ()
        return (*PLAIN, *warped, *(BACKWARD if self.backward else ()))

    def check(self):
        """Refuses values out of range; the text names the value.

        Raises:
            InputError.
        """
        for name, known in (("parameters", PARAMETERS), ("device", DEVICES)):
            if getattr(self, name) not in known:
                raise InputError(
                    f"`{name}` is {getattr(self, name)!r}: must be one of "
                    f"{', '.join(known)}"
                )
        if self.bound is not None and not 0 < self.bound <= 1000:
            raise InputError(
                f"`bound` is {self.bound}: must be above 0 and at most 1000 pixels"
            )
        if self.batch is not None and not self.on_device:
            raise InputError(
                "`batch` is for flow on a device: OpenCV computes pair by pair"
            )
