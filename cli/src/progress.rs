//! Steps that take time: measured always, shown on a terminal.

use std::{
    cell::RefCell,
    fmt,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use zkinfer::{Step, Watch};

use crate::output::Output;

/// Steps shorter than this are not worth a bar.
const PATIENCE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(100);

/// Does `work`, which is called `name` on a terminal, and returns its result with the seconds it
/// took.
pub(crate) fn timed<T>(output: &Output, name: &'static str, work: impl FnOnce() -> T) -> (T, f64) {
    let bar = output.shows_progress().then(|| bar(name, None));
    let start = Instant::now();
    let result = work();
    let seconds = start.elapsed().as_secs_f64();
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    (result, seconds)
}

/// Does `work` and shows the steps that it tells of.
pub(crate) fn watched<T>(output: &Output, work: impl FnOnce(Watch<'_>) -> T) -> T {
    let shown: RefCell<Option<(&'static str, ProgressBar)>> = RefCell::new(None);
    let result = work(&|step| {
        if !output.shows_progress() {
            return;
        }
        let (name, stage, estimate) = words(step);
        let mut shown = shown.borrow_mut();
        if shown.as_ref().is_none_or(|(before, _)| *before != name) {
            if let Some((_, bar)) = shown.take() {
                bar.finish_and_clear();
            }
            let worth_showing = estimate.is_none_or(|seconds| seconds >= PATIENCE.as_secs_f64());
            *shown = worth_showing.then(|| (name, bar(name, estimate)));
        }
        if let (Some((_, bar)), Some(stage)) = (shown.as_ref(), stage) {
            bar.set_message(format!("{name}: {stage}"));
        }
    });
    if let Some((_, bar)) = shown.into_inner() {
        bar.finish_and_clear();
    }
    result
}

/// A step's name, its stage, and the seconds it should take where that is known.
fn words(step: Step) -> (&'static str, Option<&'static str>, Option<f64>) {
    match step {
        Step::Calibrating { .. } => ("trying settings", None, None),
        Step::Planning => ("planning", None, None),
        Step::LoadingSrs => ("loading the SRS", None, None),
        Step::MakingKeys => ("making the keys", None, None),
        Step::Proving { stage, expected_seconds } => {
            ("proving", Some(stage.name()), Some(expected_seconds))
        }
        _ => ("working", None, None),
    }
}

/// Does `work` on so many things, and shows how many it has told to be done.
pub(crate) fn counted<T>(output: &Output, count: usize, work: impl FnOnce(&dyn Fn()) -> T) -> T {
    const TEMPLATE: &str = "{spinner} proving {bar:24} {pos} of {len}, {eta} left";
    let bar = output.shows_progress().then(|| {
        let bar = ProgressBar::new(u64::try_from(count).unwrap_or(u64::MAX));
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style.progress_chars("█ "));
        }
        bar.enable_steady_tick(TICK);
        bar
    });
    let result = work(&|| bar.iter().for_each(|bar| bar.inc(1)));
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    result
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
