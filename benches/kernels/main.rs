//! The engine's kernels against `halo2curves` and arkworks, on the same numbers and in the same run.
//!
//! `cargo bench --bench kernels`, or with part of the name of a table:
//! `cargo bench --bench kernels -- commit`
//!
//! Everything runs on one thread, and the shortest of many runs counts. No kernel is timed whose
//! result was not compared with the other libraries' first.

mod clock;
mod commit;
mod elements;
mod transform;

use std::env;

use anyhow::Result;
use rayon::ThreadPoolBuilder;
use zkinfer_benches::machine;

/// The table of this name.
type Table = (&'static str, fn() -> Result<()>);

const TABLES: [Table; 4] = [
    ("multiply", elements::multiply),
    ("invert", elements::invert),
    ("transform", transform::table),
    ("commit", commit::table),
];

fn main() -> Result<()> {
    // Inside the pool, as in a proof: a kernel that forks from outside waits for a thread to wake.
    let pool = ThreadPoolBuilder::new().num_threads(1).build()?;
    pool.install(|| {
        println!("{}", machine());
        let chosen = env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
        print_tables(chosen)
    })
}

fn print_tables(chosen: Vec<String>) -> Result<()> {
    for (name, print) in TABLES {
        if chosen.is_empty() || chosen.iter().any(|part| name.contains(part.as_str())) {
            print()?;
        }
    }
    Ok(())
}
