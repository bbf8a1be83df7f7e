//! The chart of the README: `cargo run -p zkinfer-report --example chart < docs/prove-seconds.csv >
//! docs/prove-seconds.svg`. Each line of the input is a label, a comma and a number of seconds.

use std::{error::Error, io};

use zkinfer_report::chart::{self, Bar};

const TITLE: &str = "Seconds to prove mnist_lenet on two cores";

fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", draw(&io::read_to_string(io::stdin())?)?);
    Ok(())
}

fn draw(csv: &str) -> Result<String, Box<dyn Error>> {
    let bar = |line: &str| -> Result<Bar, Box<dyn Error>> {
        let (label, value) = line.split_once(',').ok_or("a line has no comma")?;
        Ok(Bar { label: label.to_owned(), value: value.trim().parse()? })
    };
    let bars = csv.lines().map(bar).collect::<Result<Vec<_>, _>>()?;
    chart::logarithmic(TITLE, "s", &bars).ok_or_else(|| "there is nothing to draw".into())
}

#[cfg(test)]
mod tests {
    /// The chart is of the numbers beside it.
    #[test]
    fn the_chart_of_the_readme_is_of_its_numbers() {
        let drawn = super::draw(include_str!("../../docs/prove-seconds.csv"));
        let kept = include_str!("../../docs/prove-seconds.svg");
        assert!(drawn.is_ok_and(|svg| svg == kept), "draw docs/prove-seconds.svg anew");
    }
}
