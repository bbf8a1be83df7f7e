//! Pages that stand alone: one file, no script, no network.

use crate::markup::{Markup, Part, classed, join, open, tag, tag_with};

/// Nothing is loaded and nothing runs; pictures lie in the page itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                      base-uri 'none'; form-action 'none'";
const STYLE: &str = include_str!("style.css");
/// Most rows of a table that are shown at once; the rest is folded away.
const SHOWN_ROWS: usize = 24;
/// Most rows of a table at all: a page must open.
const MOST_ROWS: usize = 4096;

/// One HTML file with a heading and its sections.
pub(crate) fn page(title: &str, sections: impl IntoIterator<Item = Markup>) -> String {
    let head = join![
        open("meta", &[("charset", &"utf-8")]),
        open("meta", &[("http-equiv", &"Content-Security-Policy"), ("content", &POLICY)]),
        open("meta", &[("name", &"viewport"), ("content", &"width=device-width, initial-scale=1")]),
        open("meta", &[("name", &"referrer"), ("content", &"no-referrer")]),
        tag("title", title),
        tag("style", Markup::own(STYLE)),
    ];
    let made = format!(
        "Made by zkinfer {}. This page needs no network and runs no script.",
        env!("CARGO_PKG_VERSION")
    );
    let sections: Markup = sections.into_iter().collect();
    let body = tag("main", join![tag("h1", title), sections, tag("footer", made)]);
    let html = tag_with("html", &[("lang", &"en")], join![tag("head", head), tag("body", body)]);
    join![Markup::own("<!DOCTYPE html>\n"), html, Markup::own("\n")].into_string()
}

/// A section under a heading.
pub(crate) fn section(heading: &str, content: impl Part) -> Markup {
    tag("section", join![tag("h2", heading), content])
}

/// Names and what they stand for.
pub(crate) fn facts(facts: &[(&str, &dyn PartObject)]) -> Markup {
    let fact = |(name, value): &(&str, &dyn PartObject)| {
        join![tag("dt", *name), tag("dd", value.to_markup())]
    };
    tag("dl", facts.iter().map(fact).collect::<Markup>())
}

/// A part whose kind is not told.
pub(crate) trait PartObject {
    fn to_markup(&self) -> Markup;
}

impl<T: Part> PartObject for T {
    fn to_markup(&self) -> Markup {
        join![self]
    }
}

/// A digest or another long word of digits.
pub(crate) fn digits(text: &str) -> Markup {
    tag("code", text)
}

/// A table: its caption, the heads of its columns, and its rows. Rows beyond some are folded away.
pub(crate) fn table(caption: &str, heads: &[&str], rows: &[Vec<Markup>]) -> Markup {
    let cells = |cells: &Vec<Markup>| {
        tag("tr", cells.iter().map(|cell| tag("td", cell)).collect::<Markup>())
    };
    let head = |head: &&str| tag_with("th", &[("scope", &"col")], *head);
    let part = |caption: &str, rows: &[Vec<Markup>]| {
        let head = tag("thead", tag("tr", heads.iter().map(head).collect::<Markup>()));
        let body = tag("tbody", rows.iter().map(cells).collect::<Markup>());
        classed("div", "scroll", tag("table", join![tag("caption", caption), head, body]))
    };
    let (first, rest) = rows.split_at(rows.len().min(SHOWN_ROWS));
    let (more, left_out) = rest.split_at(rest.len().min(MOST_ROWS));
    let folded = (!more.is_empty()).then(|| {
        let summary = tag("summary", format!("{} more", more.len()));
        tag("details", join![summary, part(&format!("{caption}, continued"), more)])
    });
    let cut = (!left_out.is_empty())
        .then(|| tag("p", format!("and {} more, not in this page", left_out.len())));
    join![part(caption, first), folded, cut]
}

/// A share of a whole as a bar, which a screen reader passes over: the number stands beside it.
pub(crate) fn bar(share: f64, kind: &'static str) -> Markup {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 1.0 };
    let width = format!("{:.2}", 100.0 * share);
    let rect = |class: &'static str, width: &str| {
        tag_with("rect", &[("class", &class), ("width", &width), ("height", &10)], "")
    };
    let attributes: &[(&str, &dyn std::fmt::Display)] = &[
        ("class", &"bar"),
        ("viewBox", &"0 0 100 10"),
        ("preserveAspectRatio", &"none"),
        ("aria-hidden", &"true"),
    ];
    tag_with("svg", attributes, join![rect("track", "100"), rect(kind, &width)])
}

/// `part` of `whole`; nothing of nothing.
pub(crate) fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// A share as percent with so many decimals, which stays on one line.
pub(crate) fn percent(share: f64, decimals: usize) -> String {
    format!("{:.decimals$}\u{a0}%", 100.0 * share)
}

/// A time for a reader.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        _ if seconds < 1.0 => format!("{:.1}\u{a0}ms", 1000.0 * seconds),
        _ => format!("{seconds:.2}\u{a0}s"),
    }
}

/// A count as a number that shares can be taken of.
pub(crate) fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

/// A whole number for a reader, in groups of three digits.
pub(crate) fn grouped(number: impl ToString) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push('\u{a0}');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_neither_markup_nor_hidden() {
        let name = "<script>alert(1)</script>\u{202e}\u{1b}\"'&";
        let page = page(name, [table(name, &["a"], &[vec![join![name]]])]);
        assert!(!page.contains("<script"), "{page}");
        assert!(!page.contains(['\u{202e}', '\u{1b}']), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;\\u{202e}\\u{1b}"), "{page}");
    }

    #[test]
    fn long_tables_are_folded_and_endless_ones_cut() {
        let rows = |count: usize| (0..count).map(|row| vec![join![row]]).collect::<Vec<_>>();
        assert!(!table("t", &["n"], &rows(SHOWN_ROWS)).into_string().contains("<details>"));
        assert!(table("t", &["n"], &rows(SHOWN_ROWS + 1)).into_string().contains("1 more"));
        let cut = table("t", &["n"], &rows(SHOWN_ROWS + MOST_ROWS + 7)).into_string();
        assert!(cut.contains("and 7 more, not in this page"));
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(736_435), "736\u{a0}435");
        assert_eq!(grouped(1_000_000), "1\u{a0}000\u{a0}000");
    }
}
