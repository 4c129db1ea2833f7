// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../../src/interfaces/IGenerationOracle.sol";
import {Members} from "../../src/libraries/Members.sol";
import {Votes} from "../../src/libraries/Votes.sol";
import {HeaderFixtures} from "../HeaderFixtures.t.sol";
import {Attack} from "./Attack.t.sol";

/// @notice Evidence that nobody should believe: another seed, another committee, another verdict, or none at all.
contract MalformedEvidenceTest is Attack {
    using Members for IGenerationOracle.Member;

    function testFuzz_malformedEvidence_doesNotDrawACommittee(bytes32 chosen, uint256 length) public {
        bytes32 jobId = request(3);
        bytes memory header = seed(jobId);
        uint64 id = lens.roundOf(jobOf(jobId)).randomnessId;
        bytes memory forged = HeaderFixtures.encode(id, chosen);

        assertFalse(attempt(stranger, abi.encodeCall(oracle.draw, (jobOf(jobId), forged))));
        assertFalse(attempt(stranger, abi.encodeCall(oracle.draw, (jobOf(jobId), cut(header, length)))));
        assertPhase(jobId, IGenerationOracle.Phase.Draw);
    }

    /// @dev It writes itself into the committee.
    function test_malformedEvidence_doesNotSeatAStranger() public {
        bytes32 jobId = requestAndDraw(3);
        IGenerationOracle.Round memory forged = roundOf(jobId);
        IGenerationOracle.Member victim = forged.members[0];
        uint256 before = worthOf(jobId, 0);
        forged.members[0] = IGenerationOracle.Member.wrap(Members.pack(stranger, 1, victim.seat(), victim.place()));

        attempt(stranger, abi.encodeCall(oracle.commit, (jobId, forged, 0, keccak256("anything"))));
        carryOn(jobId);

        assertGe(worthOf(jobId, 0), before + SHARE);
    }

    function test_malformedEvidence_isNotAVerdict() public {
        IGenerationOracle.Terms memory of_ = terms(3);
        (of_.consumer, of_.consumerGas) = (address(this), 100_000);
        bytes32 jobId = request(of_);
        draw(jobId);
        vote(jobId, three(DIGEST, DIGEST, DIGEST));
        IGenerationOracle.Verdict memory verdict = finish(jobId);
        verdict.digest = FAKE;

        assertFalse(attempt(stranger, abi.encodeCall(oracle.deliver, (jobOf(jobId), verdict))));
    }

    /// @dev A seat opens its commitment to a digest that is the seal of a commitment of another member, and from its own
    /// slot then that one: the other would count as revealed, with something that is no digest, and be slashed.
    function test_malformedEvidence_isNotTheVoteOfAnother() public {
        bytes32 jobId = requestAndDraw(5);
        uint256 before = worthOf(jobId, 1);
        IGenerationOracle.Member own = roundOf(jobId).members[0];
        IGenerationOracle.Opening memory second = openingOf(jobId, 0, FAKE);
        bytes32 digest = Votes.seal(jobId, 1, 1, oracle.commitmentOf(jobId, 1, own.seat(), second));
        commit(jobId, 0, digest);
        for (uint256 member = 1; member < 5; ++member) {
            commit(jobId, member, DIGEST);
        }

        IGenerationOracle.Opening memory first = openingOf(jobId, 0, digest);
        attempt(stranger, abi.encodeCall(oracle.reveal, (jobId, 1, 0, own.slot(), first)));
        attempt(stranger, abi.encodeCall(oracle.reveal, (jobId, 1, 1, own.slot(), second)));
        for (uint256 member = 1; member < 5; ++member) {
            tryReveal(jobId, member, DIGEST);
        }
        finish(jobId);

        assertGe(worthOf(jobId, 1), before);
    }

    /// @dev Any part of the header but all of it.
    function cut(bytes memory header, uint256 length) internal pure returns (bytes memory part) {
        part = new bytes(length % header.length);
        for (uint256 i; i < part.length; ++i) {
            part[i] = header[i];
        }
    }
}
