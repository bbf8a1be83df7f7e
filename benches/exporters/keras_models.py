"""Models of Keras 3, trained on scikit-learn's data, by `model.export(format="onnx")`."""

import os

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

import keras
import numpy
from keras import layers, ops
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

from common.exported import Exported

numpy.random.seed(0)
keras.utils.set_random_seed(0)
ORDER = numpy.random.permutation(1797)
DIGITS = (load_digits().images / 16).astype("f4")[ORDER][..., None]
DIGIT = load_digits().target[ORDER]
LARGE = DIGITS.repeat(2, 1).repeat(2, 2)
ROWS = DIGITS[..., 0]
CANCER, BENIGN = load_breast_cancer(return_X_y=True)
CANCER = CANCER.astype("f4")
DIABETES, PROGRESS = load_diabetes(return_X_y=True)
DIABETES, PROGRESS = DIABETES.astype("f4") * 20, PROGRESS.astype("f4") / 100
TOKENS = numpy.minimum(ROWS.reshape(-1, 64)[:, 16:48] * 16, 15).astype("i4")


def waves(count=600, length=128, channels=1):
    """Sums of two sines and noise; the class is which of three frequencies is the stronger."""
    time = numpy.arange(length) / length
    kind = numpy.random.randint(0, 3, count)
    phase = numpy.random.rand(count, channels, 1) * 6.28
    made = numpy.sin(6.28 * (3 + 5 * kind[:, None, None]) * time + phase)
    made += .5 * numpy.random.randn(count, channels, length)
    return made.astype("f4"), kind


WAVES, WAVE = waves(channels=4)
SERIES = numpy.cumsum(numpy.random.randn(600, 60) * .1, 1).astype("f4")
SERIES += numpy.sin(numpy.arange(60) / 3 + numpy.random.rand(600, 1) * 6).astype("f4")


