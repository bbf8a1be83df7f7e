//! The page of a quote.

use super::{DeviceRow, GasReport, LayerReport, PartReport, QuoteReport, UnitRows};
use crate::{
    html::{self, bar, count, duration, facts, grouped, percent, section, share, table},
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
            section("Time by layer", self.layer_table()),
            section("Rows by unit", self.unit_table()),
            section("Bytes of the proof", self.proof_table()),
            section("Gas on an EVM chain", self.gas_table()),
            section("Columns", self.columns()),
            self.device_table().map_or_else(Markup::default, |table| section("Devices", table)),
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
            (
                "Gas on an EVM chain",
                &format!("{}, estimated for {}", grouped(self.estimated_gas), self.evm_fork),
            ),
        ])
    }

    fn unit_table(&self) -> Markup {
        let used = &self.used_rows;
        let row = |&(_, what, rows): &UnitRows| {
            let share = share(count(rows), count(used.usable));
            let what = capitalized(what);
            vec![join![what], join![grouped(rows)], join![percent(share, 0)], bar(share, "a")]
        };
        let units = used.units.iter().filter(|(.., rows)| *rows > 0);
        let rows: Vec<Vec<Markup>> = units.map(row).collect();
        let caption = format!(
            "Of 2^{} = {} rows, {} hold data. Units lie side by side: the longest decides.",
            self.k,
            grouped(self.rows),
            grouped(used.usable)
        );
        table(&caption, &["Unit", "Rows", "Share", "Of all rows"], &rows)
    }

    /// The layers, and the units whose rows serve several of them.
    fn layer_table(&self) -> Markup {
        // The others are of single layers, or there whatever the layers are.
        let is_shared = |name| !["slots", "linear", "table", "instance"].contains(&name);
        let units = self.used_rows.units.iter();
        let shared: Vec<_> =
            units.filter(|(name, _, rows)| is_shared(*name) && *rows > 0).collect();
        let of_layers: usize = self.layers.iter().map(LayerReport::rows).sum();
        let all = of_layers + shared.iter().map(|(.., rows)| rows).sum::<usize>();
        let row = |name: Markup, first: Markup, second: Markup, rows: usize| {
            let share = share(count(rows), count(all));
            let time = duration(share * self.estimated_prove_seconds);
            vec![name, first, second, join![percent(share, 0)], join![time], bar(share, "a")]
        };
        let of_layer = |layer: &LayerReport| {
            let (slots, linear) = (grouped(layer.slots), grouped(layer.linear));
            row(join![layer.layer], join![slots], join![linear], layer.rows())
        };
        let of_unit = |&&(_, what, rows): &&UnitRows| {
            let name = classed("span", "soft", format!("{}, all layers", capitalized(what)));
            row(name, join![""], join![grouped(rows)], rows)
        };
        let rows = self.layers.iter().map(of_layer).chain(shared.iter().map(of_unit));
        let rows: Vec<Vec<Markup>> = rows.collect();
        let caption = "A proof takes the time of its whole circuit, and a row costs the same \
                       whatever it holds: a layer's share of the time is its share of the rows \
                       that layers use.";
        let heads =
            ["Layer", "Rows of requantization", "Rows of its work", "Share", "Time, estimated", ""];
        table(caption, &heads, &rows)
    }

    fn proof_table(&self) -> Markup {
        let row = |part: &PartReport| {
            let share = share(count(part.bytes), count(self.proof_bytes));
            vec![
                join![part.part],
                join![grouped(part.count)],
                join![grouped(part.bytes)],
                join![percent(share, 0)],
                bar(share, "a"),
            ]
        };
        let rows: Vec<Vec<Markup>> = self.proof_parts.iter().map(row).collect();
        let caption = format!(
            "The proof has {} bytes whatever its input: 32 for every point and every evaluation.",
            grouped(self.proof_bytes)
        );
        table(&caption, &["Part", "Number", "Bytes", "Share", ""], &rows)
    }

    fn gas_table(&self) -> Markup {
        let totals = |of: fn(&GasReport) -> u64| self.gas_parts.iter().map(of).sum::<u64>();
        let (osaka, amsterdam) = (totals(|part| part.osaka), totals(|part| part.amsterdam));
        let row = |part: &GasReport| {
            vec![
                join![part.part],
                join![grouped(part.osaka)],
                bar(share(gas(part.osaka), gas(osaka)), "a"),
                join![grouped(part.amsterdam)],
                bar(share(gas(part.amsterdam), gas(amsterdam)), "b"),
            ]
        };
        let rows: Vec<Vec<Markup>> = self.gas_parts.iter().map(row).collect();
        let caption = format!(
            "The transaction takes {} at Osaka and {} at Amsterdam, estimated; where calldata has a \
             least price that is above all else, that is what is paid.",
            grouped(osaka),
            grouped(amsterdam)
        );
        table(&caption, &["Part", "Osaka", "", "Amsterdam", ""], &rows)
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

    /// The devices, where any were asked about.
    fn device_table(&self) -> Option<Markup> {
        let row = |row: &DeviceRow| {
            let time = match (row.estimated_prove_seconds, &row.reason) {
                (Some(seconds), _) => join![duration(seconds)],
                (None, reason) => classed("span", "soft", reason.as_deref().unwrap_or("unknown")),
            };
            vec![join![row.device], time]
        };
        let rows: Vec<Vec<Markup>> = self.devices.iter().map(row).collect();
        (!rows.is_empty()).then(|| table("Estimated time of a proof", &["Device", "Time"], &rows))
    }
}

/// Gas as a number that shares can be taken of.
fn gas(gas: u64) -> f64 {
    u32::try_from(gas).map_or(f64::INFINITY, f64::from)
}

/// A word or two at the beginning of a line.
fn capitalized(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}
