//! Models in parts: one job for each part, opened and paid together, each with a node of its own.
//!
//! A node answers a part by what the part gives, which the next part takes; so parts are given out one
//! after the other, and proven at the same time. A part whose proof is there is *delivered*: nobody is
//! paid for it before those of all others are. What goes from part to part is blinded as the
//! coordinator says, the same for both parts of a boundary and for every node that has one of them.

use std::{collections::BTreeMap, sync::Arc};

use zkinfer::verifier::KeyDigest;
use zkinfer_settlement::{Address, Amount, JobId, JobTerms, Refusal, ValuesDigest};

use super::{
    Event, Live, Market, Waiter,
    live::{PartRemains, Remains},
    noted, seconds,
};
use crate::{
    answer::{AnswerError, SignedAnswer},
    division::Division,
    error::MarketError,
    ledger::{Contract, Ledger, Phase, is_repetition},
    order::{JobRequest, Order, OrderError, digest},
    part::{Blinding, PartOffer, PartWork, Place},
    queue::Queue,
    ramp::Prices,
};

/// A job of a model in parts.
#[derive(Clone, Debug)]
pub(super) struct Whole {
    pub(super) division: Arc<Division>,
    /// The job of each part.
    pub(super) jobs: Vec<JobId>,
    pub(super) parts: Vec<PartState>,
}

/// What is known of a part.
#[derive(Clone, Debug, Default)]
pub(super) struct PartState {
    /// What it gives, by the last node that has answered it.
    pub(super) given: Option<Arc<Vec<i64>>>,
    /// Whether its proof is there.
    pub(super) delivered: bool,
    /// What blinds what it gives to the next part; none of the last.
    pub(super) blinding: Option<Arc<Blinding>>,
}

impl Whole {
    /// Adds what is left of a part.
    pub(super) fn add(
        wholes: &mut BTreeMap<JobId, Self>,
        job: JobId,
        part: &PartRemains,
        remains: &Remains,
        phase: Phase,
    ) {
        let PartRemains { place: Place { whole, index }, division, blinding, .. } = part;
        let known = wholes.entry(*whole).or_insert_with(|| {
            let count = division.count();
            let name = |index| JobId(division.manifest().part_job(index, &whole.0));
            let jobs = (0..count).map(name).collect();
            Self { division: division.clone(), jobs, parts: vec![PartState::default(); count] }
        });
        debug_assert_eq!(known.jobs.get(*index), Some(&job), "the name says the place");
        if let Some(state) = known.parts.get_mut(*index) {
            // The answer of whoever had it last: parts behind it may have taken that.
            let given = remains.answer.as_ref().map(|answer| Arc::new(answer.output.clone()));
            let delivered = remains.is_delivered(phase);
            *state = PartState { given, delivered, blinding: blinding.clone() };
        }
    }
}

/// The terms of the job of a part, which gets so much at most.
fn part_terms(order: &Order, model: KeyDigest, index: usize, most: u128) -> JobTerms {
    let input = if index == 0 { order.input() } else { digest(&[]) };
    JobTerms { model, input, price: Amount(most), ..order.terms() }
}

/// The jobs of all parts: their names, their terms, and what each gets.
fn part_jobs(
    order: &Order,
    division: &Division,
) -> Result<Vec<(JobId, JobTerms, Prices)>, OrderError> {
    let (job, whole, manifest) = (order.job(), order.prices(), division.manifest());
    let of_part = |(index, model): (usize, &KeyDigest)| {
        let prices = division.prices(&whole, index)?;
        let terms = part_terms(order, *model, index, prices.most);
        Some((JobId(manifest.part_job(index, &job.0)), terms, prices))
    };
    let jobs: Option<Vec<_>> = manifest.parts.iter().enumerate().map(of_part).collect();
    let (got, parts) = (whole.most, division.count());
    jobs.ok_or(OrderError::PartsPrice { field: "order.price", got, parts })
}

