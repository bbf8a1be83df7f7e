//! Random operations, against a model of the rules without proofs, records or a store.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use zkinfer_settlement::{Address, Escrow, JobTerms, MemoryStore};

use crate::{
    common::{ALICE, BOB, CHAIN, POLICY, Proof},
    operations::{ACCOUNTS, KINDS, Operation, apply, kind, operations},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Staked { prover: Address, until: u64, price: u128, bonded: bool, answer: Option<bool> },
    Over,
}

#[derive(Debug, Default)]
struct Model {
    balances: BTreeMap<Address, u128>,
    bonds: BTreeMap<Address, u128>,
    jobs: BTreeMap<u8, (JobTerms, State)>,
    deposits: BTreeSet<u8>,
    withdrawals: BTreeSet<(Address, u8)>,
}

impl Model {
    fn balance(&self, account: Address) -> u128 {
        self.balances.get(&account).copied().unwrap_or(0)
    }

    fn held(&self) -> u128 {
        let held = |(terms, state): &(JobTerms, State)| match state {
            State::Open => terms.price.0,
            State::Staked { .. } => terms.price.0 + terms.stake.0,
            State::Over => 0,
        };
        self.jobs.values().map(held).sum()
    }

    fn total(&self) -> u128 {
        let bonds = self.bonds.values().sum::<u128>();
        self.balances.values().sum::<u128>() + bonds + self.held()
    }

    fn bond(&self, prover: Address) -> u128 {
        self.bonds.get(&prover).copied().unwrap_or(0)
    }

    fn take_bond(&mut self, prover: Address, amount: u128) -> bool {
        let free = self.bonds.entry(prover).or_default();
        let rest = free.checked_sub(amount);
        *free = rest.unwrap_or(*free);
        rest.is_some()
    }

    /// The stake back where it came from.
    fn give_stake_back(&mut self, prover: Address, bonded: bool, stake: u128) {
        let to = if bonded { &mut self.bonds } else { &mut self.balances };
        *to.entry(prover).or_default() += stake;
    }

    fn credit(&mut self, account: Address, amount: u128) {
        *self.balances.entry(account).or_default() += amount;
    }

    fn debit(&mut self, account: Address, amount: u128) -> bool {
        let balance = self.balances.entry(account).or_default();
        let rest = balance.checked_sub(amount);
        *balance = rest.unwrap_or(*balance);
        rest.is_some()
    }

    /// Whether the rules allow the operation; if so, it has happened.
    fn apply(&mut self, operation: Operation, now: u64) -> bool {
        match operation {
            Operation::Deposit { transfer, account, amount } => {
                let fits = self.total().checked_add(amount).is_some();
                let new = amount > 0 && fits && self.deposits.insert(transfer);
                self.credit(account, if new { amount } else { 0 });
                new
            }
            Operation::Withdraw { transfer, account, amount } => {
                let new = amount > 0 && !self.withdrawals.contains(&(account, transfer));
                let done = new && self.debit(account, amount);
                done.then(|| self.withdrawals.insert((account, transfer))).is_some()
            }
            Operation::Open { job, terms } => {
                let JobTerms { buyer, price, stake, deadline, .. } = terms;
                let fits = price.0.checked_add(stake.0).is_some();
                let new = !self.jobs.contains_key(&job) && fits;
                let done = new && now <= deadline && price.0 > 0 && self.debit(buyer, price.0);
                done.then(|| self.jobs.insert(job, (terms, State::Open))).is_some()
            }
            Operation::Stake { job, prover } => {
                let Some(&(terms, State::Open)) = self.jobs.get(&job) else { return false };
                let JobTerms { payee, stake, deadline, .. } = terms;
                let reserved = payee.is_some_and(|payee| payee != prover);
                let asked = now <= deadline && stake.0 > 0 && !reserved;
                let done = asked && self.debit(prover, stake.0);
                let (until, price) = (deadline, terms.price.0);
                let staked = State::Staked { prover, until, price, bonded: false, answer: None };
                done.then(|| self.jobs.insert(job, (terms, staked))).is_some()
            }
            Operation::Submit { proof } => self.submit(proof, now),
            Operation::Refund { job } => self.give_back(job, now, |state| state == State::Open),
            Operation::Slash { job } => {
                self.give_back(job, now, |state| matches!(state, State::Staked { .. }))
            }
            Operation::PostBond { prover, amount } => {
                let done = amount > 0 && self.debit(prover, amount);
                self.give_stake_back(prover, true, if done { amount } else { 0 });
                done
            }
            Operation::WithdrawBond { prover, amount } => {
                let done = amount > 0 && self.take_bond(prover, amount);
                self.credit(prover, if done { amount } else { 0 });
                done
            }
            Operation::Assign { job, prover, price, until } => {
                self.assign(job, prover, price, until, now)
            }
            Operation::Answer { job, prover, right, until } => {
                self.answer(job, prover, right, until, now)
            }
            Operation::Lapse { job } => self.lapse(job, now),
            Operation::Contradict { job, proof } => self.contradict(job, proof),
            Operation::Accept { job } => self.accept(job, |answer| answer.is_some()),
            Operation::Forfeit { job } => self.accept(job, |answer| answer.is_none()),
            Operation::Release { job } => self.release(job),
            Operation::Cancel { job } => self.cancel(job, now),
        }
    }

