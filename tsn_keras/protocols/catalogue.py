"""All protocols, by name. A new one is a file and a line here."""

from tsn_keras.common.catalogue import Catalogue
from tsn_keras.protocols.caffe import CAFFE

PROTOCOLS = Catalogue("protocol", (CAFFE,))

# The protocol of weight files that name none: those of the original, and what Keras
# writes by itself.
UNNAMED = CAFFE
