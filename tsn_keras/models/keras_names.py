"""Which networks of keras.applications there are, and how their pixels are normalised.

Without Keras, whose import takes seconds.
"""

PREFIX = "keras:"  # of their names among the backbones

# Networks that begin with a layer that normalises as no protocol does: v / 128 - 1. It
# suits any number of channels.
_RAW = "EfficientNetV2S EfficientNetV2M EfficientNetV2L"
KEEP_THEIR_OWN = frozenset(_RAW.split())

# Protocol of the pixels that each network was trained with, see
# protocols.keras_applications. The library has the arithmetic in a function,
# `preprocess_input`, or in the first layers of the network. Such layers are taken out
# where a protocol does the same, so that flow is normalised, too.
_TRAINED_WITH = {
    "keras_caffe": "ResNet50 ResNet101 ResNet152 VGG16 VGG19",
    "keras_tf": (
        "InceptionResNetV2 InceptionV3 MobileNet MobileNetV2 MobileNetV3Large "
        "MobileNetV3Small NASNetLarge NASNetMobile ResNet50V2 ResNet101V2 ResNet152V2 "
        "Xception"
    ),
    "keras_torch": (
        "ConvNeXtTiny ConvNeXtSmall ConvNeXtBase ConvNeXtLarge ConvNeXtXLarge "
        "DenseNet121 DenseNet169 DenseNet201 EfficientNetB0 EfficientNetB1 "
        "EfficientNetB2 EfficientNetB3 EfficientNetB4 EfficientNetB5 EfficientNetB6 "
        "EfficientNetB7 EfficientNetV2B0 EfficientNetV2B1 EfficientNetV2B2 "
        "EfficientNetV2B3"
    ),
    "keras_raw": _RAW,
}
# {name in keras.applications: name of the protocol}.
PROTOCOL_OF = {
    name: protocol
    for protocol, names in _TRAINED_WITH.items()
    for name in names.split()
}


def is_name(name) -> bool:
    """Whether something names one of them, such as "keras:ResNet50"."""
    is_ours = isinstance(name, str) and name.startswith(PREFIX)
    return is_ours and name.removeprefix(PREFIX) in PROTOCOL_OF
