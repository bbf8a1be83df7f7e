//! The escrow: rules applied to stored records, one durable commit per operation.

mod bonds;
mod leases;
mod parts;
mod payments;

use zkinfer_verifier::{Opening, SrsPolicy, SrsTrust, VerifiedInference, VerifyingKey};

use self::payments::Payments;
use crate::{
    audit::Audit,
    error::EscrowError,
    job::{AnyJob, Job, JobTerms, Live, Open, Receipt},
    opening::Submitted,
    quantities::{Address, Amount, DepositId, JobId, WithdrawalId},
    record::{Entry, Format, RecordKey, VERSION, format_of},
    refusal::Refusal,
    store::{Record, Store},
};

/// Balances and jobs, kept in a store.
///
/// `now` is Unix time in seconds, as in a proof's expiry. Whose wish an operation is, the caller
/// must know. An operation is refused or happens as a whole; it is durable when it returns.
#[derive(Debug)]
pub struct Escrow<S> {
    store: S,
    chain_id: u64,
    srs: SrsPolicy,
}

impl<S: Store> Escrow<S> {
    /// The escrow in `store`; an empty store becomes a new one. `chain_id` is what proofs must be
    /// bound to: no two escrows that pay may share it, or one proof could be paid by both. `srs`
    /// says on which trusted setups evidence may stand.
    ///
    /// # Errors
    /// [`EscrowError::NotAnEscrow`], [`EscrowError::Version`] or [`EscrowError::Chain`] for a store
    /// that holds something else, or a failure of the store.
    pub fn new(store: S, chain_id: u64, srs: SrsPolicy) -> Result<Self, EscrowError<S::Error>> {
        let mut escrow = Self { store, chain_id, srs };
        let books = escrow.store.get(&RecordKey::Books.encode()).map_err(EscrowError::Store)?;
        let Some(books) = books else {
            escrow.check_empty()?;
            escrow.commit(&[Entry::Books { chain_id, total: Amount(0) }])?;
            return Ok(escrow);
        };
        match format_of(&books) {
            Format::Ours => {}
            Format::Version(got) => return Err(EscrowError::Version { expected: VERSION, got }),
            Format::Foreign => return Err(EscrowError::NotAnEscrow),
        }
        let (got, _) = escrow.books()?;
        let expected = chain_id;
        if got == expected { Ok(escrow) } else { Err(EscrowError::Chain { expected, got }) }
    }

    /// Credits `account` with what came in from outside by `deposit`, once.
    ///
    /// # Errors
    /// [`Refusal::DepositExists`], [`Refusal::ZeroAmount`], [`Refusal::Overflow`], or a failure of
    /// the store.
    pub fn deposit(
        &mut self,
        deposit: DepositId,
        account: Address,
        amount: Amount,
    ) -> Result<(), EscrowError<S::Error>> {
        if self.entry(RecordKey::Deposit(deposit))?.is_some() {
            return Err(Refusal::DepositExists { deposit }.into());
        }
        check_amount(amount)?;
        let (chain_id, total) = self.books()?;
        // No balance can overflow that the total does not.
        let total = total.plus(amount)?;
        let credited = self.credited(account, amount)?;
        let made = Entry::Deposit { deposit, account, amount };
        self.commit(&[Entry::Books { chain_id, total }, credited, made])
    }

    /// Debits `account` for its `withdrawal`, once. To be called before the money is sent outside.
    ///
    /// The name is one among the account's own, so nobody can use up a name of somebody else.
    ///
    /// # Errors
    /// [`Refusal::WithdrawalExists`], [`Refusal::ZeroAmount`], [`Refusal::InsufficientFunds`], or a
    /// failure of the store.
    pub fn withdraw(
        &mut self,
        withdrawal: WithdrawalId,
        account: Address,
        amount: Amount,
    ) -> Result<(), EscrowError<S::Error>> {
        if self.entry(RecordKey::Withdrawal(account, withdrawal))?.is_some() {
            return Err(Refusal::WithdrawalExists { account, withdrawal }.into());
        }
        check_amount(amount)?;
        let debited = self.debited(account, amount)?;
        let (chain_id, Amount(total)) = self.books()?;
        let Some(total) = Amount(total).minus(amount) else {
            return Err(EscrowError::Unbalanced { holds: amount, total: Amount(total) });
        };
        let made = Entry::Withdrawal { withdrawal, account, amount };
        self.commit(&[Entry::Books { chain_id, total }, debited, made])
    }

