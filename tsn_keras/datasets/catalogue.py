"""All data sets, by name. A new one is a file and a line here."""

from tsn_keras.common.catalogue import Catalogue
from tsn_keras.datasets import activitynet, kinetics, lists, moments, something
from tsn_keras.datasets.demo import DEMO
from tsn_keras.datasets.demo_sound import DEMO_SOUND
from tsn_keras.datasets.diving48 import DIVING48
from tsn_keras.datasets.folders import FOLDERS
from tsn_keras.datasets.hmdb51 import HMDB51
from tsn_keras.datasets.hvu import HVU
from tsn_keras.datasets.jhmdb import JHMDB
from tsn_keras.datasets.minikinetics import MINIKINETICS, MINIKINETICS_IDS
from tsn_keras.datasets.parts import LIST_PARTS
from tsn_keras.datasets.thumos14 import THUMOS14, THUMOS14_CLIPS
from tsn_keras.datasets.ucf101 import UCF101

DATASETS = Catalogue(
    "data set",
    (
        *(HMDB51, UCF101, JHMDB, DEMO, DEMO_SOUND),
        *(kinetics.KINETICS400, kinetics.KINETICS600, kinetics.KINETICS700),
        *(MINIKINETICS, MINIKINETICS_IDS),
        *(something.STHV1, something.STHV2),
        *(moments.MIT, moments.MMIT),
        *(activitynet.ACTIVITYNET, activitynet.ACTIVITYNET_CLIPS),
        *(activitynet.ACTIVITYNET12, activitynet.ACTIVITYNET12_CLIPS),
        *(THUMOS14, THUMOS14_CLIPS),
        DIVING48,
        *HVU,
        *(FOLDERS, lists.LIST, lists.LIST_MULTILABEL, lists.LIST_OFFSET, LIST_PARTS),
    ),
)
