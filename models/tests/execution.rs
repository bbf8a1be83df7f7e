//! Native execution against the definition, written out naively in wide integers.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a test may panic, and its numbers are small"
)]

mod support;

use proptest::prelude::*;
use support::zoo::{self, MODELS};
use zkinfer_models::quantized::{
    Affine, ConvTerm, ImageView, QuantizedGraph, QuantizedNode, QuantizedOp, QuantizedTensor,
    Requant, Rounding, Softmax, TensorId,
};
use zkinfer_models::{
    Calibration, QuantizeOptions, RunError, execute, model_digest, quantize, quantize_inputs,
};

/// The accumulators of a layer, term by term as `quantized.rs` defines them.
fn naive(layer: &Affine, values: &[Vec<i64>], len: usize) -> Vec<i64> {
    let view = &layer.output;
    let mut output = vec![0; len];
    for o in 0..view.channels {
        for p in 0..view.height {
            for q in 0..view.width {
                let mut sum = i128::from(layer.bias[o]);
                for term in &layer.terms {
                    sum += naive_term(term, view.channels, &values[term.input.0], [o, p, q]);
                }
                output[view.index(o, p, q)] = i64::try_from(sum).unwrap();
            }
        }
    }
    output
}

fn naive_term(term: &ConvTerm, outputs: usize, input: &[i64], [o, p, q]: [usize; 3]) -> i128 {
    let inputs = term.view.channels / term.groups;
    let first = o / (outputs / term.groups) * inputs;
    let [height, width] = term.kernel_size;
    let place = |axis: usize, position: usize, tap: usize, size: usize| {
        let padded = position * term.stride[axis] + tap * term.dilation[axis];
        padded.checked_sub(term.padding[axis]).filter(|&place| place < size)
    };
    let mut sum = 0;
    for c in 0..inputs {
        for u in 0..height {
            for v in 0..width {
                let (i, j) = (place(0, p, u, term.view.height), place(1, q, v, term.view.width));
                if let (Some(i), Some(j)) = (i, j) {
                    let weight = term.kernel[((o * inputs + c) * height + u) * width + v];
                    let x = input[term.view.index(first + c, i, j)];
                    sum += i128::from(weight) * i128::from(x);
                }
            }
        }
    }
    sum
}

/// A graph with one layer, and an input for it.
fn layer_strategy() -> impl Strategy<Value = (QuantizedGraph, Vec<i64>)> {
    let sizes = (1usize..4, 1usize..4, 1usize..3, 1usize..7, 1usize..7);
    let window = (
        [1usize..4, 1usize..4],
        [1usize..3, 1usize..3],
        [1usize..3, 1usize..3],
        [0usize..3, 0usize..3],
    );
    let bits = prop_oneof![Just(8u32), Just(16), Just(31)];
    (sizes, window, bits, any::<u64>()).prop_filter_map(
        "the kernel must fit",
        |(sizes, window, bits, seed)| {
            let (groups, inputs, outputs, height, width) = sizes;
            let (kernel_size, stride, dilation, padding) = window;
            let out = |axis: usize, size: usize| {
                let extent = dilation[axis] * (kernel_size[axis] - 1) + 1;
                Some((size + 2 * padding[axis]).checked_sub(extent)? / stride[axis] + 1)
            };
            let (rows, columns) = (out(0, height)?, out(1, width)?);
            let mut state = seed;
            let mut next = |bits: u32| -> i64 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                i64::try_from(state >> (64 - bits)).unwrap() - (1 << (bits - 1))
            };
            let view = planes(groups * inputs, height, width);
            let output = planes(groups * outputs, rows, columns);
            let weights = groups * outputs * inputs * kernel_size[0] * kernel_size[1];
            let kernel = (0..weights).map(|_| i32::try_from(next(bits)).unwrap()).collect();
            let bias = (0..output.channels).map(|_| next(bits)).collect();
            let input: Vec<i64> =
                (0..view.channels * height * width).map(|_| next(bits - 1)).collect();
            let reach = 1i64 << (bits - 2);
            let term = ConvTerm {
                input: TensorId(0),
                view,
                kernel,
                kernel_size,
                groups,
                stride,
                dilation,
                padding,
            };
            let requant = Requant {
                scale: 1.0,
                zero: 0,
                shift: 16,
                lo: -128,
                hi: 127,
                acc_lo: i64::MIN,
                acc_hi: i64::MAX,
                table: None,
            };
            let read = tensor(input.len(), -reach, reach - 1);
            let given = tensor(output.channels * rows * columns, -128, 127);
            let op = Affine { terms: vec![term], bias, shifts: Vec::new(), output, requant };
            Some((one_node(read, given, QuantizedOp::Affine(op)), input))
        },
    )
}

fn planes(channels: usize, height: usize, width: usize) -> ImageView {
    ImageView { channels, height, width, strides: [height * width, width, 1], offset: 0 }
}

fn tensor(len: usize, lo: i64, hi: i64) -> QuantizedTensor {
    QuantizedTensor {
        name: format!("t{len}"),
        shape: vec![len],
        scale: 1.0,
        column_scales: Vec::new(),
        rounding: Rounding::HalfUp,
        lo,
        hi,
    }
}

