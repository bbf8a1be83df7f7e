//! Random small networks of ordinary layers, at 2 to 16 bits: what is imported has a circuit, its
//! integers are as close to the float model as is derived layer by layer, and its proof is accepted.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss, reason = "a test fails by panicking")]

#[path = "../../models/tests/support/bound.rs"]
mod bound;
#[path = "../../models/tests/support/onnx.rs"]
#[allow(dead_code, reason = "each test file uses a part")]
mod onnx;

use ndarray::{ArrayD, IxDyn};
use onnx::{Builder, int, ints, noise};
use proptest::prelude::*;
use zkinfer_circuits::{CircuitPlan, PlanOptions};
use zkinfer_models::{
    Calibration, Comparison, Forms, Graph, QuantizeOptions, Tolerance, graph::Op, quantize,
};

const SAMPLES: usize = 6;

/// One step of a network; each keeps the rank of what it is given.
#[derive(Clone, Copy, Debug)]
enum Step {
    Dense(i64),
    Unary(&'static str),
    /// `x + f(x)` for a dense or convolution layer of equal width.
    Residual,
    /// `x · σ(x)`.
    Gate,
    Concat,
    Softmax,
    Conv {
        channels: i64,
        stride: i64,
    },
    MaxPool,
    AveragePool,
}

const UNARY: [&str; 9] =
    ["Relu", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "Softplus", "HardSwish", "Erf", "Abs"];

/// A network under construction: `[1, channels]` or `[1, channels, size, size]`.
struct Network {
    model: Builder,
    top: String,
    channels: i64,
    size: Option<i64>,
    count: usize,
    seed: u64,
}

impl Network {
    fn new(seed: u64, channels: i64, size: Option<i64>) -> Self {
        let shape = size.map_or_else(|| vec![1, channels], |size| vec![1, channels, size, size]);
        let model = Builder::new(17).input("x", &shape);
        Self { model, top: "x".to_owned(), channels, size, count: 0, seed }
    }

    fn name(&mut self) -> String {
        self.count += 1;
        format!("t{}", self.count)
    }

    fn weights(&mut self, shape: &[i64]) -> String {
        let name = self.name();
        let count = usize::try_from(shape.iter().product::<i64>()).unwrap();
        let data = noise(&format!("{}{name}", self.seed), count);
        let per_output: i64 = shape[1..].iter().product();
        let data: Vec<f32> = data.iter().map(|w| w / (per_output as f32).sqrt()).collect();
        self.put(|model| model.reals(&name, shape, &data));
        name
    }

    fn put(&mut self, change: impl FnOnce(Builder) -> Builder) {
        self.model = change(std::mem::replace(&mut self.model, Builder::new(17)));
    }

    fn node(
        &mut self,
        op: &str,
        inputs: &[&str],
        attributes: &[onnx::proto::AttributeProto],
    ) -> String {
        let name = self.name();
        self.put(|model| model.node(op, inputs, &[&name], attributes));
        name
    }

    /// A linear layer on the top.
    fn linear(&mut self, channels: i64, stride: i64) -> String {
        let top = self.top.clone();
        if self.size.is_none() {
            let weights = self.weights(&[channels, self.channels]);
            let bias = self.weights(&[channels, 1]);
            let shape = self.name();
            self.put(|model| model.integers(&shape, &[channels]));
            let bias = self.node("Reshape", &[&bias, &shape], &[]);
            return self.node("Gemm", &[&top, &weights, &bias], &[int("transB", 1)]);
        }
        let weights = self.weights(&[channels, self.channels, 3, 3]);
        let attributes = [ints("pads", &[1, 1, 1, 1]), ints("strides", &[stride, stride])];
        self.node("Conv", &[&top, &weights], &attributes)
    }