    /// Opens a job for its buyer, who pays the price into the escrow.
    ///
    /// # Errors
    /// [`Refusal::JobExists`], [`Refusal::DeadlinePassed`], [`Refusal::DeadlineTooFar`],
    /// [`Refusal::ZeroPrice`], [`Refusal::Overflow`], [`Refusal::InsufficientFunds`], or a failure of
    /// the store.
    pub fn open(
        &mut self,
        job: JobId,
        terms: JobTerms,
        now: u64,
    ) -> Result<(), EscrowError<S::Error>> {
        if self.job(job)?.is_some() {
            return Err(Refusal::JobExists { job }.into());
        }
        let opened = Job::open(job, terms, now)?;
        let buyer = self.debited(terms.buyer, terms.price)?;
        self.commit(&[Entry::Job(AnyJob::Open(opened)), buyer])
    }

    /// Opens several jobs of one buyer, all or none: those of the parts of a model.
    ///
    /// # Errors
    /// [`Refusal::Buyers`], or those of [`open`](Self::open) for the first that is refused.
    pub fn open_together(
        &mut self,
        jobs: &[(JobId, JobTerms)],
        now: u64,
    ) -> Result<(), EscrowError<S::Error>> {
        let Some((_, JobTerms { buyer, .. })) = jobs.first() else { return Ok(()) };
        let (mut entries, mut sum) = (Vec::new(), Amount(0));
        for (number, &(job, terms)) in jobs.iter().enumerate() {
            if terms.buyer != *buyer {
                return Err(Refusal::Buyers.into());
            }
            let before = jobs.iter().take(number).any(|(other, _)| *other == job);
            if before || self.job(job)?.is_some() {
                return Err(Refusal::JobExists { job }.into());
            }
            entries.push(Entry::Job(AnyJob::Open(Job::open(job, terms, now)?)));
            sum = sum.plus(terms.price)?;
        }
        entries.push(self.debited(*buyer, sum)?);
        self.commit(&entries)
    }

    /// Takes the stake that the job asks for from `prover`, who alone can now be paid, and loses it
    /// when the deadline passes first.
    ///
    /// # Errors
    /// [`Refusal::UnknownJob`], a job that is over ([`Refusal::AlreadySettled`],
    /// [`Refusal::AlreadyRefunded`], [`Refusal::AlreadySlashed`], [`Refusal::AlreadyCancelled`]),
    /// [`Refusal::AlreadyStaked`], [`Refusal::DeadlinePassed`], [`Refusal::NoStakeAsked`], [`Refusal::Prover`],
    /// [`Refusal::InsufficientFunds`], or a failure of the store.
    pub fn stake(
        &mut self,
        job: JobId,
        prover: Address,
        now: u64,
    ) -> Result<(), EscrowError<S::Error>> {
        let open = self.open_job(job)?;
        let staked = open.stake(prover, now)?;
        let debited = self.debited(prover, staked.terms().stake)?;
        self.commit(&[Entry::Job(AnyJob::Staked(staked)), debited])
    }

