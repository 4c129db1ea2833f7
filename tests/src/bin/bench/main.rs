//! The benchmarks that `scripts/bench` runs. Figures for people, or one line of JSON with `--json`.

mod compare;
mod gas;
mod hashes;
mod images;
mod peer;
mod pictures;
mod pool;
mod soak;
mod texts;
mod throughput;
mod variety;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use eyre::Result;
use quorate_tests::process::conclude;
use serde::Serialize;

/// Measures
#[derive(Parser)]
#[command(name = "bench")]
struct Args {
    /// Print one line of JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// All pairs within classes of digests, a billion of them, beside other programs and the machine's own limits
    Compare(compare::CompareArgs),
    /// Gas of a job by the size of its committee, of each of its steps, and of a draw by the size of the pool
    Gas,
    /// Pictures and tokens a second, beside other programs; what checking a text costs; and seconds that a picture takes,
    /// by numeric profile, with how far the profiles' digests are apart
    Inference {
        #[command(flatten)]
        texts: texts::TextArgs,
        #[command(flatten)]
        images: images::ImageArgs,
    },
    /// The texts of another program, as a data set to compare with the node's
    Texts(peer::PeerArgs),
    /// Jobs by the hundred while nodes are killed, endpoints misbehave and the chain is reorganised: what is lost, and whether
    /// memory and file handles grow
    Soak(soak::SoakArgs),
    /// Jobs a second through one node whose model costs nothing, by how many others wait; and how fast a node catches up
    Throughput,
    /// How often a picture with another seed would pass as the one that was asked for
    Variety {
        /// Where pictures are kept; a second run takes up where the first was stopped
        #[arg(long, value_name = "DIR")]
        work: PathBuf,
    },
}

/// What models do in how much time.
#[derive(Serialize)]
struct Inference {
    #[serde(flatten)]
    texts: Option<texts::Texts>,
    image: Vec<images::Race>,
    profiles: Vec<pictures::Speed>,
    hash: hashes::Hashes,
}

impl Inference {
    fn print(&self) {
        if let Some(texts) = &self.texts {
            texts::print(texts);
            println!();
        }
        images::print(&self.image);
        println!();
        pictures::print(&self.profiles);
        println!();
        hashes::print(&self.hash);
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    conclude(run(Args::parse()).await)
}

async fn run(Args { json, what }: Args) -> Result<()> {
    match what {
        What::Compare(args) => tell(&compare::measure(&args)?, json, compare::print),
        What::Gas => tell(&gas::measure().await?, json, gas::print),
        What::Inference { texts, images } => {
            let texts = texts.model.as_deref().map(|model| texts::measure(model, &texts)).transpose()?;
            let (image, profiles) = (images::measure(&images)?, pictures::measure()?);
            let hash = hashes::measure(images.diffusers.as_deref())?;
            tell(&Inference { texts, image, profiles, hash }, json, Inference::print)
        }
        What::Soak(args) => tell(&soak::measure(&args).await?, json, soak::print),
        What::Texts(args) => tell(&peer::measure(&args)?, json, peer::print),
        What::Throughput => tell(&throughput::measure().await?, json, throughput::print),
        What::Variety { work } => tell(&variety::measure(&work)?, json, variety::print),
    }
}

fn tell<F: Serialize>(figures: &F, json: bool, print: fn(&F)) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(figures)?);
    } else {
        print(figures);
    }
    Ok(())
}
