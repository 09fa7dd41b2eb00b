"""All protocols, by name. A new one is a file and a line here."""

from tsn_keras.common.catalogue import Catalogue
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.keras_applications import KERAS_APPLICATIONS
from tsn_keras.protocols.mmaction2 import MMACTION2
from tsn_keras.protocols.st_resnet import (
    ST_RESNET,
    ST_RESNET_APPEARANCE,
    ST_RESNET_MOTION,
    ST_RESNET_STAR,
)
from tsn_keras.protocols.tsn_pytorch import TSN_PYTORCH, TSN_PYTORCH_RESNET
from tsn_keras.protocols.two_stream import TWO_STREAM
from tsn_keras.protocols.very_deep import VERY_DEEP

PROTOCOLS = Catalogue(
    "protocol",
    (
        *(CAFFE, TSN_PYTORCH, TSN_PYTORCH_RESNET, *MMACTION2, *KERAS_APPLICATIONS),
        *(TWO_STREAM, VERY_DEEP, ST_RESNET, ST_RESNET_STAR),
        *(ST_RESNET_APPEARANCE, ST_RESNET_MOTION),
    ),
)

# The protocol of weight files that name none: those of the original, and what Keras
# writes by itself.
UNNAMED = CAFFE