def convolution(x, filters, kernel=3, strides=1, activation="relu"):
    x = layers.Conv2D(filters, kernel, strides=strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.Activation(activation)(x) if activation else x


def classes(x, count=10):
    return layers.Dense(count, activation="softmax")(x)


def perceptron(x):
    x = layers.Dropout(.2)(layers.Dense(32, activation="relu")(layers.Flatten()(x)))
    return classes(x)


def plain(x):
    x = layers.MaxPooling2D(2)(layers.Conv2D(8, 3, activation="relu")(x))
    return classes(layers.Flatten()(layers.Conv2D(16, 2, activation="tanh")(x)))


def residual(x):
    x = convolution(x, 8)
    for filters, strides in [(8, 1), (16, 2)]:
        short = x if strides == 1 else layers.AveragePooling2D(2)(layers.Conv2D(filters, 1)(x))
        y = convolution(convolution(x, filters, strides=strides), filters, activation=None)
        x = layers.ReLU()(layers.add([short, y]))
    return classes(layers.GlobalAveragePooling2D()(x))


def mobile(x):
    x = convolution(x, 8, activation="relu6")
    for filters, strides in [(8, 1), (12, 2), (12, 1)]:
        y = convolution(x, 24, 1, activation="relu6")
        y = layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(y)
        y = layers.ReLU(6.)(layers.BatchNormalization()(y))
        y = convolution(y, filters, 1, activation=None)
        x = layers.add([x, y]) if strides == 1 and x.shape[-1] == filters else y
    return classes(layers.GlobalAveragePooling2D()(x))


def squeezed(x, activation):
    """Squeeze and excitation, as EfficientNet and MobileNetV3 have it."""
    y = layers.GlobalAveragePooling2D(keepdims=True)(x)
    y = layers.Conv2D(4, 1, activation="relu")(y)
    return layers.multiply([x, layers.Conv2D(x.shape[-1], 1, activation=activation)(y)])


def efficient(x):
    x = convolution(x, 8, activation="swish")
    y = layers.DepthwiseConv2D(5, strides=2, padding="same", use_bias=False)(x)
    y = squeezed(layers.Activation("swish")(layers.BatchNormalization()(y)), "sigmoid")
    return classes(layers.GlobalAveragePooling2D()(convolution(y, 16, 1, activation=None)))


def mobile_three(x):
    x = convolution(x, 8, activation="hard_swish")
    y = squeezed(layers.DepthwiseConv2D(3, padding="same")(x), "hard_sigmoid")
    return classes(layers.GlobalMaxPooling2D()(convolution(y, 16, 1, activation="hard_silu")))


def shuffle(x):
    x = convolution(x, 16)
    y = layers.Conv2D(16, 1, groups=2)(x)
    y = layers.Reshape((16, 16, 2, 8))(y)
    y = layers.Reshape((16, 16, 16))(layers.Permute((1, 2, 4, 3))(y))
    y = layers.DepthwiseConv2D(3, strides=2, padding="same")(y)
    x = layers.concatenate([layers.AveragePooling2D(3, 2, padding="same")(x), y])
    return classes(layers.GlobalAveragePooling2D()(x))


def interleaved(x):
    """The shuffle of ShuffleNet without groups in convolutions."""
    x = convolution(x, 16)
    left, right = x[..., :8], layers.Conv2D(8, 1)(x[..., 8:])
    y = layers.Reshape((16, 16, 2, 8))(layers.concatenate([left, right]))
    y = layers.Reshape((16, 16, 16))(layers.Permute((1, 2, 4, 3))(y))
    return classes(layers.GlobalAveragePooling2D()(layers.MaxPooling2D(2)(y)))


def fire(x):
    x = layers.Conv2D(8, 3, strides=2, activation="relu", padding="same")(x)
    for width in (4, 6):
        y = layers.Conv2D(width, 1, activation="relu")(x)
        left = layers.Conv2D(8, 1, activation="relu")(y)
        x = layers.concatenate([left, layers.Conv2D(8, 3, activation="relu", padding="same")(y)])
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    return layers.Softmax()(layers.GlobalAveragePooling2D()(layers.Conv2D(10, 1)(x)))


def dense_blocks(x):
    for _ in range(3):
        y = layers.Conv2D(6, 3, padding="same")(layers.ReLU()(layers.BatchNormalization()(x)))
        x = layers.concatenate([x, y])
    return classes(layers.GlobalAveragePooling2D()(layers.AveragePooling2D(2)(x)))


def u_net(x):
    one = convolution(x, 8)
    two = convolution(layers.MaxPooling2D(2)(one), 12)
    three = convolution(layers.MaxPooling2D(2)(two), 16)
    y = layers.Conv2DTranspose(12, 2, strides=2, padding="same", activation="relu")(three)
    y = convolution(layers.concatenate([y, two]), 8)
    y = layers.UpSampling2D(2, interpolation="bilinear")(y)
    return layers.Conv2D(1, 1, activation="sigmoid")(layers.concatenate([y, one]))


def coder(x):
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="elu")(x)
    x = layers.Dense(16, activation="tanh")(layers.Flatten()(x))
    x = layers.Reshape((4, 4, 8))(layers.Dense(128, activation="selu")(x))
    x = layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="softplus")(x)
    return layers.Conv2D(1, 3, padding="same", activation="sigmoid")(layers.UpSampling2D()(x))


def padded(x):
    x = layers.ZeroPadding2D(((1, 2), (0, 1)))(x)
    x = layers.Conv2D(8, 3, dilation_rate=2)(x)
    x = layers.Cropping2D(((1, 0), (0, 1)))(layers.LeakyReLU(.1)(x))
    x = layers.Conv2D(8, 4, strides=3, padding="same")(layers.PReLU(shared_axes=[1, 2])(x))
    return classes(layers.Flatten()(layers.SpatialDropout2D(.1)(x)))


def normed(x, exact=False):
    x = layers.GroupNormalization(4)(layers.Conv2D(8, 3, strides=2)(x))
    x = layers.LayerNormalization()(layers.Activation("gelu" if exact else "silu")(x))
    x = layers.UnitNormalization()(layers.Conv2D(8, 3, activation="mish")(x))
    return classes(layers.RMSNormalization()(layers.Flatten()(x)))


def vision(x):
    x = layers.Reshape((16, 24))(layers.Conv2D(24, 4, strides=4)(x))
    x = Positions(16)(x)
    for _ in range(2):
        x = encoder(x, 24)
    return classes(layers.GlobalAveragePooling1D()(x))