    fn cancel(&mut self, job: u8, now: u64) -> bool {
        let Some(&(terms, State::Open)) = self.jobs.get(&job) else { return false };
        let possible = now <= terms.deadline && terms.stake.0 > 0;
        self.credit(terms.buyer, if possible { terms.price.0 } else { 0 });
        possible.then(|| self.jobs.insert(job, (terms, State::Over))).is_some()
    }

    fn assign(
        &mut self,
        job: u8,
        prover: Address,
        price: Option<u128>,
        until: u64,
        now: u64,
    ) -> bool {
        let Some(&(terms, State::Open)) = self.jobs.get(&job) else { return false };
        let JobTerms { payee, stake, deadline, .. } = terms;
        let price = price.unwrap_or(terms.price.0);
        let asked = now <= deadline && stake.0 > 0 && payee.is_none_or(|payee| payee == prover);
        let in_time = now <= until && until <= deadline;
        let payable = price > 0 && price <= terms.price.0;
        let done = asked && in_time && payable && self.take_bond(prover, stake.0);
        let staked = State::Staked { prover, until, price, bonded: true, answer: None };
        done.then(|| self.jobs.insert(job, (terms, staked))).is_some()
    }

    fn answer(&mut self, job: u8, by: Address, right: bool, until: u64, now: u64) -> bool {
        let Some((terms, state)) = self.jobs.get_mut(&job) else { return false };
        let State::Staked { prover, until: ends, price, bonded, answer: None } = *state else {
            return false;
        };
        let in_time = now <= terms.deadline && now <= ends;
        let possible = now <= until && until <= terms.deadline;
        if prover != by || !in_time || !possible || (!bonded && until != terms.deadline) {
            return false;
        }
        *state = State::Staked { prover, until, price, bonded, answer: Some(right) };
        true
    }

    fn lapse(&mut self, job: u8, now: u64) -> bool {
        let Some(&(terms, state)) = self.jobs.get(&job) else { return false };
        let State::Staked { prover, until, bonded, answer, .. } = state else { return false };
        if now <= until || now > terms.deadline {
            return false;
        }
        match answer {
            None => self.give_stake_back(prover, bonded, terms.stake.0),
            Some(_) => self.credit(terms.buyer, terms.stake.0),
        }
        self.jobs.insert(job, (terms, State::Open));
        true
    }

    fn contradict(&mut self, job: u8, proof: Proof) -> bool {
        let Some(&(terms, state)) = self.jobs.get(&job) else { return false };
        let State::Staked { answer: Some(right), .. } = state else { return false };
        let about = terms.input == proof.terms().input;
        // What is answered rightly is the output of the job's own input.
        if !about || right {
            return false;
        }
        self.credit(terms.buyer, terms.price.0 + terms.stake.0);
        self.jobs.insert(job, (terms, State::Over));
        true
    }

