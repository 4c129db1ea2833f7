//! Every crash point, one after the other.

use eyre::Result;
use prover_node::crash::POINTS;

use crate::scene::Scene;

/// The wallet's are passed once for a commitment and once for its opening.
const AGAIN: [&str; 3] = ["wallet: written, not broadcast#2", "wallet: broadcast#2", "wallet: receipt found#2"];

/// Every third one from `first` on: chains are costly to start, and jobs on one of them wait for one another.
async fn play(first: usize) -> Result<()> {
    let points = POINTS.iter().chain(&AGAIN).skip(first).step_by(3);
    let mut scene = Scene::set().await?;
    for node in 1..3 {
        scene.start(node, None).await?;
    }
    for point in points {
        scene.nodes[0].kill();
        scene.start(0, Some(point)).await?;
        if *point == "follower: reorganisation noted" {
            scene.reorganise_until_crashed(0).await?;
        }
        let job = scene.play.submit("a sun").await?;
        scene.crashed(0, point).await?;
        scene.start(0, None).await?;
        scene.end(job, point).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_between_two_effects_loses_nothing_1() -> Result<()> {
    play(0).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_between_two_effects_loses_nothing_2() -> Result<()> {
    play(1).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_between_two_effects_loses_nothing_3() -> Result<()> {
    play(2).await
}