fn one_node(input: QuantizedTensor, output: QuantizedTensor, op: QuantizedOp) -> QuantizedGraph {
    QuantizedGraph {
        tensors: vec![input, output],
        inputs: vec![TensorId(0)],
        outputs: vec![TensorId(1)],
        nodes: vec![QuantizedNode { name: "node".to_owned(), op, output: TensorId(1) }],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Both ways to multiply, chosen by the bits of the sums, give the naive sums.
    #[test]
    fn a_layer_is_its_definition((graph, input) in layer_strategy()) {
        let execution = execute(&graph, std::slice::from_ref(&input)).unwrap();
        let QuantizedOp::Affine(layer) = &graph.nodes[0].op else { unreachable!() };
        let expected = naive(layer, &[input], graph.tensors[1].len());
        prop_assert_eq!(execution.accumulators[0].as_ref(), Some(&expected));
        let clamped: Vec<i64> =
            expected.iter().map(|&acc| layer.requant.round(acc).clamp(-128, 127)).collect();
        prop_assert_eq!(&execution.values[1], &clamped);
    }

    /// `round` is the nearest integer, the larger of two that are equally near.
    #[test]
    fn requantization_rounds_half_up(acc in -(1i64 << 62)..(1 << 62), shift in 0u32..=24) {
        let requant =
            Requant { scale: 1.0, zero: 0, shift, lo: 0, hi: 0, acc_lo: acc, acc_hi: acc, table: None };
        let twice_rest = 2 * (i128::from(acc) - (i128::from(requant.round(acc)) << shift));
        prop_assert!(-(1i128 << shift) <= twice_rest && twice_rest < 1i128 << shift);
    }

    /// Saturation and table: the entry of the clamped value.
    #[test]
    fn a_table_is_read_at_the_clamped_value(acc in -(1i64 << 20)..(1 << 20)) {
        let table: Vec<i32> = (0..16).map(|entry| entry * entry).collect();
        let requant =
            Requant { scale: 1.0, zero: 0, shift: 8, lo: -8, hi: 7, acc_lo: acc, acc_hi: acc, table: Some(table) };
        let z = (acc + 128).div_euclid(256).clamp(-8, 7);
        prop_assert_eq!(requant.apply(acc), (z + 8) * (z + 8));
    }
}

#[test]
fn halves_round_up_on_both_sides_of_zero() {
    let requant =
        Requant { scale: 1.0, zero: 0, shift: 4, lo: -8, hi: 7, acc_lo: 0, acc_hi: 0, table: None };
    let rounded = [-25, -24, -23, -9, -8, -7, 7, 8, 9, 23, 24, 25].map(|acc| requant.round(acc));
    assert_eq!(rounded, [-2, -1, -1, -1, 0, 0, 0, 1, 1, 1, 2, 2]);
    let saturated = [-137, -136, 119, 120, 1 << 40].map(|acc| requant.apply(acc));
    assert_eq!(saturated, [-8, -8, 7, 7, 7]);
}

#[test]
fn softmax_is_its_definition() {
    let exp_table: Vec<i32> = (0..16).map(|d| 4096 >> d.min(12)).collect();
    let op = QuantizedOp::Softmax(Softmax {
        input: TensorId(0),
        groups: vec![vec![0, 2], vec![1, 3]].try_into().unwrap(),
        exp_table,
        bits: 8,
    });
    let graph = one_node(tensor(4, -8, 7), tensor(4, 0, 256), op);
    let execution = execute(&graph, &[vec![3, 5, 2, 5]]).unwrap();
    // 2/3 and 1/3 of 256 are 170.67 and 85.33; two equal ones have 128 each.
    assert_eq!(execution.values[1], [171, 128, 85, 128]);
}

#[test]
fn the_zoo_models_execute_as_the_naive_reference() {
    for model in MODELS {
        let graph = zoo::graph(model.0);
        let samples = zoo::samples(model).0;
        let calibration = Calibration::from_samples(&graph, &samples).unwrap();
        for activation_bits in [4, 8, 16] {
            let options = QuantizeOptions { activation_bits, ..QuantizeOptions::default() };
            let quantized = quantize(&graph, &calibration, &options).unwrap();
            let inputs = quantize_inputs(&quantized, &samples[1]).unwrap();
            let execution = execute(&quantized, &inputs).unwrap();
            support::rules::check(&quantized, &options, &execution);
            for (node, accumulators) in quantized.nodes.iter().zip(&execution.accumulators) {
                if let (QuantizedOp::Affine(layer), Some(sums)) = (&node.op, accumulators) {
                    assert_eq!(*sums, naive(layer, &execution.values, sums.len()));
                }
            }
        }
    }
}

#[test]
fn inputs_out_of_range_are_refused() {
    let op = QuantizedOp::Softmax(Softmax {
        input: TensorId(0),
        groups: vec![vec![0, 1]].try_into().unwrap(),
        exp_table: vec![4096, 1],
        bits: 8,
    });
    let graph = one_node(tensor(2, 0, 1), tensor(2, 0, 256), op);
    let refused = |inputs: &[Vec<i64>]| execute(&graph, inputs).unwrap_err();
    assert_eq!(refused(&[]), RunError::InputCount { expected: 1, got: 0 });
    let input = || "t2".to_owned();
    assert_eq!(refused(&[vec![0]]), RunError::InputLength { input: input(), expected: 2, got: 1 });
    let out_of_range = RunError::OutOfRange { input: input(), index: 1, got: 2, lo: 0, hi: 1 };
    assert_eq!(refused(&[vec![0, 2]]), out_of_range);
}

#[test]
fn the_digest_is_keccak_256() {
    let empty = model_digest(b"");
    assert_eq!(empty[..4], [0xc5, 0xd2, 0x46, 0x01]);
}
