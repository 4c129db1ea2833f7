use alloy::primitives::keccak256;

use super::*;
use crate::dataset::{Row, tests::provenance};

const WANTED: Wanted = Wanted { unpaid: 0.04, slashed: 0.02, margin: 0 };

/// Jobs of ten prompts whose digests have the first bits of a lane turned over as `turned` says of each.
fn set(profile: &str, jobs: u32, lane: usize, turned: impl Fn(u32) -> u32) -> Dataset {
    let row = |job: u32| {
        let mut lanes = Digest::from(keccak256(job.to_be_bytes())).lanes();
        lanes[lane] ^= u64::MAX.checked_shl(64 - turned(job)).unwrap_or_default();
        Row {
            prompt: format!("class {}", job % 10).into(),
            seed: job / 10,
            digest: Digest::from_lanes(lanes),
            seconds: 1.0,
            margin: None,
        }
    };
    Dataset { provenance: provenance(profile, 20), rows: (0..jobs).map(row).collect() }
}

#[test]
fn known_distances_are_counted_where_they_are() {
    let sets = [set("a", 100, 1, |_| 0), set("b", 100, 1, |job| job % 4), set("c", 50, 2, |_| 5)];
    let measured = Measurement::of(&sets).unwrap();

    // Of a and b, all; of c, which has half of the jobs, two pairs each.
    assert_eq!(measured.honest.pairs(), 100 + 2 * 50);
    assert_eq!(measured.jobs.pairs(), 100);
    assert_eq!(measured.by_profiles.len(), 3);
    let of_a_and_b = &measured.by_profiles[&("a".to_owned(), "b".to_owned())];
    let counts: Vec<_> = (0..4).map(|bits| of_a_and_b.within(1, bits).count).collect();
    assert_eq!(counts, [25, 50, 75, 100]);
    assert_eq!(of_a_and_b.within_all(0).count, 25);
    assert_eq!(of_a_and_b.furthest(1), 3);
    assert_eq!(of_a_and_b.beyond(1, 2), Share { count: 25, of: 100 });
    assert_eq!(measured.honest.furthest(2), 5);
    assert_eq!(measured.jobs.beyond(2, 4), Share { count: 50, of: 100 });
}

#[test]
fn pairs_of_other_pictures_are_told_apart_by_their_prompt() {
    let measured = Measurement::of(&[set("a", 100, 0, |_| 0), set("b", 100, 0, |_| 0)]).unwrap();
    assert_eq!(measured.same_prompt.pairs(), 10 * 45);
    assert_eq!(measured.other_prompt.pairs(), 100 * 99 / 2 - 10 * 45);
    // Random digests are half of the bits apart.
    assert_eq!(measured.other_prompt.within_all(10).count, 0);
    assert!(measured.other_prompt.within(0, 32).value() > 0.4);

    let profile = ToleranceProfile { accept: [10; 4], reject: [20; 4], evidence: B256::ZERO };
    let (same_prompt, other_prompt) = measured.others_by(&profile);
    assert_eq!(
        [same_prompt.accepted, same_prompt.grey, same_prompt.rejected].map(|zone| zone.count).iter().sum::<u64>(),
        450
    );
    assert!(other_prompt.rejected.count > 4_400, "{other_prompt:?}");
}

#[test]
fn a_profile_is_as_tight_as_honest_machines_let_it_be() {
    // One job in a thousand is 4 bits off, and one in ten 3.
    let drift = |job: u32| if job % 1_000 == 7 { 4 } else { 3 * u32::from(job % 10 == 3) };
    let sets = [set("a", 10_000, 2, |_| 0), set("b", 10_000, 2, drift)];
    let proposed = Measurement::of(&sets).unwrap().propose(WANTED).unwrap();
    assert_eq!((proposed.accept, proposed.reject), ([0, 0, 3, 0], [0, 0, 6, 0]));
    proposed.check().unwrap();

    let tighter = Wanted { unpaid: 0.002, slashed: 0.002, margin: 0 };
    let proposed = Measurement::of(&sets).unwrap().propose(tighter).unwrap();
    assert_eq!((proposed.accept[2], proposed.reject[2]), (4, 8));

    let proposed = Measurement::of(&sets).unwrap().propose(Wanted { margin: 7, ..WANTED }).unwrap();
    assert_eq!((proposed.accept, proposed.reject), ([7, 7, 10, 7], [14, 14, 20, 14]));
}

#[test]
fn too_few_jobs_promise_nothing() {
    let sets = [set("a", 20, 0, |_| 0), set("b", 20, 0, |_| 0)];
    let error = Measurement::of(&sets).unwrap().propose(WANTED).unwrap_err();
    assert!(matches!(error, ToleranceError::NoProfile { lane: 0, most: 10, .. }), "{error}");
}

#[test]
fn machines_that_are_too_far_apart_get_no_profile() {
    let sets = [set("a", 5_000, 3, |_| 0), set("b", 5_000, 3, |job| if job % 5 == 0 { 11 } else { 0 })];
    let error = Measurement::of(&sets).unwrap().propose(WANTED).unwrap_err();
    assert!(matches!(error, ToleranceError::NoProfile { lane: 3, most: 10, .. }), "{error}");
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let honest = set("a", 10, 0, |_| 0);
    let fraud = {
        let mut set = set("b", 10, 0, |_| 0);
        set.provenance.fraud = Some("fewer steps".into());
        set
    };
    let other_model = {
        let mut set = set("b", 10, 0, |_| 0);
        set.provenance.files = B256::repeat_byte(2);
        set
    };
    let refused = |sets: &[Dataset]| Measurement::of(sets).unwrap_err();
    assert!(matches!(refused(&[honest.clone(), fraud]), ToleranceError::Fraud { .. }));
    assert!(matches!(refused(&[honest.clone(), other_model]), ToleranceError::Apart { .. }));
    assert_eq!(refused(&[honest]), ToleranceError::NoPairs);
    assert_eq!(refused(&[]), ToleranceError::NoPairs);
}

/// Honest machines part on one job of a prompt, and on every one of another.
#[test]
fn a_search_finds_single_jobs_with_a_fixed_seed_and_prompts_with_fresh_noise() {
    let turned = |job: u32| match job {
        7 => 12,
        job if job % 10 == 3 => 6,
        _ => 1,
    };
    let sets = [set("one", 100, 2, |_| 0), set("other", 100, 2, turned)];
    let measured = Measurement::of(&sets).unwrap();
    let profile = ToleranceProfile { accept: [5; 4], reject: [10; 4], evidence: B256::ZERO };
    assert_eq!(measured.honest_by(&profile), Zones::of(100, 89, 99));

    let found = measured.search(&profile);
    assert_eq!(found.fixed_seed, Share { count: 11, of: 100 });
    assert_eq!(found.prompts, ["class 3"]);
    assert_eq!(found.fresh_noise.count, found.fresh_noise.of, "whatever its seed");
    assert!((found.bits - 1.61).abs() < 1e-9 && (found.bits_of_prompts - 6.0).abs() < 1e-9, "{found:?}");
}
