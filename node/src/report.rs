//! Service levels, computed from the log alone: anybody who has it gets the same numbers.

use std::collections::BTreeMap;

use crate::{encoding::Hex, log::LogEntry, schema::wire};

wire! {
    /// Percentiles of durations, in milliseconds.
    pub struct Percentiles {
        /// How many there were.
        pub count: u64,
        /// Half were at most this long.
        pub p50: u64,
        /// Nineteen of twenty.
        pub p95: u64,
        /// Ninety-nine of a hundred.
        pub p99: u64,
    }

    /// How a node has done.
    pub struct NodeReport {
        /// Its account.
        pub node: Hex<20>,
        /// Jobs that it was given, without those that were returned.
        pub assigned: u64,
        /// Proofs that were paid.
        pub settled: u64,
        /// Answers that were paid without a proof.
        pub accepted: u64,
        /// Leases that came to nothing.
        pub lapsed: u64,
        /// Jobs that cost its stake.
        pub slashed: u64,
        /// From the offer to the answer.
        pub answer_ms: Option<Percentiles>,
        /// From the answer to the payment.
        pub proof_ms: Option<Percentiles>,
        /// What it earned, in the smallest units.
        pub earned: String,
        /// Its share of all weights; from 0 to 1.
        pub weight: f64,
    }

    /// How a market has done.
    pub struct Report {
        /// Entries of the log that it was computed from.
        pub entries: u64,
        /// The digest of the last one.
        pub head: Hex<32>,
        /// Jobs that were opened and not undone.
        pub opened: u64,
        /// Jobs that were paid for a proof.
        pub settled: u64,
        /// Jobs that were paid for an answer, without a proof.
        pub accepted: u64,
        /// Jobs whose buyers have paid because their sealed input was none.
        pub forfeited: u64,
        /// Jobs whose buyers have got price and stake.
        pub slashed: u64,
        /// Jobs whose buyers have got the price back.
        pub refunded: u64,
        /// Jobs that were taken back.
        pub cancelled: u64,
        /// From the order to the answer that counted.
        pub answer_ms: Option<Percentiles>,
        /// The average price of a thousand paid jobs.
        pub price_per_thousand: Option<f64>,
        /// Each node, in the order of accounts.
        pub nodes: Vec<NodeReport>,
    }
}

/// What is known of one job on the way through the log.
#[derive(Clone, Copy, Default)]
struct Job {
    opened: u64,
    price: u128,
    node: Option<Hex<20>>,
    assigned: u64,
    answered: Option<u64>,
}

#[derive(Default)]
struct NodeTally {
    assigned: u64,
    settled: u64,
    accepted: u64,
    lapsed: u64,
    slashed: u64,
    answers: Vec<u64>,
    proofs: Vec<u64>,
    earned: u128,
}

/// Percentiles by nearest rank; `None` of nothing.
pub(crate) fn percentiles(durations: &mut [u64]) -> Option<Percentiles> {
    durations.sort_unstable();
    let rank = |percent: usize| (durations.len() * percent).div_ceil(100).saturating_sub(1);
    let at = |percent| durations.get(rank(percent)).copied();
    let count = u64::try_from(durations.len()).unwrap_or(u64::MAX);
    Some(Percentiles { count, p50: at(50)?, p95: at(95)?, p99: at(99)? })
}

#[expect(clippy::cast_precision_loss, reason = "sums of money are shown to fifteen digits")]
fn approximate(amount: u128) -> f64 {
    amount as f64
}

/// The report of entries that were checked, whose last one has the digest `head`.
#[must_use]
pub fn report(entries: &[LogEntry], head: Hex<32>) -> Report {
    let mut jobs = BTreeMap::<Hex<32>, Job>::new();
    let mut nodes = BTreeMap::<Hex<20>, NodeTally>::new();
    let (mut counts, mut answers, mut paid) = (BTreeMap::<&str, u64>::new(), Vec::new(), 0u128);
    for entry in entries {
        *counts.entry(entry.event.as_str()).or_default() += 1;
        let job = jobs.entry(entry.job).or_default();
        let node = entry.node.map(|node| nodes.entry(node).or_default());
        match (entry.event.as_str(), node) {
            ("opened", _) => {
                job.opened = entry.at;
                job.price = entry.price.map_or(0, |price| price.0);
            }
            ("assigned", Some(node)) => {
                (job.node, job.assigned, job.answered) = (entry.node, entry.at, None);
                job.price = entry.price.map_or(job.price, |price| price.0);
                node.assigned += 1;
            }
            ("answered", Some(node)) => {
                job.answered = Some(entry.at);
                node.answers.push(entry.at.saturating_sub(job.assigned));
                answers.push(entry.at.saturating_sub(job.opened));
            }
            ("forfeited", Some(node)) => node.earned = node.earned.saturating_add(job.price),
            (event @ ("settled" | "accepted"), Some(node)) => {
                paid = paid.saturating_add(job.price);
                node.paid(event, job, entry.at);
            }
            ("lapsed", Some(node)) => node.lapsed += 1,
            // As if it had never been given.
            ("returned", Some(node)) => node.assigned = node.assigned.saturating_sub(1),
            ("slashed", Some(node)) => node.slashed += 1,
            _ => {}
        }
    }
    let scores: Vec<f64> = nodes.values().map(score).collect();
    let sum: f64 = scores.iter().sum();
    let weight = |score: f64| if sum > 0.0 { score / sum } else { 0.0 };
    let count = |event: &str| counts.get(event).copied().unwrap_or(0);
    let (settled, accepted) = (count("settled"), count("accepted"));
    let paid_jobs = settled.saturating_add(accepted);
    let per_thousand = |jobs| 1_000.0 * approximate(paid) / approximate(jobs);
    Report {
        entries: u64::try_from(entries.len()).unwrap_or(u64::MAX),
        head,
        opened: count("opened"),
        settled,
        accepted,
        forfeited: count("forfeited"),
        slashed: count("slashed"),
        refunded: count("refunded"),
        cancelled: count("cancelled"),
        answer_ms: percentiles(&mut answers),
        price_per_thousand: (paid_jobs > 0).then(|| per_thousand(u128::from(paid_jobs))),
        nodes: nodes
            .into_iter()
            .zip(scores)
            .map(|((node, tally), score)| tally.report(node, weight(score)))
            .collect(),
    }
}

