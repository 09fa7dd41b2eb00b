"""ActivityNet's classes: by name here, in an order of their own in MMAction2."""

from types import SimpleNamespace

from tsn_keras.checkpoints import presets
from tsn_keras.evaluation import weights


def test_outputs_of_mmaction2_are_put_in_the_order_of_the_labels():
    preset = presets.trained_on("activitynet_clips", "rgb", None)
    assert preset.name == "tsn_r50_320p_1x1x8_50e_activitynet_clip_rgb"
    names = preset.class_names
    assert (len(names), names[:2]) == (200, ("Applying sunscreen", "Arm wrestling"))
    classes = tuple(sorted(names))
    assert classes[:2] == ("Applying sunscreen", "Archery")
    opened = SimpleNamespace(preset=preset, class_names=None)
    order = weights._class_order(opened, SimpleNamespace(classes=classes))
    assert [names[output] for output in order] == list(classes)
    assert order[1] == names.index("Archery") != 1
