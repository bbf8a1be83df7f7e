//! Every rule of the escrow that an operation can be against.

use thiserror::Error;
use zkinfer_verifier::{Commitment, CommitmentError, KeyDigest, SrsTrust};

use crate::quantities::{Address, Amount, DepositId, JobId, ValuesDigest, WithdrawalId};

/// Why an operation is against the rules. An operation that breaks several is refused for the
/// first of them, in the order of the variants. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The evidence stands on a trusted setup that this escrow does not accept.
    #[error("the evidence stands on the trusted setup {srs:?}, which this escrow does not accept")]
    UntrustedSrs {
        /// The setup.
        srs: SrsTrust,
    },
    /// The proof was made for another chain.
    #[error("the proof was made for chain {got}, this is chain {expected}")]
    Chain {
        /// The chain of the escrow.
        expected: u64,
        /// The chain of the proof.
        got: u64,
    },
    /// No such job.
    #[error("there is no job {job}")]
    UnknownJob {
        /// The job.
        job: JobId,
    },
    /// A job of this name was opened before; names are never used again.
    #[error("the job {job} was opened before; choose another name")]
    JobExists {
        /// The job.
        job: JobId,
    },
    /// The payment in was credited before.
    #[error("the deposit {deposit} was credited before")]
    DepositExists {
        /// The deposit.
        deposit: DepositId,
    },
    /// The account has used this name for a payment out before.
    #[error("the account {account} has made the withdrawal {withdrawal} before")]
    WithdrawalExists {
        /// The account.
        account: Address,
        /// The withdrawal.
        withdrawal: WithdrawalId,
    },
    /// The job was paid before.
    #[error("the job was settled before, at {at}")]
    AlreadySettled {
        /// When.
        at: u64,
    },
    /// The buyer got the price back before.
    #[error("the job was refunded before, at {at}")]
    AlreadyRefunded {
        /// When.
        at: u64,
    },
    /// The buyer got price and stake before.
    #[error("the job's prover was slashed before, at {at}")]
    AlreadySlashed {
        /// When.
        at: u64,
    },
    /// The buyer took the job back before.
    #[error("the job was cancelled before, at {at}")]
    AlreadyCancelled {
        /// When.
        at: u64,
    },
    /// The prover was paid for its answer before, without a proof.
    #[error("the answer was accepted and paid before, at {at}")]
    AlreadyAccepted {
        /// When.
        at: u64,
    },
    /// The prover was paid before, because the job cannot be done as it was ordered.
    #[error("the buyer has forfeited the price before, at {at}")]
    AlreadyForfeited {
        /// When.
        at: u64,
    },
    /// Another prover has staked on the job.
    #[error("the prover {prover} has staked on the job")]
    AlreadyStaked {
        /// The prover.
        prover: Address,
    },
    /// The job asks for a stake, and nobody has staked.
    #[error("the job asks for a stake of {stake} before it is done")]
    NotStaked {
        /// The stake.
        stake: Amount,
    },
    /// A prover has staked on the job: the buyer is paid by slashing.
    #[error("the prover {prover} has staked on the job: slash it")]
    RefundOfStaked {
        /// The prover.
        prover: Address,
    },
    /// Nobody has staked on the job: the buyer is paid by a refund.
    #[error("nobody has staked on the job: refund it")]
    NothingToSlash,
    /// The last moment of the job is over.
    #[error("the deadline {deadline} has passed, it is {now}")]
    DeadlinePassed {
        /// The last moment.
        deadline: u64,
        /// The time of the operation.
        now: u64,
    },
    /// The last moment of the job is too far away: what the job holds would be locked up until then.
    #[error("the deadline {deadline} is after {latest}, the last that is allowed now")]
    DeadlineTooFar {
        /// The last moment.
        deadline: u64,
        /// The latest deadline of a job that is opened now.
        latest: u64,
    },
    /// The job can still be done.
    #[error("the deadline {deadline} has not passed, it is {now}")]
    DeadlineAhead {
        /// The last moment.
        deadline: u64,
        /// The time of the operation.
        now: u64,
    },
    /// A job for which no stake is asked may have somebody working on it whom nobody knows.
    #[error("the job asks for no stake: somebody may be at work on it, so it cannot be cancelled")]
    CancelOfBounty,
    /// The prover has answered before; an answer is never changed.
    #[error("the prover has answered the output {output} before")]
    AlreadyAnswered {
        /// The answer.
        output: ValuesDigest,
    },
    /// The prover has answered nothing that could be contradicted.
    #[error("the prover has not answered")]
    NoAnswer,
    /// The lease is over.
    #[error("the lease ended at {until}, it is {now}")]
    LeaseOver {
        /// The last moment of the lease.
        until: u64,
        /// The time of the operation.
        now: u64,
    },
    /// The prover still has the job for itself.
    #[error("the lease does not end before {until}, it is {now}")]
    LeaseAhead {
        /// The last moment of the lease.
        until: u64,
        /// The time of the operation.
        now: u64,
    },
    /// A lease ends between now and the deadline; one that is staked from a balance, with the
    /// deadline.
    #[error("a lease that ends at {until} is not between now, {now}, and the deadline {deadline}")]
    LeaseEnd {
        /// When the lease was to end.
        until: u64,
        /// The time of the operation.
        now: u64,
        /// The last moment of the job.
        deadline: u64,
    },
    /// A lease is for a price, at most that of the job.
    #[error("a lease at {price}: it must be at least 1 and at most {most}, the price of the job")]
    LeasePrice {
        /// Of the lease.
        price: Amount,
        /// Of the job.
        most: Amount,
    },
    /// Jobs that are opened together have one buyer.
    #[error("jobs that are opened together have one buyer")]
    Buyers,
    /// A job must cost something.
    #[error("the price is zero")]
    ZeroPrice,
    /// A transfer must move something.
    #[error("the amount is zero")]
    ZeroAmount,
    /// The job asks for no stake.
    #[error("the job asks for no stake")]
    NoStakeAsked,
    /// The job is reserved for another prover.
    #[error("the job is reserved for the prover {expected}, not {got}")]
    Prover {
        /// Whom the job names.
        expected: Address,
        /// Who wants to stake.
        got: Address,
    },
    /// The proof was to be used earlier.
    #[error("the proof expired at {expiry}, it is {now}")]
    Expired {
        /// The last moment of the proof.
        expiry: u64,
        /// The time of the operation.
        now: u64,
    },
    /// The proof is about another model.
    #[error("the proof is about the model {got}, the job asks for {expected}")]
    Model {
        /// The model of the job.
        expected: KeyDigest,
        /// The model of the proof.
        got: KeyDigest,
    },
    /// The proof bears another nonce.
    #[error("the proof bears the nonce {got}, the job asks for {expected}")]
    Nonce {
        /// The nonce of the job.
        expected: u64,
        /// The nonce of the proof.
        got: u64,
    },
    /// The proof pays nobody: what is credited to the address zero is lost.
    #[error("the proof names no payee: prove again with the address that is to be paid")]
    ZeroPayee,
    /// The proof pays somebody else.
    #[error("the proof pays {got}, the job pays {expected}")]
    Payee {
        /// Whom the job pays: the prover that it names, or the one who staked.
        expected: Address,
        /// Whom the proof pays.
        got: Address,
    },
    /// The proof is about another input.
    #[error("the proof is about the input {got}, the job asks for {expected}")]
    Input {
        /// The input of the job.
        expected: ValuesDigest,
        /// The input of the proof.
        got: ValuesDigest,
    },
    /// The proof hides its output, which the job wants to be shown.
    #[error("the proof hides its output, the job pays only for an output that is shown")]
    HiddenOutput,
    /// The proof hides its output, and no opening came with it.
    #[error("the proof hides its output: the job is paid when its opening is submitted with it")]
    OpeningMissing,
    /// The proof shows its output: there is nothing to open.
    #[error("the proof shows its output, so no opening belongs to it")]
    NothingToOpen,
    /// The key that was given for the opening is not the job's.
    #[error("the opening came with the key {got}, the proof is about the model {expected}")]
    OpeningKey {
        /// The model of the proof.
        expected: KeyDigest,
        /// The key given.
        got: KeyDigest,
    },
    /// The opening's values are no output of the model.
    #[error("the opening holds no output of the model: {0}")]
    OpeningValues(CommitmentError),
    /// The opening opens another commitment.
    #[error("the opening is of the commitment {got}, the proof holds {expected}")]
    Opening {
        /// The commitment of the proof.
        expected: Commitment,
        /// What the opening opens.
        got: Commitment,
    },
    /// The proof has another output than the prover has answered.
    #[error("the proof is about the output {got}, its prover has answered {expected}")]
    Contradicts {
        /// The answer.
        expected: ValuesDigest,
        /// The output of the proof.
        got: ValuesDigest,
    },
    /// The proof confirms the answer.
    #[error("the proof is about the output {output}, as was answered")]
    NoContradiction {
        /// The output of both.
        output: ValuesDigest,
    },
    /// A sum above the largest amount: of a price and its stake, or of all that the escrow holds.
    #[error("the sum is above the largest amount")]
    Overflow,
    /// A prover's bond has too little that is free.
    #[error("the bond of {prover} has {free} free, {needed} are needed")]
    InsufficientBond {
        /// The prover.
        prover: Address,
        /// What is not held for jobs.
        free: Amount,
        /// What there would have to be.
        needed: Amount,
    },
    /// An account has too little.
    #[error("the account {account} has {balance}, {needed} are needed")]
    InsufficientFunds {
        /// The account.
        account: Address,
        /// What it has.
        balance: Amount,
        /// What it would have to have.
        needed: Amount,
    },
}