/// Paid proofs and accepted answers, each weighed by the share of the node's leases that came to
/// something; nothing for a node that was slashed.
fn score(node: &NodeTally) -> f64 {
    if node.slashed > 0 || node.assigned == 0 {
        return 0.0;
    }
    let paid = approximate(u128::from(node.settled.saturating_add(node.accepted)));
    paid * (paid / approximate(u128::from(node.assigned)))
}

impl NodeTally {
    fn paid(&mut self, event: &str, job: &Job, at: u64) {
        self.earned = self.earned.saturating_add(job.price);
        if event == "accepted" {
            self.accepted += 1;
            return;
        }
        self.settled += 1;
        self.proofs.extend(job.answered.map(|answered| at.saturating_sub(answered)));
    }

    fn report(mut self, node: Hex<20>, weight: f64) -> NodeReport {
        NodeReport {
            node,
            assigned: self.assigned,
            settled: self.settled,
            accepted: self.accepted,
            lapsed: self.lapsed,
            slashed: self.slashed,
            answer_ms: percentiles(&mut self.answers),
            proof_ms: percentiles(&mut self.proofs),
            earned: self.earned.to_string(),
            weight,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::Decimal;

    fn entry(number: u64, at: u64, job: u8, event: &str, node: Option<u8>) -> LogEntry {
        LogEntry {
            number,
            previous: Hex([0; 32]),
            at,
            job: Hex([job; 32]),
            event: event.to_owned(),
            node: node.map(|node| Hex([node; 20])),
            detail: None,
            price: (event == "opened").then_some(Decimal(30)),
            whole: None,
            sealed: false,
            from: None,
            signature: Hex([0; 64]),
        }
    }

    #[test]
    fn a_report_is_computed_from_the_log_alone() {
        let entries = [
            entry(0, 100, 1, "opened", None),
            entry(1, 110, 1, "assigned", Some(7)),
            entry(2, 140, 1, "answered", Some(7)),
            entry(3, 200, 2, "opened", None),
            entry(4, 210, 2, "assigned", Some(8)),
            entry(5, 900, 1, "settled", Some(7)),
            entry(6, 9_000, 2, "lapsed", Some(8)),
            entry(7, 9_010, 2, "assigned", Some(7)),
            entry(8, 9_060, 2, "answered", Some(7)),
            entry(9, 9_100, 2, "settled", Some(7)),
            entry(10, 9_100, 3, "opened", None),
            entry(11, 9_200, 3, "refunded", None),
        ];
        let report = report(&entries, Hex([5; 32]));
        assert_eq!((report.opened, report.settled, report.refunded), (3, 2, 1));
        assert_eq!(report.price_per_thousand, Some(30_000.0));
        let whole = Percentiles { count: 2, p50: 40, p95: 8_860, p99: 8_860 };
        assert_eq!(report.answer_ms, Some(whole));
        let [seven, eight] = &report.nodes[..] else { panic!("two nodes") };
        assert_eq!((seven.assigned, seven.settled, seven.earned.as_str()), (2, 2, "60"));
        assert_eq!(seven.answer_ms, Some(Percentiles { count: 2, p50: 30, p95: 50, p99: 50 }));
        assert_eq!(seven.proof_ms, Some(Percentiles { count: 2, p50: 40, p95: 760, p99: 760 }));
        assert_eq!((eight.lapsed, eight.settled, eight.weight), (1, 0, 0.0));
        assert!((seven.weight - 1.0).abs() < 1e-12);
    }
}
