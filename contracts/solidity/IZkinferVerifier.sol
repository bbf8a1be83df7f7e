// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @notice What a proof is claimed to prove: the model behind `key`, run on `input`, gave `output`, for
/// the job behind `binding`.
struct Claim {
    /// The registered key.
    bytes32 key;
    /// Keccak-256 of the job binding, as `docs/formats.md` says.
    bytes32 binding;
    /// The elements of all inputs: each as its distance from the tensor's lowest value, big-endian, in
    /// as few bytes as the tensor's bounds need; or the commitment, 32 bytes.
    bytes input;
    /// The outputs likewise.
    bytes output;
    /// The proof: points as x and y, scalars, all 32 bytes big-endian, in the order of the file.
    bytes proof;
}

/// @title Checks zkinfer proofs under keys that were registered once
/// @notice A check either returns or reverts with the reason. It never answers `false`, so a call
/// that runs out of gas cannot be taken for a false proof.
interface IZkinferVerifier {
    /// @notice The calldata are not in their only form: a byte string elsewhere, zeros or more bytes at the
    /// end.
    error MalformedCalldata();
    /// @notice No key of this identifier was registered.
    error UnknownKey(bytes32 key);
    /// @notice The data are no key data, or too large.
    error MalformedKey();
    /// @notice A proof under the key is about this many claims: `verifyJoint` checks it.
    error Joint(uint256 claims);
    /// @notice A proof under the key is about one claim: `verify` checks it.
    error Single();
    /// @notice The key stands on a trusted setup that this contract was not made for.
    error UntrustedSrs(bytes32 srs);
    /// @notice The input has another number of bytes than the key prescribes.
    error InputLength(uint256 expected, uint256 got);
    /// @notice The output has another number of bytes than the key prescribes.
    error OutputLength(uint256 expected, uint256 got);
    /// @notice An input element above its highest value, or a commitment that is no field element.
    error InputRange(uint256 index);
    /// @notice An output element above its highest value, or a commitment that is no field element.
    error OutputRange(uint256 index);
    /// @notice The proof has another number of bytes than the key prescribes.
    error ProofLength(uint256 expected, uint256 got);
    /// @notice An element of the proof that is no point of the curve.
    error Point(uint256 element);
    /// @notice An element of the proof at infinity where no honest prover puts it.
    error Infinity(uint256 element);
    /// @notice An element of the proof that is no canonical scalar.
    error Scalar(uint256 element);
    /// @notice A challenge fell on a root of a polynomial that is divided by.
    error Challenge();
    /// @notice The last check: the proof does not prove the claim.
    error Pairing();
    /// @notice A precompiled contract or a program of the key failed, which is a lack of gas.
    error Precompile();

    /// @notice A key was registered.
    /// @param key Its identifier on chain.
    /// @param digest The digest of the `.zkvk` file that its maker names and that every proof is bound
    /// to. Whether the data are those of that file is seen by recomputing `key` from it.
    event KeyRegistered(bytes32 indexed key, bytes32 indexed digest);

    /// @notice Stores key data; anybody may. Registering the same data again changes nothing.
    /// @return key The identifier: a digest of the data.
    function register(bytes calldata data) external returns (bytes32 key);

    /// @notice Where the data of a key are, or would be.
    function dataOf(bytes32 key) external view returns (address);

    /// @notice Whether claims under a registered key show their inputs and their outputs; else they hold
    /// commitments to them.
    function shows(bytes32 key) external view returns (bool input, bool output);

    /// @notice How many claims a proof under a registered key is about.
    function claimsOf(bytes32 key) external view returns (uint256 claims);

    /// @notice Returns if the proof proves the claim, and reverts otherwise. Its key is one of one claim.
    function verify(Claim calldata claim) external view;

    /// @notice Returns if the proof is about the claims under a root, and reverts otherwise. Its key is one
    /// of several claims. `input` is the root, 32 bytes, `output` is empty, and `binding` zero: the root
    /// determines the claims and what each is bound to. `IZkinferOpening.root` gives it.
    function verifyJoint(Claim calldata claim) external view;

    /// @notice Returns if every proof proves its claim, with one pairing for all of them. Keys are ones of one
    /// claim. Claims of one key one after the other cost less.
    function verifyBatch(Claim[] calldata claims) external view;
}
