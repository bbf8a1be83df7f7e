//! What the page of a coordinator shows: the last jobs, latencies over time, payments. Computed from
//! the entries of the log, so it is the same after a restart; bounded, however long the log is.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    encoding::{Decimal, Hex},
    log::LogEntry,
    report::{Percentiles, percentiles},
    schema::wire,
};

/// Minutes that are shown.
const MINUTES: usize = 120;
/// Jobs that are shown.
const JOBS: usize = 100;
/// Durations of one minute that are remembered for its percentiles.
const SAMPLES: usize = 10_000;

wire! {
    /// What has happened in one minute.
    pub struct Minute {
        /// Its start, in Unix seconds.
        pub start: u64,
        /// Jobs that were opened.
        pub opened: u64,
        /// Jobs that were paid, with or without a proof.
        pub paid: u64,
        /// Jobs that cost a stake.
        pub slashed: u64,
        /// What was paid.
        pub amount: Decimal<u128>,
        /// Milliseconds from the order to the answer.
        pub answer_ms: Option<Percentiles>,
        /// Milliseconds from the answer to the payment for its proof.
        pub proof_ms: Option<Percentiles>,
    }

    /// One of the last jobs.
    pub struct RecentJob {
        /// The job.
        pub job: Hex<32>,
        /// The last event of it.
        pub event: String,
        /// When that was, in Unix milliseconds.
        pub at: u64,
        /// The node that has it, or had it last.
        pub node: Option<Hex<20>>,
        /// The price; before a node has it, the highest.
        pub price: Decimal<u128>,
        /// Milliseconds from the order to the answer.
        pub answer_ms: Option<u64>,
        /// Milliseconds from the answer to the payment.
        pub proof_ms: Option<u64>,
        /// The job of which it is a part, if it is one.
        pub whole: Option<Hex<32>>,
        /// Whether its input is sealed to nodes.
        pub sealed: bool,
        /// The price at which it began, if it rises.
        pub from: Option<Decimal<u128>>,
    }

    /// What a node has been paid.
    pub struct Payment {
        /// The node.
        pub node: Hex<20>,
        /// Jobs that it was paid for.
        pub jobs: u64,
        /// All of it.
        pub amount: Decimal<u128>,
    }

    /// How a market does.
    pub struct Overview {
        /// The time of the coordinator, in Unix seconds.
        pub now: u64,
        /// How often each event has happened.
        pub events: Vec<EventCount>,
        /// The last minutes in which something has happened, the last one at the end.
        pub minutes: Vec<Minute>,
        /// The jobs that were opened last, the last one first.
        pub jobs: Vec<RecentJob>,
        /// Payments, the largest first.
        pub payments: Vec<Payment>,
    }

    /// How often an event has happened.
    pub struct EventCount {
        /// Its name.
        pub event: String,
        /// How often.
        pub count: u64,
    }
}

#[derive(Clone, Debug, Default)]
struct Tally {
    opened: u64,
    paid: u64,
    slashed: u64,
    amount: u128,
    answers: Durations,
    proofs: Durations,
}

/// Durations of one minute, until it is over; then their percentiles.
#[derive(Clone, Debug, Default)]
struct Durations {
    samples: Vec<u64>,
    percentiles: Option<Percentiles>,
}

impl Durations {
    fn add(&mut self, milliseconds: u64) {
        if self.samples.len() < SAMPLES {
            self.samples.push(milliseconds);
        }
    }

    fn view(&self) -> Option<Percentiles> {
        self.percentiles.clone().or_else(|| percentiles(&mut self.samples.clone()))
    }

    fn close(&mut self) {
        if self.percentiles.is_none() {
            self.percentiles = percentiles(&mut std::mem::take(&mut self.samples));
        }
    }
}

/// A job on its way.
#[derive(Clone, Debug)]
struct Job {
    opened: u64,
    price: u128,
    event: String,
    at: u64,
    node: Option<Hex<20>>,
    answered: Option<u64>,
    answer_ms: Option<u64>,
    proof_ms: Option<u64>,
    ended: bool,
    whole: Option<Hex<32>>,
    sealed: bool,
    from: Option<Decimal<u128>>,
}

/// What is remembered of the log so far.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    events: BTreeMap<String, u64>,
    minutes: BTreeMap<u64, Tally>,
    /// Those that are shown, and those that go on.
    jobs: BTreeMap<Hex<32>, Job>,
    /// The order in which those that are shown were opened.
    recent: VecDeque<Hex<32>>,
    payments: BTreeMap<Hex<20>, (u64, u128)>,
}

impl Observed {
    /// Takes the next entry into account.
    pub fn add(&mut self, entry: &LogEntry) {
        *self.events.entry(entry.event.clone()).or_default() += 1;
        if entry.event == "opened" {
            self.open(entry);
        }
        let start = entry.at / 60_000 * 60;
        if !self.minutes.contains_key(&start)
            && let Some(mut last) = self.minutes.last_entry()
        {
            last.get_mut().answers.close();
            last.get_mut().proofs.close();
        }
        let minute = self.minutes.entry(start).or_default();
        let Some(job) = self.jobs.get_mut(&entry.job) else { return };
        (job.event, job.at) = (entry.event.clone(), entry.at);
        job.node = entry.node.or(job.node);
        match entry.event.as_str() {
            "opened" => minute.opened += 1,
            "assigned" => {
                job.answered = None;
                job.price = entry.price.map_or(job.price, |price| price.0);
            }
            "answered" => {
                let after = entry.at.saturating_sub(job.opened);
                (job.answered, job.answer_ms) = (Some(entry.at), Some(after));
                minute.answers.add(after);
            }
            "slashed" => minute.slashed += 1,
            "settled" | "accepted" | "forfeited" => {
                if entry.event == "settled" {
                    job.proof_ms = job.answered.map(|answered| entry.at.saturating_sub(answered));
                    job.proof_ms.into_iter().for_each(|after| minute.proofs.add(after));
                }
                minute.paid += 1;
                minute.amount = minute.amount.saturating_add(job.price);
                if let Some(node) = job.node {
                    let (jobs, amount) = self.payments.entry(node).or_default();
                    (*jobs, *amount) = (*jobs + 1, amount.saturating_add(job.price));
                }
            }
            _ => {}
        }
        job.ended = ["settled", "accepted", "forfeited", "slashed", "refunded", "cancelled"]
            .contains(&entry.event.as_str());
        if job.ended && !self.recent.contains(&entry.job) {
            self.jobs.remove(&entry.job);
        }
        if self.minutes.len() > MINUTES {
            self.minutes.pop_first();
        }
    }

