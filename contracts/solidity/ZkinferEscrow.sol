// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Binding, IZkinferEscrow, Job, Progress, State, Terms} from "./IZkinferEscrow.sol";
import {IZkinferOpening, Leaf} from "./IZkinferOpening.sol";
import {Claim, IZkinferVerifier} from "./IZkinferVerifier.sol";

/// @title Pays for proven inferences, once
/// @notice The rules are those of the crate `zkinfer-settlement`, in the same order. No owner, no upgrade,
/// no fee. Whatever is paid is credited, and withdrawn by its owner: a payee who refuses money blocks
/// nobody.
/// @dev A job is one word, written when it is opened: its state in the first byte, then a bit that says
/// whether its key hides the output, then a digest of its terms and progress, which whoever acts on it
/// shows again.
contract ZkinferEscrow is IZkinferEscrow {
    /// @inheritdoc IZkinferEscrow
    IZkinferVerifier public immutable VERIFIER;
    /// @inheritdoc IZkinferEscrow
    IZkinferOpening public immutable OPENING;
    /// @notice Most seconds from the opening of a job to its deadline, and in a window of it.
    uint64 public constant MAX_SECONDS = 366 days;

    /// Where the escrow was deployed: names of jobs stay what they are when a chain splits.
    uint256 private immutable CHAIN = block.chainid;
    address private constant ETHER = address(0);
    uint256 private constant DIGEST = type(uint256).max >> 9;
    uint256 private constant HIDDEN = 1 << 247;
    /// Above it, `s` of a signature has a twin below.
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;
    bytes32 private constant DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant ANSWER = keccak256("Answer(bytes32 job,bytes32 output)");

    mapping(bytes32 job => uint256 record) private _records;
    mapping(address token => mapping(address account => uint256 balance)) private _balances;
    /// Roots of claims that are proven, each hashed with its key.
    mapping(bytes32 statement => bool proven) private _proven;
    bool private transient _entered;

    modifier once() {
        if (_entered) revert Reentered();
        _entered = true;
        _;
        _entered = false;
    }

    /// @param verifier What checks the proofs.
    /// @param opening What opens commitments.
    constructor(IZkinferVerifier verifier, IZkinferOpening opening) {
        VERIFIER = verifier;
        OPENING = opening;
    }

    /// @inheritdoc IZkinferEscrow
    function jobId(address buyer, bytes32 salt) public view returns (bytes32) {
        return keccak256(abi.encode(CHAIN, address(this), buyer, salt));
    }

    /// @inheritdoc IZkinferEscrow
    function stateOf(bytes32 job) external view returns (State state, bytes32 digest) {
        uint256 record = _records[job];
        return (State(record >> 248), bytes32(record & DIGEST));
    }

    /// @inheritdoc IZkinferEscrow
    function balanceOf(address token, address account) external view returns (uint256) {
        return _balances[token][account];
    }

    /// @inheritdoc IZkinferEscrow
    function deposit(address token, uint256 amount) external payable once {
        if (amount == 0) revert ZeroAmount();
        uint256 got = amount;
        if (token == ETHER) {
            if (msg.value != amount) revert InsufficientFunds(token, msg.sender, msg.value, amount);
        } else {
            if (msg.value != 0) revert EtherSent();
            got = _pull(token, amount);
        }
        _credit(token, msg.sender, got);
        emit Deposited(token, msg.sender, got);
    }

    /// @inheritdoc IZkinferEscrow
    function withdraw(address token, address to, uint256 amount) external once {
        if (amount == 0) revert ZeroAmount();
        if (to == address(0)) revert ZeroRecipient();
        uint256 balance = _balances[token][msg.sender];
        if (balance < amount) revert InsufficientFunds(token, msg.sender, balance, amount);
        _balances[token][msg.sender] = balance - amount;
        emit Withdrawn(token, msg.sender, to, amount);
        if (token == ETHER) {
            (bool sent,) = to.call{value: amount}("");
            if (!sent) revert EtherRefused(to);
        } else {
            uint256 before = _held(token);
            _call(token, abi.encodeCall(IERC20.transfer, (to, amount)));
            // Nobody pays the fee of a token but its receiver.
            if (before - amount != _held(token)) revert TokenFailed(token);
        }
    }

    /// @inheritdoc IZkinferEscrow
    function open(Terms calldata terms) external payable once returns (bytes32 id) {
        if (terms.buyer != msg.sender) revert NotBuyer(terms.buyer);
        id = jobId(terms.buyer, terms.salt);
        if (_records[id] != 0) revert JobExists(id);
        uint64 time = uint64(block.timestamp);
        if (time > terms.deadline) revert DeadlinePassed(terms.deadline, time);
        uint64 latest = time + MAX_SECONDS;
        if (terms.deadline > latest) revert DeadlineTooFar(terms.deadline, latest);
        if (terms.price == 0) revert ZeroPrice();
        bool needed = terms.stake != 0 && terms.bond != 0 && terms.proofTime != 0;
        bool optional = terms.bond == 0 && terms.proofTime == 0;
        bool bounded = terms.window <= MAX_SECONDS && terms.proofTime <= MAX_SECONDS;
        if (!bounded || !(terms.window == 0 ? optional : needed)) revert OptimisticTerms();
        (, bool shown) = VERIFIER.shows(terms.key);
        // What is signed and challenged must be what the buyer gets.
        if (!shown && terms.window != 0) revert HiddenOutput(terms.key);
        Job memory job;
        job.terms = terms;
        if (!shown) _records[id] = HIDDEN;
        _put(id, State.Open, job);
        _take(terms.token, terms.price);
        emit Opened(id, terms.buyer, terms.payee, terms);
    }

    /// @inheritdoc IZkinferEscrow
    function stake(Job calldata job) external payable once {
        (bytes32 id, State state) = _live(job);
        if (state != State.Open) revert AlreadyStaked(id);
        _same(id, job);
        _inTime(job.terms.deadline);
        if (job.terms.stake == 0) revert NoStakeAsked(id);
        address payee = job.terms.payee;
        if (payee != address(0) && payee != msg.sender) revert OtherProver(payee, msg.sender);
        Job memory next = job;
        next.progress.prover = msg.sender;
        _put(id, State.Staked, next);
        _take(job.terms.token, job.terms.stake);
        emit Staked(id, msg.sender);
    }

    /// @inheritdoc IZkinferEscrow
    function submit(
        Job calldata job,
        Binding calldata binding,
        bytes calldata input,
        bytes calldata output,
        bytes calldata proof
    ) external once {
        _canonical(25, input, output, proof);
        State state = _submit(job, binding, input, output, proof, false);
        _pay(job, state, binding, output);
    }

    /// @inheritdoc IZkinferEscrow
    function submitOpened(
        Job calldata job,
        Binding calldata binding,
        bytes calldata input,
        bytes calldata opening,
        bytes calldata proof
    ) external once {
        _canonical(25, input, opening, proof);
        bytes memory output = abi.encodePacked(OPENING.commitment(opening));
        State state = _submit(job, binding, input, output, proof, true);
        _pay(job, state, binding, opening);
    }

    /// @inheritdoc IZkinferEscrow
    function proveJoint(bytes32 key, bytes32 root, bytes calldata proof) external once {
        VERIFIER.verifyJoint(
            Claim({key: key, binding: 0, input: abi.encodePacked(root), output: "", proof: proof})
        );
        _proven[_statement(key, root)] = true;
        emit Proven(key, root);
    }

    /// @inheritdoc IZkinferEscrow
    function isProven(bytes32 key, bytes32 root) public view returns (bool) {
        return _proven[_statement(key, root)];
    }

    /// @inheritdoc IZkinferEscrow
    function submitLeaf(
        Job calldata job,
        Binding calldata binding,
        uint256 index,
        bytes calldata input,
        bytes calldata opening,
        bytes calldata path
    ) external once {
        _canonical(26, input, opening, path);
        bytes32 output = OPENING.commitment(opening);
        State state = _due(job, binding, input, abi.encodePacked(output), true);
        bytes32 key = job.terms.key;
        Leaf memory leaf = Leaf({
            claims: VERIFIER.claimsOf(key),
            index: index,
            binding: _bound(binding),
            input: bytes32(input),
            output: output
        });
        bytes32 root = OPENING.root(leaf, path);
        if (input.length != 32 || !isProven(key, root)) revert NotProven(key, root);
        _pay(job, state, binding, opening);
    }

    /// @dev Whether a proof of this output, which the key hides or shows, is due and true.
    function _submit(
        Job calldata job,
        Binding calldata binding,
        bytes calldata input,
        bytes memory output,
        bytes calldata proof,
        bool hidden
    ) private view returns (State state) {
        state = _due(job, binding, input, output, hidden);
        VERIFIER.verify(
            Claim({key: job.terms.key, binding: _bound(binding), input: input, output: output, proof: proof})
        );
    }

    /// @dev Whether the job is paid for a claim, if it is proven.
    function _due(
        Job calldata job,
        Binding calldata binding,
        bytes calldata input,
        bytes memory output,
        bool hidden
    ) private view returns (State state) {
        if (binding.chainId != block.chainid) revert OtherChain(uint64(block.chainid), binding.chainId);
        bytes32 id;
        (id, state) = _live(job);
        if (binding.job != id) revert UnknownJob(binding.job);
        if (state == State.Open && job.terms.stake != 0) revert NotStaked(id);
        _same(id, job);
        _inTime(state < State.Answered ? job.terms.deadline : job.progress.time);
        if (binding.expiry != 0 && block.timestamp > binding.expiry) {
            revert Expired(binding.expiry, uint64(block.timestamp));
        }
        if (binding.nonce != job.terms.nonce) revert OtherNonce(job.terms.nonce, binding.nonce);
        if (binding.payee == address(0)) revert ZeroPayee();
        address payee = state == State.Open ? job.terms.payee : job.progress.prover;
        if (payee != address(0) && payee != binding.payee) revert OtherPayee(payee, binding.payee);
        if ((_records[id] & HIDDEN != 0) != hidden) {
            if (hidden) revert ShownOutput(job.terms.key);
            revert HiddenOutput(job.terms.key);
        }
        bytes32 digest = keccak256(input);
        if (digest != job.terms.input) revert OtherInput(job.terms.input, digest);
        digest = keccak256(output);
        if (state >= State.Answered && digest != job.progress.output) {
            revert OtherOutput(job.progress.output, digest);
        }
    }

    /// @dev Pays for a claim that is due and proven.
    function _pay(Job calldata job, State state, Binding calldata binding, bytes calldata output) private {
        uint256 amount = _heldFor(job, state);
        // `_due` has compared the two.
        _end(binding.job, State.Settled, job);
        _credit(job.terms.token, binding.payee, amount);
        emit Settled(binding.job, binding.payee, amount, binding.expiry, output);
    }

    /// @dev What is proven of a key.
    function _statement(bytes32 key, bytes32 root) private pure returns (bytes32) {
        return keccak256(abi.encode(key, root));
    }

    /// @inheritdoc IZkinferEscrow
    function answer(Job calldata job, bytes calldata output, bytes calldata signature) external once {
        (bytes32 id, State state) = _live(job);
        if (job.terms.window == 0) revert NotOptimistic(id);
        if (state == State.Open) revert NotStaked(id);
        if (state != State.Staked) revert AlreadyStaked(id);
        _same(id, job);
        _inTime(job.terms.deadline);
        bytes32 digest = keccak256(output);
        address prover = job.progress.prover;
        if (msg.sender != prover) _signed(id, digest, prover, signature);
        uint64 until = uint64(block.timestamp) + job.terms.window;
        Job memory next = job;
        next.progress.output = digest;
        next.progress.time = until;
        _put(id, State.Answered, next);
        emit Answered(id, prover, until, output);
    }

    /// @inheritdoc IZkinferEscrow
    function challenge(Job calldata job) external payable once {
        (bytes32 id, State state) = _live(job);
        if (state != State.Answered) revert NotAnswered(id);
        _same(id, job);
        _inTime(job.progress.time);
        uint64 due = uint64(block.timestamp) + job.terms.proofTime;
        Job memory next = job;
        next.progress.time = due;
        next.progress.challenger = msg.sender;
        _put(id, State.Challenged, next);
        _take(job.terms.token, job.terms.bond);
        emit Challenged(id, msg.sender, due);
    }

    /// @inheritdoc IZkinferEscrow
    function finalize(Job calldata job) external once {
        (bytes32 id, State state) = _live(job);
        if (state != State.Answered) revert NotAnswered(id);
        _same(id, job);
        _overdue(job.progress.time);
        uint256 amount = _heldFor(job, state);
        _end(id, State.Settled, job);
        _credit(job.terms.token, job.progress.prover, amount);
        emit Settled(id, job.progress.prover, amount, 0, "");
    }

    /// @inheritdoc IZkinferEscrow
    function contradict(
        Job calldata job,
        bytes32 binding,
        bytes calldata input,
        bytes calldata output,
        bytes calldata proof
    ) external once {
        _canonical(21, input, output, proof);
        (bytes32 id, State state) = _live(job);
        if (state < State.Answered) revert NotAnswered(id);
        _same(id, job);
        bytes32 digest = keccak256(input);
        if (digest != job.terms.input) revert OtherInput(job.terms.input, digest);
        if (keccak256(output) == job.progress.output) revert SameOutput();
        VERIFIER.verify(
            Claim({key: job.terms.key, binding: binding, input: input, output: output, proof: proof})
        );
        _slash(id, job, state);
    }

    /// @inheritdoc IZkinferEscrow
    function equivocate(Job calldata job, bytes32 output, bytes calldata signature) external once {
        (bytes32 id, State state) = _live(job);
        if (state < State.Answered) revert NotAnswered(id);
        _same(id, job);
        if (output == job.progress.output) revert SameOutput();
        _signed(id, output, job.progress.prover, signature);
        _slash(id, job, state);
    }

    /// @inheritdoc IZkinferEscrow
    function refund(Job calldata job) external once {
        (bytes32 id, State state) = _live(job);
        if (state != State.Open) revert RefundOfStaked(id);
        _same(id, job);
        _overdue(job.terms.deadline);
        uint256 amount = _heldFor(job, state);
        _end(id, State.Refunded, job);
        _credit(job.terms.token, job.terms.buyer, amount);
        emit Refunded(id, job.terms.buyer, amount);
    }

    /// @inheritdoc IZkinferEscrow
    function slash(Job calldata job) external once {
        (bytes32 id, State state) = _live(job);
        if (state == State.Open || state == State.Answered) revert NothingToSlash(id);
        _same(id, job);
        _overdue(state == State.Staked ? job.terms.deadline : job.progress.time);
        _slash(id, job, state);
    }

    /// @dev Price and stake go to the buyer, the bond back to its owner.
    function _slash(bytes32 id, Job calldata job, State state) private {
        _end(id, State.Slashed, job);
        uint256 amount = uint256(job.terms.price) + job.terms.stake;
        _credit(job.terms.token, job.terms.buyer, amount);
        if (state == State.Challenged) _credit(job.terms.token, job.progress.challenger, job.terms.bond);
        emit Slashed(id, job.progress.prover, job.terms.buyer, amount);
    }

    /// @dev Whether the byte strings follow `head` words and each other, and nothing follows them.
    function _canonical(uint256 head, bytes calldata input, bytes calldata output, bytes calldata proof)
        private
        pure
    {
        bool good;
        assembly ("memory-safe") {
            function padded(length) -> end {
                end := and(add(length, 31), not(31))
            }
            // Behind the selector and the head, a length.
            good := eq(input.offset, add(36, mul(32, head)))
            good := and(good, eq(output.offset, add(add(input.offset, padded(input.length)), 32)))
            good := and(good, eq(proof.offset, add(add(output.offset, padded(output.length)), 32)))
            good := and(good, eq(calldatasize(), add(proof.offset, padded(proof.length))))
        }
        if (!good) revert MalformedCalldata();
    }

    /// @dev The job's name and state, if something can still happen to it.
    function _live(Job calldata job) private view returns (bytes32 id, State state) {
        id = jobId(job.terms.buyer, job.terms.salt);
        state = State(_records[id] >> 248);
        if (state == State.None) revert UnknownJob(id);
        if (state == State.Settled) revert AlreadySettled(id);
        if (state == State.Refunded) revert AlreadyRefunded(id);
        if (state == State.Slashed) revert AlreadySlashed(id);
    }

    /// @dev Whether what is shown is the job.
    function _same(bytes32 id, Job calldata job) private view {
        if ((_records[id] ^ uint256(keccak256(abi.encode(job)))) & DIGEST != 0) revert OtherJob(id);
    }

    /// @dev Whether the key hides the output is decided once.
    function _put(bytes32 id, State state, Job memory job) private {
        uint256 hidden = _records[id] & HIDDEN;
        _records[id] = uint256(state) << 248 | hidden | uint256(keccak256(abi.encode(job))) & DIGEST;
    }

    /// @dev Ends a job for good.
    function _end(bytes32 id, State state, Job calldata job) private {
        _records[id] = uint256(state) << 248 | uint256(keccak256(abi.encode(job))) & DIGEST;
    }

    /// @dev What the escrow holds for a live job.
    function _heldFor(Job calldata job, State state) private pure returns (uint256 amount) {
        amount = job.terms.price;
        if (state >= State.Staked) amount += job.terms.stake;
        if (state == State.Challenged) amount += job.terms.bond;
    }

    function _inTime(uint64 deadline) private view {
        if (block.timestamp > deadline) revert DeadlinePassed(deadline, uint64(block.timestamp));
    }

    function _overdue(uint64 deadline) private view {
        if (block.timestamp <= deadline) revert DeadlineAhead(deadline, uint64(block.timestamp));
    }

    /// @dev The digest that a proof's transcript begins with.
    function _bound(Binding calldata binding) private pure returns (bytes32) {
        return keccak256(
            abi.encodePacked(
                bytes16("zkinfer.job.v1"),
                binding.chainId,
                binding.job,
                binding.payee,
                binding.expiry,
                binding.nonce
            )
        );
    }

    /// @dev Whether `prover` has signed this output of the job, for this contract on this chain.
    function _signed(bytes32 id, bytes32 output, address prover, bytes calldata signature) private view {
        if (signature.length != 65) revert BadSignature();
        bytes32 domain = keccak256(
            abi.encode(DOMAIN, keccak256("zkinfer escrow"), keccak256("1"), block.chainid, address(this))
        );
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domain, keccak256(abi.encode(ANSWER, id, output))));
        bytes32 r = bytes32(signature[0:32]);
        bytes32 s = bytes32(signature[32:64]);
        if (uint256(s) > HALF_ORDER) revert BadSignature();
        address signer = ecrecover(digest, uint8(signature[64]), r, s);
        if (signer == address(0) || signer != prover) revert BadSignature();
    }

    function _credit(address token, address account, uint256 amount) private {
        _balances[token][account] += amount;
    }

    /// @dev Takes `amount` from the sender: from the balance, to which sent ether is added first; what
    /// lacks of a token by an allowance.
    function _take(address token, uint256 amount) private {
        uint256 balance = _balances[token][msg.sender];
        uint256 has = balance;
        if (token == ETHER) {
            has += msg.value;
        } else {
            if (msg.value != 0) revert EtherSent();
            if (has < amount) has += _pull(token, amount - has);
        }
        if (has < amount) revert InsufficientFunds(token, msg.sender, has, amount);
        if (has - amount != balance) _balances[token][msg.sender] = has - amount;
    }

    /// @dev Moves a token from the sender here; what arrived, which a fee makes less.
    function _pull(address token, uint256 amount) private returns (uint256 got) {
        uint256 before = _held(token);
        _call(token, abi.encodeCall(IERC20.transferFrom, (msg.sender, address(this), amount)));
        uint256 afterwards = _held(token);
        if (afterwards < before) revert TokenFailed(token);
        got = afterwards - before;
        if (got > amount) revert TokenFailed(token);
    }

    function _held(address token) private view returns (uint256) {
        (bool good, bytes memory result) = token.staticcall(abi.encodeCall(IERC20.balanceOf, (address(this))));
        if (!good || result.length < 32) revert TokenFailed(token);
        return abi.decode(result, (uint256));
    }

    /// @dev Calls a token that returns true, or nothing.
    function _call(address token, bytes memory data) private {
        (bool good, bytes memory result) = token.call(data);
        bool said = result.length == 0 ? token.code.length != 0 : result.length >= 32 && bytes32(result) == bytes32(uint256(1));
        if (!good || !said) revert TokenFailed(token);
    }
}

/// @dev What is used of a token.
interface IERC20 {
    function balanceOf(address account) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
}
