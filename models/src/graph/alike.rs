//! Operations that do the same, each to tensors of its own.

use std::collections::HashMap;

use super::{Affine, Graph, Mul, Op};

impl Graph {
    /// For each node the first one of the same name that does the same with the same weights: the
    /// node of another step, where a recurrent operator was unrolled, or the node itself.
    #[must_use]
    pub fn alike(&self) -> Vec<usize> {
        let mut firsts: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut first_alike = |position: usize| {
            let node = &self.nodes[position];
            let firsts = firsts.entry(&node.name).or_default();
            let known = firsts.iter().find(|&&first| are_alike(&self.nodes[first].op, &node.op));
            known.copied().unwrap_or_else(|| {
                firsts.push(position);
                position
            })
        };
        (0..self.nodes.len()).map(&mut first_alike).collect()
    }
}

/// Whether two operations do the same, each to tensors of its own.
fn are_alike(a: &Op, b: &Op) -> bool {
    match (a, b) {
        (Op::Affine(a), Op::Affine(b)) => are_alike_layers(a, b),
        (Op::Mul(a), Op::Mul(b)) => are_alike_products(a, b),
        _ => false,
    }
}

fn are_alike_layers(a: &Affine, b: &Affine) -> bool {
    a.activation == b.activation
        && a.output == b.output
        && a.terms.len() == b.terms.len()
        && a.bias == b.bias
        && a.terms.iter().zip(&b.terms).all(|(a, b)| {
            let sizes = [&a.view, &b.view].map(|view| [view.channels, view.height, view.width]);
            sizes[0] == sizes[1] && a.window == b.window && a.kernel == b.kernel
        })
}

fn are_alike_products(a: &Mul, b: &Mul) -> bool {
    a.activation == b.activation
        && a.a_elements.len() == b.a_elements.len()
        && (a.a == a.b) == (b.a == b.b)
}
