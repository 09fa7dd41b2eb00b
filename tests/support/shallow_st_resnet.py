"""ST-ResNets of two blocks a stage, which have all that there is, for tests."""

import contextlib
import dataclasses

import pytest

from tsn_keras.models import residual, resnet, st_resnet
from tsn_keras.models.backbones import BACKBONES

BLOCKS = (2, 2, 2, 2)
WIDTH = 0.0625  # oneDNN aborts in gradients of still narrower ones
RESNET = st_resnet.RESNET.name


@contextlib.contextmanager
def applied():
    """They are the networks of those names, and their ResNet-50 is as deep."""
    with pytest.MonkeyPatch.context() as patched:
        plan = dataclasses.replace(resnet.CAFFE_PLANS[RESNET], blocks=BLOCKS)
        patched.setitem(resnet.CAFFE_PLANS, RESNET, plan)
        short = dataclasses.replace(st_resnet.PLAN, blocks=BLOCKS)
        patched.setattr(st_resnet, "PLAN", short)
        streams = (
            st_resnet.plan_of(s) for s in (st_resnet.SPATIAL, st_resnet.TEMPORAL)
        )
        kept = {c.name for one in streams for c in residual.convolutions(one)}
        for record in st_resnet.ST_RESNETS:
            own = {n: c for n, c in record.channels.items() if n in kept}
            patched.setitem(
                BACKBONES, record.name, dataclasses.replace(record, channels=own)
            )
        one = dataclasses.replace(
            st_resnet.RESNET,
            build=lambda *args, **more: resnet.ResNet(plan, *args, **more),
            channels=residual.base_channels(plan),
        )
        patched.setitem(BACKBONES, RESNET, one)
        yield
