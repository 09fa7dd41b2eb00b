"""How flow fields become a snippet where it is more than their grey levels in a row.

The inputs of the temporal network of two-stream ConvNets (Simonyan and Zisserman, NIPS
2014, section 3.1) are computed on displacements. They are fractions of grey levels, so
that such snippets are float32.

What the network sees of them has a scale that the paper leaves open. It is that of
TSN's flow here, grey levels of the bound of 20 pixels, 6.375 for a pixel of motion: one
protocol, one first convolution and one learning rate then fit both. But no motion is
exactly 128, which protocols subtract, and not rounded from 127.5; and nothing is cut
off.
"""

import dataclasses

STILL = 128.0  # the level of no motion, as in TSN's flow
PER_PIXEL = 255 / 40  # levels; flow.quantiser, with its bound of 20


@dataclasses.dataclass(frozen=True)
class Stacking:
    """What is computed from the displacements of a snippet's fields.

    Attributes:
        follows: whether the fields are read along the path of each point ("trajectory
            stacking") and not all at the point itself. Between pixels they are read
            bilinearly, beyond the border as at the border; the paper leaves both open.
        centred: whether the mean vector of each field, over the whole of it, is
            subtracted. Paths are those of the fields as they are: a point is where it
            is, also where the camera takes it.
    """

    follows: bool = False
    centred: bool = False
