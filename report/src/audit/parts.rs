//! What an audit found about the proofs of all parts of a model.

use std::fmt;

use serde::Serialize;
use zkinfer::{
    PartsExpectation, Side,
    audit::{PartsAudit, Strength},
    models::Shown,
    verifier::{Manifest, ProofFile, VerifyingKey},
};

use super::{
    Accuracy, ClaimedModel, Given, NOT_CLAIMED, NOT_COMPARED, NOT_MEASURED, Setup, Sides, Verdict,
    page::{job, not_compared, still_to_give, verdict_box},
    strength, undecided,
};
use crate::{
    html::{self, digits, facts, section},
    job::JobReport,
    markup::{Markup, classed, join, tag},
    words,
};

/// How keys are called that a file gives, and that it does not.
const KEYS: [&str; 2] = ["these very keys", "these keys"];

/// What an audit of all parts found: `Display` is the text, `Serialize` the JSON, [`Self::page`] the
/// page.
#[derive(Clone, Debug, Serialize)]
pub struct PartsAuditReport {
    accepted: bool,
    /// Why not, one for each thing that failed.
    reasons: Vec<String>,
    /// The same in words that never change.
    reason_codes: Vec<&'static str>,
    /// What must be given, too, to make the keys again.
    missing: Option<String>,
    claim: Claim,
    setup: Setup,
    /// Of the part in which a forgery is easiest.
    strength: Strength,
    accuracy: Accuracy,
    recompiled: Option<Remade>,
    not_claimed: Vec<&'static str>,
}

#[derive(Clone, Debug, Serialize)]
struct Claim {
    #[serde(flatten)]
    of: ClaimedModel,
    manifest_root: String,
    #[serde(flatten)]
    sides: Sides,
    parts: Vec<Part>,
}

/// The proof of one part, as it says of itself.
#[derive(Clone, Debug, Serialize)]
struct Part {
    key_digest: String,
    job: JobReport,
}

/// Whether a model gives the keys.
#[derive(Clone, Debug, Serialize)]
struct Remade {
    #[serde(flatten)]
    given: Given,
    same_keys: bool,
    /// Why not.
    difference: Option<String>,
}

impl PartsAuditReport {
    /// What `audit` found about `files`, of which `expectation` was expected. `key` is that of any
    /// part: all name the same model and setup, or the proofs are rejected.
    #[must_use]
    pub fn new(
        (manifest, key): (&Manifest, &VerifyingKey),
        files: &[ProofFile],
        expectation: &PartsExpectation<'_>,
        audit: PartsAudit,
    ) -> Self {
        let is_of_the_model = audit.is_of_the_model();
        let rejection = audit.rejection.as_ref();
        let mut reasons: Vec<_> = rejection.iter().map(|why| words::parts_rejection(why)).collect();
        let mut reason_codes = rejection.map(|why| why.codes()).unwrap_or_default();
        if let Some(fault) = &audit.accuracy.fault {
            reasons.push(fault.to_string());
            reason_codes.push("accuracy-report");
        }
        if let Some((remade, fault)) = audit.remade.as_ref().zip(audit.fault()) {
            let model = remade.model.display();
            reasons.push(format!("{model} does not give these keys: {fault}"));
            reason_codes.push("recompiled-key");
        }
        let part = |file: &ProofFile| Part {
            key_digest: file.claim.model.to_string(),
            job: (&file.claim.binding).into(),
        };
        let not_claimed = (!is_of_the_model).then_some(NOT_COMPARED).into_iter();
        let not_claimed = not_claimed.chain(audit.accuracy.bound.is_some().then_some(NOT_MEASURED));
        let parts = key.parts();
        Self {
            accepted: audit.is_accepted(),
            reasons,
            reason_codes,
            missing: audit.missing.as_ref().map(super::missing),
            not_claimed: not_claimed.chain(NOT_CLAIMED).collect(),
            claim: Claim {
                of: ClaimedModel {
                    is_of_the_model,
                    model: words::model(parts.model_name.as_deref(), manifest.model),
                    model_digest: manifest.model.to_string(),
                },
                manifest_root: manifest.root().to_string(),
                sides: Sides::new([
                    (audit.input, expectation.compares(Side::Input)),
                    (audit.output, expectation.compares(Side::Output)),
                ]),
                parts: files.iter().map(part).collect(),
            },
            setup: Setup::new(&parts.srs, audit.setup),
            strength: audit.strength,
            accuracy: Accuracy::new(audit.accuracy, false),
            recompiled: audit.remade.map(|remade| Remade {
                given: Given { model: remade.model, is_same: remade.fault.is_none() },
                same_keys: remade.fault.is_none(),
                difference: remade.fault.map(|fault| fault.to_string()),
            }),
        }
    }