    /// Pays the payee that is bound in the proof, whoever brings it: the price, and the stake back.
    ///
    /// # Errors
    /// [`Refusal::UntrustedSrs`], [`Refusal::Chain`], [`Refusal::UnknownJob`], a job that is over
    /// ([`Refusal::AlreadySettled`], [`Refusal::AlreadyRefunded`], [`Refusal::AlreadySlashed`]),
    /// [`Refusal::NotStaked`], [`Refusal::DeadlinePassed`], a proof of something else than the job
    /// asks for ([`Refusal::Expired`], [`Refusal::Model`], [`Refusal::Nonce`], [`Refusal::ZeroPayee`],
    /// [`Refusal::Payee`],
    /// [`Refusal::Input`]), an output that is not delivered ([`Refusal::HiddenOutput`],
    /// [`Refusal::OpeningMissing`]), or a failure of the store.
    pub fn submit(
        &mut self,
        evidence: VerifiedInference,
        now: u64,
    ) -> Result<Receipt, EscrowError<S::Error>> {
        self.pay(&evidence, None, now)
    }

    /// Pays as [`submit`](Self::submit) does, for a proof that hides its output: the opening of the
    /// output is checked and becomes durable together with the payment, for the buyer to
    /// [read](Self::opening). `key` is the job's, whose bounds the commitment uses.
    ///
    /// # Errors
    /// Those of [`submit`](Self::submit), or an opening that is not the output's
    /// ([`Refusal::NothingToOpen`], [`Refusal::OpeningKey`], [`Refusal::OpeningValues`],
    /// [`Refusal::Opening`]).
    pub fn submit_opened(
        &mut self,
        evidence: VerifiedInference,
        key: &VerifyingKey,
        opening: &Opening,
        now: u64,
    ) -> Result<Receipt, EscrowError<S::Error>> {
        self.pay(&evidence, Some(Submitted { key, opening }), now)
    }

    fn pay(
        &mut self,
        evidence: &VerifiedInference,
        opening: Option<Submitted<'_>>,
        now: u64,
    ) -> Result<Receipt, EscrowError<S::Error>> {
        let claim = evidence.claim();
        self.check_srs(evidence)?;
        let (expected, got) = (self.chain_id, claim.binding.chain_id);
        if expected != got {
            return Err(Refusal::Chain { expected, got }.into());
        }
        let id = JobId(claim.binding.job_id);
        let mut payments = Payments::default();
        let settled = match self.live(id)? {
            Live::Open(job) => {
                let settled = job.settle(claim, opening, now)?;
                payments.pay(settled.payee(), job.terms().price)?;
                settled
            }
            Live::Staked(job) => {
                let settled = job.settle(claim, opening, now)?;
                payments.end_of(&job)?;
                settled
            }
        };
        let kept = opening.map(|Submitted { opening, key: _ }| opening.clone());
        let kept = kept.map(|opening| Entry::Opening { job: id, opening });
        let mut entries = vec![Entry::Job(AnyJob::Settled(settled))];
        entries.extend(self.paid(&payments)?);
        entries.extend(kept);
        self.commit(&entries)?;
        Ok(settled.receipt())
    }

    /// Gives the price of an overdue job, on which nobody has staked, back to the buyer.
    ///
    /// # Errors
    /// [`Refusal::UnknownJob`], a job that is over ([`Refusal::AlreadySettled`],
    /// [`Refusal::AlreadyRefunded`], [`Refusal::AlreadySlashed`]), [`Refusal::RefundOfStaked`],
    /// [`Refusal::DeadlineAhead`], or a failure of the store.
    pub fn refund(&mut self, job: JobId, now: u64) -> Result<(), EscrowError<S::Error>> {
        let open = match self.live(job)? {
            Live::Open(open) => open,
            Live::Staked(staked) => {
                return Err(Refusal::RefundOfStaked { prover: staked.prover() }.into());
            }
        };
        let refunded = open.refund(now)?;
        let terms = refunded.terms();
        let buyer = self.credited(terms.buyer, terms.price)?;
        self.commit(&[Entry::Job(AnyJob::Refunded(refunded)), buyer])
    }