class Positions(layers.Layer):
    def __init__(self, count, **rest):
        super().__init__(**rest)
        self.count = count

    def build(self, shape):
        self.table = self.add_weight(shape=(self.count, shape[-1]), name="table")

    def call(self, x):
        return x + self.table


def encoder(x, width, causal=False):
    y = layers.LayerNormalization()(x)
    attended = layers.MultiHeadAttention(3, width // 3)(y, y, use_causal_mask=causal)
    x = layers.add([x, attended])
    y = layers.Dense(2 * width)(layers.LayerNormalization()(x))
    y = ops.gelu(y, approximate=True)
    return layers.add([x, layers.Dense(width)(y)])


def recurrent(cell, **options):
    def build(x):
        return classes(cell(24, **options)(x))
    return build


def both(x):
    x = layers.Bidirectional(layers.GRU(12, return_sequences=True))(x)
    return classes(layers.Bidirectional(layers.LSTM(12), merge_mode="sum")(x))


def attended(x):
    x = layers.GRU(16, return_sequences=True)(x)
    weights = layers.Softmax(axis=1)(layers.Dense(1)(layers.Dense(8, activation="tanh")(x)))
    return classes(layers.Flatten()(layers.Dot(1)([weights, x])))


def crnn(x):
    x = layers.MaxPooling2D((1, 2))(convolution(x, 8))
    x = layers.Reshape((16, 64))(x)
    return classes(layers.GRU(16, reset_after=False)(layers.LSTM(16, return_sequences=True)(x)))


def distributed(x):
    x = layers.Reshape((4, 4, 16, 1))(x)
    x = layers.TimeDistributed(layers.Conv2D(4, 3, activation="relu"))(x)
    return classes(layers.GRU(16)(layers.TimeDistributed(layers.Flatten())(x)))


def text(mask):
    def build(x):
        x = layers.Embedding(16, 16, mask_zero=mask)(x)
        return classes(layers.LSTM(16)(x))
    return build


def text_convolution(x):
    x = layers.Embedding(16, 16)(x)
    parts = [layers.GlobalMaxPooling1D()(layers.Conv1D(8, size, activation="relu")(x))
             for size in (2, 3, 4)]
    return classes(layers.concatenate(parts))


def text_encoder(causal):
    def build(x):
        x = Positions(32)(layers.Embedding(16, 24)(x))
        x = encoder(x, 24, causal)
        return layers.Dense(16)(x) if causal else classes(layers.GlobalAveragePooling1D()(x))
    return build


def eeg(x):
    x = layers.Reshape((4, 128, 1))(x)
    x = layers.BatchNormalization()(layers.Conv2D(4, (1, 32), padding="same", use_bias=False)(x))
    x = layers.DepthwiseConv2D((4, 1), depth_multiplier=2, use_bias=False,
                               depthwise_constraint=keras.constraints.MaxNorm(1.))(x)
    x = layers.AveragePooling2D((1, 4))(layers.ELU()(layers.BatchNormalization()(x)))
    x = layers.SeparableConv2D(8, (1, 16), use_bias=False, padding="same")(x)
    x = layers.AveragePooling2D((1, 8))(layers.ELU()(layers.BatchNormalization()(x)))
    return classes(layers.Flatten()(x), 3)


def shallow(x):
    x = layers.Conv2D(8, (1, 13))(layers.Reshape((4, 128, 1))(x))
    x = layers.BatchNormalization()(layers.Conv2D(8, (4, 1), use_bias=False)(x))
    x = layers.AveragePooling2D((1, 35), strides=(1, 7))(ops.square(x))
    return classes(layers.Flatten()(ops.log(ops.clip(x, 1e-6, 1e6))), 3)


def temporal(x):
    x = layers.Permute((2, 1))(x)
    for rate in (1, 2, 4):
        y = layers.Conv1D(8, 3, padding="causal", dilation_rate=rate, activation="relu")(x)
        x = layers.add([layers.Conv1D(8, 1)(x), layers.LayerNormalization()(y)])
    return classes(layers.GlobalAveragePooling1D()(x), 3)


def separable(x):
    x = layers.Permute((2, 1))(x)
    x = layers.SeparableConv1D(12, 5, strides=2, activation="relu")(x)
    x = layers.MaxPooling1D(3, padding="same")(x)
    x = layers.Conv1DTranspose(6, 4, strides=2, padding="same")(x)
    return classes(layers.Flatten()(layers.AveragePooling1D(4)(x)), 3)


def scaled(x):
    normal = layers.Normalization()
    normal.adapt(CANCER)
    x = layers.Dense(16, activation="relu")(normal(x))
    return layers.Dense(1, activation="sigmoid")(layers.GaussianNoise(.1)(x))


def gated(x):
    x = layers.BatchNormalization()(x)
    for _ in range(2):
        x = layers.multiply([layers.Dense(16)(x), layers.Dense(16, activation="sigmoid")(x)])
    return layers.Dense(1, activation="sigmoid")(layers.Maximum()([x, -x]))


def wide(x):
    deep = layers.Dense(8, activation="silu")(layers.Dense(16, activation="leaky_relu")(x))
    return layers.Dense(1)(layers.concatenate([x, deep]))


def blocks(x):
    """N-BEATS: each block takes off what it explains."""
    forecast = 0
    for _ in range(3):
        y = layers.Dense(32, activation="relu")(layers.Dense(32, activation="relu")(x))
        x = layers.subtract([x, layers.Dense(48)(y)])
        forecast = layers.Dense(12)(y) + forecast
    return forecast


def parted(x):
    """DLinear: a moving mean and what is left of it."""
    y = layers.Reshape((48, 1))(x)
    y = ops.concatenate([ops.repeat(y[:, :1], 12, 1), y, ops.repeat(y[:, -1:], 12, 1)], 1)
    trend = layers.Flatten()(layers.AveragePooling1D(25, strides=1)(y))
    return layers.Dense(12)(trend) + layers.Dense(12)(x - trend)


def patches(x):
    x = Positions(8)(layers.Dense(24)(layers.Reshape((8, 6))(x)))
    return layers.Dense(12)(layers.Flatten()(encoder(x, 24)))


def three_dimensions(x):
    x = layers.Reshape((4, 4, 4, 1))(x)
    x = layers.Conv3D(4, 2, activation="relu", padding="same")(x)
    return classes(layers.Flatten()(layers.AveragePooling3D(2)(x)))


def image_rows(x):
    return classes(layers.ConvLSTM1D(4, 3, padding="same")(layers.Reshape((8, 8, 1))(x))[:, 0])


SEQUENTIAL = [
    ("MLP", perceptron, DIGITS, DIGIT), ("CNN", plain, DIGITS, DIGIT),
    ("ResNet blocks", residual, LARGE, DIGIT), ("MobileNetV2 blocks", mobile, LARGE, DIGIT),
    ("MobileNetV3 blocks", mobile_three, LARGE, DIGIT),
    ("EfficientNet block", efficient, LARGE, DIGIT), ("ShuffleNet block", shuffle, LARGE, DIGIT),
    ("channel shuffle", interleaved, LARGE, DIGIT),
    ("SqueezeNet blocks", fire, LARGE, DIGIT), ("DenseNet block", dense_blocks, LARGE, DIGIT),
    ("U-Net", u_net, LARGE, LARGE), ("autoencoder", coder, LARGE, LARGE),
    ("pads, crops and dilations", padded, LARGE, DIGIT),
    ("normalizations", normed, LARGE, DIGIT), ("ViT", vision, LARGE, DIGIT),
    ("exact GELU", lambda x: normed(x, True), LARGE, DIGIT),
    ("SimpleRNN", recurrent(layers.SimpleRNN), ROWS, DIGIT),
    ("GRU", recurrent(layers.GRU), ROWS, DIGIT), ("LSTM", recurrent(layers.LSTM), ROWS, DIGIT),
    ("LSTM backwards", recurrent(layers.LSTM, go_backwards=True), ROWS, DIGIT),
    ("LSTM unrolled", recurrent(layers.LSTM, unroll=True), ROWS, DIGIT),
    ("GRU and LSTM of two directions", both, ROWS, DIGIT),
    ("GRU with attention", attended, ROWS, DIGIT), ("CRNN", crnn, LARGE, DIGIT),
    ("CNN on frames and GRU", distributed, LARGE, DIGIT),
    ("LSTM on text", text(False), TOKENS, DIGIT),
    ("LSTM on text with a mask", text(True), TOKENS, DIGIT),
    ("TextCNN", text_convolution, TOKENS, DIGIT),
    ("text encoder", text_encoder(False), TOKENS, DIGIT),
    ("GPT block", text_encoder(True), TOKENS, numpy.roll(TOKENS, -1, 1)),
    ("EEGNet", eeg, WAVES, WAVE), ("ShallowConvNet", shallow, WAVES, WAVE),
    ("TCN", temporal, WAVES, WAVE), ("separable Conv1D", separable, WAVES, WAVE),
    ("MLP with Normalization", scaled, CANCER, BENIGN), ("gated MLP", gated, CANCER, BENIGN),
    ("wide and deep", wide, DIABETES, PROGRESS), ("N-BEATS", blocks, SERIES[:, :48], SERIES[:, 48:]),
    ("DLinear", parted, SERIES[:, :48], SERIES[:, 48:]),
    ("PatchTST", patches, SERIES[:, :48], SERIES[:, 48:]),
    ("Conv3D", three_dimensions, DIGITS, DIGIT), ("ConvLSTM1D", image_rows, DIGITS, DIGIT),
]


def trained(name, model, x, y):
    """The model after two rounds of training, as the table wants it."""
    given = x if isinstance(x, list) else [x]
    last = (y if isinstance(y, list) else [y])[0]
    whole = numpy.issubdtype(last.dtype, numpy.integer)
    outputs = model.outputs if isinstance(y, list) else model.outputs[:1]
    losses = []
    for output in outputs:
        if whole and output.shape[-1] > 1:
            choice = output._keras_history.operation.name.startswith(("dense", "softmax"))
            raw = name == "GPT block"
            losses.append(keras.losses.SparseCategoricalCrossentropy(from_logits=raw) if choice
                          else keras.losses.SparseCategoricalCrossentropy())
        else:
            losses.append("binary_crossentropy" if whole else "mse")
    model.compile("adam", losses if len(losses) > 1 else losses[0])
    model.fit(x, y, epochs=2, batch_size=32, verbose=0)
    export = lambda path: model.export(str(path), format="onnx", verbose=False)

    def predict(arrays):
        outcome = model(arrays if len(arrays) > 1 else arrays[0], training=False)
        return [each.numpy() for each in (outcome if isinstance(outcome, (list, tuple)) else [outcome])]

    return Exported(export, [each[-200:] for each in given], predict)


def built(name, build, x, y):
    given = keras.Input(x.shape[1:], dtype=str(x.dtype))
    return trained(name, keras.Model(given, build(given)), x, y)


def siamese():
    one, two = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    tower = keras.Sequential([layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), layers.Dense(16)])
    far = ops.abs(tower(one) - tower(two))
    same = (DIGIT == numpy.roll(DIGIT, 1)).astype("i8")
    model = keras.Model([one, two], layers.Dense(1, activation="sigmoid")(far))
    return trained("siamese", model, [DIGITS, numpy.roll(DIGITS, 1, 0)], same)