    /// The report as one HTML file that needs nothing else.
    #[must_use]
    pub fn page(&self) -> String {
        let shows = if self.accepted { "What they show" } else { "What they claim" };
        let not_claimed: Markup = self.not_claimed.iter().map(|line| tag("li", *line)).collect();
        let strength = ("Strength of the weakest part", &self.strength);
        let reasons = (&self.reasons[..], &self.reason_codes[..]);
        let missing = self.missing.as_deref().map(still_to_give);
        let sections = [
            verdict_box((self.verdict(), &self.setup), reasons, join![missing]),
            section(shows, self.claim.page()),
            section("Input", self.claim.sides.input_page()),
            section("Output", self.claim.sides.output_page(&[])),
            section("Setup and strength", self.setup.page(strength)),
            section("Accuracy", self.accuracy.page()),
            section("The model", self.recompiled.as_ref().map_or_else(not_compared, Remade::page)),
            section("What they do not show", tag("ul", not_claimed)),
        ];
        html::page("Audit of the zkinfer proofs of all parts of a model", sections)
    }

    /// What is decided.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        Verdict::new(self.accepted, &self.reasons)
    }

    /// What must be given, too, if nothing was decided without it.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        self.missing.clone()
    }
}

impl fmt::Display for PartsAuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.verdict(), &self.missing) {
            (Verdict::Accepted, _) => writeln!(f, "ACCEPTED")?,
            (Verdict::Undecided, Some(missing)) => writeln!(f, "{}", undecided(missing))?,
            _ => {}
        }
        self.reasons.iter().try_for_each(|reason| writeln!(f, "REJECTED: {reason}"))?;
        writeln!(f, "{}", if self.accepted { "They show:" } else { "They claim:" })?;
        write!(f, "{}", self.claim)?;
        writeln!(f, "Setup: {}", self.setup)?;
        writeln!(f, "Strength of the weakest part: {}", strength::Words(&self.strength))?;
        writeln!(f, "Accuracy: {}", self.accuracy)?;
        match &self.recompiled {
            Some(Remade { given, .. }) => writeln!(f, "Model: {}", given.words(KEYS))?,
            None if self.missing.is_some() => writeln!(f, "Model: NOT compared, see above")?,
            None => writeln!(f, "Model: not compared; pass the ONNX file with --model")?,
        }
        write!(f, "They do not show:")?;
        self.not_claimed.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl Claim {
    fn page(&self) -> Markup {
        let part = |(index, part): (usize, &Part)| {
            let key = facts(&[("Key", &digits(&part.key_digest))]);
            join![tag("h3", format!("Part {index}")), key, job(&part.job)]
        };
        let parts = self.parts.iter().enumerate().map(part);
        join![
            self.of.page(),
            facts(&[
                ("Parts", &self.parts.len()),
                ("Root of the manifest", &digits(&self.manifest_root)),
            ]),
            parts.collect::<Markup>(),
        ]
    }
}

impl Remade {
    fn page(&self) -> Markup {
        let difference = self.difference.as_ref().map(|why| classed("p", "soft", why));
        join![self.given.page(KEYS), difference]
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.of.write(f, "circuits that CLAIM")?;
        let (count, root) = (self.parts.len(), &self.manifest_root);
        writeln!(f, "  in {count} parts as the manifest {} binds them", Shown(root))?;
        write!(f, "{}", self.sides)?;
        for (index, Part { key_digest, job }) in self.parts.iter().enumerate() {
            writeln!(f, "  part {index} under the key {key_digest}")?;
            writeln!(f, "{job}")?;
        }
        Ok(())
    }
}
