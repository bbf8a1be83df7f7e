// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Claim, IZkinferVerifier} from "../IZkinferVerifier.sol";

/// @notice For tests of what surrounds a proof: takes the proof `good`, in all claims. Keys that begin with
/// a zero byte hide their output; the next byte is how many claims their proofs are about.
contract MockVerifier is IZkinferVerifier {
    function register(bytes calldata data) external returns (bytes32 key) {
        key = keccak256(data);
        emit KeyRegistered(key, key);
    }

    function dataOf(bytes32) external view returns (address) {
        return address(this);
    }

    function shows(bytes32 key) external pure returns (bool, bool) {
        return (true, key[0] != 0);
    }

    function claimsOf(bytes32 key) public pure returns (uint256) {
        uint256 claims = uint8(key[1]);
        return key[0] == 0 && claims != 0 ? claims : 1;
    }

    function verify(Claim calldata claim) public pure {
        uint256 claims = claimsOf(claim.key);
        if (claims != 1) revert Joint(claims);
        if (keccak256(claim.proof) != keccak256("good")) revert Pairing();
    }

    /// @notice The good proof of a root is its digest.
    function verifyJoint(Claim calldata claim) external pure {
        if (claimsOf(claim.key) == 1) revert Single();
        if (claim.binding != 0 || claim.output.length != 0 || claim.input.length != 32) revert InputLength(32, 0);
        if (keccak256(claim.proof) != keccak256(bytes.concat(keccak256(claim.input)))) revert Pairing();
    }

    function verifyBatch(Claim[] calldata claims) external pure {
        for (uint256 i = 0; i < claims.length; ++i) {
            verify(claims[i]);
        }
    }
}