def recommender():
    number, kind = keras.Input((10,)), keras.Input((2,), dtype="int32")
    rows = layers.Embedding(8, 6)(kind)
    bottom = layers.Reshape((1, 6))(layers.Dense(6, activation="relu")(number))
    rows = layers.concatenate([bottom, rows], axis=1)
    products = layers.Flatten()(layers.Dot(2)([rows, rows]))
    top = layers.Dense(1)(layers.concatenate([layers.Flatten()(bottom), products]))
    kinds = numpy.random.randint(0, 8, (len(DIABETES), 2)).astype("i4")
    return trained("DLRM", keras.Model([number, kind], top), [DIABETES, kinds], PROGRESS)


def two_heads():
    x = keras.Input((30,))
    shared = layers.Dense(16, activation="tanh")(layers.BatchNormalization()(x))
    actor, critic = layers.Dense(2, activation="softmax")(shared), layers.Dense(1)(shared)
    return trained("actor and critic", keras.Model(x, [actor, critic]), CANCER,
                   [BENIGN.astype("i8"), BENIGN.astype("f4")])


def models():
    for row in SEQUENTIAL:
        yield row[0], lambda row=row: built(*row)
    yield "siamese", siamese
    yield "DLRM", recommender
    yield "actor and critic", two_heads
