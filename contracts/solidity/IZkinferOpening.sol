// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title Commitments to inputs or outputs, opened
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
}
