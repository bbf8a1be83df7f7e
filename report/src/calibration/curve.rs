//! The trade-off between time and error, drawn.

use std::fmt::Display;

use zkinfer::{calibrate::Trial, models::Clipping};

use super::clipping;
use crate::markup::{Markup, classed, join, tag, tag_with};

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 46.0;
/// Lines across the drawing, for each direction.
const TICKS: u32 = 3;

/// A direction of the drawing: numbers lie on it by their logarithms.
struct Axis {
    low: f64,
    high: f64,
    start: f64,
    end: f64,
}

impl Axis {
    /// From the smallest to the largest of `values`, which lie above 0, with some room.
    fn over(values: impl Iterator<Item = f64> + Clone, (start, end): (f64, f64)) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min).ln() - 0.1;
        let high = values.fold(0.0, f64::max).ln() + 0.1;
        Self { low, high, start, end }
    }

    fn place(&self, value: f64) -> f64 {
        let share = (value.ln() - self.low) / (self.high - self.low);
        self.start + share * (self.end - self.start)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let step = (self.high - self.low) / f64::from(TICKS);
        (0..=TICKS).map(move |tick| (self.low + step * f64::from(tick)).exp())
    }
}

/// Every trial with a price and an error as a point; nothing where there are fewer than two.
pub(super) fn drawn(tried: &[Trial], chosen: &Trial) -> Option<Markup> {
    let is_drawn = |trial: &&Trial| {
        let numbers = [trial.price.prove_seconds, trial.agreement.max_error];
        numbers.iter().all(|number| number.is_finite() && *number > 0.0)
    };
    let points: Vec<&Trial> = tried.iter().filter(is_drawn).collect();
    if points.len() < 2 {
        return None;
    }
    let seconds = points.iter().map(|trial| trial.price.prove_seconds);
    let errors = points.iter().map(|trial| 100.0 * trial.agreement.max_error);
    let x = Axis::over(seconds, (LEFT, WIDTH - RIGHT));
    let y = Axis::over(errors, (HEIGHT - BOTTOM, TOP));
    let point = |trial: &&Trial| mark(trial, *trial == chosen, &x, &y);
    let marks: Markup = points.iter().map(point).collect();
    let attributes: &[(&str, &dyn Display)] = &[
        ("class", &"curve"),
        ("viewBox", &format_args!("0 0 {WIDTH} {HEIGHT}")),
        ("role", &"img"),
        ("aria-label", &"Error against time of every trial; the table below has the numbers"),
    ];
    let svg = tag_with("svg", attributes, join![grid(&x, &y), marks]);
    Some(join![svg, legend()])
}

fn mark(trial: &Trial, is_chosen: bool, x: &Axis, y: &Axis) -> Markup {
    let Trial { choice, agreement, price } = trial;
    let title = format!(
        "{} bits, {}: {:.3} s, error {:.3} %",
        choice.bits,
        clipping(choice.clipping),
        price.prove_seconds,
        100.0 * agreement.max_error
    );
    let (x, y) = (x.place(price.prove_seconds), y.place(100.0 * agreement.max_error));
    let (x, y) = (format!("{x:.1}"), format!("{y:.1}"));
    let circle = |class: &'static str, radius: u32| {
        let attributes: &[(&str, &dyn Display)] =
            &[("class", &class), ("cx", &x), ("cy", &y), ("r", &radius)];
        tag_with("circle", attributes, tag("title", &title))
    };
    join![circle(class(choice.clipping), 4), is_chosen.then(|| circle("chosen", 9))]
}

fn class(clipping: Clipping) -> &'static str {
    match clipping {
        Clipping::MinMax => "a",
        Clipping::Percentile { .. } => "b",
        Clipping::Entropy => "c",
    }
}

/// Lines with their numbers, and the names of both directions.
fn grid(x: &Axis, y: &Axis) -> Markup {
    let text = |x: f64, y: f64, anchor: &'static str, text: String| {
        let (x, y) = (format!("{x:.1}"), format!("{y:.1}"));
        tag_with("text", &[("x", &x), ("y", &y), ("text-anchor", &anchor)], text)
    };
    let across = y.ticks().map(|error| {
        let at = y.place(error);
        let path = format!("M{LEFT} {at:.1}H{:.1}", WIDTH - RIGHT);
        let label = text(LEFT - 6.0, at + 4.0, "end", format!("{} %", short(error)));
        join![tag_with("path", &[("d", &path)], ""), label]
    });
    let down = (0..).zip(x.ticks()).map(|(tick, seconds)| {
        let at = x.place(seconds);
        let path = format!("M{at:.1} {TOP}V{:.1}", HEIGHT - BOTTOM);
        // The outer numbers stay within the drawing.
        let anchor = match tick {
            0 => "start",
            TICKS => "end",
            _ => "middle",
        };
        let label = text(at, HEIGHT - BOTTOM + 16.0, anchor, format!("{} s", short(seconds)));
        join![tag_with("path", &[("d", &path)], ""), label]
    });
    let lines: Markup = across.chain(down).collect();
    let name = "largest error, upwards; estimated seconds of a proof, across";
    join![lines, text(WIDTH - RIGHT, HEIGHT - 8.0, "end", name.to_owned())]
}

/// A number with three digits that count.
fn short(number: f64) -> String {
    match number {
        _ if number >= 100.0 => format!("{number:.0}"),
        _ if number >= 10.0 => format!("{number:.1}"),
        _ if number >= 1.0 => format!("{number:.2}"),
        _ if number >= 0.1 => format!("{number:.3}"),
        _ if number >= 0.01 => format!("{number:.4}"),
        _ => format!("{number:.1e}"),
    }
}

fn legend() -> Markup {
    let entry = |class: &'static str, text: &str| {
        let dot: &[(&str, &dyn Display)] = &[("class", &class), ("cx", &6), ("cy", &6), ("r", &5)];
        let attributes: &[(&str, &dyn Display)] =
            &[("class", &"key"), ("viewBox", &"0 0 12 12"), ("aria-hidden", &"true")];
        join![tag_with("svg", attributes, tag_with("circle", dot, "")), " ", text, " "]
    };
    let entries = join![
        entry("a", "ranges from smallest to largest"),
        entry("b", "percentiles"),
        entry("c", "by entropy"),
        entry("chosen", "chosen"),
    ];
    classed("p", "soft", entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_factors_are_equal_steps_and_all_lie_within() {
        let axis = Axis::over([1.0, 10.0, 100.0].into_iter(), (0.0, 300.0));
        let places = [1.0, 10.0, 100.0].map(|value| axis.place(value));
        assert!((places[1] - places[0] - (places[2] - places[1])).abs() < 1e-9, "{places:?}");
        assert!(places[0] > 0.0 && places[2] < 300.0, "{places:?}");
        // A single value has a place too.
        let axis = Axis::over([5.0, 5.0].into_iter(), (0.0, 300.0));
        assert!((axis.place(5.0) - 150.0).abs() < 1e-9);
    }

    #[test]
    fn numbers_keep_three_digits() {
        let shown = [0.000_123, 0.0123, 0.123, 1.234, 12.34, 1234.5].map(short);
        assert_eq!(shown, ["1.2e-4", "0.0123", "0.123", "1.23", "12.3", "1234"]);
    }
}
