"""All backbones, by name. A new one is a file and a line here."""

from tsn_keras.models import cnn_m, inception_v3, mobileone, resnet
from tsn_keras.models.bn_inception import BN_INCEPTION
from tsn_keras.models.densenet import DENSENET161
from tsn_keras.models.googlenet import GOOGLENET
from tsn_keras.models.googlenet_caffe import GOOGLENET_CAFFE
from tsn_keras.models.keras_applications import Backbones
from tsn_keras.models.st_resnet import ST_RESNETS
from tsn_keras.models.swin import SWIN_BASE
from tsn_keras.models.vgg import VGG_16

BACKBONES = Backbones(
    "backbone",
    (
        BN_INCEPTION,
        resnet.RESNET18,
        resnet.RESNET34,
        resnet.RESNET50,
        resnet.RESNET101,
        resnet.RESNET152,
        resnet.RESNEXT101_32X4D,
        resnet.RESNET50_CAFFE,
        resnet.RESNET101_CAFFE,
        resnet.RESNET152_CAFFE,
        DENSENET161,
        SWIN_BASE,
        mobileone.MOBILEONE_S4,
        mobileone.MOBILEONE_S4_DEPLOY,
        inception_v3.INCEPTION_V3,
        inception_v3.INCEPTION_V3_TSN,
        VGG_16,
        GOOGLENET,
        GOOGLENET_CAFFE,
        cnn_m.CNN_M_SPATIAL,
        cnn_m.CNN_M_TEMPORAL,
        *ST_RESNETS,
    ),
)
