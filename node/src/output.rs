//! What the command says.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Writes a line to standard output. Who has stopped reading needs no more.
///
/// # Errors
/// Any other failure.
pub(crate) fn say(line: impl Display) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match writeln!(output, "{line}").and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}
