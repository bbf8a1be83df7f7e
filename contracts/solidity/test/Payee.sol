// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @notice For tests: an account that refuses ether, or answers it with a call, and acts for whoever asks.
contract Payee {
    address private _called;
    bytes private _call;
    bool public refuses;
    /// What became of the call back.
    bytes public answered;

    function arm(address called, bytes calldata data) external {
        (_called, _call) = (called, data);
    }

    function refuse(bool refuses_) external {
        refuses = refuses_;
    }

    function act(address called, bytes calldata data) external payable {
        (bool good, bytes memory result) = called.call{value: msg.value}(data);
        if (!good) {
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
    }

    receive() external payable {
        require(!refuses, "refused");
        if (_called != address(0)) {
            (bool good, bytes memory result) = _called.call(_call);
            require(!good, "entered");
            answered = result;
        }
    }
}
