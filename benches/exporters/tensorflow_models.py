"""Functions of TensorFlow by tf2onnx, and TFLite's models: in real numbers and as codes of 8 bits."""

import numpy
import tensorflow as tf
import tf2onnx

from common.exported import Exported
from exporters import keras_models
from exporters.keras_models import CANCER, LARGE, ROWS, SERIES, TOKENS

SET = 18


def weights(*shape, scale=.3):
    """Of NumPy, and in the function: a tensor from outside becomes an input of the file."""
    return numpy.random.randn(*shape).astype("f4") * numpy.float32(scale)


def by_function(name, function, *inputs):
    """What tf2onnx makes of a function of tensors whose first dimension is open."""
    return name, lambda: traced_function(function, inputs)


def traced_function(function, inputs):
    signature = [tf.TensorSpec([None, *x.shape[1:]], x.dtype) for x in inputs]
    traced = tf.function(function, input_signature=signature)

    def export(path):
        tf2onnx.convert.from_function(
            traced, input_signature=signature, opset=SET, output_path=str(path))

    def predict(arrays):
        outcome = traced(*arrays)
        return [each.numpy() for each in (outcome if isinstance(outcome, (list, tuple)) else [outcome])]

    return Exported(export, [x[-200:] for x in inputs], predict)


def low_level():
    """Operations that people write themselves, each a small network's core."""
    w, v = weights(3, 3, 1, 8), weights(3, 3, 8, 2)

    def images(x):
        y = tf.nn.bias_add(tf.nn.conv2d(x, w, 2, "SAME"), weights(8))
        y = tf.nn.depthwise_conv2d(tf.nn.leaky_relu(y, .2), v, [1, 1, 1, 1], "VALID")
        return tf.reduce_max(tf.nn.max_pool2d(tf.nn.elu(y), 3, 2, "SAME"), axis=[1, 2])

    yield by_function("conv2d and depthwise_conv2d", images, LARGE)
    yield by_function("conv2d with dilations", lambda x: tf.reduce_mean(tf.nn.relu6(
        tf.nn.conv2d(x, w, 1, "SAME", dilations=2)), [1, 2]), LARGE)
    yield by_function("conv2d_transpose", lambda x: tf.nn.tanh(tf.nn.conv2d_transpose(
        x, weights(3, 3, 4, 1),
        [tf.shape(x)[0], 32, 32, 4], 2, "SAME")), LARGE)
    for method in ("nearest", "bilinear", "bicubic", "area"):
        yield by_function(f"resize by {method}", lambda x, method=method: tf.nn.conv2d(
            tf.image.resize(x, [24, 20], method=method), w, 2, "SAME"), LARGE)
    yield by_function("resize_nearest_neighbor with half pixels", lambda x: tf.nn.conv2d(
        tf.compat.v1.image.resize_nearest_neighbor(x, [24, 24], half_pixel_centers=True),
        w, 2, "SAME"), LARGE)
    yield by_function("space_to_depth and depth_to_space", lambda x: tf.nn.depth_to_space(
        tf.nn.conv2d(tf.nn.space_to_depth(x, 2), weights(3, 3, 4, 8), 1, "SAME"), 2), LARGE)
    yield by_function("space_to_batch", lambda x: tf.batch_to_space(tf.nn.conv2d(
        tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]), w, 1, "SAME"), [2, 2],
        [[0, 0], [0, 0]]), LARGE)
    yield by_function("local_response_normalization", lambda x: tf.nn.local_response_normalization(
        tf.nn.conv2d(x, w, 2, "SAME"), 2, 1., 1e-1, .75), LARGE)
    yield by_function("mirror_pad", lambda x: tf.nn.conv2d(
        tf.pad(x, [[0, 0], [2, 2], [1, 3], [0, 0]], "REFLECT"), w, 2, "VALID"), LARGE)
    yield by_function("extract_patches", lambda x: tf.image.extract_patches(
        x, [1, 4, 4, 1], [1, 4, 4, 1], [1, 1, 1, 1], "VALID") @ weights(16, 8), LARGE)
    yield by_function("flip and roll", lambda x: tf.nn.conv2d(
        tf.roll(tf.image.flip_left_right(x), 2, 1), w, 2, "SAME"), LARGE)
    yield from tables()
    yield from control()