    /// Gives the price of an overdue job and the stake of its prover to the buyer.
    ///
    /// # Errors
    /// [`Refusal::UnknownJob`], a job that is over ([`Refusal::AlreadySettled`],
    /// [`Refusal::AlreadyRefunded`], [`Refusal::AlreadySlashed`]), [`Refusal::NothingToSlash`],
    /// [`Refusal::DeadlineAhead`], or a failure of the store.
    pub fn slash(&mut self, job: JobId, now: u64) -> Result<(), EscrowError<S::Error>> {
        let staked = match self.live(job)? {
            Live::Open(_) => return Err(Refusal::NothingToSlash.into()),
            Live::Staked(staked) => staked,
        };
        let held = AnyJob::Staked(staked).held()?;
        let slashed = staked.slash(now)?;
        let buyer = self.credited(slashed.terms().buyer, held)?;
        self.commit(&[Entry::Job(AnyJob::Slashed(slashed)), buyer])
    }

    /// Gives the price of a job, on which nobody has staked, back to the buyer, who wants it no
    /// longer.
    ///
    /// # Errors
    /// [`Refusal::UnknownJob`], a job that is over, [`Refusal::AlreadyStaked`],
    /// [`Refusal::DeadlinePassed`], [`Refusal::CancelOfBounty`], or a failure of the store.
    pub fn cancel(&mut self, job: JobId, now: u64) -> Result<(), EscrowError<S::Error>> {
        let open = self.open_job(job)?;
        let cancelled = open.cancel(now)?;
        let terms = cancelled.terms();
        let buyer = self.credited(terms.buyer, terms.price)?;
        self.commit(&[Entry::Job(AnyJob::Cancelled(cancelled)), buyer])
    }

    /// What an account has and can withdraw or spend; zero for one that was never seen.
    ///
    /// # Errors
    /// A damaged record, or a failure of the store.
    pub fn balance(&self, account: Address) -> Result<Amount, EscrowError<S::Error>> {
        let found = self.entry(RecordKey::Account(account))?;
        let Some(Entry::Account { account: _, balance }) = found else { return Ok(Amount(0)) };
        Ok(balance)
    }

    /// A job, if it was ever opened.
    ///
    /// # Errors
    /// A damaged record, or a failure of the store.
    pub fn job(&self, job: JobId) -> Result<Option<AnyJob>, EscrowError<S::Error>> {
        let Some(Entry::Job(job)) = self.entry(RecordKey::Job(job))? else { return Ok(None) };
        Ok(Some(job))
    }

    /// The receipt of a job, if it was paid: the one that [`Escrow::submit`] has returned, or could
    /// not return because of a crash.
    ///
    /// # Errors
    /// A damaged record, or a failure of the store.
    pub fn receipt(&self, job: JobId) -> Result<Option<Receipt>, EscrowError<S::Error>> {
        let Some(AnyJob::Settled(settled)) = self.job(job)? else { return Ok(None) };
        Ok(Some(settled.receipt()))
    }

    /// The opening of a paid job's output, where the proof hid it and [`Escrow::submit_opened`] was
    /// given it. For the buyer alone: it shows the values.
    ///
    /// # Errors
    /// A damaged record, or a failure of the store.
    pub fn opening(&self, job: JobId) -> Result<Option<Opening>, EscrowError<S::Error>> {
        let found = self.entry(RecordKey::Opening(job))?;
        let Some(Entry::Opening { job: _, opening }) = found else { return Ok(None) };
        Ok(Some(opening))
    }

    /// Reads every record and sums up: accounts, bonds and jobs must hold exactly what was paid in
    /// and not out.
    ///
    /// # Errors
    /// [`EscrowError::Unbalanced`], a damaged or foreign record, or a failure of the store.
    pub fn audit(&self) -> Result<Audit, EscrowError<S::Error>> {
        let mut audit = Audit::default();
        let mut outcome = Ok(());
        let visit = &mut |key: &[u8], value: &[u8]| {
            if outcome.is_ok() {
                outcome = decode(key, value).map(|entry| audit.add(&entry));
            }
        };
        self.store.for_each(visit).map_err(EscrowError::Store)?;
        outcome?;
        if audit.balances() {
            return Ok(audit);
        }
        let Audit { balances, bonds, held, total, .. } = audit;
        let holds = balances.0.saturating_add(bonds.0).saturating_add(held.0);
        Err(EscrowError::Unbalanced { holds: Amount(holds), total })
    }