    fn open(&mut self, entry: &LogEntry) {
        let job = Job {
            opened: entry.at,
            price: entry.price.map_or(0, |price| price.0),
            event: String::new(),
            at: entry.at,
            node: None,
            answered: None,
            answer_ms: None,
            proof_ms: None,
            ended: false,
            whole: entry.whole,
            sealed: entry.sealed,
            from: entry.from,
        };
        self.jobs.insert(entry.job, job);
        self.recent.push_back(entry.job);
        if self.recent.len() > JOBS
            && let Some(oldest) = self.recent.pop_front()
            && self.jobs.get(&oldest).is_some_and(|job| job.ended)
        {
            self.jobs.remove(&oldest);
        }
    }

    /// What is shown, at a moment in Unix seconds.
    #[must_use]
    pub fn view(&self, now: u64) -> Overview {
        let minute = |(start, tally): (&u64, &Tally)| Minute {
            start: *start,
            opened: tally.opened,
            paid: tally.paid,
            slashed: tally.slashed,
            amount: Decimal(tally.amount),
            answer_ms: tally.answers.view(),
            proof_ms: tally.proofs.view(),
        };
        let recent = self.recent.iter().rev();
        let jobs = recent.filter_map(|name| self.jobs.get(name).map(|job| job.view(*name)));
        let payment = |(node, (jobs, amount)): (&Hex<20>, &(u64, u128))| Payment {
            node: *node,
            jobs: *jobs,
            amount: Decimal(*amount),
        };
        let mut payments: Vec<Payment> = self.payments.iter().map(payment).collect();
        payments.sort_by_key(|payment| std::cmp::Reverse(payment.amount));
        payments.truncate(JOBS);
        let count =
            |(event, count): (&String, &u64)| EventCount { event: event.clone(), count: *count };
        Overview {
            now,
            events: self.events.iter().map(count).collect(),
            minutes: self.minutes.iter().map(minute).collect(),
            jobs: jobs.collect(),
            payments,
        }
    }
}

impl Job {
    fn view(&self, job: Hex<32>) -> RecentJob {
        RecentJob {
            job,
            event: self.event.clone(),
            at: self.at,
            node: self.node,
            price: Decimal(self.price),
            answer_ms: self.answer_ms,
            proof_ms: self.proof_ms,
            whole: self.whole,
            sealed: self.sealed,
            from: self.from,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: u64, job: u64, event: &str, node: Option<u8>) -> LogEntry {
        let mut name = [0; 32];
        name[..8].copy_from_slice(&job.to_be_bytes());
        LogEntry {
            number: 0,
            previous: Hex([0; 32]),
            at,
            job: Hex(name),
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
    fn jobs_latencies_and_payments_are_those_of_the_log() {
        let mut observed = Observed::default();
        let entries = [
            entry(60_000, 1, "opened", None),
            entry(60_010, 1, "assigned", Some(7)),
            entry(60_040, 1, "answered", Some(7)),
            entry(121_000, 1, "settled", Some(7)),
            entry(122_000, 2, "opened", None),
            entry(122_010, 2, "assigned", Some(8)),
            entry(122_020, 2, "answered", Some(8)),
            entry(123_000, 2, "accepted", Some(8)),
            entry(124_000, 3, "opened", None),
            entry(125_000, 3, "cancelled", None),
        ];
        entries.iter().for_each(|entry| observed.add(entry));
        let view = observed.view(130);
        let [first, second] = &view.minutes[..] else { panic!("two minutes") };
        assert_eq!((first.start, first.opened, first.paid), (60, 1, 0));
        assert_eq!(first.answer_ms.as_ref().unwrap().p95, 40);
        assert_eq!((second.start, second.paid, second.amount), (120, 2, Decimal(60)));
        assert_eq!(second.proof_ms.as_ref().unwrap().p50, 60_960, "accepted ones have no proof");
        let said: Vec<_> = view.jobs.iter().map(|job| job.event.as_str()).collect();
        assert_eq!(said, ["cancelled", "accepted", "settled"]);
        assert_eq!(view.payments.len(), 2);
        assert_eq!((view.payments[0].jobs, view.payments[0].amount), (1, Decimal(30)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut observed = Observed::default();
        for job in 0..1_000 {
            let at = job * 60_000;
            observed.add(&entry(at, job, "opened", None));
            observed.add(&entry(at, job, "assigned", Some(1)));
            if job % 10 != 0 {
                observed.add(&entry(at, job, "settled", Some(1)));
            }
        }
        let view = observed.view(0);
        assert_eq!((view.jobs.len(), view.minutes.len()), (JOBS, MINUTES));
        // Those that are shown, and those that go on, which the market bounds.
        assert_eq!(observed.jobs.len(), JOBS + (1_000 - JOBS) / 10);
    }
}
