//! Did the circuit move? Size, columns, lookups and degree of a circuit per kind of layer.
//! A change here changes verifying keys: note it in the changelog under *Circuit*.

mod support;

#[test]
fn circuits_cost_what_they_cost() {
    let costs: Vec<String> = support::models()
        .iter()
        .map(|(name, model)| {
            let cost = model.plan.cost();
            format!(
                "{name}: k {}, rows {} slots {} linear {} pool {} softmax {} table, advice {}, fixed {}, permutation {}, full {}, lookups {}, \
                 degree {}, proof {}",
                cost.k,
                cost.rows.slots,
                cost.rows.linear,
                cost.rows.pool,
                cost.rows.softmax,
                cost.rows.table,
                cost.advice_columns,
                cost.fixed_columns,
                cost.permutation_columns,
                cost.full_width_columns,
                cost.lookups,
                cost.degree,
                cost.proof_bytes
            )
        })
        .collect();
    let expected = include_str!("costs.txt");
    assert_eq!(
        costs.join("\n"),
        expected.trim_end(),
        "update circuits/tests/costs.txt with:\n{}",
        costs.join("\n")
    );
}