def tables():
    rows, key, value = weights(16, 24), weights(24, 24), weights(24, 24)

    def attention(x):
        y = tf.gather(rows, x)
        scores = tf.einsum("btd,bsd->bts", y @ key, y) / 24 ** .5
        band = tf.linalg.band_part(tf.ones([32, 32]), -1, 0)
        return tf.nn.softmax(scores + (1 - band) * -1e9) @ (y @ value)

    yield by_function("masked attention", attention, TOKENS)
    yield by_function("length mask", lambda x: tf.reduce_sum(tf.where(
        (x > 0)[..., None], tf.gather(rows, x), 0.), 1), TOKENS)
    yield by_function("sequence_mask", lambda x: tf.reduce_sum(tf.gather(rows, x) * tf.sequence_mask(
        tf.math.count_nonzero(x, 1), 32, tf.float32)[..., None], 1), TOKENS)
    yield by_function("one_hot", lambda x: tf.reduce_mean(
        tf.one_hot(x, 16) @ weights(16, 8), 1), TOKENS)
    yield by_function("top_k", lambda x: tf.math.top_k(x @ weights(30, 12, scale=.01), 3)[0], CANCER)
    yield by_function("top_k's places", lambda x: tf.math.top_k(x @ weights(30, 12, scale=.01), 3)[1],
                      CANCER)
    yield by_function("argmax", lambda x: tf.argmax(x @ weights(30, 6, scale=.01), 1), CANCER)
    yield by_function("cumsum", lambda x: tf.cumsum(x, 1, reverse=True, exclusive=True)[:, ::4], SERIES)
    yield by_function("batch_gather", lambda x, at: tf.gather(x, at[:, :4], batch_dims=1), SERIES,
                      numpy.random.randint(0, 60, (len(SERIES), 5)).astype("i4"))
    yield by_function("gather_nd", lambda x: tf.gather_nd(
        tf.transpose(x, [1, 2, 0]), [[1, 2], [3, 4], [5, 6]]), ROWS)
    yield by_function("scatter", lambda x: tf.transpose(tf.scatter_nd(
        [[1], [5], [3]], tf.transpose(x[:, :3]), [8, 1])), CANCER[:, :6] / 100)
    yield by_function("segment_sum", lambda x: tf.transpose(tf.math.unsorted_segment_sum(
        tf.transpose(x), [0, 1, 0, 2, 1, 2], 3)), CANCER[:, :6] / 100)
    yield by_function("fill, range and tile", lambda x: tf.tile(
        x, [1, 2]) * tf.cast(tf.range(12), tf.float32) + tf.fill([tf.shape(x)[0], 12], .5),
        CANCER[:, :6] / 100)
    yield by_function("strided slices and a new axis", lambda x: (
        x[:, ::2, -1:3:-1, None] * x[:, 1::2, :4, tf.newaxis])[:, ..., 0], ROWS)
    yield by_function("split, stack and unstack", lambda x: tf.stack(
        [tf.reduce_sum(part, -1) for part in tf.split(x, 4, 2)][::-1] + tf.unstack(x, axis=2)[:2], 1),
        ROWS)
    yield by_function("layer norm by moments", lambda x: _moments(x), ROWS)
    yield by_function("l2_normalize and cosine", lambda x: tf.nn.l2_normalize(
        x, 1) @ tf.nn.l2_normalize(weights(30, 5), 0), CANCER)
    yield by_function("erf, log1p, expm1, rsqrt", lambda x: tf.math.erf(x[:, :2]) + tf.math.log1p(
        x[:, 2:4]) + tf.math.expm1(-x[:, 4:6]) + tf.math.rsqrt(x[:, :2] + 1), CANCER[:, :6] / 100)
    yield by_function("log_softmax and sparse loss", lambda x: tf.nn.log_softmax(
        x @ weights(6, 4)), CANCER[:, :6] / 100)
    yield by_function("floormod and floordiv", lambda x: tf.math.floormod(x, 7) * tf.gather(
        tf.range(16), tf.math.floordiv(x, 3)), TOKENS)
    yield by_function("clip_by_norm", lambda x: tf.clip_by_norm(x, 2., [1]), CANCER[:, :6] / 100)
    yield by_function("squared_difference and Gaussian kernel", lambda x: tf.exp(-.5 * tf.reduce_sum(
        tf.math.squared_difference(x[:, None], weights(1, 5, 6)), -1)), CANCER[:, :6] / 100)
    adjacency = (numpy.random.rand(8, 8) > .6).astype("f4") + numpy.eye(8, dtype="f4")
    adjacency /= adjacency.sum(1, keepdims=True)
    yield by_function("graph convolution", lambda x: tf.nn.relu(tf.einsum(
        "ij,bjf->bif", adjacency, x) @ weights(8, 12)), ROWS)


