//! Every honest witness satisfies every gate.

mod support;

#[test]
fn honest_witnesses_satisfy_the_circuit() {
    for (name, model) in support::models() {
        let failures = model.failures(&model.circuit());
        assert!(failures.is_empty(), "{name}: {:#?}", &failures[..failures.len().min(3)]);
    }
}