    fn release(&mut self, job: u8) -> bool {
        let Some(&(terms, state)) = self.jobs.get(&job) else { return false };
        let State::Staked { prover, bonded, .. } = state else { return false };
        self.give_stake_back(prover, bonded, terms.stake.0);
        self.jobs.insert(job, (terms, State::Open));
        true
    }

    /// Pays without a proof, for such an answer.
    fn accept(&mut self, job: u8, such: fn(Option<bool>) -> bool) -> bool {
        let Some(&(terms, state)) = self.jobs.get(&job) else { return false };
        let State::Staked { prover, price, bonded, answer, .. } = state else { return false };
        if !such(answer) {
            return false;
        }
        self.credit(prover, price);
        self.credit(terms.buyer, terms.price.0 - price);
        self.give_stake_back(prover, bonded, terms.stake.0);
        self.jobs.insert(job, (terms, State::Over));
        true
    }

    fn submit(&mut self, proof: Proof, now: u64) -> bool {
        let (job, payee, expiry) = match proof {
            Proof::First => (1, ALICE, 2_000),
            Proof::Second => (2, BOB, 2_000),
            Proof::ShortLived => (3, ALICE, 500),
            Proof::RivalOfFirst => (1, BOB, 2_000),
        };
        let Some((terms, state)) = self.jobs.get_mut(&job) else { return false };
        let (to, staked) = match *state {
            State::Open if terms.stake.0 == 0 => (terms.payee, None),
            State::Staked { answer: Some(false), .. } => return false,
            State::Staked { prover, price, bonded, .. } => (Some(prover), Some((price, bonded))),
            State::Open | State::Over => return false,
        };
        let asked = proof.terms();
        let same = terms.input == asked.input && terms.nonce == asked.nonce;
        let in_time = now <= terms.deadline && now <= expiry;
        if !same || !in_time || to.is_some_and(|to| to != payee) {
            return false;
        }
        *state = State::Over;
        let (buyer, most, stake) = (terms.buyer, terms.price.0, terms.stake.0);
        let (price, bonded) = staked.map_or((most, None), |(price, bonded)| (price, Some(bonded)));
        self.credit(payee, price);
        self.credit(buyer, most - price);
        if let Some(bonded) = bonded {
            self.give_stake_back(payee, bonded, stake);
        }
        true
    }

    fn give_back(&mut self, job: u8, now: u64, possible: fn(State) -> bool) -> bool {
        let held = self.held();
        let Some((terms, state)) = self.jobs.get_mut(&job) else { return false };
        let (buyer, overdue) = (terms.buyer, now > terms.deadline);
        if !overdue || !possible(*state) {
            return false;
        }
        *state = State::Over;
        let released = held - self.held();
        self.credit(buyer, released);
        true
    }
}

#[test]
fn money_is_conserved_and_the_rules_are_those_of_the_model() {
    let config = Config { cases: 360, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    // How often each kind of operation happened.
    let happened = Cell::new([0usize; KINDS]);
    let outcome = TestRunner::new_with_rng(config, rng).run(&operations(), |operations| {
        let mut escrow = Escrow::new(MemoryStore::default(), CHAIN, POLICY).unwrap();
        let mut model = Model::default();
        let funds = ACCOUNTS
            .into_iter()
            .zip(20..)
            .map(|(account, transfer)| (Operation::Deposit { transfer, account, amount: 500 }, 0));
        for (operation, now) in funds.chain(operations) {
            let allowed = model.apply(operation, now);
            prop_assert_eq!(apply(&mut escrow, operation, now), allowed, "{:?}", operation);
            for account in ACCOUNTS {
                prop_assert_eq!(escrow.balance(account).unwrap().0, model.balance(account));
                prop_assert_eq!(escrow.bond(account).unwrap().0, model.bond(account));
            }
            let audit = escrow.audit().unwrap();
            prop_assert_eq!(audit.held.0, model.held());
            prop_assert_eq!(audit.total.0, model.total());
            let mut counts = happened.get();
            counts[kind(operation)] += usize::from(allowed);
            happened.set(counts);
        }
        Ok(())
    });
    outcome.unwrap();
    assert!(happened.get().into_iter().all(|count| count >= 20), "{:?}", happened.get());
}
