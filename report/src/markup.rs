//! HTML in the making. Text becomes part of it by being escaped, and in no other way.
//!
//! The names of elements and attributes are constants of this crate; everything else may be
//! foreign.

use std::fmt::{self, Write};

use zkinfer::models::Shown;

/// Finished HTML.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Markup(String);

/// What can stand in HTML: HTML, and text, which is escaped.
pub(crate) trait Part {
    fn add_to(&self, markup: &mut Markup);
}

impl Part for Markup {
    fn add_to(&self, markup: &mut Markup) {
        markup.0.push_str(&self.0);
    }
}

impl<T: Part> Part for Option<T> {
    fn add_to(&self, markup: &mut Markup) {
        self.iter().for_each(|part| part.add_to(markup));
    }
}

impl<T: Part + ?Sized> Part for &T {
    fn add_to(&self, markup: &mut Markup) {
        (*self).add_to(markup);
    }
}

macro_rules! text {
    ($($kind:ty),*) => {$(
        impl Part for $kind {
            fn add_to(&self, markup: &mut Markup) {
                // Writing to a string does not fail.
                let _ = write!(Escaped(&mut markup.0), "{}", Shown(&self.to_string()));
            }
        }
    )*};
}

text!(str, String, fmt::Arguments<'_>, u32, u64, usize);

/// HTML of parts, one after the other.
macro_rules! join {
    ($($part:expr),* $(,)?) => {{
        #[allow(unused_mut, reason = "there may be no part")]
        let mut markup = $crate::markup::Markup::default();
        $( $crate::markup::Part::add_to(&$part, &mut markup); )*
        markup
    }};
}
pub(crate) use join;

impl FromIterator<Markup> for Markup {
    fn from_iter<I: IntoIterator<Item = Markup>>(parts: I) -> Self {
        let mut all = Self::default();
        parts.into_iter().for_each(|part| part.add_to(&mut all));
        all
    }
}

impl Markup {
    /// The HTML.
    pub(crate) fn into_string(self) -> String {
        self.0
    }

    /// HTML of this crate's own, such as a style.
    pub(crate) fn own(text: &'static str) -> Self {
        Self(text.to_owned())
    }
}

/// An element that holds `content`.
pub(crate) fn tag(name: &'static str, content: impl Part) -> Markup {
    tag_with(name, &[], content)
}

/// An element of a class.
pub(crate) fn classed(name: &'static str, class: &'static str, content: impl Part) -> Markup {
    tag_with(name, &[("class", &class)], content)
}

/// An element with attributes.
pub(crate) fn tag_with(
    name: &'static str,
    attributes: &[(&'static str, &dyn fmt::Display)],
    content: impl Part,
) -> Markup {
    let mut markup = open(name, attributes);
    content.add_to(&mut markup);
    let _ = write!(markup.0, "</{name}>");
    markup
}

/// An element that holds nothing and has no end.
pub(crate) fn open(name: &'static str, attributes: &[(&'static str, &dyn fmt::Display)]) -> Markup {
    let mut markup = Markup(format!("<{name}"));
    for (name, value) in attributes {
        let _ = write!(markup.0, " {name}=\"");
        value.to_string().add_to(&mut markup);
        markup.0.push('"');
    }
    markup.0.push('>');
    markup
}

/// Writes text as HTML holds it, in attributes too: they stand in double quotes.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                _ => self.0.push(character),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup_nor_hidden() {
        let foreign = "<script>\"'&\u{202e}\u{1b}";
        let escaped = "&lt;script&gt;&quot;'&amp;\\u{202e}\\u{1b}";
        assert_eq!(tag("p", foreign).into_string(), format!("<p>{escaped}</p>"));
        let attribute = open("img", &[("alt", &foreign)]).into_string();
        assert_eq!(attribute, format!("<img alt=\"{escaped}\">"));
        let nested =
            tag("b", join!["a<", tag("i", 7_usize), None::<Markup>, format_args!("{}", ">")]);
        assert_eq!(nested.into_string(), "<b>a&lt;<i>7</i>&gt;</b>");
    }
}
