//! What recurrent models of the tests are made of.

use zkinfer_models::quantized::*;

use super::{Form, GraphBuilder, chw, pixel};

impl GraphBuilder {
    /// A layer of all elements of several tensors.
    pub(crate) fn dense_of(&mut self, inputs: &[TensorId], out: usize, form: Form) -> TensorId {
        let term = |builder: &mut Self, input: TensorId| {
            let len = builder.graph.tensors[input.0].len();
            let kernel = (0..len * out).map(|_| builder.below(401) as i32 - 200).collect();
            pixel(input, chw([len, 1, 1]), kernel)
        };
        let terms = inputs.iter().map(|&input| term(self, input)).collect();
        self.affine(terms, [out, 1, 1], form)
    }

    /// A sum of tensors, each as one channel.
    pub(crate) fn sum(&mut self, inputs: [TensorId; 2]) -> TensorId {
        let len = self.graph.tensors[inputs[0].0].len();
        let term = |input| pixel(input, chw([1, 1, len]), vec![100]);
        self.affine(inputs.map(term).into(), [1, 1, len], Form::Signed)
    }

    /// What a node does, under its name, with other tensors.
    pub(crate) fn again(&mut self, of: TensorId, inputs: &[TensorId]) -> TensorId {
        let node = self.graph.nodes.iter().find(|node| node.output == of).unwrap().clone();
        let mut op = node.op;
        match &mut op {
            QuantizedOp::Affine(affine) => {
                affine.terms.iter_mut().zip(inputs).for_each(|(term, &input)| term.input = input);
            }
            QuantizedOp::Mul(mul) => (mul.a, mul.b) = (inputs[0], inputs[1]),
            op => panic!("{op:?} does not occur again"),
        }
        let QuantizedTensor { shape, lo, hi, .. } = self.graph.tensors[of.0].clone();
        let output = self.push(op, shape, lo, hi);
        self.graph.nodes.last_mut().unwrap().name = node.name;
        output
    }
}
