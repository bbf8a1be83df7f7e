//! Steps that take time: measured always, shown on a terminal.

use std::{
    fmt,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::output::Output;

/// Steps shorter than this are not worth a bar.
const PATIENCE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(100);

/// Does `work`, which is called `name` on a terminal, and returns its result with the seconds it
/// took. `estimate` is how many seconds it should take, where that is known.
pub(crate) fn timed<T>(
    output: &Output,
    name: &'static str,
    estimate: Option<f64>,
    work: impl FnOnce() -> T,
) -> (T, f64) {
    staged(output, name, estimate, |_| work())
}

/// [`timed`] work that says what it is doing.
pub(crate) fn staged<T>(
    output: &Output,
    name: &'static str,
    estimate: Option<f64>,
    work: impl FnOnce(&dyn Fn(&'static str)) -> T,
) -> (T, f64) {
    let worth_showing = estimate.is_none_or(|seconds| seconds >= PATIENCE.as_secs_f64());
    let bar = (output.shows_progress() && worth_showing).then(|| bar(name, estimate));
    let start = Instant::now();
    let result = work(&|stage| {
        if let Some(bar) = &bar {
            bar.set_message(format!("{name}: {stage}"));
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    (result, seconds)
}

/// Bars tell the share of the estimated time; without an estimate, only the time.
fn bar(name: &'static str, estimate: Option<f64>) -> ProgressBar {
    const WIDTH: f64 = 24.0;
    let bar = ProgressBar::new_spinner().with_message(name);
    let share = move |state: &ProgressState, line: &mut dyn fmt::Write| {
        let share = estimate.map(|seconds| (state.elapsed().as_secs_f64() / seconds).min(1.0));
        let filled = (0u8..24)
            .take_while(|&cell| share.is_some_and(|share| f64::from(cell) < share * WIDTH));
        let filled = "█".repeat(filled.count());
        // Nothing can be done about a terminal that refuses to be written to.
        let _ = if share.is_some() { write!(line, "▕{filled:<24}▏") } else { Ok(()) };
    };
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {share} {elapsed}") {
        bar.set_style(style.with_key("share", share));
    }
    bar.enable_steady_tick(TICK);
    bar
}
