"""The protocols of spatiotemporal residual networks, and of their streams alone.

References are to feichtenhofer/st-resnet at commit 8b4f284, in MATLAB. Files count one
less than frames, and the modality knows which image is which frame.
"""

import dataclasses

from tsn_keras.protocols import augmentations, crops, sampling, sizes
from tsn_keras.protocols.records import Normalisation, Protocol, View
from tsn_keras.protocols.train_sampling import Strided, in_segments

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


def _stream(name, before, augmentation):
    """That of a stream by itself, a ResNet-50 that sees one step at a time.

    It is trained on one step of each video, wherever that is
    (base_streams/cnn_ucf101_get_frame_batch.m:85-86, get_flow_batch.m:100-101), as
    TSN's rule has it for one segment. The original's own tests differ from stream to
    stream; here both are tested on the steps of the joint network, so that their fusion
    is what the joint network is without its connections.
    """
    ticks = sampling.Framed(before)
    return dataclasses.replace(
        ST_RESNET,
        name=name,
        test=View(25, ticks, crops.FRAME_AND_MIRRORED),
        quick=View(5, ticks, crops.CENTRE),
        augmentation=augmentation,
        train_rule=in_segments,
        draws_together=False,
        # cnn_train_dag.m:401-419: equal weights.
        fusion_weights={"image": 1.0, "flow": 1.0},
    )


ST_RESNET_APPEARANCE = _stream("st_resnet_appearance", 1, augmentations.ST_RESNET)
ST_RESNET_MOTION = _stream("st_resnet_motion", 5, augmentations.ST_RESNET_MOTION)
