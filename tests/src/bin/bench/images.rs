//! How many pictures a second, beside other programs on the same model and the same machine.

use std::{
    io::Write as _,
    num::NonZeroUsize,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Instant,
};

use alloy::primitives::B256;
use eyre::{Context as _, Result, ensure};
use oracle::manifest::LocalModel;
use prover_node::inference::{Pipeline, Settings};
use quorate_tests::programs;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Of each measurement the best of so many counts: what else the machine does only ever adds.
const TRIES: usize = 2;

const PROMPTS: [&str; 4] = ["a fox", "a house on a blue background", "a bee", "a cookie on a pink background"];

/// Where the peers are.
#[derive(clap::Args)]
pub(crate) struct ImageArgs {
    /// A Python with diffusers; without it pictures are raced against nobody
    #[arg(long, value_name = "PYTHON")]
    pub(crate) diffusers: Option<PathBuf>,
    /// A Python with stable-diffusion.cpp (cyllama)
    #[arg(long, value_name = "PYTHON")]
    stable_diffusion_cpp: Option<PathBuf>,
}

/// Pictures a second, ours and a peer's.
#[derive(Serialize)]
pub(crate) struct Race {
    model: String,
    threads: usize,
    images_s: f64,
    peer: &'static str,
    peer_images_s: Option<f64>,
    /// Why the peer has no figure.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_run: Option<String>,
}

/// What `tests/peers/images.py` answers.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Seconds(Vec<f64>),
    NotRun(String),
}

/// The bundled model's default job, with one thread and with all, against each peer.
pub(crate) fn measure(args: &ImageArgs) -> Result<Vec<Race>> {
    let model = LocalModel::open(&programs::bundled_model())?;
    let all = thread::available_parallelism()?;
    let mut counts = vec![NonZeroUsize::MIN, all];
    counts.dedup();
    let peers =
        [("diffusers", args.diffusers.as_deref()), ("stable-diffusion.cpp", args.stable_diffusion_cpp.as_deref())];

    let mut races = Vec::new();
    for threads in counts {
        let images_s = ours(&model, threads)?;
        for (peer, python) in peers {
            let (peer_images_s, not_run) = match python {
                Some(python) => theirs(&model, threads, peer, python)?,
                None => (None, Some("it is not installed".to_owned())),
            };
            let (model, threads) = (model.manifest.name.clone(), threads.get());
            races.push(Race { model, threads, images_s, peer, peer_images_s, not_run });
        }
    }
    Ok(races)
}

fn ours(model: &LocalModel, threads: NonZeroUsize) -> Result<f64> {
    let pipeline = Pipeline::load(model, Settings { threads, ..Settings::default() })?;
    let image = model.manifest.image()?;
    let picture =
        |prompt: &str| pipeline.generate(&image.spec(prompt.into()), B256::ZERO, &mut |_| ControlFlow::Continue(()));
    picture(PROMPTS[0])?;
    let mut best = f64::INFINITY;
    for _ in 0..TRIES {
        let begun = Instant::now();
        for prompt in PROMPTS {
            picture(prompt)?;
        }
        best = best.min(begun.elapsed().as_secs_f64());
    }
    Ok(PROMPTS.len() as f64 / best)
}

fn theirs(
    model: &LocalModel,
    threads: NonZeroUsize,
    peer: &str,
    python: &Path,
) -> Result<(Option<f64>, Option<String>)> {
    let defaults = model.manifest.image()?.defaults;
    let request = json!({
        "model": model.folder, "threads": threads, "width": defaults.width, "height": defaults.height,
        "steps": defaults.steps, "guidance": defaults.guidance, "prompts": PROMPTS.repeat(TRIES),
    });
    Ok(match ask(peer, python, &request)? {
        Answer::Seconds(seconds) => {
            let tries = seconds.chunks_exact(PROMPTS.len()).map(|seconds| seconds.iter().sum());
            (Some(PROMPTS.len() as f64 / tries.fold(f64::INFINITY, f64::min)), None)
        }
        Answer::NotRun(why) => (None, Some(why)),
    })
}

fn ask(peer: &str, python: &Path, request: &serde_json::Value) -> Result<Answer> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/images.py");
    let mut child = Command::new(python)
        .arg(script)
        .arg(peer)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .wrap_err_with(|| format!("starting {} for {peer}", python.display()))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(request.to_string().as_bytes())?;
    }
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{peer} ended with {}", output.status);
    serde_json::from_slice(&output.stdout).wrap_err_with(|| format!("{peer} gave no answer"))
}

pub(crate) fn print(races: &[Race]) {
    println!("{:12} {:>7} {:>10}  {:22} {:>10}", "model", "threads", "pictures/s", "peer", "pictures/s");
    for race in races {
        let theirs = match (race.peer_images_s, &race.not_run) {
            (Some(images), _) => format!("{images:10.3}"),
            (None, why) => format!("not run: {}", why.as_deref().unwrap_or_default()),
        };
        println!("{:12} {:7} {:10.3}  {:22} {theirs}", race.model, race.threads, race.images_s, race.peer);
    }
}
