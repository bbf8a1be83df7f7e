//! The page of an audit.

use zkinfer::{
    NamedTensor, SetupKind,
    audit::{AccuracySource, FloatOutput, Strength},
};

use super::{
    Accuracy, AuditReport, Claim, ClaimedModel, Given, Remade, Setup, Sides, Verdict, strength,
};
use crate::{
    html::{self, bar, digits, facts, section, share, table},
    job::JobReport,
    leaf::LeafReport,
    markup::{Markup, classed, join, open, tag, tag_with},
    picture::picture,
    words::AccuracyWords,
};

/// Most elements of a tensor that are listed.
const MOST_ELEMENTS: usize = 4096;

impl AuditReport {
    /// The report as one HTML file that needs nothing else.
    #[must_use]
    pub fn page(&self) -> String {
        let shows = if self.accepted { "What it shows" } else { "What it claims" };
        let claim = &self.claim;
        let float: &[FloatOutput] =
            self.recompiled.as_ref().map_or(&[], |recompiled| &recompiled.float_outputs);
        let not_claimed: Markup = self.not_claimed.iter().map(|line| tag("li", *line)).collect();
        let sections = [
            self.verdict_box(),
            section(shows, claim.page()),
            section("Input", claim.sides.input_page()),
            section("Output", claim.sides.output_page(float)),
            section("Setup and strength", self.setup.page(("Strength", &self.strength))),
            section("Accuracy", self.accuracy.page()),
            section("The model", self.model_page()),
            section("What it does not show", tag("ul", not_claimed)),
        ];
        html::page("Audit of a zkinfer proof", sections)
    }

    fn verdict_box(&self) -> Markup {
        let others = self.other_answers.iter().map(|other| {
            classed("p", "alarm", format!("But the float model answers otherwise: {other}"))
        });
        let missing = self.missing().map(|missing| still_to_give(&missing));
        let remarks = join![others.collect::<Markup>(), missing];
        let reasons = (&self.reasons[..], &self.reason_codes[..]);
        verdict_box((self.verdict(), &self.setup), reasons, remarks)
    }

    fn model_page(&self) -> Markup {
        self.recompiled.as_ref().map_or_else(not_compared, Remade::page)
    }
}

/// What stands where an audit with an ONNX file decides nothing.
pub(super) fn still_to_give(missing: &str) -> Markup {
    tag("p", format!("To make the key again from the ONNX file, give also {missing}."))
}

/// What stands where no ONNX file was compared.
pub(super) fn not_compared() -> Markup {
    classed(
        "p",
        "soft",
        "Not compared: no ONNX file was given, or something else was missing. Name and digest are \
         the word of the key's maker.",
    )
}

impl Setup {
    /// The setup, and how strong what stands on it is.
    pub(super) fn page(&self, (what, strength): (&str, &Strength)) -> Markup {
        let kind = match self.kind {
            SetupKind::Ceremony => join!["a public ceremony that this version knows"],
            SetupKind::InsecureDevelopment => {
                classed("span", "alarm", "INSECURE: its secret is public, anybody can forge")
            }
            SetupKind::Unknown => join!["not known to this version"],
        };
        let strength = strength::Words(strength).to_string();
        let mut lines = strength.lines().map(str::trim);
        let first = join![format!("{what}: "), lines.next().unwrap_or_default()];
        let rest = lines.map(|line| join![open("br", &[]), line]).collect::<Markup>();
        join![
            facts(&[
                ("Trusted setup", &self.srs),
                ("It is", &kind),
                ("Digest of [τ]₂", &digits(&self.digest)),
            ]),
            tag("p", join![first, rest]),
        ]
    }
}

