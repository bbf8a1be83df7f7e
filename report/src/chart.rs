//! A bar chart on a logarithmic scale, as an SVG file of its own: for pages that hold no HTML.

use std::fmt::Display;

use crate::markup::{Markup, join, tag, tag_with};

const WIDTH: f64 = 720.0;
const LEFT: f64 = 170.0;
const RIGHT: f64 = 90.0;
const TOP: f64 = 44.0;
const STEP: f64 = 30.0;
const BAR: f64 = 20.0;
const STYLE: &str = "svg{background:#fff}text{font:14px sans-serif;fill:#1b1f24}\
                     .t{font-weight:600}rect{fill:#0b6bcb}";

/// One bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// What it is of.
    pub label: String,
    /// How long it is, above 0.
    pub value: f64,
}

/// A chart of `bars` whose values are in `unit`. The shortest bar is a tenth of the smallest value
/// away from it, so that it is still seen. `None` without a bar, or where a value is not above 0.
///
/// ```
/// use zkinfer_report::chart::{Bar, logarithmic};
/// let bars = [("zkinfer", 0.054), ("EZKL", 130.0)];
/// let bars = bars.map(|(label, value)| Bar { label: label.to_owned(), value });
/// let svg = logarithmic("Seconds to prove", "s", &bars).unwrap();
/// assert!(svg.starts_with("<svg") && svg.contains("0.054 s"));
/// ```
#[must_use]
pub fn logarithmic(title: &str, unit: &str, bars: &[Bar]) -> Option<String> {
    let is_drawn = |bar: &Bar| bar.value.is_finite() && bar.value > 0.0;
    if bars.is_empty() || !bars.iter().all(is_drawn) {
        return None;
    }
    let values = || bars.iter().map(|bar| bar.value);
    let (low, high) = (values().fold(f64::INFINITY, f64::min) / 10.0, values().fold(0.0, f64::max));
    let length = |value: f64| (WIDTH - LEFT - RIGHT) * (value / low).ln() / (high / low).ln();
    let mut y = TOP;
    let mut drawn = Markup::default();
    for Bar { label, value } in bars {
        let (middle, width) = (y + BAR * 0.75, format!("{:.1}", length(*value)));
        let text = |x: f64, anchor: &'static str, text: String| {
            let x = format!("{x:.0}");
            tag_with("text", &[("x", &x), ("y", &middle), ("text-anchor", &anchor)], text)
        };
        let rect: &[(&str, &dyn Display)] =
            &[("x", &LEFT), ("y", &y), ("width", &width), ("height", &BAR), ("rx", &3)];
        drawn = join![
            drawn,
            text(LEFT - 10.0, "end", label.clone()),
            tag_with("rect", rect, ""),
            text(LEFT + length(*value) + 8.0, "start", format!("{value} {unit}")),
        ];
        y += STEP;
    }
    let title = format!("{title} (equal steps to the right are equal factors)");
    let attributes: &[(&str, &dyn Display)] = &[
        ("xmlns", &"http://www.w3.org/2000/svg"),
        ("viewBox", &format_args!("0 0 {WIDTH} {}", y + 8.0)),
        ("role", &"img"),
        ("aria-label", &title),
    ];
    let heading = tag_with("text", &[("class", &"t"), ("x", &10), ("y", &24)], &title);
    let content = join![tag("style", Markup::own(STYLE)), heading, drawn];
    Some(tag_with("svg", attributes, content).into_string() + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(label: &str, value: f64) -> Bar {
        Bar { label: label.to_owned(), value }
    }

    #[test]
    fn what_has_no_length_is_not_drawn() {
        assert_eq!(logarithmic("t", "s", &[]), None);
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(logarithmic("t", "s", &[bar("a", 1.0), bar("b", value)]), None);
        }
    }

    #[test]
    fn equal_steps_are_equal_factors() {
        let svg = logarithmic("t", "s", &[bar("a", 1.0), bar("b", 10.0), bar("c", 100.0)]).unwrap();
        let widths: Vec<f64> = svg
            .split(" width=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(widths.len(), 3);
        assert!((widths[1] - 2.0 * widths[0]).abs() < 0.2, "{widths:?}");
        assert!((widths[2] - 3.0 * widths[0]).abs() < 0.2, "{widths:?}");
    }

    #[test]
    fn labels_are_escaped() {
        let svg = logarithmic("a < b", "s", &[bar("</text><script>", 1.0)]).unwrap();
        assert!(!svg.contains("<script"), "{svg}");
    }
}
