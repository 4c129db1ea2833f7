//! The tally: the verdict on a job's revealed digests. Pure, and blind to their order.

use std::cmp::Reverse;

use serde::Serialize;

use crate::digest::{Digest, ToleranceProfile, Zone};

/// What a committee found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "camelCase")]
pub enum Verdict {
    /// A quorum agrees.
    Accepted {
        /// The digest that most revealed digests accept.
        winner: Digest,
        /// Indices of the digests that the winner accepts, ascending.
        supporters: Vec<usize>,
        /// How the winner sees each digest.
        zones: Vec<Zone>,
    },
    /// No digest has a quorum behind it.
    Unresolved,
}

/// Finds the digest that most of `digests` accept. Ties go to the one with the smaller sum of distances, over all
/// lanes, to all digests; then to the smaller digest. The quorum is the majority of the committee, whoever turned up.
/// Twin of `Tally.sol`; `tests/vectors/tally.json` holds both to it.
#[must_use]
pub fn tally(profile: &ToleranceProfile, committee_size: u8, digests: &[Digest]) -> Verdict {
    let rank =
        |candidate: &&Digest| (Reverse(support(profile, candidate, digests)), spread(candidate, digests), **candidate);
    let Some(&winner) = digests.iter().min_by_key(rank) else { return Verdict::Unresolved };

    let zones: Vec<_> = digests.iter().map(|digest| profile.zone(&winner, digest)).collect();
    let supporters: Vec<_> = (0..zones.len()).filter(|&index| zones[index] == Zone::Accepted).collect();
    if supporters.len() < quorum(committee_size) {
        return Verdict::Unresolved;
    }
    Verdict::Accepted { winner, supporters, zones }
}

/// How many supporters a verdict needs.
#[must_use]
pub fn quorum(committee_size: u8) -> usize {
    usize::from(committee_size / 2) + 1
}

fn support(profile: &ToleranceProfile, candidate: &Digest, digests: &[Digest]) -> usize {
    digests.iter().filter(|digest| profile.zone(candidate, digest) == Zone::Accepted).count()
}

fn spread(candidate: &Digest, digests: &[Digest]) -> u32 {
    digests.iter().flat_map(|digest| candidate.distances(digest)).sum()
}
