// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Claim, IZkinferVerifier} from "../IZkinferVerifier.sol";

/// @notice For tests of what surrounds a proof: takes the proof `good`, in all claims. Keys that begin with
/// a zero byte hide their output.
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

    function verify(Claim calldata claim) public pure {
        if (keccak256(claim.proof) != keccak256("good")) revert Pairing();
    }

    function verifyBatch(Claim[] calldata claims) external pure {
        for (uint256 i = 0; i < claims.length; ++i) {
            verify(claims[i]);
        }
    }
}