impl<L: Ledger, Q: Queue, W: Waiter> Market<L, Q, W> {
    /// Opens a job of a model in parts, unless it was opened before: one job for each part, of the
    /// order's stake and the part's share of its price. The caller has checked the request, and drawn a blinding for each
    /// boundary.
    ///
    /// # Errors
    /// As [`open`](Self::open); then none of the jobs is opened.
    pub fn open_parts(
        &mut self,
        request: JobRequest,
        division: &Arc<Division>,
        blindings: Vec<Blinding>,
        now: u64,
    ) -> Result<JobId, MarketError> {
        let (order, count) = (&request.order, division.count());
        let job = order.job();
        if self.wholes.contains_key(&job) {
            return Ok(job);
        }
        let limit = self.rules.max_live_jobs;
        if self.live.len().saturating_add(count) > limit {
            return Err(MarketError::Full { limit });
        }
        self.check_terms(&order.terms(), now)?;
        let jobs = part_jobs(order, division)?;
        let opened: Vec<_> = jobs.iter().map(|(name, terms, _)| (*name, *terms)).collect();
        match self.ledger.open_together(&opened, seconds(now)) {
            Err(error) if is_repetition(&error) => return Ok(job),
            opened => opened?,
        }
        let request = Arc::new(request);
        let mut blindings = blindings.into_iter().map(Arc::new);
        let mut whole = Whole { division: division.clone(), jobs: Vec::new(), parts: Vec::new() };
        for (index, (name, terms, prices)) in jobs.into_iter().enumerate() {
            let place = Place { whole: job, index };
            let blinding = blindings.next().filter(|_| index + 1 < count);
            let timer = terms.deadline;
            self.timers.insert((timer, name));
            let known = Live::new(request.clone(), terms.model, timer);
            let known = Live { place: Some(place), prices: prices.clone(), ..known };
            self.live.insert(name, known);
            let (request, part) = (request.clone(), Some((place, blinding.clone())));
            self.events.push((name, Event::Opened { request, part, prices }));
            whole.jobs.push(name);
            whole.parts.push(PartState { blinding, ..PartState::default() });
        }
        self.wholes.insert(job, whole);
        self.pass_on(Place { whole: job, index: 0 }, now)?;
        Ok(job)
    }

    /// Takes back all parts of a job, if nobody has one of them.
    pub(super) fn cancel_parts(&mut self, whole: JobId, now: u64) -> Result<(), MarketError> {
        let jobs = self.wholes.get(&whole).ok_or(MarketError::NotLive { job: whole })?.jobs.clone();
        for job in &jobs {
            let phase = self.ledger.contract(*job)?.map(|contract| contract.phase);
            if let Some(Phase::Staked { prover, .. }) = phase {
                return Err(Refusal::AlreadyStaked { prover }.into());
            }
        }
        for job in jobs {
            self.ledger.cancel(job, seconds(now))?;
            self.end(job, Event::Cancelled);
        }
        Ok(())
    }

    /// What a part takes: the input, or what the part before gives.
    fn taken(&self, place: Place, request: &JobRequest) -> Option<Arc<Vec<i64>>> {
        let Some(before) = place.index.checked_sub(1) else {
            return Some(Arc::new(request.input.clone()));
        };
        self.wholes.get(&place.whole)?.parts.get(before)?.given.clone()
    }

    /// A part that a node works on.
    #[must_use]
    pub fn part_work(&self, job: JobId) -> Option<PartWork> {
        let known = self.live.get(&job)?;
        let place = known.place?;
        let whole = self.wholes.get(&place.whole)?;
        let blinding_of = |index: Option<usize>| whole.parts.get(index?)?.blinding.clone();
        Some(PartWork {
            place,
            division: whole.division.clone(),
            request: known.request.clone(),
            node: known.answer.as_ref().map(|answer| answer.answer.node.address()),
            taken: self.taken(place, &known.request),
            given: known.answer.as_ref().map(|answer| Arc::new(answer.output.clone())),
            blinding: [place.index.checked_sub(1), Some(place.index)].map(blinding_of),
        })
    }

    /// What an offer says of a part.
    pub(super) fn part_offer(&self, place: Place, request: &JobRequest) -> (Vec<i64>, PartOffer) {
        let taken = self.taken(place, request).unwrap_or_default();
        let blinding_of = |index: Option<usize>| {
            let part = self.wholes.get(&place.whole)?.parts.get(index?)?;
            part.blinding.as_deref().cloned()
        };
        let index = u32::try_from(place.index).unwrap_or(u32::MAX);
        let [taken_blinding, given_blinding] =
            [place.index.checked_sub(1), Some(place.index)].map(blinding_of);
        (taken.to_vec(), PartOffer { index, taken_blinding, given_blinding })
    }

    /// Whether an answer to a part is about what the part takes now, and what the ledger is told: the
    /// output that a proof of the part claims.
    pub(super) fn part_output(
        &self,
        place: Place,
        answer: &SignedAnswer,
    ) -> Result<ValuesDigest, MarketError> {
        let job = answer.job();
        let known = self.live.get(&job).ok_or(MarketError::NotLive { job })?;
        let taken = self.taken(place, &known.request).map(|taken| digest(&taken).0.0);
        if taken != Some(answer.answer.input.0) {
            return Err(AnswerError::Field { field: "input" }.into());
        }
        let last =
            self.wholes.get(&place.whole).is_some_and(|whole| place.is_last(whole.jobs.len()));
        Ok(if last { answer.output_digest() } else { digest(&[]) })
    }

