//! Small files with every operation that leaves something to prove.

use crate::{
    onnx::{
        Builder, int, ints,
        proto::{AttributeProto, AttributeType, DataType, GraphProto},
        text,
    },
    pipelines,
};

/// A file and what it is called.
pub(crate) type Named = (String, Builder);

/// The newest operator set.
pub(crate) const NEWEST: i64 = 28;
pub(crate) const ML: &str = "ai.onnx.ml";
pub(crate) const MS: &str = "com.microsoft";

/// A file of several operations, each of whose results is an output.
pub(crate) struct File {
    model: Builder,
    results: usize,
}

impl File {
    pub(crate) fn new(opset: i64) -> Self {
        let model = Builder::new(opset).set(ML, 5).set(MS, 1).set("ai.onnx.preview", 1);
        Self { model, results: 0 }
    }

    pub(crate) fn put(mut self, change: impl FnOnce(Builder) -> Builder) -> Self {
        self.model = change(std::mem::replace(&mut self.model, Builder::new(NEWEST)));
        self
    }

    pub(crate) fn input(self, name: &str, shape: &[i64]) -> Self {
        self.put(|model| model.input(name, shape))
    }

    /// An input of whole numbers of that type.
    pub(crate) fn whole(mut self, name: &str, shape: &[i64], kind: DataType) -> Self {
        self = self.input(name, shape);
        let input = self.model.graph().input.last_mut().unwrap();
        let tensor = input.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
        tensor.elem_type = kind as i32;
        self
    }

    pub(crate) fn weights(self, name: &str, shape: &[i64]) -> Self {
        self.put(|model| model.random(name, shape))
    }

    pub(crate) fn reals(self, name: &str, data: &[f32]) -> Self {
        let shape = [i64::try_from(data.len()).unwrap()];
        self.put(|model| model.reals(name, &shape, data))
    }

    pub(crate) fn integers(self, name: &str, data: &[i64]) -> Self {
        self.put(|model| model.integers(name, data))
    }

    /// An operation on inputs named with spaces between; an `-` is left out.
    pub(crate) fn of(mut self, op: &str, inputs: &str, attributes: &[AttributeProto]) -> Self {
        let (domain, op) = op.rsplit_once('/').unwrap_or(("", op));
        let result = format!("r{}", self.results);
        self.results += 1;
        let names: Vec<&str> =
            inputs.split(' ').map(|name| if name == "-" { "" } else { name }).collect();
        let outputs = match op {
            "LinearClassifier" | "SVMClassifier" | "TopK" => {
                vec![result.clone(), format!("{result}b")]
            }
            _ => vec![result],
        };
        self.put(|model| {
            let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
            let model = model.domain_node(domain, op, &names, &outputs, attributes);
            outputs.iter().fold(model, |model, output| model.output(output))
        })
    }

    /// Operations without attributes on the same inputs.
    pub(crate) fn all(self, ops: &str, inputs: &str) -> Self {
        ops.split(' ').fold(self, |file, op| file.of(op, inputs, &[]))
    }

    pub(crate) fn done(self, name: &str) -> Named {
        (name.to_owned(), self.model)
    }
}

