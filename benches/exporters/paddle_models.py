"""Models of Paddle, trained on scikit-learn's data, by paddle2onnx."""

import contextlib
import io
import tempfile
from pathlib import Path

import numpy
import paddle
import paddle2onnx
from paddle import nn
from paddle.nn import functional
from sklearn.datasets import load_breast_cancer, load_digits

from common.exported import Exported

paddle.seed(0)
numpy.random.seed(0)
ORDER = numpy.random.permutation(1797)
DIGITS = (load_digits().images / 16).astype("f4")[ORDER][:, None]
DIGIT = load_digits().target[ORDER]
LARGE = DIGITS.repeat(2, 2).repeat(2, 3)
ROWS = DIGITS[:, 0]
CANCER, BENIGN = load_breast_cancer(return_X_y=True)
CANCER = ((CANCER - CANCER.mean(0)) / CANCER.std(0)).astype("f4")
TOKENS = numpy.minimum(ROWS.reshape(-1, 64)[:, 16:48] * 16, 15).astype("i8")
SERIES = numpy.cumsum(numpy.random.randn(600, 60) * .1, 1).astype("f4")


class Of(nn.Layer):
    """A layer of parts and a function of them and the input."""

    def __init__(self, function, **parts):
        super().__init__()
        for name, part in parts.items():
            self.add_sublayer(name, part)
        self.function = function

    def forward(self, x):
        return self.function(self, x)