    /// Takes note of what a part gives by its answer. If it was answered otherwise before, what the
    /// parts behind it have done is void: their nodes are not at fault.
    pub(super) fn answered_part(
        &mut self,
        place: Place,
        given: &[i64],
        now: u64,
    ) -> Result<(), MarketError> {
        let Place { whole, index } = place;
        let state = self.wholes.get_mut(&whole).and_then(|whole| whole.parts.get_mut(index));
        let state = state.ok_or(MarketError::NotLive { job: whole })?;
        let before = state.given.replace(Arc::new(given.to_vec()));
        if before.as_deref().is_some_and(|before| before == given) {
            return Ok(());
        }
        let next = Place { whole, index: index.saturating_add(1) };
        if before.is_some() {
            self.void_from(next)?;
        }
        self.pass_on(next, now)
    }

    /// Puts a part that can be given out in the queue, and looks for a node.
    pub(super) fn pass_on(&mut self, place: Place, now: u64) -> Result<(), MarketError> {
        let of_place = |whole: &Whole| whole.jobs.get(place.index).copied();
        let Some(job) = self.wholes.get(&place.whole).and_then(of_place) else { return Ok(()) };
        let Some(model) = self.live.get(&job).map(|known| known.model) else { return Ok(()) };
        self.enqueue(job, model);
        self.offer_one(job, model, now)
    }

    /// Takes a part and those behind it back from whoever has them: each gets its stake back.
    pub(super) fn void_from(&mut self, first: Place) -> Result<(), MarketError> {
        let Some(whole) = self.wholes.get_mut(&first.whole) else { return Ok(()) };
        for part in whole.parts.iter_mut().skip(first.index) {
            (part.given, part.delivered) = (None, false);
        }
        for job in whole.jobs.clone().into_iter().skip(first.index) {
            noted(self.queue.drop_job(job));
            self.unqueued.remove(&job);
            let phase = self.ledger.contract(job)?.map(|contract| contract.phase);
            if let Some(Phase::Staked { prover, .. }) = phase {
                self.ledger.release(job)?;
                self.nodes.released(prover, job);
                self.events.push((job, Event::Released { node: prover }));
            }
            if let Some(known) = self.live.get_mut(&job) {
                known.forget_lease();
                let deadline = known.request.order.deadline;
                self.set_timer(job, deadline);
            }
        }
        Ok(())
    }

    /// Takes note that the proof of a part is there: the caller has verified it, for this node, and for
    /// a part that takes and gives values of these digests. The job of all parts, if none is missing.
    ///
    /// # Errors
    /// [`MarketError::NotLive`], a node that does not have the part, or has not answered it,
    /// [`MarketError::PartChanged`], or a failure of the ledger.
    pub fn deliver(
        &mut self,
        job: JobId,
        node: Address,
        values: [ValuesDigest; 2],
        now: u64,
    ) -> Result<Option<JobId>, MarketError> {
        let work = self.part_work(job).ok_or(MarketError::NotLive { job })?;
        let contract = self.ledger.contract(job)?.ok_or(MarketError::NotLive { job })?;
        let Contract { terms: JobTerms { deadline, stake, .. }, phase } = contract;
        match phase {
            Phase::Staked { prover, answer: Some(_), .. } if prover == node => {}
            Phase::Staked { prover, answer: Some(_), .. } => {
                return Err(Refusal::Payee { expected: prover, got: node }.into());
            }
            Phase::Staked { answer: None, .. } => return Err(Refusal::NoAnswer.into()),
            _open => return Err(Refusal::NotStaked { stake }.into()),
        }
        if seconds(now) > deadline {
            return Err(Refusal::DeadlinePassed { deadline, now: seconds(now) }.into());
        }
        let of = |values: &Option<Arc<Vec<i64>>>| values.as_deref().map(|values| digest(values));
        if [of(&work.taken), of(&work.given)] != values.map(Some) {
            return Err(MarketError::PartChanged);
        }
        let Place { whole, index } = work.place;
        let answered = self.live.get(&job).and_then(|known| known.answered);
        let after_ms = answered.map(|answered| now.saturating_sub(answered));
        let known = self.wholes.get_mut(&whole).ok_or(MarketError::NotLive { job })?;
        let all = {
            let part = known.parts.get_mut(index).ok_or(MarketError::NotLive { job })?;
            if std::mem::replace(&mut part.delivered, true) {
                return Ok(None);
            }
            known.parts.iter().all(|part| part.delivered)
        };
        // It waits for the other parts, as long as there is time.
        self.set_timer(job, deadline);
        noted(self.queue.hide(job, super::hidden_until(deadline)));
        self.nodes.proven(node, job, after_ms);
        self.events.push((job, Event::Delivered { node, after_ms }));
        self.give(node, now)?;
        Ok(all.then_some(whole))
    }