def _moments(x):
    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, weights(8), weights(8), 1e-3)


def control():
    """Loops and branches, which are unrolled or chosen where they can be."""
    w, u = weights(8, 12), weights(12, 12)

    def loop(x):
        step = lambda at, state: (at + 1, tf.tanh(x[:, at] @ w + state @ u))
        start = (0, tf.zeros([tf.shape(x)[0], 12]))
        return tf.while_loop(lambda at, _: at < 8, step, start)[1]

    yield by_function("while_loop", loop, ROWS)

    def arrays(x):
        states = tf.TensorArray(tf.float32, 8)
        state = tf.zeros([tf.shape(x)[0], 12])
        for at in tf.range(8):
            state = tf.tanh(x[:, at] @ w + state @ u)
            states = states.write(at, state)
        return tf.transpose(states.stack(), [1, 0, 2])

    yield by_function("TensorArray", arrays, ROWS)
    yield by_function("scan", lambda x: tf.transpose(tf.scan(
        lambda state, row: tf.tanh(row @ w + state @ u), tf.transpose(x, [1, 0, 2]),
        tf.zeros([tf.shape(x)[0], 12])), [1, 0, 2]), ROWS)
    yield by_function("map_fn", lambda x: tf.map_fn(
        lambda row: tf.nn.relu(row @ w), x), ROWS)
    yield by_function("cond", lambda x: tf.cond(
        tf.reduce_sum(x) > 18., lambda: x @ w, lambda: -x @ w), ROWS)
    yield by_function("where and clip", lambda x: tf.where(
        x > .5, tf.clip_by_value(x @ weights(8, 8), -.5, .5), -x), ROWS)


LITE = ("MLP", "CNN", "ResNet blocks", "MobileNetV2 blocks", "EfficientNet block", "U-Net", "EEGNet",
        "TCN", "LSTM unrolled", "MLP with Normalization", "DLinear", "text encoder", "TextCNN")


def lite(kind):
    """Keras's models through TFLite: as they are, or quantized by samples."""
    for name, build, x, y in keras_models.SEQUENTIAL:
        if name not in LITE:
            continue
        yield f"TFLite {kind}, {name}", lambda name=name, build=build, x=x, y=y: converted(
            name, build, x, y, kind)


def converted(name, build, x, y, kind):
    given = keras_models.keras.Input(x.shape[1:], dtype=str(x.dtype))
    model = keras_models.keras.Model(given, build(given))
    inputs = keras_models.trained(name, model, x, y).inputs
    trace = tf.function(lambda x: model(x, training=False))
    concrete = trace.get_concrete_function(tf.TensorSpec([1, *inputs[0].shape[1:]], inputs[0].dtype))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], trace)
    if kind != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind in ("int8", "int8 at its ends"):
        converter.representative_dataset = lambda: ([x[None]] for x in inputs[0][:60])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    lite = []

    def export(path):
        lite.append(converter.convert())
        file = path.with_suffix(".tflite")
        file.write_bytes(lite[0])
        tf2onnx.convert.from_tflite(str(file), opset=SET, output_path=str(path))

    def predict(arrays):
        interpreter = tf.lite.Interpreter(model_content=lite[0])
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], arrays[0])
        interpreter.invoke()
        return [interpreter.get_tensor(each["index"]) for each in interpreter.get_output_details()]

    return Exported(export, inputs, predict)


def models():
    yield from low_level()
    for kind in ("float", "dynamic", "int8"):
        yield from lite(kind)