    fn step(&mut self, step: Step) {
        let top = self.top.clone();
        self.top = match step {
            Step::Dense(channels) => {
                let out = self.linear(channels, 1);
                self.channels = channels;
                out
            }
            Step::Unary(op) => self.node(op, &[&top], &[]),
            Step::Residual => {
                let other = self.linear(self.channels, 1);
                self.node("Add", &[&top, &other], &[])
            }
            Step::Gate => {
                let gate = self.node("Sigmoid", &[&top], &[]);
                self.node("Mul", &[&top, &gate], &[])
            }
            Step::Concat => {
                let other = self.linear(self.channels, 1);
                let other = self.node("Relu", &[&other], &[]);
                self.channels *= 2;
                self.node("Concat", &[&top, &other], &[int("axis", 1)])
            }
            Step::Softmax => {
                let scores = self.linear(self.channels, 1);
                self.node("Softmax", &[&scores], &[int("axis", 1)])
            }
            Step::Conv { channels, stride } => match self.size {
                Some(size) => {
                    let out = self.linear(channels, stride);
                    (self.channels, self.size) = (channels, Some((size - 1) / stride + 1));
                    out
                }
                None => top,
            },
            Step::MaxPool | Step::AveragePool => match self.size {
                Some(size) if size >= 2 => {
                    let op = if matches!(step, Step::MaxPool) { "MaxPool" } else { "AveragePool" };
                    self.size = Some(size / 2);
                    let attributes = [ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
                    self.node(op, &[&top], &attributes)
                }
                _ => top,
            },
        };
    }

    /// The file, which ends in a dense layer.
    fn finish(mut self) -> Vec<u8> {
        let top = self.top.clone();
        if let Some(size) = self.size {
            self.top = self.node("Flatten", &[&top], &[]);
            (self.channels, self.size) = (self.channels * size * size, None);
        }
        let out = self.linear(3, 1);
        self.put(|model| model.output(&out));
        self.model.bytes()
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1i64..5).prop_map(Step::Dense),
        proptest::sample::select(&UNARY[..]).prop_map(Step::Unary),
        proptest::sample::select(&UNARY[..]).prop_map(Step::Unary),
        Just(Step::Residual),
        Just(Step::Gate),
        Just(Step::Concat),
        Just(Step::Softmax),
        (1i64..4, 1i64..3).prop_map(|(channels, stride)| Step::Conv { channels, stride }),
        Just(Step::MaxPool),
        Just(Step::AveragePool),
    ]
}

/// A network, its seed for inputs, and the bits.
fn network() -> impl Strategy<Value = (Vec<u8>, Vec<usize>, u64, u32)> {
    let size = prop_oneof![Just(None), (3i64..6).prop_map(Some)];
    let steps = proptest::collection::vec(step(), 1..7);
    (any::<u64>(), 1i64..4, size, steps, 2u32..=16).prop_map(
        |(seed, channels, size, steps, bits)| {
            let mut network = Network::new(seed, channels, size);
            let shape = [Some(1), Some(channels), size, size].into_iter().flatten();
            let shape = shape.map(|size| usize::try_from(size).unwrap()).collect();
            steps.into_iter().for_each(|step| network.step(step));
            (network.finish(), shape, seed, bits)
        },
    )
}

fn samples(shape: &[usize], seed: u64) -> Vec<Vec<ArrayD<f32>>> {
    let len = shape.iter().product();
    let sample = |index| {
        let values = noise(&format!("{seed}/{index}"), len);
        vec![ArrayD::from_shape_vec(IxDyn(shape), values).unwrap()]
    };
    (0..SAMPLES).map(sample).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn every_network_has_a_circuit_and_its_integers_are_within_their_bound(
        (bytes, shape, seed, bits) in network()
    ) {
        let graph = Graph::from_onnx_bytes(&bytes).unwrap();
        let samples = samples(&shape, seed);
        let calibration = Calibration::from_samples(&graph, &samples).unwrap();
        let options = QuantizeOptions { activation_bits: bits, ..QuantizeOptions::default() };
        let quantized = quantize(&graph, &calibration, &options).unwrap();
        let plan = CircuitPlan::new(&quantized, PlanOptions::default());
        prop_assert!(plan.is_ok(), "{plan:?}");
        let forms = Forms { graph: &graph, calibration: &calibration, quantized: &quantized };
        for sample in &samples {
            let compared = Comparison::run(forms, sample, &Tolerance::default()).unwrap();
            // The bound is derived for values that fit.
            if compared.layers.iter().any(|layer| layer.saturated > 0) {
                continue;
            }
            let trace = graph.trace_float(sample).unwrap();
            let bounds = bound::errors(&graph, &quantized, &trace);
            for (layer, node) in compared.layers.iter().zip(graph.nodes().iter().filter(|node| {
                !matches!(node.op, Op::Alias(_))
            })) {
                let bound = bounds[node.output.0] * (1.0 + 1e-9) + 1e-9;
                prop_assert!(
                    layer.max_error <= bound,
                    "{} at {bits} bits: {} of {bound}", layer.layer, layer.max_error
                );
            }
        }
    }
}
