//! Reports of zkinfer: what was found about a proof, a cost or a model, in words for people, in JSON
//! for scripts, and as a page that can be looked at.
//!
//! A report is a value: `Display` gives the text that the command prints, `Serialize` the JSON of
//! `--json`, and `page` one HTML file that needs nothing else: no network, no script, no file
//! beside it. Text of foreign files is escaped wherever it is shown.
//!
//! What it is not: it decides nothing. Verdicts are those of [`zkinfer::Audit`].

#![forbid(unsafe_code)]

mod audit;
mod calibration;
pub mod chart;
mod html;
mod job;
mod leaf;
mod markup;
mod model;
mod picture;
mod quote;
mod words;

pub use audit::{AuditReport, PartsAuditReport, Verdict};
pub use calibration::CalibrationReport;
pub use job::{JobReport, now};
pub use leaf::LeafReport;
pub use model::ModelReport;
pub use quote::QuoteReport;
pub use words::{
    AccuracyWords, Ceremony, brief, brief_classes, causes, chain, model, origin, parts_rejection,
    rejection,
};
