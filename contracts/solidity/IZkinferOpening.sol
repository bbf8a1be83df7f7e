// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @notice One claim of a proof of several.
struct Leaf {
    /// How many claims the proof is about.
    uint256 claims;
    /// Which of them this is, from 0 on.
    uint256 index;
    /// Keccak-256 of the job binding.
    bytes32 binding;
    /// The commitment to the inputs.
    bytes32 input;
    /// The commitment to the outputs.
    bytes32 output;
}

/// @title Commitments to inputs or outputs, opened, and claims of one proof, hashed
/// @notice A commitment is a Poseidon sponge over a blinding and the values, each counted from the lowest
/// that its tensor can have, packed. The proof shows that the values under it are in their ranges.
interface IZkinferOpening {
    /// @notice The opening has no values, digits of other than 8 to 64 bits, a blinding that is no scalar,
    /// or not the bytes that its values take.
    error MalformedOpening();
    /// @notice The constants given to the constructor are not those of the hash.
    error OtherConstants(bytes32 digest);

    /// @notice The commitment that an opening opens.
    /// @param opening How many values there are (8 bytes), bits of each (4 bytes), the blinding (32 bytes),
    /// then the values, as many to 31 bytes as fit; the last 31 bytes hold the rest. All big-endian.
    function commitment(bytes calldata opening) external view returns (bytes32);

    /// @notice The path has another length than the one that this place among so many claims has, or there is
    /// no such place.
    error Path(uint256 claims, uint256 index);
    /// @notice A commitment or a sibling that is no canonical scalar.
    error LeafScalar();

    /// @notice The root of the tree over all claims of a proof, from one of them.
    /// @param path The siblings on the way to the root, 32 bytes each, the lowest first.
    function root(Leaf calldata leaf, bytes calldata path) external view returns (bytes32);
}
