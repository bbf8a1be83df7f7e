//! Results that have one format: those of a recurrent cell in each of its steps.
//!
//! A recurrent operator is unrolled, so a layer with the same weights occurs once a step. Only where
//! the formats of what it reads and of what it gives are the same in all steps are its integers, too:
//! then circuits and keys hold its weights once.

use std::cell::RefCell;

use crate::tensor::TensorId;

/// Classes of tensors that have one format each.
#[derive(Debug, Default)]
pub(crate) struct Ties {
    /// For each tensor its class, if it is in one.
    class: Vec<Option<usize>>,
    /// For each class its tensors, two or more.
    members: Vec<Vec<TensorId>>,
    /// For each class what a unit stands for before the activation, once the first layer has it.
    scales: RefCell<Vec<Option<f64>>>,
}

impl Ties {
    /// Of so many tensors these classes.
    pub(crate) fn new(tensors: usize, members: Vec<Vec<TensorId>>) -> Self {
        let mut class = vec![None; tensors];
        for (of, members) in members.iter().enumerate() {
            for id in members {
                class[id.0] = Some(of);
            }
        }
        let scales = RefCell::new(vec![None; members.len()]);
        Self { class, members, scales }
    }

    /// The tensors that have the format of this one, itself included.
    pub(crate) fn members<'a>(&'a self, id: &'a TensorId) -> &'a [TensorId] {
        match self.class.get(id.0).copied().flatten() {
            Some(class) => &self.members[class],
            None => std::slice::from_ref(id),
        }
    }

    /// Whether other tensors have the format of this one.
    pub(crate) fn is_tied(&self, id: TensorId) -> bool {
        self.members(&id).len() > 1
    }

    /// What a unit of the layers of a class stands for before the activation.
    pub(crate) fn scale(&self, id: TensorId) -> Option<f64> {
        let class = self.class.get(id.0).copied().flatten()?;
        self.scales.borrow()[class]
    }

    /// Gives the class of a tensor its scale, unless it has one.
    pub(crate) fn keep(&self, id: TensorId, scale: f64) {
        if let Some(class) = self.class.get(id.0).copied().flatten() {
            self.scales.borrow_mut()[class].get_or_insert(scale);
        }
    }
}
