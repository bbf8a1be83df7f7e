// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @notice A token for tests. It may return nothing, take a fee of the receiver, or call somebody back.
contract Token {
    mapping(address account => uint256 balance) public balanceOf;
    bool private immutable SILENT;
    /// In hundredths.
    uint256 private immutable FEE;
    address private _called;
    bytes private _call;
    /// What became of the call back.
    bytes public answered;

    constructor(bool silent, uint256 fee) {
        SILENT = silent;
        FEE = fee;
    }

    function mint(address account, uint256 amount) external {
        balanceOf[account] += amount;
    }

    /// Whoever moves the token makes it call `called`.
    function arm(address called, bytes calldata data) external {
        (_called, _call) = (called, data);
    }

    function transfer(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
    }

    /// Everybody has allowed everything.
    function transferFrom(address from, address to, uint256 amount) external {
        _move(from, to, amount);
    }

    function _move(address from, address to, uint256 amount) private {
        balanceOf[from] -= amount;
        balanceOf[to] += amount - (amount * FEE) / 100;
        if (_called != address(0)) {
            (bool good, bytes memory result) = _called.call(_call);
            require(!good, "entered");
            answered = result;
        }
        if (!SILENT) {
            assembly ("memory-safe") {
                mstore(0, 1)
                return(0, 32)
            }
        }
    }
}
