// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Claim, IZkinferVerifier} from "./IZkinferVerifier.sol";

/// @title The checks of a zkinfer proof, for every key
/// @notice The contract knows no circuit. A key is data: a description of the transcript, programs of
/// one instruction (`a·b + c` modulo r) for all scalars, and the points of the key. The data are
/// compiled from the description of the checks that the Rust verifier follows itself, and addressed by
/// their digest, so whoever pays recomputes them from the `.zkvk` file. No owner, no upgrade.
/// @dev Memory from `BASE` on is laid out by the key data; every operand of a program is an address.
contract ZkinferVerifier is IZkinferVerifier {
    /// @notice Digest of [τ]₂ of the only trusted setup that keys may stand on.
    bytes32 public immutable SRS;

    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    /// @param srs Digest of [τ]₂ of the trusted setup, as `zkinfer key` prints it.
    constructor(bytes32 srs) {
        SRS = srs;
    }

    /// @inheritdoc IZkinferVerifier
    function register(bytes calldata data) external returns (bytes32 key) {
        // 24,576 bytes of code, the first of which stops whoever calls it.
        if (data.length < 384 || data.length > 24575 || uint32(bytes4(data)) != 1) {
            revert MalformedKey();
        }
        // [τ]₂ with c0 before c1, as the digest is made; pairings want it the other way round.
        bytes32 srs = keccak256(bytes.concat(data[160:192], data[128:160], data[224:256], data[192:224]));
        if (srs != SRS) {
            revert UntrustedSrs(srs);
        }
        // The digest that the maker names is the one that every transcript begins with.
        bytes32 digest = bytes32(data[352:384]);
        if (_reversed(uint256(digest) % R) != uint256(bytes32(data[273:305]))) {
            revert MalformedKey();
        }
        bytes memory creation = _creation(data);
        key = keccak256(creation);
        if (_dataOf(key).code.length != 0) {
            return key;
        }
        address made;
        assembly ("memory-safe") {
            made := create2(0, add(creation, 32), mload(creation), 0)
        }
        if (made == address(0)) {
            revert Precompile();
        }
        emit KeyRegistered(key, digest);
    }

    /// @inheritdoc IZkinferVerifier
    function dataOf(bytes32 key) external view returns (address) {
        return _dataOf(key);
    }

    /// @inheritdoc IZkinferVerifier
    function verify(Claim calldata claim) external view {
        _check(claim, _dataOf(claim.key), 1, true);
        _finish();
    }

    /// @inheritdoc IZkinferVerifier
    function verifyBatch(Claim[] calldata claims) external view {
        bytes32 seed;
        assembly ("memory-safe") {
            // Every byte of every claim and proof decides every coefficient.
            calldatacopy(0x800, 0, calldatasize())
            seed := keccak256(0x800, calldatasize())
        }
        bytes32 last;
        for (uint256 i = 0; i < claims.length; ++i) {
            Claim calldata claim = claims[i];
            bytes32 key = claim.key;
            bool fresh = i == 0 || key != last;
            if (fresh && i != 0) {
                _flush();
            }
            uint256 coefficient;
            assembly ("memory-safe") {
                mstore(0, seed)
                mstore(0x20, i)
                coefficient := shr(128, keccak256(0, 0x40))
            }
            _check(claim, _dataOf(key), coefficient, fresh);
            last = key;
        }
        if (claims.length != 0) {
            _finish();
        }
    }

    /// @dev Code that makes code: a zero byte and the data.
    function _creation(bytes calldata data) private pure returns (bytes memory) {
        // PUSH3 length+1, DUP1, PUSH1 11, PUSH0, CODECOPY, PUSH0, RETURN
        return bytes.concat(hex"62", bytes3(uint24(data.length + 1)), hex"80600b5f395ff300", data);
    }

    /// @dev The bytes in reverse order.
    function _reversed(uint256 x) private pure returns (uint256 y) {
        for (uint256 i = 0; i < 32; ++i) {
            y = (y << 8) | ((x >> (8 * i)) & 0xff);
        }
    }

    function _dataOf(bytes32 key) private view returns (address) {
        return address(uint160(uint256(keccak256(abi.encodePacked(hex"ff", address(this), uint256(0), key)))));
    }

    /// @dev Everything of one proof but the pairing. Adds `coefficient` times its equation to the sums
    /// at 0x400: W' (two words), F without the key's points (two words), whether there is anything.
    /// `fresh` loads the key and begins new sums for its points.
    function _check(Claim calldata claim, address data, uint256 coefficient, bool fresh) private view {
        bytes32 key = claim.key;
        bytes32 binding = claim.binding;
        bytes calldata input = claim.input;
        bytes calldata output = claim.output;
        bytes calldata proof = claim.proof;
        assembly ("memory-safe") {
            // What does not stay on the stack: the sums above, and
            // 0x4a0 coefficient, 0x4c0 next byte of the proof, 0x4e0 next element,
            // 0x500 end of the history, 0x520 next challenge.
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
            function swap(x) -> y {
                y := 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff
                x := or(and(shr(8, x), y), shl(8, and(x, y)))
                y := 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff
                x := or(and(shr(16, x), y), shl(16, and(x, y)))
                y := 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff
                x := or(and(shr(32, x), y), shl(32, and(x, y)))
                y := 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff
                x := or(and(shr(64, x), y), shl(64, and(x, y)))
                y := or(shr(128, x), shl(128, x))
            }
            /// Absorbs a scalar.
            function absorb(history, scalar) -> next {
                mstore8(history, 2)
                mstore(add(history, 1), swap(scalar))
                next := add(history, 33)
            }
            /// Reads the values of `count` segments from `from`, appends them to the values at `to` and to
            /// the history.
            function values(segment, count, from, to, selector) -> next {
                let r := R
                let history := mload(0x500)
                let index := 0
                for { let end := add(segment, mul(96, count)) } lt(segment, end) { segment := add(segment, 96) } {
                    let lo := mload(segment)
                    let span := mload(add(segment, 32))
                    let shape := mload(add(segment, 64))
                    let shift := shr(128, shape)
                    let width := sub(32, shr(3, shift))
                    for { let last := add(to, shl(5, and(shape, 0xffffffff))) } lt(to, last) { to := add(to, 32) } {
                        let digit := shr(shift, calldataload(from))
                        if gt(digit, span) { failAt(selector, index) }
                        digit := addmod(digit, lo, r)
                        mstore(to, digit)
                        history := absorb(history, digit)
                        from := add(from, width)
                        index := add(index, 1)
                    }
                }
                mstore(0x500, history)
                next := to
            }
            function points(count, infinity) {
                let q := 21888242871839275222246405745257275088696311157297823662689037894645226208583
                let from := mload(0x4c0)
                let history := mload(0x500)
                let element := mload(0x4e0)
                for { let end := add(element, count) } lt(element, end) { element := add(element, 1) } {
                    let x := calldataload(from)
                    let y := calldataload(add(from, 32))
                    switch or(x, y)
                    case 0 {
                        if iszero(infinity) { failAt(0x56ec4238, element) }
                    }
                    default {
                        let off := sub(mulmod(y, y, q), addmod(mulmod(mulmod(x, x, q), x, q), 3, q))
                        if or(off, iszero(and(lt(x, q), lt(y, q)))) { failAt(0x08f9e604, element) }
                    }
                    mstore8(history, 1)
                    mstore(add(history, 1), swap(x))
                    mstore(add(history, 33), swap(y))
                    history := add(history, 65)
                    from := add(from, 64)
                }
                mstore(0x4c0, from)
                mstore(0x500, history)
                mstore(0x4e0, element)
            }
            function evaluations(count) {
                let r := R
                let from := mload(0x4c0)
                let history := mload(0x500)
                let element := mload(0x4e0)
                calldatacopy(field(9), from, shl(5, count))
                for { let end := add(element, count) } lt(element, end) { element := add(element, 1) } {
                    let scalar := calldataload(from)
                    if iszero(lt(scalar, r)) { failAt(0xc002ca36, element) }
                    history := absorb(history, scalar)
                    from := add(from, 32)
                }
                mstore(0x4c0, from)
                mstore(0x500, history)
                mstore(0x4e0, element)
            }
            function challenges(count) {
                let start := field(17)
                let history := mload(0x500)
                let to := mload(0x520)
                for { let end := add(to, shl(5, count)) } lt(to, end) { to := add(to, 32) } {
                    mstore8(history, 0)
                    history := add(history, 1)
                    let length := sub(add(history, 1), start)
                    mstore8(history, 10)
                    let low := swap(keccak256(start, length))
                    mstore8(history, 11)
                    let high := swap(keccak256(start, length))
                    // 2²⁵⁶ modulo r
                    high := mulmod(high, 0x0e0a77c19a07df2f666ea36f7879462e36fc76959f60cd29ac96341c4ffffffb, R)
                    mstore(to, addmod(low, high, R))
                }
                mstore(0x500, history)
                mstore(0x520, to)
            }
            /// Runs `count` groups of three instructions.
            function run(program, count, to) -> next {
                let r := R
                for { let end := add(program, shl(5, count)) } lt(program, end) { program := add(program, 32) } {
                    let word := mload(program)
                    mstore(
                        to,
                        addmod(
                            mulmod(mload(shr(232, word)), mload(and(shr(208, word), 0xffffff)), r),
                            mload(and(shr(184, word), 0xffffff)),
                            r
                        )
                    )
                    mstore(
                        add(to, 32),
                        addmod(
                            mulmod(
                                mload(and(shr(160, word), 0xffffff)), mload(and(shr(136, word), 0xffffff)), r
                            ),
                            mload(and(shr(112, word), 0xffffff)),
                            r
                        )
                    )
                    mstore(
                        add(to, 64),
                        addmod(
                            mulmod(mload(and(shr(88, word), 0xffffff)), mload(and(shr(64, word), 0xffffff)), r),
                            mload(and(shr(40, word), 0xffffff)),
                            r
                        )
                    )
                    to := add(to, 96)
                }
                next := to
            }
            /// Appends the denominators of the public values that are not zero, for one query at `point`.
            function denominators(point, to) -> next {
                let r := R
                let step := mload(field(30))
                let value := field(13)
                for { let end := add(value, shl(5, field(14))) } lt(value, end) { value := add(value, 32) } {
                    if mload(value) {
                        mstore(to, addmod(point, sub(r, 1), r))
                        to := add(to, 32)
                    }
                    point := mulmod(point, step, r)
                }
                next := to
            }
            /// Inverts all words between `from` and `end`, with the products of those before at `prefix`.
            function invert(from, end, prefix) {
                let r := R
                let product := 1
                let at := prefix
                for { let each := from } lt(each, end) { each := add(each, 32) } {
                    mstore(at, product)
                    product := mulmod(product, mload(each), r)
                    at := add(at, 32)
                }
                if iszero(product) { fail(0xa0f4a9a9) }
                mstore(0x560, 32)
                mstore(0x580, 32)
                mstore(0x5a0, 32)
                mstore(0x5c0, product)
                mstore(0x5e0, sub(r, 2))
                mstore(0x600, r)
                if iszero(staticcall(gas(), 5, 0x560, 0xc0, 0, 32)) { fail(0x76ecd150) }
                product := mload(0)
                for {} gt(end, from) {} {
                    end := sub(end, 32)
                    at := sub(at, 32)
                    let each := mload(end)
                    mstore(end, mulmod(product, mload(at), r))
                    product := mulmod(product, each, r)
                }
            }
            /// The sum of the public values that are not zero, each times its inverse from `inverse` on.
            function instance(inverse) -> sum, next {
                let r := R
                let value := field(13)
                for { let end := add(value, shl(5, field(14))) } lt(value, end) { value := add(value, 32) } {
                    let each := mload(value)
                    if each {
                        sum := addmod(sum, mulmod(each, mload(inverse), r), r)
                        inverse := add(inverse, 32)
                    }
                }
                next := inverse
                sum := mulmod(sum, mload(field(22)), r)
            }
            /// Adds `scalar` times the point at 0 to the sum at `sum`, in which `mload(0x480)` says whether
            /// there is anything.
            function accumulate(sum, scalar) {
                mstore(0x40, scalar)
                let good := 1
                if sub(scalar, 1) { good := staticcall(gas(), 7, 0, 0x60, 0, 0x40) }
                mstore(0x40, mload(sum))
                mstore(0x60, mload(add(sum, 32)))
                good := and(staticcall(gas(), 6, 0, 0x80, sum, 0x40), good)
                if iszero(good) { fail(0x76ecd150) }
            }

            let free := mload(0x40)
            // Scratch words beyond 0x40 are restored before Solidity sees them.
            if fresh {
                let size := extcodesize(data)
                if iszero(size) { failAt(0x6dc3ba9d, key) }
                extcodecopy(data, 0x800, 1, sub(size, 1))
                for {
                    let at := field(31)
                    let end := add(at, shl(5, add(field(8), 1)))
                } lt(at, end) { at := add(at, 32) } { mstore(at, 0) }
            }
            if sub(input.length, field(28)) { failLength(0xf744573e, field(28), input.length) }
            if sub(output.length, field(29)) { failLength(0x165cadc0, field(29), output.length) }
            {
                let history := field(17)
                let to := field(13)
                mcopy(history, 0x900, 96)
                history := add(history, 82)
                mstore(to, and(binding, 0xffffffffffffffffffffffffffffffff))
                mstore(add(to, 32), shr(128, binding))
                history := absorb(history, mload(to))
                history := absorb(history, mload(add(to, 32)))
                mstore(0x500, history)
                to := values(field(1), field(26), input.offset, add(to, 64), 0xe8ccf8a8)
                to := values(add(field(1), mul(96, field(26))), field(27), output.offset, to, 0xf56702f7)
            }
            {
                let expected := add(shl(6, field(24)), shl(5, field(25)))
                if sub(proof.length, expected) { failLength(0xc0545fa0, expected, proof.length) }
            }
            mstore(0x4c0, proof.offset)
            mstore(0x4e0, 0)
            mstore(0x520, field(10))
            for { let step := field(2) } 1 { step := add(step, 3) } {
                let word := shr(232, mload(step))
                let count := and(word, 0xffff)
                switch shr(16, word)
                case 1 { points(count, 0) }
                case 2 { points(count, 1) }
                case 3 { challenges(count) }
                case 4 { evaluations(count) }
                default { break }
            }
            {
                let registers := run(field(3), field(4), field(12))
                let to := field(15)
                for {
                    let list := field(19)
                    let end := add(list, mul(3, field(18)))
                } lt(list, end) { list := add(list, 3) } {
                    mstore(to, mload(shr(232, mload(list))))
                    to := add(to, 32)
                }
                for {
                    let list := field(21)
                    let end := add(list, mul(3, field(20)))
                } lt(list, end) { list := add(list, 3) } {
                    to := denominators(mload(shr(232, mload(list))), to)
                }
                invert(field(15), to, field(16))
                let inverse := add(field(15), shl(5, field(18)))
                for {
                    let each := field(11)
                    let end := add(each, shl(5, field(20)))
                } lt(each, end) { each := add(each, 32) } {
                    let sum
                    sum, inverse := instance(inverse)
                    mstore(each, sum)
                }
                registers := run(field(5), field(6), registers)
            }
            {
                // Points of the proof, then the sums for those of the key.
                let list := field(23)
                let from := proof.offset
                for {
                    let end := add(list, mul(3, field(24)))
                } lt(list, end) { list := add(list, 3) } {
                    let scalar := mulmod(mload(shr(232, mload(list))), coefficient, R)
                    if scalar {
                        calldatacopy(0, from, 0x40)
                        accumulate(0x440, scalar)
                    }
                    from := add(from, 64)
                    // The evaluations stand before the last two points.
                    if eq(sub(add(list, 9), mul(3, field(24))), field(23)) { from := add(from, shl(5, field(25))) }
                }
                calldatacopy(0, sub(from, 64), 0x40)
                accumulate(0x400, coefficient)
                for {
                    let at := field(31)
                    let end := add(at, shl(5, add(field(8), 1)))
                } lt(at, end) { at := add(at, 32) } {
                    mstore(at, addmod(mload(at), mulmod(mload(shr(232, mload(list))), coefficient, R), R))
                    list := add(list, 3)
                }
            }
            mstore(0x40, free)
            mstore(0x60, 0)
        }
    }

    /// @dev Adds the points of the key, each times its sum, to F.
    function _flush() private view {
        assembly ("memory-safe") {
            function field(index) -> value {
                value := shr(224, mload(add(0x800, shl(2, index))))
            }
            let free := mload(0x40)
            let point := field(7)
            let good := 1
            for {
                let at := field(31)
                let end := add(at, shl(5, add(field(8), 1)))
            } lt(at, end) { at := add(at, 32) } {
                let scalar := mload(at)
                if scalar {
                    mcopy(0, point, 0x40)
                    mstore(0x40, scalar)
                    if sub(scalar, 1) { good := and(good, staticcall(gas(), 7, 0, 0x60, 0, 0x40)) }
                    mstore(0x40, mload(0x440))
                    mstore(0x60, mload(0x460))
                    good := and(staticcall(gas(), 6, 0, 0x80, 0x440, 0x40), good)
                }
                point := add(point, 64)
            }
            if iszero(good) {
                mstore(0, 0x76ecd150)
                revert(0x1c, 4)
            }
            mstore(0x40, free)
            mstore(0x60, 0)
        }
    }

    /// @dev The pairing: `e(W', [τ]₂) = e(F, [1]₂)`.
    function _finish() private view {
        _flush();
        bool good;
        bool holds;
        assembly ("memory-safe") {
            let free := mload(0x40)
            let q := 21888242871839275222246405745257275088696311157297823662689037894645226208583
            let scratch := 0x560
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
            mstore(0x40, free)
        }
        if (!good) {
            revert Precompile();
        }
        if (!holds) {
            revert Pairing();
        }
    }
}
