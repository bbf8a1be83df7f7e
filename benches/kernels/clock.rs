//! The shortest of many runs, and tables of them.

use std::time::Instant;

use zkinfer_benches::instruction_sets;

/// Runs go on until this much time is spent, in seconds.
const BUDGET: f64 = 0.5;
/// Fewer runs are never enough.
const MIN_RUNS: usize = 5;

/// Seconds of the shortest run.
pub(crate) fn shortest(mut run: impl FnMut()) -> f64 {
    let (mut shortest, mut spent, mut runs) = (f64::INFINITY, 0.0, 0);
    while spent < BUDGET || runs < MIN_RUNS {
        let start = Instant::now();
        run();
        let seconds = start.elapsed().as_secs_f64();
        shortest = shortest.min(seconds);
        spent += seconds;
        runs += 1;
    }
    shortest
}

/// Prints the head of a table: the columns, the engine's instruction sets, then the others.
pub(crate) fn print_head(title: &str, columns: &[&str], engine: &[&str], others: &[&str]) {
    let sets = instruction_sets();
    let ours = sets.iter().flat_map(|set| {
        engine.iter().map(|kernel| format!("{} {kernel}", set.name()).trim_end().to_owned())
    });
    let own = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let mut names = own(columns);
    names.extend(ours);
    names.extend(own(others));
    names.push("times faster".to_owned());
    println!("\n{title}\n\n| {} |\n|{}", names.join(" | "), "---|".repeat(names.len()));
}

/// Prints a row: nanoseconds of the engine and of others, and how many times the best of the others
/// takes as long as the engine's first.
pub(crate) fn print_row(columns: &[String], engine: &[f64], others: &[f64]) {
    let best = others.iter().copied().fold(f64::INFINITY, f64::min);
    let times = engine.iter().chain(others).map(|nanoseconds| format!("{nanoseconds:.1}"));
    let ratio = engine.first().map(|engine| format!("{:.1}", best / engine));
    let cells: Vec<String> = columns.iter().cloned().chain(times).chain(ratio).collect();
    println!("| {} |", cells.join(" | "));
}
