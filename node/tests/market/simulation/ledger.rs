//! The escrow's rules over numbers in memory, paid by the word of the simulation.

use std::collections::BTreeMap;

use zkinfer_node::{Contract, Ledger, MarketError, Phase};
use zkinfer_settlement::{Address, Amount, JobId, JobTerms, Refusal, ValuesDigest};

/// "This node has proven this output for this job."
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    pub(crate) job: JobId,
    pub(crate) prover: Address,
    pub(crate) output: ValuesDigest,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    pub(crate) balances: BTreeMap<Address, u128>,
    pub(crate) bonds: BTreeMap<Address, u128>,
    pub(crate) jobs: BTreeMap<JobId, Contract>,
    /// How often each job was paid.
    pub(crate) paid: BTreeMap<JobId, u32>,
}

/// The terms of a job, its node with the price, the end of the lease, the answer.
type Leased = (JobTerms, (Address, Amount), u64, Option<ValuesDigest>);

impl Numbers {
    /// Everything that there is.
    pub(crate) fn total(&self) -> u128 {
        let held = |contract: &Contract| match contract.phase {
            Phase::Open => contract.terms.price.0,
            Phase::Staked { .. } => contract.terms.price.0 + contract.terms.stake.0,
            _ => 0,
        };
        let jobs: u128 = self.jobs.values().map(held).sum();
        self.balances.values().sum::<u128>() + self.bonds.values().sum::<u128>() + jobs
    }

    fn credit(&mut self, account: Address, amount: Amount) {
        *self.balances.entry(account).or_default() += amount.0;
    }

    fn get(&self, job: JobId) -> Result<Contract, MarketError> {
        self.jobs.get(&job).copied().ok_or(Refusal::UnknownJob { job }.into())
    }

    /// The price of a lease to the node, the rest to the buyer, and the stake back.
    fn pay(&mut self, job: JobId, terms: &JobTerms, (prover, price): (Address, Amount)) {
        self.credit(prover, price);
        self.credit(terms.buyer, Amount(terms.price.0 - price.0));
        *self.bonds.entry(prover).or_default() += terms.stake.0;
        *self.paid.entry(job).or_default() += 1;
    }

    fn set(&mut self, job: JobId, phase: Phase) {
        self.jobs.get_mut(&job).unwrap().phase = phase;
    }

    /// The job, if a node has it: its terms, the node and its price, the end of the lease, the answer.
    fn staked(&self, job: JobId) -> Result<Leased, MarketError> {
        let Contract { terms, phase } = self.get(job)?;
        match phase {
            Phase::Staked { prover, price, until, answer } => {
                Ok((terms, (prover, price), until, answer))
            }
            Phase::Open => Err(Refusal::NotStaked { stake: terms.stake }.into()),
            ended => Err(Refusal::AlreadySettled { at: ended.ended_at().unwrap() }.into()),
        }
    }
}

impl Ledger for Numbers {
    type Evidence = Word;
    type Parts = Vec<Word>;

    fn open_together(&mut self, jobs: &[(JobId, JobTerms)], now: u64) -> Result<(), MarketError> {
        if let Some((job, _)) = jobs.iter().find(|(job, _)| self.jobs.contains_key(job)) {
            return Err(Refusal::JobExists { job: *job }.into());
        }
        jobs.iter().try_for_each(|(job, terms)| self.open(*job, *terms, now))
    }

    fn release(&mut self, job: JobId) -> Result<(), MarketError> {
        let (terms, (prover, _), ..) = self.staked(job)?;
        *self.bonds.entry(prover).or_default() += terms.stake.0;
        self.set(job, Phase::Open);
        Ok(())
    }

    fn forfeit(&mut self, job: JobId, now: u64) -> Result<(), MarketError> {
        let (terms, (prover, price), _, answer) = self.staked(job)?;
        if let Some(output) = answer {
            return Err(Refusal::AlreadyAnswered { output }.into());
        }
        self.pay(job, &terms, (prover, price));
        self.set(job, Phase::Forfeited { prover, price, at: now });
        Ok(())
    }

    fn submit_parts(&mut self, words: Vec<Word>, now: u64) -> Result<(), MarketError> {
        words.into_iter().try_for_each(|word| self.submit(word, now))
    }

    fn open(&mut self, job: JobId, terms: JobTerms, _: u64) -> Result<(), MarketError> {
        if self.jobs.contains_key(&job) {
            return Err(Refusal::JobExists { job }.into());
        }
        *self.balances.get_mut(&terms.buyer).unwrap() -= terms.price.0;
        self.jobs.insert(job, Contract { terms, phase: Phase::Open });
        Ok(())
    }

