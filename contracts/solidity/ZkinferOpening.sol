// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IZkinferOpening, Leaf} from "./IZkinferOpening.sol";

/// @title Commitments to inputs or outputs, opened, and claims of one proof, hashed
/// @notice The hash is Poseidon over three elements of BN254's scalar field, exponent 5, with 8 full and 57
/// partial rounds: what most call `Poseidon(2)`. No owner, no upgrade.
contract ZkinferOpening is IZkinferOpening {
    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    /// Digest of the constants: of each round what is added to each element.
    bytes32 private constant CONSTANTS = 0x9e37273b3d838128b3ed8233def3ae62878a0294b56db98f9d0e42e53f90decc;
    uint256 private constant ROUND_BYTES = 65 * 96;
    /// Separates commitments from every other use of the hash.
    bytes16 private constant DOMAIN = "zkinfer.values.1";
    /// Separates claims likewise.
    bytes16 private constant CLAIMS = "zkinfer.claims.1";

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

    /// @inheritdoc IZkinferOpening
    function root(Leaf calldata leaf, bytes calldata path) external view returns (bytes32) {
        uint256 rounds = _loaded();
        uint256 node = _leaf(rounds, leaf);
        // A bit for each level, the highest first: whether the leaf is on the right.
        uint256 sides;
        uint256 levels;
        uint256 index = leaf.index;
        uint256 leaves = leaf.claims;
        if (index >= leaves || leaves > type(uint32).max) revert Path(leaf.claims, leaf.index);
        for (; leaves > 1; ++levels) {
            uint256 left = 1;
            while (2 * left < leaves) left *= 2;
            sides *= 2;
            if (index < left) {
                leaves = left;
            } else {
                (sides, index, leaves) = (sides + 1, index - left, leaves - left);
            }
        }
        if (path.length != 32 * levels) revert Path(leaf.claims, leaf.index);
        for (uint256 level = 0; level < levels; ++level) {
            uint256 sibling = uint256(bytes32(path[32 * level:]));
            if (sibling >= R) revert LeafScalar();
            (uint256 left, uint256 right) = (sides >> level) & 1 == 0 ? (node, sibling) : (sibling, node);
            (node,,) = _permute(rounds, 0, left, right);
            node %= R;
        }
        return bytes32(node);
    }

    /// @dev The digest of a claim.
    function _leaf(uint256 rounds, Leaf calldata leaf) private pure returns (uint256) {
        uint256 input = uint256(leaf.input);
        uint256 output = uint256(leaf.output);
        if (input >= R || output >= R) revert LeafScalar();
        uint256 binding = uint256(leaf.binding);
        (uint256 a, uint256 b, uint256 c) =
            _permute(rounds, uint256(uint128(CLAIMS)), leaf.index, uint256(uint128(binding)));
        (a, b, c) = _permute(rounds, a, addmod(b, binding >> 128, R), addmod(c, input, R));
        (a, b, c) = _permute(rounds, a, addmod(b, output, R), c);
        return b % R;
    }

    /// @dev The constants, in memory.
    function _loaded() private view returns (uint256 rounds) {
        address data = _constants;
        assembly ("memory-safe") {
            rounds := mload(0x40)
            extcodecopy(data, rounds, 0, ROUND_BYTES)
            mstore(0x40, add(rounds, ROUND_BYTES))
        }
    }

    /// @dev The digest of the blinding and elements of 31 bytes, two to a permutation. An odd last one is
    /// followed by a zero; the capacity tells how many there are.
    function _sponge(uint256 capacity, uint256 blinding, bytes calldata elements) private view returns (uint256) {
        uint256 rounds = _loaded();
        (uint256 a, uint256 b, uint256 c) = (capacity, blinding, 0);
        // The first block has the blinding and one element.
        if (elements.length != 0) c = _element(elements, 0);
        (a, b, c) = _permute(rounds, a, b, c);
        for (uint256 start = 31; start < elements.length; start += 62) {
            b = addmod(b, _element(elements, start), R);
            if (start + 31 < elements.length) c = addmod(c, _element(elements, start + 31), R);
            (a, b, c) = _permute(rounds, a, b, c);
        }
        return b % R;
    }

    /// @dev 31 bytes as a number.
    function _element(bytes calldata elements, uint256 start) private pure returns (uint256 element) {
        assembly ("memory-safe") {
            element := shr(8, calldataload(add(elements.offset, start)))
        }
    }

    /// @dev The permutation. Elements of a state may be up to three times the modulus: sums are not reduced.
    function _permute(uint256 rounds, uint256 a, uint256 b, uint256 c)
        private
        pure
        returns (uint256, uint256, uint256)
    {
        assembly ("memory-safe") {
            let r := R
            let end := add(rounds, ROUND_BYTES)
            for { let constants := rounds } lt(constants, end) { constants := add(constants, 96) } {
                a := addmod(a, mload(constants), r)
                b := addmod(b, mload(add(constants, 32)), r)
                c := addmod(c, mload(add(constants, 64)), r)
                let square := mulmod(a, a, r)
                a := mulmod(mulmod(square, square, r), a, r)
                // All but the 57 in the middle are full.
                if gt(sub(sub(constants, rounds), 384), 5376) {
                    square := mulmod(b, b, r)
                    b := mulmod(mulmod(square, square, r), b, r)
                    square := mulmod(c, c, r)
                    c := mulmod(mulmod(square, square, r), c, r)
                }
                // The matrix is in the code: words of memory would take four times the gas.
                let x := a
                let y := b
                a := mulmod(x, 7511745149465107256748700652201246547602992235352608707588321460060273774987, r)
                a := add(a, mulmod(y, 10370080108974718697676803824769673834027675643658433702224577712625900127200, r))
                a := add(a, mulmod(c, 19705173408229649878903981084052839426532978878058043055305024233888854471533, r))
                b := mulmod(x, 18732019378264290557468133440468564866454307626475683536618613112504878618481, r)
                b := add(b, mulmod(y, 20870176810702568768751421378473869562658540583882454726129544628203806653987, r))
                b := add(b, mulmod(c, 7266061498423634438633389053804536045105766754026813321943009179476902321146, r))
                x := mulmod(x, 9131299761947733513298312097611845208338517739621853568979632113419485819303, r)
                y := mulmod(y, 10595341252162738537912664445405114076324478519622938027420701542910180337937, r)
                c := add(add(x, y), mulmod(c, 11597556804922396090267472882856054602429588299176362916247939723151043581408, r))
            }
        }
        return (a, b, c);
    }
}