    /// Pays all parts of a job, each to its own node.
    ///
    /// # Errors
    /// A refusal of the ledger; then nobody is paid.
    pub fn settle_parts(
        &mut self,
        whole: JobId,
        evidence: L::Parts,
        now: u64,
    ) -> Result<(), MarketError> {
        let known = self.wholes.get(&whole).ok_or(MarketError::NotLive { job: whole })?;
        let jobs = known.jobs.clone();
        self.ledger.submit_parts(evidence, seconds(now))?;
        for job in jobs {
            let node = self.ledger.contract(job)?.and_then(|contract| contract.phase.node());
            let node = node.ok_or(MarketError::NotLive { job })?;
            let answered = self.live.get(&job).and_then(|known| known.answered);
            let after_ms = answered.map(|answered| now.saturating_sub(answered));
            self.end(job, Event::Settled { node, after_ms });
        }
        Ok(())
    }

    /// The jobs of the parts of a job that something can still happen to.
    #[must_use]
    pub fn part_jobs(&self, whole: JobId) -> Option<Vec<JobId>> {
        self.wholes.get(&whole).map(|whole| whole.jobs.clone())
    }

    /// The jobs of which all parts are proven, and not yet paid.
    #[must_use]
    pub fn complete(&self) -> Vec<JobId> {
        let complete = |whole: &Whole| whole.parts.iter().all(|part| part.delivered);
        let wholes = self.wholes.iter().filter(|(_, whole)| complete(whole));
        wholes.map(|(job, _)| *job).collect()
    }

    /// Whether the proof of a part is there.
    #[must_use]
    pub fn is_delivered(&self, job: JobId) -> bool {
        let place = self.live.get(&job).and_then(|known| known.place);
        place.is_some_and(|Place { whole, index }| {
            let whole = self.wholes.get(&whole);
            whole.and_then(|whole| whole.parts.get(index)).is_some_and(|part| part.delivered)
        })
    }

    /// Ends a part whose proof is there, and those of other parts are not: its node keeps its stake,
    /// the buyer gets the price back.
    pub(super) fn refund_delivered(&mut self, job: JobId, now: u64) -> Result<(), MarketError> {
        self.ledger.release(job)?;
        self.ledger.refund(job, seconds(now))?;
        self.end(job, Event::Refunded);
        Ok(())
    }

    /// Forgets a part that has come to an end, and the whole with its last part.
    pub(super) fn part_ended(&mut self, place: Place) {
        let over = |whole: &Whole| !whole.jobs.iter().any(|job| self.live.contains_key(job));
        if self.wholes.get(&place.whole).is_some_and(over) {
            self.wholes.remove(&place.whole);
        }
    }

    /// Takes up what the files say of parts. What does not fit together, because a crash came between,
    /// is done again.
    pub(super) fn restore_parts(&mut self) -> Result<(), MarketError> {
        let wholes: Vec<JobId> = self.wholes.keys().copied().collect();
        for name in wholes {
            let Some(whole) = self.wholes.get(&name) else { continue };
            let count = whole.jobs.len();
            let mut sound = count;
            for (index, job) in whole.jobs.iter().enumerate() {
                let place = Place { whole: name, index };
                let known = self.live.get(job);
                let taken = known.and_then(|known| self.taken(place, &known.request));
                let phase = self.ledger.contract(*job)?.map(|contract| contract.phase);
                let answer = known.and_then(|known| known.answer.as_ref());
                let fits = match phase {
                    Some(Phase::Staked { answer: Some(_), .. }) => answer.is_some_and(|answer| {
                        taken.map(|taken| digest(&taken).0.0) == Some(answer.answer.input.0)
                    }),
                    Some(Phase::Staked { answer: None, .. }) => taken.is_some(),
                    _open_or_over => true,
                };
                if !fits {
                    sound = index;
                    break;
                }
            }
            self.void_from(Place { whole: name, index: sound })?;
            self.queue_ready(name, sound)?;
        }
        Ok(())
    }

    /// The queue has those parts that can be given out, and those that are.
    fn queue_ready(&mut self, whole: JobId, sound: usize) -> Result<(), MarketError> {
        let Some(known) = self.wholes.get(&whole) else { return Ok(()) };
        for (index, job) in known.jobs.clone().into_iter().enumerate() {
            let Some(live) = self.live.get(&job) else { continue };
            let ready = self.taken(Place { whole, index }, &live.request).is_some();
            if index > sound || !ready {
                self.queue.drop_job(job)?;
            } else if index == sound {
                self.queue.put(job, live.model)?;
            }
        }
        Ok(())
    }
}
