//! Kills at any time: `kill -9` of any node, at times drawn from a seed.

use std::{env, time::Duration};

use alloy::{
    primitives::keccak256,
    signers::k256::elliptic_curve::rand_core::{OsRng, RngCore as _},
};
use eyre::{Result, WrapErr as _, ensure};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng as _, SeedableRng as _},
};

use crate::scene::Scene;

/// All together.
const KILLS: u32 = 20;

/// The longest time between two, in milliseconds: about as long as a job takes.
const LONGEST: u64 = 4_000;

/// `QUORATE_CRASH_SEED` plays the same kills again, as far as the machine is as fast.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_killed_at_random_times_lose_nothing() -> Result<()> {
    let seed = match env::var("QUORATE_CRASH_SEED") {
        Ok(text) => text.parse().wrap_err("QUORATE_CRASH_SEED is a number")?,
        Err(_) => OsRng.next_u64(),
    };
    println!("QUORATE_CRASH_SEED={seed}");
    let mut random = ChaCha20Rng::from_seed(keccak256(seed.to_be_bytes()).0);
    let mut scene = Scene::set().await?;
    for node in 0..3 {
        scene.start(node, None).await?;
    }
    let (mut kills, mut jobs) = (0, 0);
    while kills < KILLS {
        let job = scene.play.submit("a sun").await?;
        while kills < KILLS && !scene.play.look(job).await?.is_closed() {
            let (victim, wait) = (random.next_u64() % 3, random.next_u64() % LONGEST);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let victim = usize::try_from(victim)?;
            scene.nodes[victim].kill();
            scene.start(victim, None).await?;
            kills += 1;
        }
        scene.end(job, &format!("{kills} kills, seed {seed}")).await?;
        jobs += 1;
    }
    ensure!(jobs > 1, "all kills were within one job");
    Ok(())
}
