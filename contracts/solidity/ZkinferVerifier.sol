// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Claim, IZkinferVerifier} from "./IZkinferVerifier.sol";

/// @title The checks of a zkinfer proof, for every key
/// @notice The contract knows no circuit. A key is two programs without state, which compute scalars from
/// challenges and evaluations, then data: where public values lie, the order of the transcript, and
/// points. All are compiled from the description of the checks that the Rust verifier follows itself, and
/// addressed by their digest, so whoever pays recomputes them from the `.zkvk` file. No owner, no upgrade.
/// @dev Memory from 0x800 on is laid out by the key data: 32 numbers of four bytes, the fields, then [τ]₂,
/// the first bytes of every transcript, and what the fields point to.
contract ZkinferVerifier is IZkinferVerifier {
    /// @notice Digest of [τ]₂ of the only trusted setup that keys may stand on.
    bytes32 public immutable SRS;

    /// The format of key data.
    uint32 private constant VERSION = 2;
    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    /// @param srs Digest of [τ]₂ of the trusted setup, as `zkinfer key` prints it.
    constructor(bytes32 srs) {
        SRS = srs;
    }

    /// @inheritdoc IZkinferVerifier
    function register(bytes calldata data) external returns (bytes32 key) {
        // PUSH3 and the length of the programs. 24,576 bytes is the most a contract has.
        if (data.length < 388 || data.length > 24576 || data[0] != 0x62) revert MalformedKey();
        uint256 programs = uint24(bytes3(data[1:4]));
        if (programs < 4 || programs + 384 > data.length) revert MalformedKey();
        bytes calldata head = data[programs:programs + 384];
        if (uint32(bytes4(head)) != VERSION) revert MalformedKey();
        // [τ]₂ with c0 before c1, as the digest is made; pairings want it the other way round.
        bytes32 srs = keccak256(bytes.concat(head[160:192], head[128:160], head[224:256], head[192:224]));
        if (srs != SRS) revert UntrustedSrs(srs);
        // The digest that the maker names is the one that every transcript begins with.
        bytes32 digest = bytes32(head[352:384]);
        if (_reversed(uint256(digest) % R) != uint256(bytes32(head[273:305]))) revert MalformedKey();
        bytes memory creation = _creation(data);
        key = keccak256(creation);
        if (_dataOf(key).code.length != 0) return key;
        address made;
        assembly ("memory-safe") {
            made := create2(0, add(creation, 32), mload(creation), 0)
        }
        if (made == address(0)) revert Precompile();
        emit KeyRegistered(key, digest);
    }

    /// @inheritdoc IZkinferVerifier
    function dataOf(bytes32 key) external view returns (address) {
        return _dataOf(key);
    }

    /// @inheritdoc IZkinferVerifier
    function shows(bytes32 key) external view returns (bool input, bool output) {
        // Field 27.
        uint256 flags = _field(key, 108);
        return (flags & 1 != 0, flags & 2 != 0);
    }

    /// @inheritdoc IZkinferVerifier
    function claimsOf(bytes32 key) external view returns (uint256 claims) {
        // Field 30.
        claims = _field(key, 120);
        if (claims == 0) claims = 1;
    }

    /// @inheritdoc IZkinferVerifier
    function verify(Claim calldata claim) external view {
        _checkAlone(claim, false);
    }

    /// @inheritdoc IZkinferVerifier
    function verifyJoint(Claim calldata claim) external view {
        // The root binds what a binding would.
        if (claim.binding != 0) revert MalformedCalldata();
        _checkAlone(claim, true);
    }

    /// @inheritdoc IZkinferVerifier
    function verifyBatch(Claim[] calldata claims) external view {
        uint256 end = 68 + 32 * claims.length;
        for (uint256 i = 0; i < claims.length; ++i) {
            Claim calldata claim = claims[i];
            uint256 start;
            assembly ("memory-safe") {
                start := claim
            }
            if (start != end) revert MalformedCalldata();
            end = _end(claim);
        }
        if (end != msg.data.length) revert MalformedCalldata();
        bytes32 seed;
        assembly ("memory-safe") {
            // Every byte of every claim and proof decides every coefficient.
            calldatacopy(0x800, 0, calldatasize())
            seed := keccak256(0x800, calldatasize())
        }
        bytes32 last;
        address data;
        for (uint256 i = 0; i < claims.length; ++i) {
            Claim calldata claim = claims[i];
            bytes32 key = claim.key;
            bool fresh = i == 0 || key != last;
            if (fresh) {
                if (i != 0) _flush();
                data = _load(key, false);
            }
            uint256 coefficient;
            assembly ("memory-safe") {
                mstore(0, seed)
                mstore(0x20, i)
                coefficient := shr(128, keccak256(0, 0x40))
            }
            _check(claim, data, coefficient, fresh);
            last = key;
        }
        if (claims.length != 0) _finish();
    }

    /// @dev Checks the only claim of the calldata, under a key of one claim or of several.
    function _checkAlone(Claim calldata claim, bool joint) private view {
        uint256 start;
        assembly ("memory-safe") {
            start := claim
        }
        if (start != 36 || _end(claim) != msg.data.length) revert MalformedCalldata();
        _check(claim, _load(claim.key, joint), 1, true);
        _finish();
    }

    /// @dev The four bytes of a key's data at this place behind the programs.
    function _field(bytes32 key, uint256 place) private view returns (uint256 field) {
        address data = _dataOf(key);
        if (data.code.length == 0) revert UnknownKey(key);
        assembly ("memory-safe") {
            extcodecopy(data, 0, 1, 3)
            extcodecopy(data, 0, add(shr(232, mload(0)), place), 4)
            field := shr(224, mload(0))
        }
    }

    /// @dev Loads the data of a key to 0x800, if its proofs are about one claim, or about several.
    function _load(bytes32 key, bool joint) private view returns (address data) {
        data = _dataOf(key);
        uint256 size = data.code.length;
        if (size == 0) revert UnknownKey(key);
        uint256 claims;
        assembly ("memory-safe") {
            extcodecopy(data, 0, 1, 3)
            let programs := shr(232, mload(0))
            extcodecopy(data, 0x800, programs, sub(size, programs))
            // Field 30.
            claims := shr(224, mload(0x878))
        }
        if (joint != (claims != 0)) {
            if (joint) revert Single();
            revert Joint(claims);
        }
    }

    /// @dev Where the claim ends, if its byte strings follow each other and end in zeros.
    function _end(Claim calldata claim) private pure returns (uint256 end) {
        bytes calldata input = claim.input;
        bytes calldata output = claim.output;
        bytes calldata proof = claim.proof;
        bool bad;
        assembly ("memory-safe") {
            /// What stands in the last word behind the bytes.
            function rest(offset, length) -> bits {
                let over := and(length, 31)
                if over { bits := shl(shl(3, over), calldataload(add(offset, sub(length, over)))) }
            }
            function padded(length) -> next {
                next := and(add(length, 31), not(31))
            }
            bad := sub(input.offset, add(claim, 192))
            bad := or(bad, sub(output.offset, add(add(input.offset, padded(input.length)), 32)))
            bad := or(bad, sub(proof.offset, add(add(output.offset, padded(output.length)), 32)))
            bad := or(bad, rest(input.offset, input.length))
            bad := or(bad, rest(output.offset, output.length))
            bad := or(bad, rest(proof.offset, proof.length))
            bad := iszero(iszero(bad))
            end := add(proof.offset, padded(proof.length))
        }
        if (bad) revert MalformedCalldata();
    }

    /// @dev Code that makes code of the data.
    function _creation(bytes calldata data) private pure returns (bytes memory) {
        // PUSH3 length, DUP1, PUSH1 11, PUSH0, CODECOPY, PUSH0, RETURN
        return bytes.concat(hex"62", bytes3(uint24(data.length)), hex"80600b5f395ff3", data);
    }

    /// @dev The bytes in reverse order.
    function _reversed(uint256 x) private pure returns (uint256 y) {
        for (uint256 i = 0; i < 32; ++i) {
            y = (y << 8) | ((x >> (8 * i)) & 0xff);
        }
    }

    /// @dev Takes no memory for good: that from 0x400 on is not Solidity's to give.
    function _dataOf(bytes32 key) private view returns (address data) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore8(free, 0xff)
            mstore(add(free, 1), shl(96, address()))
            mstore(add(free, 21), 0)
            mstore(add(free, 53), key)
            data := and(keccak256(free, 85), 0xffffffffffffffffffffffffffffffffffffffff)
        }
    }

    /// @dev Everything of one proof but the points of the key and the pairing. Adds `coefficient` times its
    /// equation to the sums at 0x400: W' (two words) and F (two words). `fresh` begins new sums for the points
    /// of the key, which is at 0x800 by then; their address is then at 0x4e0.
    function _check(Claim calldata claim, address data, uint256 coefficient, bool fresh) private view {
        bytes32 binding;
        bytes calldata input = claim.input;
        bytes calldata output = claim.output;
        bytes calldata proof = claim.proof;
        assembly ("memory-safe") {
            // What does not stay on the stack: the sums above, and
            // 0x480 a point, 0x4c0 its scalar, 0x4e0 the scalars of the key's points,
            // 0x500 next byte of the proof, 0x520 next element, 0x540 end of the history,
            // 0x560 next challenge, 0x580 where binding, input and output begin, 0x5e0 scratch,
            // 0x740 masks.
            function field(index) -> value {
                value := shr(224, mload(add(0x800, shl(2, index))))
            }
            function fail(selector) {
                mstore(0, selector)
                revert(0x1c, 4)
            }
            function failAt(selector, index) {
                mstore(0, selector)
                mstore(0x20, index)
                revert(0x1c, 0x24)
            }
            function failLength(selector, expected, got) {
                mstore(0, selector)
                mstore(0x20, expected)
                mstore(0x40, got)
                revert(0x1c, 0x44)
            }
            /// The bytes in reverse order. The optimizer must not know the masks: it would take twice as many.
            function mirror(x) -> y {
                let m := mload(0x740)
                x := or(and(shr(8, x), m), shl(8, and(x, m)))
                m := mload(0x760)
                x := or(and(shr(16, x), m), shl(16, and(x, m)))
                m := mload(0x780)
                x := or(and(shr(32, x), m), shl(32, and(x, m)))
                m := mload(0x7a0)
                x := or(and(shr(64, x), m), shl(64, and(x, m)))
                y := or(shr(128, x), shl(128, x))
            }
            /// A value above 255 mirrored. Those that fit 32 bits, with a sign, differ from 0 or from r in
            /// the last 32 bits only: `shape` says whether all do.
            function mirrored(value, shape) -> word {
                switch and(shr(208, shape), 1)
                case 0 { word := mirror(value) }
                default {
                    word := or(shl(248, value), shl(240, byte(30, value)))
                    word := or(word, or(shl(232, byte(29, value)), shl(224, byte(28, value))))
                    if gt(value, 0xffffffff) {
                        word := or(word, 0x93f5e1439170b97948e833285d588181b64550b829a031e1724e6430)
                    }
                }
            }
            /// Fails for the value of a piece behind which there are `left`.
            function failRange(shape, left) {
                let place := sub(and(shr(176, shape), 0xffffffff), left)
                place := add(and(shr(80, shape), 0xffffffff), mul(place, and(shr(48, shape), 0xffffffff)))
                switch and(shr(224, shape), 0xffff)
                case 0x20 { failAt(0xe8ccf8a8, place) }
                default { failAt(0xf56702f7, place) }
            }
            /// Reads the public values in the order of the instance columns, into their cells and into the
            /// history. A piece of them: the lowest value, the span above it, and (two bytes each) bits of a
            /// word to drop, side, whether values fit 32 bits, then (four bytes each) values, offset, step,
            /// index of the first, step of the index.
            function values() {
                let r := R
                let history := mload(0x540)
                let to := field(13)
                let piece := field(1)
                for { let end := add(piece, mul(96, field(2))) } lt(piece, end) { piece := add(piece, 96) } {
                    let shape := mload(add(piece, 64))
                    let from := add(mload(add(0x580, and(shr(224, shape), 0xffff))), and(shr(144, shape), 0xffffffff))
                    for { let last := add(to, shl(5, and(shr(176, shape), 0xffffffff))) } lt(to, last) {} {
                        let value := shr(shr(240, shape), calldataload(from))
                        if gt(value, mload(add(piece, 32))) { failRange(shape, shr(5, sub(last, to))) }
                        value := addmod(value, mload(piece), r)
                        mstore(to, value)
                        to := add(to, 32)
                        from := add(from, and(shr(112, shape), 0xffffffff))
                        let word := shl(248, value)
                        if gt(value, 255) { word := mirrored(value, shape) }
                        mstore8(history, 2)
                        mstore(add(history, 1), word)
                        history := add(history, 33)
                    }
                }
                mstore(0x540, history)
            }
            function points(count, infinity) {
                let q := 21888242871839275222246405745257275088696311157297823662689037894645226208583
                let from := mload(0x500)
                let history := mload(0x540)
                let end := add(from, shl(6, count))
                for {} lt(from, end) { from := add(from, 64) } {
                    let x := calldataload(from)
                    let y := calldataload(add(from, 32))
                    let off := sub(mulmod(y, y, q), addmod(mulmod(mulmod(x, x, q), x, q), 3, q))
                    if or(off, iszero(and(lt(x, q), lt(y, q)))) {
                        let element := sub(add(mload(0x520), count), shr(6, sub(end, from)))
                        if or(x, y) { failAt(0x08f9e604, element) }
                        if iszero(infinity) { failAt(0x56ec4238, element) }
                    }
                    mstore8(history, 1)
                    mstore(add(history, 1), mirror(x))
                    mstore(add(history, 33), mirror(y))
                    history := add(history, 65)
                }
                mstore(0x500, from)
                mstore(0x540, history)
                mstore(0x520, add(mload(0x520), count))
            }
            function evaluations(count) {
                let r := R
                let from := mload(0x500)
                let history := mload(0x540)
                let end := add(from, shl(5, count))
                calldatacopy(field(7), from, shl(5, count))
                for {} lt(from, end) { from := add(from, 32) } {
                    let scalar := calldataload(from)
                    if iszero(lt(scalar, r)) {
                        failAt(0xc002ca36, sub(add(mload(0x520), count), shr(5, sub(end, from))))
                    }
                    mstore8(history, 2)
                    mstore(add(history, 1), mirror(scalar))
                    history := add(history, 33)
                }
                mstore(0x500, from)
                mstore(0x540, history)
                mstore(0x520, add(mload(0x520), count))
            }
            function challenges(count) {
                let start := field(17)
                let history := mload(0x540)
                let to := mload(0x560)
                for { let end := add(to, shl(5, count)) } lt(to, end) { to := add(to, 32) } {
                    mstore8(history, 0)
                    history := add(history, 1)
                    let length := sub(add(history, 1), start)
                    mstore8(history, 10)
                    let low := mirror(keccak256(start, length))
                    mstore8(history, 11)
                    let high := mirror(keccak256(start, length))
                    // 2²⁵⁶ modulo r
                    high := mulmod(high, 0x0e0a77c19a07df2f666ea36f7879462e36fc76959f60cd29ac96341c4ffffffb, R)
                    mstore(to, addmod(low, high, R))
                }
                mstore(0x540, history)
                mstore(0x560, to)
            }
            /// Challenges that nothing depends on are not computed.
            function unused(count) {
                let history := mload(0x540)
                for {} count { count := sub(count, 1) } {
                    mstore8(history, 0)
                    history := add(history, 1)
                    mstore(0x560, add(mload(0x560), 32))
                }
                mstore(0x540, history)
            }
            /// For each instance query numerator and denominator of the sum of the column's values, each
            /// divided by the distance of its row from the point; the point's place gets the numerator.
            function fractions() {
                let r := R
                let step := mload(field(15))
                let at := field(16)
                let to := field(8)
                let query := field(11)
                for { let end := add(query, shl(3, field(12))) } lt(query, end) { query := add(query, 8) } {
                    let numerator := 0
                    let denominator := 1
                    let point := mload(at)
                    let cell := shr(224, mload(query))
                    let count := shr(224, mload(add(query, 4)))
                    for { let last := add(cell, shl(5, count)) } lt(cell, last) { cell := add(cell, 32) } {
                        let value := mload(cell)
                        if value {
                            let distance := add(point, sub(r, 1))
                            numerator := addmod(mulmod(numerator, distance, r), mulmod(value, denominator, r), r)
                            denominator := mulmod(denominator, distance, r)
                        }
                        point := mulmod(point, step, r)
                    }
                    mstore(to, denominator)
                    mstore(at, numerator)
                    to := add(to, 32)
                    at := add(at, 32)
                }
            }
            /// Inverts all words between `from` and `end`, with the products of those before at `at`.
            function invert(from, end, at) {
                let r := R
                let product := 1
                for { let each := from } lt(each, end) { each := add(each, 32) } {
                    mstore(at, product)
                    product := mulmod(product, mload(each), r)
                    at := add(at, 32)
                }
                if iszero(product) { fail(0xa0f4a9a9) }
                mstore(0x5e0, 32)
                mstore(0x600, 32)
                mstore(0x620, 32)
                mstore(0x640, product)
                mstore(0x660, sub(r, 2))
                mstore(0x680, r)
                if iszero(staticcall(gas(), 5, 0x5e0, 0xc0, 0, 32)) { fail(0x76ecd150) }
                product := mload(0)
                for {} gt(end, from) {} {
                    end := sub(end, 32)
                    at := sub(at, 32)
                    let each := mload(end)
                    mstore(end, mulmod(product, mload(at), r))
                    product := mulmod(product, each, r)
                }
            }
            /// Adds the points of the proof from `from` on to F, each times its scalar from `at` on.
            function accumulate(at, count, from) {
                let good := 1
                for { let end := add(at, shl(5, count)) } lt(at, end) { at := add(at, 32) } {
                    calldatacopy(0x480, from, 0x40)
                    let scalar := mload(at)
                    if sub(scalar, 1) {
                        mstore(0x4c0, scalar)
                        good := and(good, staticcall(gas(), 7, 0x480, 0x60, 0x480, 0x40))
                    }
                    good := and(staticcall(gas(), 6, 0x440, 0x80, 0x440, 0x40), good)
                    from := add(from, 64)
                }
                if iszero(good) { fail(0x76ecd150) }
            }

            let free := mload(0x40)
            // Scratch words beyond 0x40 are restored before Solidity sees them.
            binding := add(claim, 32)
            if sub(input.length, field(28)) { failLength(0xf744573e, field(28), input.length) }
            if sub(output.length, field(29)) { failLength(0x165cadc0, field(29), output.length) }
            mstore(0x740, 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff)
            mstore(0x760, 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff)
            mstore(0x780, 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff)
            mstore(0x7a0, 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff)
            mstore(0x580, binding)
            mstore(0x5a0, input.offset)
            mstore(0x5c0, output.offset)
            mcopy(field(17), 0x900, 96)
            mstore(0x540, add(field(17), 82))
            values()
            {
                let expected := add(shl(6, field(19)), shl(5, field(20)))
                if sub(proof.length, expected) { failLength(0xc0545fa0, expected, proof.length) }
            }
            mstore(0x500, proof.offset)
            mstore(0x520, 0)
            mstore(0x560, field(6))
            for { let step := field(3) } 1 { step := add(step, 3) } {
                let word := shr(232, mload(step))
                let count := and(word, 0xffff)
                switch shr(16, word)
                case 1 { points(count, 0) }
                case 2 { points(count, 1) }
                case 3 { challenges(count) }
                case 4 { evaluations(count) }
                case 5 { unused(count) }
                default { break }
            }
            if iszero(staticcall(gas(), data, field(6), field(23), field(9), field(24))) { fail(0x76ecd150) }
            fractions()
            invert(field(8), add(field(9), shl(5, field(10))), field(18))
            {
                let scale := mload(field(14))
                let numerator := field(16)
                let at := field(8)
                for { let end := add(at, shl(5, field(12))) } lt(at, end) { at := add(at, 32) } {
                    mstore(at, mulmod(mulmod(mload(at), mload(numerator), R), scale, R))
                    numerator := add(numerator, 32)
                }
            }
            if iszero(staticcall(gas(), data, field(6), field(25), field(21), field(26))) { fail(0x76ecd150) }
            if sub(coefficient, 1) {
                for {
                    let scalar := field(21)
                    let end := add(scalar, field(26))
                } lt(scalar, end) { scalar := add(scalar, 32) } {
                    mstore(scalar, mulmod(mload(scalar), coefficient, R))
                }
            }
            // The evaluations stand before the last two points.
            let front := sub(field(19), 2)
            accumulate(field(21), front, proof.offset)
            let at := add(field(21), shl(5, front))
            let from := add(proof.offset, add(shl(6, front), shl(5, field(20))))
            accumulate(at, 2, from)
            at := add(at, 64)
            from := add(from, 64)
            switch sub(coefficient, 1)
            case 0 {
                calldatacopy(0x400, from, 0x40)
                mstore(0x4e0, at)
            }
            default {
                mcopy(0x5e0, 0x400, 0x40)
                calldatacopy(0x620, from, 0x40)
                mstore(0x660, coefficient)
                let good := staticcall(gas(), 7, 0x620, 0x60, 0x620, 0x40)
                good := and(staticcall(gas(), 6, 0x5e0, 0x80, 0x400, 0x40), good)
                if iszero(good) { fail(0x76ecd150) }
                let sum := field(22)
                mstore(0x4e0, sum)
                for { let end := add(sum, shl(5, field(5))) } lt(sum, end) { sum := add(sum, 32) } {
                    let scalar := mload(at)
                    if iszero(fresh) { scalar := addmod(scalar, mload(sum), R) }
                    mstore(sum, scalar)
                    at := add(at, 32)
                }
            }
            mstore(0x40, free)
            mstore(0x60, 0)
        }
    }

    /// @dev Adds the points of the key, each times its scalar, to F.
    function _flush() private view {
        bool good = true;
        assembly ("memory-safe") {
            // Fields 4 and 5: the points, and how many.
            let point := shr(224, mload(0x810))
            let scalar := mload(0x4e0)
            for { let end := add(point, shl(6, shr(224, mload(0x814)))) } lt(point, end) { point := add(point, 64) } {
                mcopy(0x480, point, 0x40)
                mstore(0x4c0, mload(scalar))
                good := and(good, staticcall(gas(), 7, 0x480, 0x60, 0x480, 0x40))
                good := and(staticcall(gas(), 6, 0x440, 0x80, 0x440, 0x40), good)
                scalar := add(scalar, 32)
            }
        }
        if (!good) revert Precompile();
    }

    /// @dev The pairing: `e(W', [τ]₂) = e(F, [1]₂)`.
    function _finish() private view {
        _flush();
        bool good;
        bool holds;
        assembly ("memory-safe") {
            let q := 21888242871839275222246405745257275088696311157297823662689037894645226208583
            let scratch := 0x5e0
            mcopy(scratch, 0x400, 0x40)
            mcopy(add(scratch, 0x40), 0x880, 0x80)
            mstore(add(scratch, 0xc0), mload(0x440))
            // −F; at infinity y is zero and stays so.
            mstore(add(scratch, 0xe0), mod(sub(q, mload(0x460)), q))
            mstore(add(scratch, 0x100), 0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2)
            mstore(add(scratch, 0x120), 0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed)
            mstore(add(scratch, 0x140), 0x090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b)
            mstore(add(scratch, 0x160), 0x12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa)
            good := staticcall(gas(), 8, scratch, 0x180, scratch, 0x20)
            holds := mload(scratch)
        }
        if (!good) revert Precompile();
        if (!holds) revert Pairing();
    }
}
