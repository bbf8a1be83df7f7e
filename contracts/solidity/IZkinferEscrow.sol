// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IZkinferOpening} from "./IZkinferOpening.sol";
import {IZkinferVerifier} from "./IZkinferVerifier.sol";

/// @notice What a buyer asks for.
struct Terms {
    /// Who pays, and gets back what is not paid out.
    address buyer;
    /// Chosen by the buyer; with the buyer's address it makes the job's name.
    bytes32 salt;
    /// The only prover who can be paid. Zero: the one who stakes, or, if no stake is asked, whoever is
    /// bound in the first proof.
    address payee;
    /// The key on chain, and with it the model and the trusted setup.
    bytes32 key;
    /// Keccak-256 of the claim's input, in the bytes that the verifier is given: the elements, or the
    /// commitment.
    bytes32 input;
    /// The nonce that the proof must bear.
    uint64 nonce;
    /// The token of all amounts. Zero: ether.
    address token;
    /// What the payee gets.
    uint128 price;
    /// What a prover must stake before the job is done. Zero: no stake is asked.
    uint128 stake;
    /// The last moment at which the job can be done or answered, at most `MAX_SECONDS` after it is opened.
    uint64 deadline;
    /// Seconds in which an answer without a proof can be challenged. Zero: only a proof is paid.
    uint64 window;
    /// Seconds that a prover has for the proof after a challenge.
    uint64 proofTime;
    /// What a challenger puts in, and loses to the prover who proves the answer.
    uint128 bond;
}

/// @notice How far a job has come. All zero while it is open.
struct Progress {
    /// Who has staked.
    address prover;
    /// Keccak-256 of the output that was answered.
    bytes32 output;
    /// The last moment of a challenge, or, once challenged, of the proof.
    uint64 time;
    /// Who has challenged the answer.
    address challenger;
}

/// @notice A job as whoever acts on it must show it: the contract keeps a digest only. `jobOf` and the
/// events have all of it.
struct Job {
    Terms terms;
    Progress progress;
}

/// @notice What a proof is bound to besides key, input and output.
struct Binding {
    uint64 chainId;
    bytes32 job;
    address payee;
    /// The last moment of the proof. Zero: it does not expire.
    uint64 expiry;
    uint64 nonce;
}

/// @notice Where a job stands.
enum State {
    None,
    Open,
    Staked,
    Answered,
    Challenged,
    Settled,
    Refunded,
    Slashed
}

/// @title Pays for proven inferences, once
/// @notice A buyer opens a job: this key, this input, this price, until this deadline. Whoever brings a
/// proof in time has it paid to the payee that is bound in the proof. Otherwise the buyer gets the price
/// back, and with it the stake of a prover who promised and did not deliver. In an optimistic job the
/// prover answers with a signature; the proof is made only if somebody challenges the answer.
interface IZkinferEscrow {
    /// @notice The call is from within another one.
    error Reentered();
    /// @notice The calldata are not in their only form: lengths, offsets or zeros at the end.
    error MalformedCalldata();
    /// @notice Ether was sent to an operation on a token.
    error EtherSent();
    /// @notice The token refused, or its balances contradict what was transferred.
    error TokenFailed(address token);
    /// @notice The receiver of ether refused it.
    error EtherRefused(address to);
    /// @notice A transfer must move something.
    error ZeroAmount();
    /// @notice Money would be sent to the address zero.
    error ZeroRecipient();
    /// @notice An account has too little.
    error InsufficientFunds(address token, address account, uint256 balance, uint256 needed);
    /// @notice Only the buyer opens a job.
    error NotBuyer(address buyer);
    /// @notice No such job.
    error UnknownJob(bytes32 job);
    /// @notice The buyer has used this salt before.
    error JobExists(bytes32 job);
    /// @notice The terms or the progress shown are not those of the job.
    error OtherJob(bytes32 job);
    /// @notice The job was paid before.
    error AlreadySettled(bytes32 job);
    /// @notice The buyer got the price back before.
    error AlreadyRefunded(bytes32 job);
    /// @notice The buyer got price and stake before.
    error AlreadySlashed(bytes32 job);
    /// @notice A prover has staked on the job before.
    error AlreadyStaked(bytes32 job);
    /// @notice The job asks for a stake, and nobody has staked.
    error NotStaked(bytes32 job);
    /// @notice A prover has staked on the job: the buyer is paid by slashing.
    error RefundOfStaked(bytes32 job);
    /// @notice Nobody owes a proof.
    error NothingToSlash(bytes32 job);
    /// @notice The job has no answer that waits for its window.
    error NotAnswered(bytes32 job);
    /// @notice The job is paid for a proof only.
    error NotOptimistic(bytes32 job);
    /// @notice The last moment is over.
    error DeadlinePassed(uint64 deadline, uint64 time);
    /// @notice The last moment of the job is too far away.
    error DeadlineTooFar(uint64 deadline, uint64 latest);
    /// @notice The last moment is not over.
    error DeadlineAhead(uint64 deadline, uint64 time);
    /// @notice A job must cost something.
    error ZeroPrice();
    /// @notice An optimistic job needs a stake, a bond and time for the proof; another has none of them
    /// but the stake.
    error OptimisticTerms();
    /// @notice The job asks for no stake.
    error NoStakeAsked(bytes32 job);
    /// @notice The job is reserved for another prover.
    error OtherProver(address expected, address got);
    /// @notice The key hides its output, which must be opened to be paid for, and cannot be answered without
    /// a proof.
    error HiddenOutput(bytes32 key);
    /// @notice The key shows its output: there is nothing to open.
    error ShownOutput(bytes32 key);
    /// @notice The proof was made for another chain.
    error OtherChain(uint64 expected, uint64 got);
    /// @notice The proof expired.
    error Expired(uint64 expiry, uint64 time);
    /// @notice The proof bears another nonce.
    error OtherNonce(uint64 expected, uint64 got);
    /// @notice The proof pays nobody.
    error ZeroPayee();
    /// @notice The proof pays somebody else.
    error OtherPayee(address expected, address got);
    /// @notice The proof is about another input.
    error OtherInput(bytes32 expected, bytes32 got);
    /// @notice The proof shows another output than the answer.
    error OtherOutput(bytes32 expected, bytes32 got);
    /// @notice The output is the one that was answered.
    error SameOutput();
    /// @notice No proof of this root was brought: the claim is another, or `proveJoint` comes first.
    error NotProven(bytes32 key, bytes32 root);
    /// @notice The signature is not the prover's, or not in its only form.
    error BadSignature();

