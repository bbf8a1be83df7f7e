//! The page of a search for settings.

use zkinfer::calibrate::{Layer, Trial};

use super::{CalibrationReport, clipping, curve};
use crate::{
    html::{self, bar, count, facts, grouped, percent, section, share, table},
    markup::{Markup, classed, join, tag},
};

impl CalibrationReport {
    /// The report as one HTML file that needs nothing else.
    #[must_use]
    pub fn page(&self) -> String {
        let sections = [
            self.summary(),
            section("Layers", self.layer_table()),
            section(
                "What was tried",
                join![curve::drawn(&self.tried, &self.chosen), self.trials()],
            ),
        ];
        html::page(&format!("Settings of {}", self.model), sections)
    }

    fn summary(&self) -> Markup {
        let Trial { choice, agreement, price } = &self.chosen;
        let bits = match choice.layers.len() {
            0 => format!("{} in every layer", choice.bits),
            1 => format!("{}, and fewer in one layer", choice.bits),
            more => format!("{}, and fewer in {more} layers", choice.bits),
        };
        let answers = format!("on {} of {} samples", agreement.same_answer, agreement.samples);
        let settings = self.settings.as_ref().map(|path| path.display().to_string());
        let columns = price.advice_columns;
        facts(&[
            ("Settings", &settings.as_deref().unwrap_or("not written to a file")),
            ("Bits of an activation", &bits),
            ("Ranges", &clipping(choice.clipping)),
            ("The float model's answer", &answers),
            ("Largest error of an output", &percent(agreement.max_error, 3)),
            ("Mean of the samples' errors", &percent(agreement.mean_error, 3)),
            ("Circuit", &format!("2^{} rows, {columns} columns filled by the prover", price.k)),
            (
                "Proving",
                &format!("{:.3} s, estimated for two reference cores", price.prove_seconds),
            ),
            ("Proof", &format!("{} bytes", grouped(price.proof_bytes))),
            ("Gas on an EVM chain", &format!("{}, estimated", grouped(price.gas))),
        ])
    }

    fn layer_table(&self) -> Markup {
        let all: usize = self.layers.iter().filter_map(|layer| layer.rows).sum();
        let worst = self.layers.iter().map(|layer| layer.error).fold(0.0, f64::max);
        let row = |layer: &Layer| {
            let rows = layer.rows.map(|rows| join![grouped(rows)]);
            let rows = rows.unwrap_or_else(|| classed("span", "soft", "shared"));
            vec![
                join![self.name_of(layer)],
                join![layer.bits],
                join![grouped(layer.values)],
                rows,
                bar(share(count(layer.rows.unwrap_or(0)), count(all)), "a"),
                join![percent(layer.saturated, 3)],
                join![percent(layer.error, 3)],
                bar(share(layer.error, worst), "b"),
            ]
        };
        let rows: Vec<Vec<Markup>> = self.layers.iter().map(row).collect();
        let caption = "In the order of execution. The error is the largest on the samples, as a \
                       share of the layer's range, with all that earlier layers contribute. \
                       Saturated values were clamped to the range. Pools and softmax \
                       share the rows of their units.";
        let heads = [
            "Layer",
            "Bits",
            "Values",
            "Rows",
            "Share of rows",
            "Saturated",
            "Error",
            "Beside the worst",
        ];
        table(caption, &heads, &rows)
    }

    fn trials(&self) -> Markup {
        let row = |trial: &Trial| {
            let Trial { choice, agreement, price } = trial;
            let own = if choice.layers.is_empty() { "" } else { " or fewer" };
            let is_chosen = *trial == self.chosen;
            vec![
                join![choice.bits, own],
                join![clipping(choice.clipping)],
                join![format_args!("{}\u{a0}of\u{a0}{}", agreement.same_answer, agreement.samples)],
                join![percent(agreement.max_error, 3)],
                join![format_args!("{:.3}", price.prove_seconds)],
                join![grouped(price.proof_bytes)],
                join![is_chosen.then(|| tag("strong", "chosen"))],
            ]
        };
        let rows: Vec<Vec<Markup>> = self.tried.iter().map(row).collect();
        let heads =
            ["Bits", "Ranges", "Same answer", "Largest error", "Seconds", "Proof bytes", ""];
        table("The trials in numbers", &heads, &rows)
    }
}