fn body(name: &str, model: Builder) -> AttributeProto {
    let graph = model.proto.graph.map(Box::<GraphProto>::new);
    let (name, r#type) = (name.to_owned(), AttributeType::Graph as i32);
    AttributeProto { name, r#type, g: graph, ..AttributeProto::default() }
}

/// All files, by name.
pub(crate) fn models() -> Vec<Named> {
    let mut models = functions();
    models.extend(tensors());
    models.extend(images());
    models.extend(groups());
    models.extend(integers());
    models.extend(sequences());
    models.extend(pipelines::models());
    models
}

fn functions() -> Vec<Named> {
    let of = |ops: &str, inputs: &str, name: &str| {
        let file = File::new(NEWEST).input("x", &[4]).input("p", &[4]).input("g", &[4]);
        file.all("Identity", "x")
            .all("Identity", "p")
            .all("Identity", "g")
            .all(ops, inputs)
            .done(name)
    };
    let more = File::new(NEWEST)
        .input("x", &[4])
        .input("y", &[4])
        .reals("lo", &[-0.4])
        .reals("hi", &[0.3]);
    let more = more.reals("e", &[3.0]).reals("slope", &[0.1, 0.2, 0.3, 0.4]);
    let more = more.of("Clip", "x lo hi", &[]).of("Pow", "x e", &[]).of("PRelu", "x slope", &[]);
    let more =
        more.of("SwiGLU", "x y", &[]).of("Cast", "x", &[int("to", 7)]).of("CastLike", "x y", &[]);
    vec![
        of("Abs Acos Asin Asinh Atan Atanh Celu Ceil", "x", "functions 1"),
        of("Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid", "x", "functions 2"),
        of("HardSwish LeakyRelu Mish Neg Relu Round Selu Shrink", "x", "functions 3"),
        of("Sigmoid Sign Sin Sinh Softplus Softsign Swish Tan", "x", "functions 4"),
        of("Tanh ThresholdedRelu Dropout", "x", "functions 5"),
        of("Log Sqrt Reciprocal", "p", "positive"),
        of("Acosh", "g", "above 1"),
        more.done("functions with parameters"),
    ]
}

/// Three inputs of two rows.
fn two() -> File {
    File::new(NEWEST).input("x", &[2, 3]).input("y", &[2, 3]).input("p", &[2, 3])
}

fn tensors() -> Vec<Named> {
    let sums = two().all("Add Sub Mul Max Min Mean Sum", "x y").of("Div", "x p", &[]);
    let compared = two().all("Greater GreaterOrEqual Less LessOrEqual Equal", "x y");
    let logic = two()
        .put(|m| m.node("Greater", &["x", "y"], &["a"], &[]).node("Less", &["x", "p"], &["b"], &[]))
        .all("And Or Xor", "a b")
        .of("Not", "a", &[])
        .of("Where", "a x y", &[])
        .reals("zero", &[0.0])
        .of("ArgMax", "x", &[int("axis", 1)])
        .of("ArgMin", "x", &[int("axis", 1)])
        .of("Hardmax", "x", &[]);
    let reduce =
        ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"];
    let reduced = reduce.iter().fold(two().integers("one", &[1]), |file, kind| {
        file.of(&format!("Reduce{kind}"), "p one", &[])
    });
    let products = File::new(NEWEST)
        .input("a", &[2, 2])
        .input("b", &[2, 2])
        .weights("w", &[2, 3])
        .of("MatMul", "a w", &[])
        .of("MatMul", "a b", &[])
        .of("Gemm", "a w", &[])
        .of("Einsum", "a b", &[text("equation", "ij,jk->ik")])
        .of("Det", "a", &[]);
    vec![
        sums.done("sums and products"),
        compared.done("comparisons"),
        logic.done("logic and choice"),
        reduced.done("reductions"),
        movement(),
        products.done("matrices"),
        places(),
    ]
}

/// Elements at places that are computed, or known.
fn places() -> Named {
    let file = File::new(NEWEST)
        .input("x", &[3, 2])
        .whole("i", &[2], DataType::Int64)
        .whole("i2", &[2, 2], DataType::Int64)
        .integers("at", &[0, 2])
        .put(|m| m.ints_shaped("cells", &[2, 2], &[0, 1, 2, 0]).random("u", &[2, 2]))
        .put(|m| m.random("table", &[3, 2]).ints_shaped("depth", &[], &[3]).integers("k", &[2]))
        .put(|m| m.random("v", &[2]).reals("pair", &[2], &[0.0, 1.0]))
        .of("Gather", "table i", &[])
        .of("Gather", "x i", &[])
        .of("GatherElements", "x i2", &[])
        .of("GatherND", "x i2", &[])
        .of("OneHot", "i depth pair", &[])
        .of("ScatterElements", "x cells u", &[])
        .of("ScatterND", "x cells v", &[])
        .of("TopK", "x k", &[int("axis", 0)]);
    file.done("places")
}

/// What only moves elements, or adds and multiplies them along an axis.
fn movement() -> Named {
    let file = two()
        .integers("shape", &[3, 2])
        .integers("twice", &[2, 1])
        .integers("wide", &[2, 2, 3])
        .integers("zero", &[0])
        .integers("two", &[2])
        .integers("one", &[1])
        .integers("rows", &[1, 0])
        .of("Reshape", "x shape", &[])
        .of("Tile", "x twice", &[])
        .of("Expand", "x wide", &[])
        .of("Slice", "x zero one", &[])
        .of("Squeeze", "r3 zero", &[])
        .of("Unsqueeze", "x one", &[])
        .of("Gather", "x rows", &[])
        .of("Transpose", "x", &[])
        .of("Flatten", "x", &[])
        .of("Trilu", "x", &[])
        .of("CenterCropPad", "x two", &[ints("axes", &[1])])
        .of("Concat", "x y", &[int("axis", 0)])
        .of("Compress", "x rows", &[int("axis", 0)])
        .of("CumSum", "x one", &[])
        .of("CumProd", "p one", &[])
        .of("ReverseSequence", "x lengths", &[int("batch_axis", 0), int("time_axis", 1)])
        .integers("lengths", &[2, 3])
        .put(|m| m.node("Split", &["x"], &["s1", "s2"], &[int("axis", 0), int("num_outputs", 2)]))
        .put(|m| m.output("s1").output("s2"));
    file.done("movement")
}

/// An image of two channels.
fn image() -> File {
    File::new(NEWEST).input("x", &[1, 2, 4, 4])
}

fn kernel() -> AttributeProto {
    ints("kernel_shape", &[2, 2])
}

fn images() -> Vec<Named> {
    let convolved = image()
        .weights("w", &[3, 2, 3, 3])
        .weights("t", &[2, 1, 2, 2])
        .of("Conv", "x w", &[])
        .of("ConvTranspose", "x t", &[ints("strides", &[2, 2])])
        .of("AveragePool", "x", &[kernel()])
        .of("MaxPool", "x", &[kernel(), ints("strides", &[2, 2])])
        .of("LpPool", "x", &[kernel(), ints("strides", &[2, 2])])
        .all("GlobalAveragePool GlobalMaxPool GlobalLpPool", "x");
    let deformed = File::new(NEWEST)
        .input("x", &[1, 1, 3, 3])
        .input("offset", &[1, 8, 2, 2])
        .weights("w", &[1, 1, 2, 2])
        .of("DeformConv", "x w offset", &[]);
    let old = File::new(9)
        .input("x", &[1, 1, 2, 2])
        .reals("scales", &[1.0, 1.0, 2.0, 2.0])
        .of("Upsample", "x scales", &[])
        .put(|m| m.ints_shaped("cells", &[1, 1, 1, 2], &[0, 1]).random("u", &[1, 1, 1, 2]))
        .of("Scatter", "x cells u", &[int("axis", 2)]);
    let waves = File::new(NEWEST)
        .input("x", &[1, 8, 1])
        .put(|m| m.ints_shaped("step", &[], &[4]).ints_shaped("length", &[], &[4]))
        .of("DFT", "x", &[])
        .of("STFT", "x step - length", &[]);
    vec![
        convolved.done("convolutions and pools"),
        moved_images(),
        deformed.done("moved places"),
        old.done("older sets"),
        waves.done("waves"),
    ]
}

/// Images that are moved, resized or read between pixels.
fn moved_images() -> Named {
    let file = image()
        .integers("pads", &[0, 0, 1, 1, 0, 0, 0, 0])
        .reals("scales", &[1.0, 1.0, 2.0, 2.0])
        .put(|m| m.ints_shaped("at", &[1, 2, 2, 2], &[0, 2, 8, 10, 16, 18, 24, 26]))
        .put(|m| m.random("grid", &[1, 2, 2, 2]).reals("rois", &[1, 4], &[0.0, 0.0, 3.0, 3.0]))
        .integers("batch", &[0])
        .of("Pad", "x pads", &[])
        .of("Resize", "x - scales", &[text("mode", "linear")])
        .of("DepthToSpace", "two", &[int("blocksize", 2)])
        .of("SpaceToDepth", "x", &[int("blocksize", 2)])
        .of("GridSample", "x grid", &[])
        .of("RoiAlign", "x rois batch", &[int("output_height", 2), int("output_width", 2)])
        .of(
            "RoiAlign",
            "x rois batch",
            &[
                int("output_height", 2),
                int("output_width", 2),
                text("mode", "max"),
                int("sampling_ratio", 1),
            ],
        )
        .input("two", &[1, 4, 2, 2])
        .input("pool", &[1, 2, 2, 2])
        .of("MaxUnpool", "pool at", &[kernel(), ints("strides", &[2, 2])])
        .input("blocks", &[1, 4, 4])
        .integers("image", &[3, 3])
        .integers("block", &[2, 2])
        .of("Col2Im", "blocks image block", &[])
        .input("theta", &[1, 2, 3])
        .integers("size", &[1, 1, 2, 2])
        .of("AffineGrid", "theta size", &[]);
    file.done("images")
}

fn groups() -> Vec<Named> {
    let normal = File::new(NEWEST)
        .input("x", &[2, 4])
        .reals("scale", &[1.0, 0.5, 2.0, 1.5])
        .reals("bias", &[0.1, 0.0, -0.2, 0.3])
        .all("Softmax LogSoftmax LpNormalization", "x")
        .of("LayerNormalization", "x scale bias", &[])
        .of("RMSNormalization", "x scale", &[])
        .of("SimplifiedLayerNormalization", "x scale", &[]);
    let channels = File::new(NEWEST)
        .input("x", &[1, 4, 2, 2])
        .reals("scale", &[1.0, 0.5, 2.0, 1.5])
        .reals("bias", &[0.1, 0.0, -0.2, 0.3])
        .reals("mean", &[0.0, 0.1, 0.2, 0.3])
        .reals("variance", &[1.0, 0.9, 0.8, 0.7])
        .of("GroupNormalization", "x scale bias", &[int("num_groups", 2)])
        .of("InstanceNormalization", "x scale bias", &[])
        .of("BatchNormalization", "x scale bias mean variance", &[])
        .of("MeanVarianceNormalization", "x", &[])
        .of("LRN", "x", &[int("size", 3)]);
    let losses = File::new(22)
        .input("x", &[2, 3])
        .whole("i", &[2], DataType::Int64)
        .of("SoftmaxCrossEntropyLoss", "x i", &[])
        .of("NegativeLogLikelihoodLoss", "x i", &[]);
    let heads = |name: &str| (name.to_owned(), [1, 2, 3, 4]);
    let attended = ["q", "k", "v"].iter().fold(File::new(NEWEST), |file, name| {
        let (name, shape) = heads(name);
        file.input(&name, &shape)
    });
    let attended = attended
        .of("Attention", "q k v", &[int("is_causal", 1)])
        .of("ai.onnx.preview/FlexAttention", "q k v", &[])
        .put(|m| m.random("cos", &[3, 2]).random("sin", &[3, 2]))
        .put(|m| m.ints_shaped("positions", &[1, 3], &[0, 1, 2]))
        .of("RotaryEmbedding", "q cos sin positions", &[])
        .input("cache", &[1, 2, 4, 4])
        .integers("written", &[1])
        .of("TensorScatter", "cache q written", &[]);
    let linear = File::new(NEWEST)
        .input("q", &[1, 2, 4])
        .input("k", &[1, 2, 4])
        .input("v", &[1, 2, 4])
        .input("c", &[1, 2, 3])
        .weights("w", &[2, 1, 2])
        .of(
            "LinearAttention",
            "q k v",
            &[int("q_num_heads", 2), int("kv_num_heads", 2), text("update_rule", "linear")],
        )
        .of("CausalConvWithState", "c w", &[]);
    vec![
        normal.done("norms of rows"),
        channels.done("norms of channels"),
        losses.done("losses"),
        attended.done("attention"),
        linear.done("linear attention"),
    ]
}

fn integers() -> Vec<Named> {
    let bytes = File::new(NEWEST)
        .whole("i", &[3], DataType::Uint8)
        .whole("j2", &[3], DataType::Uint8)
        .put(|m| m.node("Cast", &["i"], &["wide"], &[int("to", 7)]))
        .put(|m| m.ints_shaped("three", &[], &[3]))
        .all("BitwiseAnd BitwiseOr BitwiseXor", "i j2")
        .of(
            "TfIdfVectorizer",
            "wide",
            &[
                text("mode", "TF"),
                int("min_gram_length", 1),
                int("max_gram_length", 2),
                int("max_skip_count", 1),
                ints("ngram_counts", &[0, 1]),
                ints("ngram_indexes", &[0, 1]),
                ints("pool_int64s", &[1, 0, 1]),
            ],
        )
        .of("BitwiseNot", "i", &[])
        .put(|m| with_bytes(m, "shift", &[3]))
        .of("BitShift", "i shift", &[text("direction", "RIGHT")])
        .of("Mod", "wide three", &[])
        .of("Div", "wide three", &[])
        .of("Equal", "i j2", &[]);
    let products = File::new(NEWEST)
        .whole("i", &[2, 3], DataType::Uint8)
        .whole("j", &[1, 1, 3, 3], DataType::Uint8)
        .put(|m| with_bytes(with_bytes(m, "w", &[3, 2]), "c", &[1, 1, 2, 2]))
        .of("MatMulInteger", "i w", &[])
        .of("ConvInteger", "j c", &[]);
    vec![bytes.done("whole numbers"), products.done("products of whole numbers")]
}

/// A constant of unsigned bytes.
pub(crate) fn with_bytes(mut model: Builder, name: &str, shape: &[i64]) -> Builder {
    let count = usize::try_from(shape.iter().product::<i64>()).unwrap();
    model = model.ints_shaped(name, shape, &[]);
    let tensor = model.graph().initializer.last_mut().unwrap();
    tensor.data_type = DataType::Uint8 as i32;
    tensor.int32_data = (0i32..5).cycle().take(count).collect();
    model
}

fn sequences() -> Vec<Named> {
    let cell = |op: &str, gates: i64| {
        File::new(22)
            .input("x", &[2, 1, 2])
            .weights("w", &[1, gates * 2, 2])
            .weights("r", &[1, gates * 2, 2])
            .of(op, "x w r", &[int("hidden_size", 2)])
            .done(op)
    };
    let step = || {
        let step = Builder::new(NEWEST).input("s", &[2]).input("e", &[2]);
        step.node("Mul", &["s", "e"], &["n"], &[]).node("Identity", &["n"], &["o"], &[])
    };
    let turn = Builder::new(NEWEST).input("round", &[]).input("go", &[]).input("s", &[2]);
    let turn = turn.node("Identity", &["go"], &["on"], &[]).node("Abs", &["s"], &["n"], &[]);
    let each = Builder::new(NEWEST).input("e", &[2]).node("Neg", &["e"], &["n"], &[]).output("n");
    let loops = File::new(NEWEST)
        .input("x", &[3, 2])
        .input("start", &[2])
        .put(|m| m.ints_shaped("rounds", &[], &[2]).integers("place", &[0]))
        .put(|m| {
            let attributes =
                [body("body", step().output("n").output("o")), int("num_scan_inputs", 1)];
            m.node("Scan", &["start", "x"], &["end", "all"], &attributes)
                .output("end")
                .output("all")
        })
        .of("Loop", "rounds - start", &[body("body", turn.output("on").output("n"))])
        .put(|m| m.node("SplitToSequence", &["x"], &["list"], &[int("keepdims", 0)]))
        .put(|m| m.node("SequenceConstruct", &["start", "start"], &["pair"], &[]))
        .put(|m| m.node("SequenceEmpty", &[], &["none"], &[]))
        .put(|m| m.node("SequenceInsert", &["none", "start"], &["one"], &[]))
        .put(|m| m.node("SequenceErase", &["pair"], &["rest"], &[]))
        .put(|m| m.node("SequenceMap", &["list"], &["mapped"], &[body("body", each)]))
        .put(|m| m.node("Optional", &["start"], &["maybe"], &[]))
        .of("SequenceAt", "one place", &[])
        .of("ConcatFromSequence", "mapped", &[int("axis", 0)])
        .of("ConcatFromSequence", "rest", &[int("axis", 0)])
        .of("OptionalGetElement", "maybe", &[]);
    vec![cell("RNN", 1), cell("GRU", 3), cell("LSTM", 4), loops.done("loops and sequences")]
}
