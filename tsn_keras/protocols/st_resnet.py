"""The protocols of spatiotemporal residual networks: of both stages of their training.

References are to feichtenhofer/st-resnet at commit 8b4f284, in MATLAB. Files count one
less than frames, and the modality knows which image is which frame.
"""

import dataclasses

from tsn_keras.protocols import augmentations, crops, sampling, sizes
from tsn_keras.protocols.records import Normalisation, Protocol, View
from tsn_keras.protocols.train_sampling import Strided

ST_RESNET = Protocol(
    name="st_resnet",
    # cnn_train_dag.m:258-304, 345-434.
    test=View(25, sampling.framed_ticks, crops.FRAME_AND_MIRRORED, together=True),
    # The original validates by its test; here as others do, on as many steps as are
    # trained, in the centre.
    quick=View(5, sampling.framed_ticks, crops.CENTRE, together=True),
    # cnn_get_im_flow_batch.m:180-216.
    frame_size=sizes.Clamped(224, 448),
    crop_size=224,
    red_first=False,
    # STResNet_stage1.m:133-138: one mean of each channel. Those of the images are Keras
    # Applications', whose network of Caffe's weights streams begin with.
    normalisation={
        "image": Normalisation((103.939, 116.779, 123.68)),
        "flow": Normalisation((128.0,)),
    },
    # cnn_get_im_flow_batch.m:55-62, 274, 332-345.
    augmentation=augmentations.ST_RESNET,
    # STResNet_stage1.m:343, getBatchWrapper_rgbflow.m:31-33.
    train_rule=Strided(5, 15),
    draws_together=True,
    # The original has whole frames only; others are those of TSN's protocols.
    other_crops=((crops.FRAME, None), (crops.THREE, 256), (crops.TEN, None)),
)

# STResNet_stage2.m:134.
ST_RESNET_STAR = dataclasses.replace(
    ST_RESNET, name="st_resnet_star", train_rule=Strided(1, 15)
)
