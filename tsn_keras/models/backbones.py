"""All backbones, by name. A new one is a file and a line here."""

from tsn_keras.common.catalogue import Catalogue
from tsn_keras.models.bn_inception import BN_INCEPTION

BACKBONES = Catalogue("backbone", (BN_INCEPTION,))
