// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IZkinferOpening} from "./IZkinferOpening.sol";

/// @title Commitments to inputs or outputs, opened
/// @notice The hash is Poseidon over three elements of BN254's scalar field, exponent 5, with 8 full and 57
/// partial rounds: what most call `Poseidon(2)`. No owner, no upgrade.
contract ZkinferOpening is IZkinferOpening {
    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    /// Digest of the constants: of each round what is added to each element, then the matrix row by row.
    bytes32 private constant CONSTANTS = 0x71feb613ee90092dfb39db92ea6de277c3062752678a67d53b9ca036d4e45a71;
    uint256 private constant ROUND_BYTES = 65 * 96;
    /// Separates commitments from every other use of the hash.
    bytes16 private constant DOMAIN = "zkinfer.values.1";

    /// The constants, as the code of a contract of their own.
    address private immutable _constants;

    /// @param constants The constants, 32 bytes each. There is only one choice.
    constructor(bytes memory constants) {
        if (keccak256(constants) != CONSTANTS) revert OtherConstants(keccak256(constants));
        // PUSH3 length, DUP1, PUSH1 11, PUSH0, CODECOPY, PUSH0, RETURN
        bytes memory creation = bytes.concat(hex"62", bytes3(uint24(constants.length)), hex"80600b5f395ff3", constants);
        address made;
        assembly ("memory-safe") {
            made := create(0, add(creation, 32), mload(creation))
        }
        if (made == address(0)) revert OtherConstants(0);
        _constants = made;
    }

    /// @inheritdoc IZkinferOpening
    function commitment(bytes calldata opening) external view returns (bytes32) {
        if (opening.length < 44) revert MalformedOpening();
        uint256 count = uint64(bytes8(opening[0:8]));
        uint256 bits = uint32(bytes4(opening[8:12]));
        uint256 blinding = uint256(bytes32(opening[12:44]));
        if (count == 0 || bits < 8 || bits > 64 || blinding >= R) revert MalformedOpening();
        uint256 digits = 248 / bits;
        uint256 elements = (count + digits - 1) / digits;
        if (opening.length != 44 + 31 * elements) revert MalformedOpening();
        uint256 capacity = uint256(uint128(DOMAIN)) << 96 | count << 32 | bits;
        return bytes32(_sponge(capacity, blinding, opening[44:]));
    }

    /// @dev The digest of the blinding and elements of 31 bytes, two to a permutation. An odd last one is
    /// followed by a zero; the capacity tells how many there are.
    function _sponge(uint256 capacity, uint256 blinding, bytes calldata elements) private view returns (uint256 digest) {
        address data = _constants;
        assembly ("memory-safe") {
            let r := R
            let rounds := mload(0x40)
            extcodecopy(data, rounds, 0, add(ROUND_BYTES, 288))
            let matrix := add(rounds, ROUND_BYTES)
            // Elements of the state may be up to three times the modulus: sums are not reduced.
            let a := capacity
            let b := blinding
            let c := 0
            let at := elements.offset
            let end := add(at, elements.length)
            // The first block has the blinding and one element.
            if lt(at, end) {
                c := shr(8, calldataload(at))
                at := add(at, 31)
            }
            for {} 1 {} {
                for { let round := 0 } lt(round, 65) { round := add(round, 1) } {
                    let constants := add(rounds, mul(96, round))
                    a := addmod(a, mload(constants), r)
                    b := addmod(b, mload(add(constants, 32)), r)
                    c := addmod(c, mload(add(constants, 64)), r)
                    let square := mulmod(a, a, r)
                    a := mulmod(mulmod(square, square, r), a, r)
                    // All but the 57 in the middle are full.
                    if gt(sub(round, 4), 56) {
                        square := mulmod(b, b, r)
                        b := mulmod(mulmod(square, square, r), b, r)
                        square := mulmod(c, c, r)
                        c := mulmod(mulmod(square, square, r), c, r)
                    }
                    let x := a
                    let y := b
                    a := add(add(mulmod(x, mload(matrix), r), mulmod(y, mload(add(matrix, 32)), r)), mulmod(c, mload(add(matrix, 64)), r))
                    b := add(add(mulmod(x, mload(add(matrix, 96)), r), mulmod(y, mload(add(matrix, 128)), r)), mulmod(c, mload(add(matrix, 160)), r))
                    c := add(add(mulmod(x, mload(add(matrix, 192)), r), mulmod(y, mload(add(matrix, 224)), r)), mulmod(c, mload(add(matrix, 256)), r))
                }
                if iszero(lt(at, end)) { break }
                b := addmod(b, shr(8, calldataload(at)), r)
                at := add(at, 31)
                if lt(at, end) {
                    c := addmod(c, shr(8, calldataload(at)), r)
                    at := add(at, 31)
                }
            }
            digest := mod(b, r)
        }
    }
}
