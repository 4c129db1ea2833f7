// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../src/interfaces/IGenerationOracle.sol";
import {HeaderFixtures} from "./HeaderFixtures.t.sol";
import {Members} from "../src/libraries/Members.sol";
import {Protocol} from "./Protocol.t.sol";

/// @notice What each step of a job costs, the transaction's own 21,000 and its calldata included; written to
/// `contracts/snapshots`. The base fee of an isolated transaction is zero, and so are the bounties: `scripts/bench gas`
/// measures on a chain.
/// forge-config: default.isolate = true
contract GasTest is Protocol {
    using Members for IGenerationOracle.Member;

    function test_gas_ofTheFirstJob() public {
        measure("job of 3, first");
    }

    /// @dev Accounts have credits and nonces by then; a job's own slots are new all the same.
    function test_gas_ofALaterJob() public {
        for (uint256 i; i < 5; ++i) {
            settle(decided(three(DIGEST, DIGEST, DIGEST)));
        }
        measure("job of 3, later");
    }

    function test_gas_ofADrawFromTenSeats() public {
        measureDraw(10);
    }

    function test_gas_ofADrawFromAThousandSeats() public {
        measureDraw(1000);
    }

    /// @dev The first commitment draws.
    function measure(string memory name) internal {
        bytes32 jobId = request(3);
        uint256 all = vm.snapshotGasLastCall(name, "1 request");
        IGenerationOracle.Round memory round = drawAndCommit(jobId);
        all += vm.snapshotGasLastCall(name, "2 draw and commit 0");
        for (uint256 member = 1; member < 3; ++member) {
            commit(jobId, member, DIGEST);
            all += vm.snapshotGasLastCall(name, string.concat("3 commit ", vm.toString(member)));
        }
        for (uint256 member; member < 3; ++member) {
            reveal(jobId, member, DIGEST);
            all += vm.snapshotGasLastCall(name, string.concat("4 reveal ", vm.toString(member)));
        }
        closeAppeals(jobId);
        IGenerationOracle.Job memory job = jobOf(jobId);
        vm.prank(round.members[0].operator());
        oracle.settle(job, round);
        all += vm.snapshotGasLastCall(name, "5 settle");
        vm.snapshotValue(name, "all", all);
        assertPhase(jobId, IGenerationOracle.Phase.Settled);
    }

    function drawAndCommit(bytes32 jobId) internal returns (IGenerationOracle.Round memory round) {
        anvilSeed(jobId);
        IGenerationOracle.Job memory job = jobOf(jobId);
        round = lens.drawOf(job, HeaderFixtures.ANVIL);
        IGenerationOracle.Opening memory opening = openingOf(jobId, 0, DIGEST);
        bytes32 hash = oracle.commitmentOf(jobId, 1, round.members[0].seat(), opening);
        vm.recordLogs();
        vm.prank(round.members[0].operator());
        oracle.drawAndCommit(job, HeaderFixtures.ANVIL, round, 0, hash);
        remember();
    }

    function measureDraw(uint256 seats) internal {
        enrol(seats - 5);
        pass(2 * SEAT_AGE);
        bytes32 jobId = request(3);
        anvilSeed(jobId);
        vm.recordLogs();
        oracle.draw(jobOf(jobId), HeaderFixtures.ANVIL);
        vm.snapshotGasLastCall("draw of 3", string.concat("from ", vm.toString(seats), " seats"));
        remember();
        assertEq(roundOf(jobId).members.length, 3);
    }

    /// @dev A real header, since its bytes are paid for.
    function anvilSeed(bytes32 jobId) internal {
        seed(jobId);
        vm.setBlockhash(lens.roundOf(jobOf(jobId)).randomnessId, HeaderFixtures.ANVIL_HASH);
    }
}
