"""All data sets, by name. A new one is a file and a line here."""

from tsn_keras.common.catalogue import Catalogue
from tsn_keras.datasets.demo import DEMO
from tsn_keras.datasets.folders import FOLDERS
from tsn_keras.datasets.hmdb51 import HMDB51
from tsn_keras.datasets.jhmdb import JHMDB
from tsn_keras.datasets.lists import LIST
from tsn_keras.datasets.ucf101 import UCF101

DATASETS = Catalogue("data set", (HMDB51, UCF101, JHMDB, DEMO, FOLDERS, LIST))
