//! The page of a quote.

use super::{DeviceRow, LayerReport, QuoteReport};
use crate::{
    html::{self, bar, count, facts, grouped, section, share, table},
    markup::{Markup, classed, join, tag},
    words::Ceremony,
};

impl QuoteReport {
    /// The report as one HTML file that needs nothing else.
    #[must_use]
    pub fn page(&self) -> String {
        let setup = tag("p", format!("It needs {}.", Ceremony(self.k)));
        let sections = [
            self.summary(),
            section("Rows by unit", self.units()),
            section("Rows by layer", self.layer_table()),
            section("Columns", self.columns()),
            section("Devices", self.device_table()),
            section("Trusted setup", setup),
        ];
        html::page(&format!("What a proof of {} costs", self.model), sections)
    }

    fn summary(&self) -> Markup {
        let megabytes = self.estimated_memory_bytes / 1_000_000;
        let seconds = format!(
            "{:.3} s, estimated for two cores like this one ({})",
            self.estimated_prove_seconds, self.instructions
        );
        facts(&[
            ("Calibrated with", &self.calibration),
            ("Proving", &seconds),
            ("Memory", &format!("{} MB, estimated", grouped(megabytes))),
            ("Proof", &format!("{} bytes", grouped(self.proof_bytes))),
            ("Gas on an EVM chain", &format!("{}, estimated", grouped(self.estimated_gas))),
        ])
    }

    fn units(&self) -> Markup {
        let used = &self.used_rows;
        let row = |&(_, what, rows): &(&str, &str, usize)| {
            let share = share(count(rows), count(used.usable));
            let percent = format!("{:.0} %", 100.0 * share);
            vec![join![capitalized(what)], join![grouped(rows)], join![percent], bar(share, "a")]
        };
        let units = used.units.iter().filter(|(_, _, rows)| *rows > 0);
        let rows: Vec<Vec<Markup>> = units.map(row).collect();
        let caption = format!(
            "Of 2^{} = {} rows, {} hold data. Units lie side by side: the longest decides.",
            self.k,
            grouped(self.rows),
            grouped(used.usable)
        );
        table(&caption, &["Unit", "Rows", "Share", "Of all rows"], &rows)
    }

    fn layer_table(&self) -> Markup {
        let all: usize = self.layers.iter().map(|layer| layer.slots + layer.linear).sum();
        let row = |layer: &LayerReport| {
            let share = share(count(layer.slots + layer.linear), count(all));
            vec![
                join![layer.layer],
                join![grouped(layer.slots)],
                join![grouped(layer.linear)],
                join![format!("{:.0} %", 100.0 * share)],
                bar(share, "a"),
            ]
        };
        let rows: Vec<Vec<Markup>> = self.layers.iter().map(row).collect();
        let heads = ["Layer", "Requantization", "Reads and weights", "Share", ""];
        table("The rows of each layer. Time follows the rows of the whole circuit.", &heads, &rows)
    }

    fn columns(&self) -> Markup {
        facts(&[
            ("Filled by the prover", &self.advice_columns),
            ("Fixed by the key", &self.fixed_columns),
            ("In the permutation", &self.permutation_columns),
            ("Committed at full width", &self.full_width_columns),
            ("Lookups to a row", &self.lookups),
            ("Degree", &self.degree),
        ])
    }

    fn device_table(&self) -> Markup {
        let row = |row: &DeviceRow| {
            let time = match (row.estimated_prove_seconds, &row.reason) {
                (Some(seconds), _) => join![format!("{seconds:.3} s")],
                (None, reason) => classed("span", "soft", reason.as_deref().unwrap_or("unknown")),
            };
            vec![join![row.device], time]
        };
        let rows: Vec<Vec<Markup>> = self.devices.iter().map(row).collect();
        table("Estimated time of a proof", &["Device", "Time"], &rows)
    }
}

/// A word or two at the beginning of a line.
fn capitalized(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}