    fn assign(
        &mut self,
        job: JobId,
        prover: Address,
        price: Amount,
        until: u64,
        now: u64,
    ) -> Result<(), MarketError> {
        let Contract { terms, phase } = self.get(job)?;
        assert_eq!(phase, Phase::Open, "only an open job is assigned");
        assert!(price.0 > 0 && price <= terms.price);
        assert!(now <= until && until <= terms.deadline);
        *self.bonds.get_mut(&prover).unwrap() -= terms.stake.0;
        self.set(job, Phase::Staked { prover, price, until, answer: None });
        Ok(())
    }

    fn answer(
        &mut self,
        job: JobId,
        node: Address,
        output: ValuesDigest,
        proof_until: u64,
        now: u64,
    ) -> Result<(), MarketError> {
        let (_, (prover, price), until, answer) = self.staked(job)?;
        if node != prover {
            return Err(Refusal::Prover { expected: prover, got: node }.into());
        }
        if let Some(output) = answer {
            return Err(Refusal::AlreadyAnswered { output }.into());
        }
        if now > until {
            return Err(Refusal::LeaseOver { until, now }.into());
        }
        self.set(job, Phase::Staked { prover, price, until: proof_until, answer: Some(output) });
        Ok(())
    }

    fn accept(&mut self, job: JobId, now: u64) -> Result<(), MarketError> {
        let (terms, (prover, price), _, answer) = self.staked(job)?;
        answer.ok_or(Refusal::NoAnswer)?;
        self.pay(job, &terms, (prover, price));
        self.set(job, Phase::Accepted { prover, price, at: now });
        Ok(())
    }

    fn lapse(&mut self, job: JobId, now: u64) -> Result<(), MarketError> {
        let (terms, (prover, _), until, answer) = self.staked(job)?;
        assert!(until < now && now <= terms.deadline, "a lease lapses after its end");
        match answer {
            None => *self.bonds.entry(prover).or_default() += terms.stake.0,
            Some(_) => self.credit(terms.buyer, terms.stake),
        }
        self.set(job, Phase::Open);
        Ok(())
    }

    fn slash(&mut self, job: JobId, now: u64) -> Result<(), MarketError> {
        let (terms, (prover, _), ..) = self.staked(job)?;
        assert!(now > terms.deadline);
        self.credit(terms.buyer, Amount(terms.price.0 + terms.stake.0));
        self.set(job, Phase::Slashed { prover, at: now });
        Ok(())
    }

    fn refund(&mut self, job: JobId, now: u64) -> Result<(), MarketError> {
        let Contract { terms, phase } = self.get(job)?;
        assert!(phase == Phase::Open && now > terms.deadline);
        self.credit(terms.buyer, terms.price);
        self.set(job, Phase::Refunded { at: now });
        Ok(())
    }

    fn cancel(&mut self, job: JobId, now: u64) -> Result<(), MarketError> {
        let Contract { terms, phase } = self.get(job)?;
        assert_eq!(phase, Phase::Open);
        self.credit(terms.buyer, terms.price);
        self.set(job, Phase::Cancelled { at: now });
        Ok(())
    }

    fn submit(&mut self, word: Word, now: u64) -> Result<(), MarketError> {
        let (terms, (prover, price), _, answer) = self.staked(word.job)?;
        if word.prover != prover {
            return Err(Refusal::Payee { expected: prover, got: word.prover }.into());
        }
        if now > terms.deadline {
            return Err(Refusal::DeadlinePassed { deadline: terms.deadline, now }.into());
        }
        assert!(answer.is_none_or(|answer| answer == word.output));
        self.pay(word.job, &terms, (prover, price));
        self.set(word.job, Phase::Settled { payee: prover, price, at: now });
        Ok(())
    }

    fn contradict(&mut self, job: JobId, word: &Word, now: u64) -> Result<(), MarketError> {
        let (terms, (prover, _), _, answer) = self.staked(job)?;
        let answer = answer.ok_or(Refusal::NoAnswer)?;
        if answer == word.output {
            return Err(Refusal::NoContradiction { output: answer }.into());
        }
        self.credit(terms.buyer, Amount(terms.price.0 + terms.stake.0));
        self.set(job, Phase::Slashed { prover, at: now });
        Ok(())
    }

    fn says(word: &Word) -> (JobId, ValuesDigest) {
        (word.job, word.output)
    }

    fn contract(&self, job: JobId) -> Result<Option<Contract>, MarketError> {
        Ok(self.jobs.get(&job).copied())
    }

    fn live(&self) -> Result<Vec<(JobId, Contract)>, MarketError> {
        let live = self.jobs.iter().filter(|(_, contract)| contract.phase.ended_at().is_none());
        Ok(live.map(|(job, contract)| (*job, *contract)).collect())
    }

    fn bond(&self, prover: Address) -> Result<Amount, MarketError> {
        Ok(Amount(self.bonds.get(&prover).copied().unwrap_or(0)))
    }
}
