// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IGenerationOracle} from "../interfaces/IGenerationOracle.sol";

/// @notice What a drawn seat turned out to be once its job is decided, and what that earns or costs.
///
/// Nothing here depends on what another seat loses: no member of a committee gains from a slash.
enum Standing {
    /// It owes nothing and is owed nothing: excused, grey, or let off.
    Neutral,
    /// The winner accepts its digest.
    Supporter,
    /// It revealed and nobody won.
    Unjudged,
    /// The winner rejects its digest.
    Dissenter,
    /// It committed and never revealed, while others did.
    Hidden,
    /// It said that it could not run the job.
    Declined,
    /// It said nothing.
    Silent
}

library Standings {
    /// @notice A seat that did not reveal. If nobody revealed, whatever kept them all from it is not held against those who
    /// committed.
    function ofUnrevealed(IGenerationOracle.Step step, bool excused, bool anyRevealed)
        internal
        pure
        returns (Standing)
    {
        if (excused) return Standing.Neutral;
        if (step == IGenerationOracle.Step.Drawn) return Standing.Silent;
        if (step == IGenerationOracle.Step.Out) return Standing.Declined;
        return anyRevealed ? Standing.Hidden : Standing.Neutral;
    }

    /// @notice A seat that revealed, in a job that has a winner.
    function ofZone(IGenerationOracle.Zone zone, bool fixedSeed) internal pure returns (Standing) {
        if (zone == IGenerationOracle.Zone.Accepted) return Standing.Supporter;
        if (zone == IGenerationOracle.Zone.Rejected && !fixedSeed) return Standing.Dissenter;
        return Standing.Neutral;
    }

    /// @param share what one seat earns, in wei
    function earned(Standing self, uint96 share) internal pure returns (uint96) {
        if (self == Standing.Supporter) return share;
        if (self == Standing.Unjudged) return share / 2;
        return 0;
    }

    /// @dev Never more than the bond, which is at least 20 shares.
    function lost(Standing self, uint96 share, uint96 bond) internal pure returns (uint96) {
        if (isSlashed(self)) return bond;
        if (self == Standing.Declined) return share / 4;
        if (self == Standing.Silent) return share / 2;
        return 0;
    }

    function isSlashed(Standing self) internal pure returns (bool) {
        return self == Standing.Dissenter || self == Standing.Hidden;
    }
}
