//! Foreign text in messages.

use std::fmt;

/// Text from a file, made safe to print: control characters, line breaks, and invisible characters
/// that reorder or hide text, are written as escapes.
///
/// ```
/// # use zkinfer_models::Shown;
/// assert_eq!(Shown("x\u{1b}[31m\n").to_string(), "x\\u{1b}[31m\\n");
/// assert_eq!(Shown("größe").to_string(), "größe");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if is_hidden(character) {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        Ok(())
    }
}

/// Whether a terminal obeys or hides a character, or it turns the direction of text: control
/// characters, separators of lines, and Unicode's default-ignorable characters. The verifier refuses
/// keys with such names (`zkinfer_verifier::is_hidden`, the same set).
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// A list of names, each in backquotes and safe to print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a>(pub(crate) &'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Most names that are spelled out.
        const MOST: usize = 8;
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        for (position, name) in self.0.iter().take(MOST).enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(f, "{separator}`{}`", Shown(name))?;
        }
        match self.0.len().saturating_sub(MOST) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