    event Deposited(address indexed token, address indexed account, uint256 amount);
    event Withdrawn(address indexed token, address indexed account, address to, uint256 amount);
    event Opened(bytes32 indexed job, address indexed buyer, address indexed payee, Terms terms);
    event Staked(bytes32 indexed job, address indexed prover);
    event Answered(bytes32 indexed job, address indexed prover, uint64 until, bytes output);
    event Challenged(bytes32 indexed job, address indexed challenger, uint64 due);
    /// @param amount What the payee got: the price, the stake, and the bond of a challenger.
    /// @param expiry The expiry of the proof; zero also where an answer was not challenged.
    /// @param output The output that was proven, or its opening where the key hides it; empty where an
    /// answer was not challenged.
    event Settled(bytes32 indexed job, address indexed payee, uint256 amount, uint64 expiry, bytes output);
    /// @notice All claims under a root are proven: each can be submitted.
    event Proven(bytes32 indexed key, bytes32 indexed root);
    event Refunded(bytes32 indexed job, address indexed buyer, uint256 amount);
    event Slashed(bytes32 indexed job, address indexed prover, address indexed buyer, uint256 amount);

    /// @notice What checks the proofs.
    function VERIFIER() external view returns (IZkinferVerifier);

    /// @notice What opens commitments.
    function OPENING() external view returns (IZkinferOpening);

    /// @notice The name of a buyer's job: no other escrow, chain or buyer has it.
    function jobId(address buyer, bytes32 salt) external view returns (bytes32);

    /// @notice Where a job stands, and the digest of what must be shown of it.
    function stateOf(bytes32 job) external view returns (State state, bytes32 digest);

    /// @notice What an account can withdraw or spend.
    function balanceOf(address token, address account) external view returns (uint256);

    /// @notice Credits the sender with what arrives, which for a token that takes a fee is less than
    /// `amount`.
    function deposit(address token, uint256 amount) external payable;

    /// @notice Pays out of the sender's balance.
    function withdraw(address token, address to, uint256 amount) external;

    /// @notice Opens a job for the sender, who pays the price: from the balance, the ether sent, or by
    /// an allowance.
    function open(Terms calldata terms) external payable returns (bytes32 job);

    /// @notice Takes the stake from the sender, who alone can now be paid.
    function stake(Job calldata job) external payable;

    /// @notice Credits the payee that is bound in the proof, whoever brings it: the price, and the stake.
    function submit(
        Job calldata job,
        Binding calldata binding,
        bytes calldata input,
        bytes calldata output,
        bytes calldata proof
    ) external;

    /// @notice As `submit`, for a key that hides its output: the proof's output is the commitment that
    /// `opening` opens, which all can then read.
    function submitOpened(
        Job calldata job,
        Binding calldata binding,
        bytes calldata input,
        bytes calldata opening,
        bytes calldata proof
    ) external;

    /// @notice Takes a proof of several claims, for good: `submitLeaf` pays for each of them. It pays nobody
    /// itself, and binds nobody to anything.
    function proveJoint(bytes32 key, bytes32 root, bytes calldata proof) external;

    /// @notice Whether a proof of the claims under a root was brought.
    function isProven(bytes32 key, bytes32 root) external view returns (bool);

    /// @notice As `submitOpened`, for one claim of a proof of several that `proveJoint` took.
    /// @param index Which claim of the proof it is.
    /// @param path The siblings of its leaf, 32 bytes each, the lowest first.
    function submitLeaf(
        Job calldata job,
        Binding calldata binding,
        uint256 index,
        bytes calldata input,
        bytes calldata opening,
        bytes calldata path
    ) external;

    /// @notice Answers for the prover, who sends this or has signed it: EIP-712, `Answer(bytes32 job,
    /// bytes32 output)`.
    /// @param signature 65 bytes, r, s and v, s in its lower half; empty if the sender is the prover.
    function answer(Job calldata job, bytes calldata output, bytes calldata signature) external;

    /// @notice Asks for the proof of an answer; the sender puts in the bond.
    function challenge(Job calldata job) external payable;

    /// @notice Credits the prover whose answer nobody has challenged.
    function finalize(Job calldata job) external;

    /// @notice Slashes a prover whose answer a proof contradicts: of the same key and input, with another
    /// output. It may be bound to anything, as there is one output only.
    function contradict(
        Job calldata job,
        bytes32 binding,
        bytes calldata input,
        bytes calldata output,
        bytes calldata proof
    ) external;

    /// @notice Slashes a prover who has signed another answer than the one given.
    function equivocate(Job calldata job, bytes32 output, bytes calldata signature) external;

    /// @notice Gives the price of an overdue job, on which nobody has staked, back to the buyer.
    function refund(Job calldata job) external;

    /// @notice Gives price and stake to the buyer if the prover is late, with the work or with the proof
    /// of a challenged answer.
    function slash(Job calldata job) external;
}
