// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../src/interfaces/IGenerationOracle.sol";
import {HeaderFixtures} from "./HeaderFixtures.t.sol";
import {Protocol} from "./Protocol.t.sol";

/// @notice What each step of a job costs, base fee of the transaction and calldata included; written to
/// `contracts/snapshots`.
/// forge-config: default.isolate = true
contract GasTest is Protocol {
    function test_gas_ofTheFirstJob() public {
        measure("job of 3, first");
    }

    /// @dev Accounts have credits and nonces by then; a job's own slots are new all the same.
    function test_gas_ofALaterJob() public {
        for (uint256 i; i < 5; ++i) {
            oracle.settle(decided(three(DIGEST, DIGEST, DIGEST)));
        }
        measure("job of 3, later");
    }

    function test_gas_ofADrawFromTenSeats() public {
        measureDraw(10);
    }

    function test_gas_ofADrawFromAThousandSeats() public {
        measureDraw(1000);
    }

    function test_gas_ofTheLargestCommittee() public {
        enrol(95);
        pass(SEAT_AGE);
        bytes32 jobId = request(31);
        anvilSeed(jobId);
        oracle.draw(jobId, HeaderFixtures.ANVIL);
        vm.snapshotGasLastCall("job of 31", "draw from 100 seats");
        bytes32[] memory digests = new bytes32[](31);
        for (uint256 member; member < 31; ++member) {
            digests[member] = flip(DIGEST, member % 4, member % 10);
        }
        commitAll(jobId, digests);
        revealAll(jobId, digests);
        oracle.settle(jobId);
        vm.snapshotGasLastCall("job of 31", "settle");
        assertOutcome(jobId, IGenerationOracle.Outcome.Accepted);
    }

    /// @dev All but five of the seats are too young, so that the draw tries as often as it may.
    function test_gas_ofADrawThatFindsNobody() public {
        enrol(995);
        bytes32 jobId = request(31);
        anvilSeed(jobId);
        oracle.draw(jobId, HeaderFixtures.ANVIL);
        vm.snapshotGasLastCall("job of 31", "draw that tries as often as it may");
        assertLt(oracle.votes(jobId).length, 6);
    }

    function measure(string memory name) internal {
        bytes32 jobId = request(3);
        uint256 all = vm.snapshotGasLastCall(name, "1 request");
        anvilSeed(jobId);
        oracle.draw(jobId, HeaderFixtures.ANVIL);
        all += vm.snapshotGasLastCall(name, "2 draw");
        for (uint256 member; member < 3; ++member) {
            commit(jobId, member, DIGEST);
            all += vm.snapshotGasLastCall(name, string.concat("3 commit ", vm.toString(member)));
        }
        for (uint256 member; member < 3; ++member) {
            reveal(jobId, member, DIGEST);
            all += vm.snapshotGasLastCall(name, string.concat("4 reveal ", vm.toString(member)));
        }
        oracle.settle(jobId);
        all += vm.snapshotGasLastCall(name, "5 settle");
        vm.snapshotValue(name, "all", all);
        assertPhase(jobId, IGenerationOracle.Phase.Closed);
    }

    function measureDraw(uint256 seats) internal {
        enrol(seats - 5);
        pass(SEAT_AGE);
        bytes32 jobId = request(3);
        anvilSeed(jobId);
        oracle.draw(jobId, HeaderFixtures.ANVIL);
        vm.snapshotGasLastCall("draw of 3", string.concat("from ", vm.toString(seats), " seats"));
        assertEq(oracle.votes(jobId).length, 3);
    }

    /// @dev A real header, since its bytes are paid for.
    function anvilSeed(bytes32 jobId) internal {
        seed(jobId);
        vm.setBlockhash(oracle.job(jobId).seedBlock, HeaderFixtures.ANVIL_HASH);
    }
}
