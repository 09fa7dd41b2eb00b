"""The ImageNet weights of keras.applications as presets: "keras:ResNet50", ...

Files, addresses and digests are those of keras 3 src/applications/*.py; accuracies are
those of https://keras.io/api/applications/ and of the docstring of mobilenet_v3.py.
"""

from tsn_keras.checkpoints.records import Preset
from tsn_keras.models.keras_names import PREFIX, PROTOCOL_OF

_STORE = "https://storage.googleapis.com/tensorflow/keras-applications"
_EFFICIENTNET = "https://storage.googleapis.com/keras-applications"
_PAGE = "https://keras.io/api/applications/"
_ORDERED = "weights_tf_dim_ordering_tf_kernels"

# Folder: name; its file, in which * is _ORDERED; its MD5 or SHA-256, or - where the
# library has none; top-1 and top-5 accuracy; side of the images that it is made for. A
# name that ends in a number is the network of that width.
_TABLE = f"""
resnet
 ResNet50 resnet50_* 2cb95161c43110f7111970584f804107 74.9 92.1 224
 ResNet101 resnet101_* f1aeb4b969a6efcfb50fad2f0c20cfc5 76.4 92.8 224
 ResNet152 resnet152_* 100835be76be38e30d865e96f2aaae62 76.6 93.1 224
 ResNet50V2 resnet50v2_* 3ef43a0b657b3be2300d5770ece849e0 76.0 93.0 224
 ResNet101V2 resnet101v2_* 6343647c601c52e1368623803854d971 77.2 93.8 224
 ResNet152V2 resnet152v2_* a49b44d1979771252814e80f8ec446f9 78.0 94.2 224
vgg16
 VGG16 vgg16_* 64373286793e3c8b2b4e3219cbf3544b 71.3 90.1 224
vgg19
 VGG19 vgg19_* cbe5617147190e668d6c5d5026f83318 71.3 90.0 224
xception
 Xception xception_* 0a58e3b7378bc2990ea3b43d5981f1f6 79.0 94.5 299
inception_v3
 InceptionV3 inception_v3_* 9a0d58056eeedaa3f26cb7ebd46da564 77.9 93.7 299
inception_resnet_v2
 InceptionResNetV2 inception_resnet_v2_* e693bd0210a403b3192acc6073ad2e96 80.3 95.3 299
mobilenet
 MobileNet mobilenet_1_0_224_tf - 70.4 89.5 224
 MobileNet-0.75 mobilenet_7_5_224_tf - - - 224
 MobileNet-0.5 mobilenet_5_0_224_tf - - - 224
 MobileNet-0.25 mobilenet_2_5_224_tf - - - 224
mobilenet_v2
 MobileNetV2 mobilenet_v2_*_1.0_224 - 71.3 90.1 224
 MobileNetV2-1.4 mobilenet_v2_*_1.4_224 - - - 224
 MobileNetV2-1.3 mobilenet_v2_*_1.3_224 - - - 224
 MobileNetV2-0.75 mobilenet_v2_*_0.75_224 - - - 224
 MobileNetV2-0.5 mobilenet_v2_*_0.5_224 - - - 224
 MobileNetV2-0.35 mobilenet_v2_*_0.35_224 - - - 224
mobilenet_v3
 MobileNetV3Large weights_mobilenet_v3_large_224_1.0_float \
59e551e166be033d707958cf9e29a6a7 75.6 - 224
 MobileNetV3Large-0.75 weights_mobilenet_v3_large_224_0.75_float \
765b44a33ad4005b3ac83185abf1d0eb 73.3 - 224
 MobileNetV3Small weights_mobilenet_v3_small_224_1.0_float \
8768d4c2e7dee89b9d02b2d03d65d862 68.1 - 224
 MobileNetV3Small-0.75 weights_mobilenet_v3_small_224_0.75_float \
cb65d4e5be93758266aa0a7f2c6708b7 65.4 - 224
densenet
 DenseNet121 densenet121_* 9d60b8095a5708f2dcce2bca79d332c7 75.0 92.3 224
 DenseNet169 densenet169_* d699b8f76981ab1b30698df4c175e90b 76.2 93.2 224
 DenseNet201 densenet201_* 1ceb130c1ea1b78c3bf6114dbdfd8807 77.3 93.6 224
nasnet
 NASNetMobile NASNet-mobile 020fb642bf7360b370c678b08e0adf61 74.4 91.9 224
 NASNetLarge NASNet-large 11577c9a518f0070763c2b964a382f17 82.5 96.0 331
{_EFFICIENTNET}
 EfficientNetB0 efficientnetb0 902e53a9f72be733fc0bcb005b3ebbac 77.1 93.3 224
 EfficientNetB1 efficientnetb1 1d254153d4ab51201f1646940f018540 79.1 94.4 240
 EfficientNetB2 efficientnetb2 b15cce36ff4dcbd00b6dd88e7857a6ad 80.1 94.9 260
 EfficientNetB3 efficientnetb3 ffd1fdc53d0ce67064dc6a9c7960ede0 81.6 95.7 300
 EfficientNetB4 efficientnetb4 18c95ad55216b8f92d7e70b3a046e2fc 82.9 96.4 380
 EfficientNetB5 efficientnetb5 ace28f2a6363774853a83a0b21b9421a 83.6 96.7 456
 EfficientNetB6 efficientnetb6 165f6e37dce68623721b423839de8be5 84.0 96.8 528
 EfficientNetB7 efficientnetb7 8c03f828fec3ef71311cd463b6759d99 84.3 97.0 600
efficientnet_v2
 EfficientNetV2B0 efficientnetv2-b0 21ecbf6da12460d5c40bb2f29ceb2188 78.7 94.3 224
 EfficientNetV2B1 efficientnetv2-b1 069f0534ff22adf035c89e2d9547a9dc 79.8 95.0 240
 EfficientNetV2B2 efficientnetv2-b2 424e49f28180edbde1e94797771950a7 80.5 95.1 260
 EfficientNetV2B3 efficientnetv2-b3 1f1fc43bd98a6e4fd8fdfd551e02c7a0 82.0 95.8 300
 EfficientNetV2S efficientnetv2-s e1d88a8495beba45748fedd0cecbe016 83.9 96.7 384
 EfficientNetV2M efficientnetv2-m a3bf6aa3276309f4fc6a34aa114c95cd 85.3 97.4 480
 EfficientNetV2L efficientnetv2-l 27e6d408b53c7ebc868fefa357689935 85.7 97.5 480
convnext
 ConvNeXtTiny convnext_tiny \
8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff 81.3 - 224
 ConvNeXtSmall convnext_small \
ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c 82.3 - 224
 ConvNeXtBase convnext_base \
52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6 85.3 - 224
 ConvNeXtLarge convnext_large \
070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6 86.3 - 224
 ConvNeXtXLarge convnext_xlarge \
c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee 86.7 - 224
"""


def read() -> tuple[Preset, ...]:
    """The presets, in the table's order."""
    found, store = [], ""
    for line in _TABLE.strip().splitlines():
        if line.startswith(" "):
            found.append(_preset(store, *line.split()))
        else:
            store = line if line.startswith("https") else f"{_STORE}/{line}"
    return tuple(found)


def _preset(store, name, file, digest, top1, top5, side):
    network, file = name.partition("-")[0], f"{file.replace('*', _ORDERED)}.h5"
    return Preset(
        name=f"{PREFIX}{name}",
        file=file,
        url=f"{store}/{file}",
        origin=_PAGE,
        dataset="imagenet",
        split=None,
        modality="rgb",
        classes=1000,
        accuracy=_number(top1),
        metric="image top-1 accuracy",
        top5=_number(top5),
        backbone=f"{PREFIX}{network}",
        protocol=PROTOCOL_OF[network],
        labels="imagenet",
        sha256=digest if len(digest) == 64 else None,
        md5=digest if len(digest) == 32 else None,
        licence="Apache-2.0",
        note="" if side == "224" else f"made for images of {side} pixels",
    )


def _number(text):
    return None if text == "-" else float(text)
