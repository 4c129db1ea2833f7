// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {Deploy} from "../../scripts/Deploy.s.sol";

contract DeployTest is Test, Deploy {
    function test_deploy_connectsTheContracts() public {
        check(devnet());
        check(mainnet());
    }

    function test_profile_followsTheChain() public {
        vm.chainId(31_337);
        assertEq(profile().windows.commitWindow, 120);
        vm.chainId(1);
        assertEq(profile().windows.commitWindow, 600);
    }

    function check(Profile memory chosen) internal {
        Deployment memory deployment = deploy(address(this), chosen);

        assertEq(deployment.oracle.stakes(), address(deployment.stakes));
        assertEq(deployment.oracle.models(), address(deployment.models));
        assertEq(deployment.stakes.oracle(), address(deployment.oracle));
        assertEq(deployment.stakes.seatAge(), chosen.seatAge);
        assertEq(abi.encode(deployment.oracle.windows()), abi.encode(chosen.windows));
    }
}