/// What is decided, why not, and what else there is to say of it.
pub(super) fn verdict_box(
    (verdict, setup): (Verdict, &Setup),
    (reasons, codes): (&[String], &[&'static str]),
    remarks: Markup,
) -> Markup {
    let (kind, word) = match verdict {
        Verdict::Accepted => ("verdict accepted", "Accepted"),
        Verdict::Rejected => ("verdict rejected", "Rejected"),
        Verdict::Undecided => ("verdict undecided", "Not decided"),
    };
    let is_insecure = matches!(setup.kind, SetupKind::InsecureDevelopment);
    let no_evidence = is_insecure.then(|| {
        classed(
            "p",
            "alarm",
            "It stands on the development setup, whose secret is public: anybody can forge such a \
             proof. It is no evidence.",
        )
    });
    let reasons = (!reasons.is_empty()).then(|| {
        let list: Markup = reasons.iter().map(|reason| tag("li", reason)).collect();
        let codes = codes.iter().map(|code| join![" ", tag("code", *code)]);
        let codes = join!["Checks that refused:", codes.collect::<Markup>()];
        join![tag("ul", list), classed("p", "soft", codes)]
    });
    let content = join![tag("strong", word), no_evidence, reasons, remarks];
    tag_with("div", &[("class", &kind), ("role", &"status")], content)
}

impl ClaimedModel {
    pub(super) fn page(&self) -> Markup {
        let who = match self.is_of_the_model {
            true => "(the key was made again from this file)",
            false => "(CLAIMED by the key's maker)",
        };
        facts(&[
            ("Model", &format!("{} {who}", self.model)),
            ("Digest of the ONNX file", &digits(&self.model_digest)),
        ])
    }
}

impl Claim {
    fn page(&self) -> Markup {
        join![
            self.of.page(),
            facts(&[("Key", &digits(&self.key_digest))]),
            leaf(self.leaf.as_ref()),
            job(&self.job),
        ]
    }
}

fn leaf(leaf: Option<&LeafReport>) -> Markup {
    let Some(place) = leaf else { return join![] };
    let root = place
        .root
        .as_deref()
        .map_or_else(|| join!["none: the path does not fit the place"], |root| join![digits(root)]);
    facts(&[("Place", &place.to_string()), ("Root of all claims", &root)])
}

pub(super) fn job(job: &JobReport) -> Markup {
    if job.is_none() {
        return classed("p", "soft", "For no job: it pays nobody, and does not expire.");
    }
    let pays = match job.pays_nobody {
        true => join!["NOBODY: no payee is bound in it"],
        false => digits(&job.payee),
    };
    let expires = match (&job.expires, job.expired) {
        (None, _) => join!["never"],
        (Some(date), false) => join![date],
        (Some(date), true) => classed("span", "alarm", format!("EXPIRED {date}")),
    };
    facts(&[
        ("Job", &digits(&job.job)),
        ("Chain", &job.chain),
        ("Pays", &pays),
        ("Expires", &expires),
        ("Nonce", &job.nonce),
    ])
}

impl Sides {
    pub(super) fn input_page(&self) -> Markup {
        side((&self.input, &self.input_commitment, self.input_compared), &[])
    }

    /// The output beside the float model's, where that was run.
    pub(super) fn output_page(&self, float: &[FloatOutput]) -> Markup {
        side((&self.output, &self.output_commitment, self.output_compared), float)
    }
}

/// One side of the claim, beside the float model where that was run.
fn side(
    (tensors, commitment, compared): (&Option<Vec<NamedTensor>>, &Option<String>, bool),
    float: &[FloatOutput],
) -> Markup {
    let note = match compared {
        true => tag("p", "As expected: it was compared with what the maker of this report gave."),
        false => classed(
            "p",
            "soft",
            "Not compared with anything: it is what the prover chose or claims.",
        ),
    };
    let commitment = commitment.as_ref().map(|it| facts(&[("Commitment", &digits(it))]));
    let beside = |name: &str| float.iter().find(|output| output.name == name);
    let shown = tensors.iter().flatten().map(|tensor| show(tensor, beside(&tensor.name)));
    let hidden =
        tensors.is_none().then(|| classed("p", "soft", "Hidden: only its commitment is public."));
    join![note, commitment, shown.collect::<Markup>(), hidden]
}

/// One tensor: a picture if it is one, and its elements, as bars where the float model's stand
/// beside them.
fn show(tensor: &NamedTensor, float: Option<&FloatOutput>) -> Markup {
    let NamedTensor { name, shape, values, classes } = tensor;
    let listed = values.len().min(MOST_ELEMENTS);
    let list = elements(name, (&values[..listed], classes.as_deref()), float);
    let list = match picture(name, shape, values) {
        Some(picture) => {
            let summary = tag("summary", format!("{} elements", values.len()));
            join![picture, tag("details", join![summary, list])]
        }
        None => list,
    };
    let difference = float.map(|float| {
        tag("p", format!("Largest difference from the float model: {:.5}", float.max_error))
    });
    let cut = (listed < values.len())
        .then(|| classed("p", "soft", format!("The first {listed} of {} elements.", values.len())));
    let shape = classed("span", "soft", format!("{shape:?}"));
    join![tag("h3", join![name, " ", shape]), difference, list, cut]
}

fn elements(
    name: &str,
    (values, classes): (&[f64], Option<&[Option<String>]>),
    float: Option<&FloatOutput>,
) -> Markup {
    let largest = values.iter().map(|value| value.abs()).fold(0.0, f64::max);
    let row = |(index, value): (usize, &f64)| {
        let class = classes.and_then(|classes| classes.get(index)?.as_deref());
        let place = class.map_or(join![index], |class| join![index, " ", class]);
        let mut cells = vec![place, join![format!("{value:.5}")]];
        let mut bars = bar(share(value.abs(), largest), "a");
        if let Some(float) = float.and_then(|float| float.float.get(index)) {
            cells.push(join![format!("{float:.5}")]);
            bars = join![bars, bar(share(float.abs(), largest), "b")];
        }
        cells.push(bars);
        cells
    };
    let rows: Vec<Vec<Markup>> = values.iter().enumerate().map(row).collect();
    let heads: &[&str] = match float {
        Some(_) => &["Element", "Proven", "Float model", "Size"],
        None => &["Element", "Value", "Size"],
    };
    table(&format!("The elements of {name}"), heads, &rows)
}

impl Accuracy {
    pub(super) fn page(&self) -> Markup {
        let who = match self.measured {
            true => "Measured here",
            false => "CLAIMED by the key's maker, not measured here",
        };
        match (&self.bound, &self.report, &self.fault) {
            (_, _, Some(fault)) => classed("p", "alarm", format!("Not the key's: {fault}")),
            (Some(_), Some(report), None) => tag("p", format!("{who}: {}.", AccuracyWords(report))),
            (Some(digest), None, None) => {
                let how = if self.measured { "Measured again. " } else { "Not read. " };
                tag("p", join![how, "The key binds the report ", digits(digest), "."])
            }
            (None, _, None) => {
                tag("p", "The key binds no report: nothing is known of its accuracy.")
            }
        }
    }
}

impl Given {
    /// [`Given::words`] as a paragraph.
    pub(super) fn page(&self, names: [&str; 2]) -> Markup {
        let words = format!("{}.", self.words(names));
        if self.is_same { tag("p", words) } else { classed("p", "alarm", words) }
    }
}

impl Remade {
    fn page(&self) -> Markup {
        let verdict = self.given.page(["this very key", "this key"]);
        let calibration = self.calibration.as_ref();
        let calibration =
            calibration.map(|calibration| tag("p", format!("Calibrated with the {calibration}.")));
        let accuracy = self.accuracy.map(|source| match source {
            AccuracySource::Measured => tag("p", "Its accuracy was measured again."),
            AccuracySource::Report | AccuracySource::Key => {
                classed("p", "soft", "Its accuracy was not measured here.")
            }
        });
        let rows: Vec<Vec<Markup>> = self
            .differences
            .iter()
            .map(|difference| vec![join![difference.part], join![difference.detail]])
            .collect();
        let differences =
            (!rows.is_empty()).then(|| table("Where the keys differ", &["Part", "How"], &rows));
        join![verdict, calibration, accuracy, differences]
    }
}
