"""ST-ResNets of few blocks, which have all that there is, for tests."""

import contextlib
import dataclasses

import pytest

from tsn_keras.models import residual, resnet, st_resnet
from tsn_keras.models.backbones import BACKBONES

# Fusion and kernels along time are in second blocks. These end as the whole network
# does, on 7 x 7 cells; those of STAGE are the fewest.
BLOCKS = (1, 1, 1, 2)
STAGE = (2, 0, 0, 0)
WIDTH = 0.0625  # oneDNN aborts in gradients of still narrower ones
RESNET = st_resnet.RESNET.name


@contextlib.contextmanager
def applied(blocks=BLOCKS):
    """They are the networks of those names, and their ResNet-50 is as deep."""
    with pytest.MonkeyPatch.context() as patched:
        plan = dataclasses.replace(resnet.CAFFE_PLANS[RESNET], blocks=blocks)
        patched.setitem(resnet.CAFFE_PLANS, RESNET, plan)
        short = dataclasses.replace(st_resnet.PLAN, blocks=blocks)
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