    /// Where the records are.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.store
    }

    fn check_empty(&self) -> Result<(), EscrowError<S::Error>> {
        let mut empty = true;
        self.store.for_each(&mut |_, _| empty = false).map_err(EscrowError::Store)?;
        if empty { Ok(()) } else { Err(EscrowError::NotAnEscrow) }
    }

    fn books(&self) -> Result<(u64, Amount), EscrowError<S::Error>> {
        let Some(Entry::Books { chain_id, total }) = self.entry(RecordKey::Books)? else {
            return Err(EscrowError::NotAnEscrow);
        };
        Ok((chain_id, total))
    }

    fn check_srs(&self, evidence: &VerifiedInference) -> Result<(), Refusal> {
        self.check_trust(evidence.srs())
    }

    fn check_trust(&self, srs: SrsTrust) -> Result<(), Refusal> {
        if accepts(self.srs, srs) { Ok(()) } else { Err(Refusal::UntrustedSrs { srs }) }
    }

    fn open_job(&self, job: JobId) -> Result<Job<Open>, EscrowError<S::Error>> {
        match self.live(job)? {
            Live::Open(open) => Ok(open),
            Live::Staked(staked) => Err(Refusal::AlreadyStaked { prover: staked.prover() }.into()),
        }
    }

    fn live(&self, job: JobId) -> Result<Live, EscrowError<S::Error>> {
        let found = self.job(job)?.ok_or(Refusal::UnknownJob { job })?;
        Ok(found.live()?)
    }

    fn credited(&self, account: Address, amount: Amount) -> Result<Entry, EscrowError<S::Error>> {
        let balance = self.balance(account)?.plus(amount)?;
        Ok(Entry::Account { account, balance })
    }

    fn debited(&self, account: Address, needed: Amount) -> Result<Entry, EscrowError<S::Error>> {
        let balance = self.balance(account)?;
        let rest = balance.minus(needed);
        let rest = rest.ok_or(Refusal::InsufficientFunds { account, balance, needed })?;
        Ok(Entry::Account { account, balance: rest })
    }

    fn entry(&self, key: RecordKey) -> Result<Option<Entry>, EscrowError<S::Error>> {
        let value = self.store.get(&key.encode()).map_err(EscrowError::Store)?;
        let decoded = value.map(|value| Entry::decode(key, &value)).transpose();
        decoded.map_err(|source| EscrowError::Record { key, source })
    }

    fn commit(&mut self, entries: &[Entry]) -> Result<(), EscrowError<S::Error>> {
        let records: Vec<Record> = entries.iter().map(Entry::encode).collect();
        self.store.commit(&records).map_err(EscrowError::Store)
    }
}

fn decode<E>(key: &[u8], value: &[u8]) -> Result<Entry, EscrowError<E>> {
    let key = RecordKey::decode(key).ok_or(EscrowError::UnknownKey { length: key.len() })?;
    Entry::decode(key, value).map_err(|source| EscrowError::Record { key, source })
}

fn check_amount(amount: Amount) -> Result<(), Refusal> {
    if amount == Amount(0) { Err(Refusal::ZeroAmount) } else { Ok(()) }
}

/// Whether evidence that was verified for the reason `trust` satisfies `policy`.
fn accepts(policy: SrsPolicy, trust: SrsTrust) -> bool {
    match trust {
        SrsTrust::Ceremony(_) => true,
        SrsTrust::InsecureDev => policy == SrsPolicy::AllowInsecureDev,
        SrsTrust::ByDigest(digest) => policy == SrsPolicy::AllowSrs(digest),
    }
}