def unit(inside, outside, kernel=3, stride=1, groups=1, act=nn.ReLU):
    parts = [nn.Conv2D(inside, outside, kernel, stride, kernel // 2, groups=groups, bias_attr=False),
             nn.BatchNorm2D(outside)]
    return nn.Sequential(*parts, *([act()] if act else []))


def head(width, count=10):
    return nn.Sequential(nn.AdaptiveAvgPool2D(1), nn.Flatten(), nn.Linear(width, count), nn.Softmax())


def squeeze(width, gate):
    return Of(lambda self, x: x * self.gates(x), gates=nn.Sequential(
        nn.AdaptiveAvgPool2D(1), nn.Conv2D(width, 4, 1), nn.ReLU(), nn.Conv2D(4, width, 1), gate))


def mobile(act, gate):
    body = nn.Sequential(unit(8, 24, 1, act=act), unit(24, 24, 5, 1, 24, act), squeeze(24, gate),
                         unit(24, 8, 1, act=None))
    rest = Of(lambda self, x: x + self.body(x), body=body)
    return nn.Sequential(unit(1, 8, stride=2, act=act), rest, unit(8, 16, 3, 2, act=act), head(16))


def shuffled(self, x):
    left, right = paddle.chunk(self.first(x), 2, 1)
    y = paddle.concat([left, self.right(right)], 1)
    batch, channels, height, width = y.shape
    y = paddle.transpose(y.reshape([batch, 2, channels // 2, height, width]), [0, 2, 1, 3, 4])
    return self.head(y.reshape([batch, channels, height, width]))


def unet(self, x):
    one = self.one(x)
    two = self.two(functional.max_pool2d(one, 2))
    three = self.up(self.three(functional.max_pool2d(two, 2)))
    y = functional.interpolate(self.four(paddle.concat([three, two], 1)), size=[16, 16],
                               mode="bilinear")
    return functional.sigmoid(self.five(paddle.concat([y, one], 1)))


def crnn(self, x):
    y = self.convolution(x)
    y = paddle.transpose(y, [0, 3, 1, 2]).flatten(2)
    return functional.softmax(self.linear(self.cell(y)[0]), -1)


def sequence(cell, width=24):
    return Of(lambda self, x: self.linear(self.cell(x)[0][:, -1]), cell=cell,
              linear=nn.Linear(width, 10))


def vision(self, x):
    y = self.patch(x).flatten(2).transpose([0, 2, 1])
    return self.linear(self.encoder(y + self.places.weight).mean(1))


def encoder(layers=2):
    return nn.TransformerEncoder(
        nn.TransformerEncoderLayer(24, 3, 48, activation="gelu", normalize_before=True), layers)


def gpt(self, x):
    mask = paddle.triu(paddle.full([32, 32], -1e9), 1)
    return self.linear(self.encoder(self.words(x) + self.places.weight, mask))


def text(self, x):
    y = self.words(x).transpose([0, 2, 1])
    return self.linear(paddle.concat([getattr(self, f"c{size}")(y).max(-1) for size in (2, 3, 4)], 1))


def yolo(self, x):
    """A head of two scales: boxes in pixels and scores of classes."""
    y = self.body(x)
    fine, coarse = self.fine(y), self.coarse(functional.max_pool2d(y, 2))
    parts = []
    for stride, part in ((2, fine), (4, coarse)):
        _, _, height, width = part.shape
        grid = paddle.stack(paddle.meshgrid(paddle.arange(height), paddle.arange(width))[::-1], 0)
        centre = (functional.sigmoid(part[:, :2]) * 2 - .5 + grid.astype("float32")) * stride
        size = paddle.exp(paddle.clip(part[:, 2:4], max=4.)) * stride
        parts.append(paddle.concat([centre, size, functional.sigmoid(part[:, 4:])], 1).flatten(2))
    return paddle.concat(parts, 2).transpose([0, 2, 1])


def networks():
    yield "MLP", nn.Sequential(nn.Linear(30, 24), nn.Sigmoid(), nn.Dropout(), nn.Linear(24, 2)), \
        CANCER, BENIGN
    yield "LeNet", nn.Sequential(nn.Conv2D(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2D(2, 2),
                                 nn.Conv2D(6, 16, 3), nn.ReLU(), nn.AvgPool2D(2), nn.Flatten(),
                                 nn.Linear(144, 10), nn.Softmax()), LARGE, DIGIT
    yield "MobileNetV2 blocks", mobile(nn.ReLU6, nn.Sigmoid()), LARGE, DIGIT
    yield "MobileNetV3 blocks", mobile(nn.Hardswish, nn.Hardsigmoid()), LARGE, DIGIT
    yield "EfficientNet blocks", mobile(nn.Swish, nn.Sigmoid()), LARGE, DIGIT
    yield "ShuffleNet block", Of(shuffled, first=unit(1, 8, stride=2), right=nn.Sequential(
        unit(4, 4, 1), unit(4, 4, 3, 1, 4, None), unit(4, 4, 1)), head=head(8)), LARGE, DIGIT
    yield "activations", nn.Sequential(
        nn.Conv2D(1, 8, 3), nn.LeakyReLU(.1), nn.Conv2D(8, 8, 3), nn.PReLU(8), nn.Conv2D(8, 8, 3),
        nn.ELU(), nn.Conv2D(8, 8, 3), nn.Mish(), nn.Conv2D(8, 8, 3), nn.GELU(), nn.Conv2D(8, 8, 3),
        nn.SELU(), nn.Flatten(), nn.Linear(128, 16), nn.Silu(), nn.Linear(16, 16), nn.Softsign(),
        nn.Linear(16, 16), nn.Tanhshrink(), nn.Linear(16, 10), nn.LogSoftmax()), LARGE, DIGIT
    yield "U-Net", Of(unet, one=unit(1, 8), two=unit(8, 12), three=unit(12, 16),
                      up=nn.Conv2DTranspose(16, 12, 2, 2), four=unit(24, 8),
                      five=nn.Conv2D(16, 1, 1)), LARGE, LARGE
    yield "normalizations", nn.Sequential(
        nn.Conv2D(1, 8, 3), nn.GroupNorm(4, 8), nn.ReLU(), nn.Conv2D(8, 8, 3, padding="same"),
        nn.InstanceNorm2D(8), nn.Hardtanh(), nn.Pad2D([1, 2, 0, 1], mode="reflect"),
        nn.Conv2D(8, 4, 3, 2), nn.Flatten(), nn.LayerNorm(224), nn.Linear(224, 10)), LARGE, DIGIT
    yield "dilations and adaptive pools", nn.Sequential(
        nn.Conv2D(1, 8, 3, dilation=2, padding=2), nn.ReLU(), nn.AdaptiveAvgPool2D([3, 5]),
        nn.Conv2D(8, 8, 2), nn.AdaptiveMaxPool2D(1), nn.Flatten(), nn.Linear(8, 10)), LARGE, DIGIT
    yield "pixel shuffle", nn.Sequential(
        nn.Conv2D(1, 4, 3, padding=1), nn.PixelShuffle(2), nn.Conv2D(1, 4, 3, 2, 1), nn.ReLU(),
        nn.Upsample([32, 32], mode="nearest"), nn.Conv2D(4, 1, 3, 2, 1)), LARGE, LARGE
    yield "CRNN", Of(crnn, convolution=nn.Sequential(unit(1, 8), nn.MaxPool2D([2, 1])), cell=nn.LSTM(
        64, 16, direction="bidirect"), linear=nn.Linear(32, 10)), LARGE, numpy.repeat(
        DIGIT[:, None], 16, 1)
    yield "SimpleRNN", sequence(nn.SimpleRNN(8, 24)), ROWS, DIGIT
    yield "GRU", sequence(nn.GRU(8, 24)), ROWS, DIGIT
    yield "LSTM of two layers", sequence(nn.LSTM(8, 24, 2)), ROWS, DIGIT
    yield "GRU of two directions", sequence(nn.GRU(8, 12, direction="bidirect")), ROWS, DIGIT
    yield "ViT", Of(vision, patch=nn.Conv2D(1, 24, 4, 4), places=nn.Embedding(16, 24),
                    encoder=encoder(), linear=nn.Linear(24, 10)), LARGE, DIGIT
    yield "text encoder", Of(lambda self, x: self.linear(self.encoder(
        self.words(x) + self.places.weight).mean(1)), words=nn.Embedding(16, 24),
        places=nn.Embedding(32, 24), encoder=encoder(), linear=nn.Linear(24, 10)), TOKENS, DIGIT
    yield "GPT block", Of(gpt, words=nn.Embedding(16, 24), places=nn.Embedding(32, 24),
                          encoder=encoder(1), linear=nn.Linear(24, 16)), TOKENS, numpy.roll(
                              TOKENS, -1, 1)
    yield "TextCNN", Of(text, words=nn.Embedding(16, 16), linear=nn.Linear(24, 10), **{
        f"c{size}": nn.Conv1D(16, 8, size) for size in (2, 3, 4)}), TOKENS, DIGIT
    yield "N-BEATS block", Of(lambda self, x: self.ahead(self.body(x)) + x[:, -12:],
                              body=nn.Sequential(nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 32),
                                                 nn.ReLU()), ahead=nn.Linear(32, 12)), \
        SERIES[:, :48], SERIES[:, 48:]
    yield "TCN", nn.Sequential(nn.Conv1D(8, 16, 3, padding=[2, 0], dilation=1), nn.ReLU(),
                               nn.Conv1D(16, 16, 3, padding=4, dilation=4), nn.BatchNorm1D(16),
                               nn.ReLU(), nn.AdaptiveAvgPool1D(1), nn.Flatten(),
                               nn.Linear(16, 10)), ROWS, DIGIT
    yield "YOLO head", Of(yolo, body=unit(1, 8, stride=2), fine=nn.Conv2D(8, 7, 1),
                          coarse=nn.Conv2D(8, 7, 1)), LARGE, None


def trained(network, x, y):
    rate = paddle.optimizer.Adam(parameters=network.parameters(), learning_rate=2e-3)
    for _ in range(2 if y is not None else 0):
        for start in range(0, len(x) - 200, 32):
            outcome = network(paddle.to_tensor(x[start:start + 32]))
            wanted = paddle.to_tensor(y[start:start + 32])
            if wanted.dtype == paddle.int64:
                loss = functional.cross_entropy(outcome, wanted)
            else:
                loss = functional.mse_loss(outcome, wanted)
            loss.backward()
            rate.step()
            rate.clear_grad()
    network.eval()
    return network


def models():
    for batch, suffix in ((None, ", open batch"), (1, ", batch of 1")):
        for name, network, x, y in networks():
            yield name + suffix, lambda network=network, x=x, y=y, batch=batch: exported(
                trained(network, x, y), x, batch)


def exported(network, x, batch):
    spec = [paddle.static.InputSpec([batch, *x.shape[1:]], str(x.dtype), "x")]

    def export(path):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            paddle.jit.save(network, f"{folder}/model", input_spec=spec)
            paddle2onnx.export(f"{folder}/model.json", f"{folder}/model.pdiparams", str(path))
        if not Path(path).is_file():
            raise ValueError("paddle2onnx wrote nothing")

    def predict(arrays):
        outcome = network(*map(paddle.to_tensor, arrays))
        return [each.numpy() for each in (outcome if isinstance(outcome, (list, tuple)) else [outcome])]

    return Exported(export, [x[-200:]], predict)
