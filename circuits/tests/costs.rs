//! Did the circuit move? Size, columns, lookups and degree of a circuit per kind of layer.
//! A change here changes verifying keys: note it in the changelog under *Circuit*.

mod support;

#[test]
fn circuits_cost_what_they_cost() {
    let costs: Vec<String> = support::models()
        .iter()
        // Below, by what it must cost.
        .filter(|(name, _)| !["forest", "embedding", "embeddings"].contains(&name.as_str()))
        .map(|(name, model)| {
            let cost = model.plan.cost();
            let of_units = match (cost.rows.product, cost.rows.normalize) {
                (0, 0) => String::new(),
                (product, normalize) => format!(" {product} product {normalize} normalize"),
            };
            format!(
                "{name}: k {}, rows {} slots {} linear{of_units} {} pool {} softmax {} table, advice {}, fixed {}, permutation {}, full {}, lookups {}, \
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

/// Trees of 1, 1, 2, 3 and 4 branches on the longest way, of 1, 2, 1, 1 and 2 values: a row for each.
#[test]
fn a_forest_costs_a_row_for_each_visited_branch_and_value() {
    let cost = support::forest().plan.cost();
    assert_eq!(cost.rows.forest, 11 + 7);
    assert_eq!(cost.degree, 5);
}

/// Three indices choose rows of three elements each, and one row ends the chain.
#[test]
fn an_embedding_costs_a_row_for_each_element() {
    let cost = support::embedding().plan.cost();
    assert_eq!(cost.rows.embedding, 3 * 3 + 1);
    assert_eq!(cost.degree, 5);
}

/// Sizes that were kept give the same plan without a search; sizes from anywhere give a plan that
/// holds the model, or none.
#[test]
fn known_sizes_give_the_plan_again() {
    use zkinfer_circuits::{CircuitPlan, PlanOptions, PlanSizes};
    let strange = [0, 1, 2, 7, 23, 64, 1 << 20, u64::MAX];
    for (name, model) in support::models() {
        let graph = model.plan.claim_graph();
        let options = PlanOptions {
            input_visibility: model.plan.input_visibility(),
            output_visibility: model.plan.output_visibility(),
            claims: model.plan.claims().try_into().unwrap(),
            boundaries: model.plan.boundaries(),
            ..PlanOptions::default()
        };
        let numbers = model.plan.sizes().to_numbers();
        let again = |numbers| -> Option<CircuitPlan> {
            CircuitPlan::with_sizes(graph, options, PlanSizes::from_numbers(numbers)?).unwrap()
        };
        let plan = again(numbers).unwrap();
        assert_eq!(plan.shape(), model.plan.shape(), "{name}");
        assert_eq!(plan.cost().rows, model.plan.cost().rows, "{name}");
        for index in 0..numbers.len() {
            for value in strange {
                let mut numbers = numbers;
                numbers[index] = value;
                if let Some(plan) = again(numbers) {
                    let rows = plan.cost().rows;
                    assert!(rows.linear < 1 << plan.k() && rows.slots < 1 << plan.k(), "{name}");
                }
            }
        }
    }
}
