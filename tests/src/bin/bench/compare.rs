//! A billion comparisons: all pairs within classes of digests, beside other programs and the machine's own limits.

use std::{
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Instant,
};

use eyre::{Result, WrapErr as _, ensure};
use oracle::{
    compare::{Columns, Pairs, histograms, matches, sum},
    digest::Digest,
};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};
use serde::{Deserialize, Serialize};

/// Pictures of a class of arXiv 2307.01898.
const CLASS: usize = 1_300;

/// Enough of them for a billion pairs.
const CLASSES: usize = 1_185;

/// Of each measurement the best of so many: what else the machine does only ever adds.
const TRIES: usize = 3;

/// What the matches are counted within.
const ACCEPT: [u8; 4] = [10; 4];

/// Classes that a peer is given: a slice, as some take minutes for all.
const PEER_CLASSES: usize = 60;

/// The cost is linear if slices say so: classes, and how often they are gone over.
const SLICES: [(usize, usize); 4] = [(CLASSES / 10, 1), (CLASSES / 3, 1), (CLASSES, 1), (CLASSES, 10)];

/// What the last slice is extrapolated to.
const FAR: f64 = 1e11;

/// Bytes that are copied to see how fast memory is: more than caches hold.
const COPIED: usize = 1 << 28;

/// A digest is read from memory once for so many rows that it is compared with.
const ROWS_OF_A_READ: f64 = 256.0;

/// Where the peers are.
#[derive(clap::Args)]
pub(crate) struct CompareArgs {
    /// A Python with the packages of tests/peers/compare-requirements.txt; without it there are no peers
    #[arg(long, value_name = "PYTHON")]
    python: Option<PathBuf>,
}

/// Pairs a second, each pair counted once.
#[derive(Serialize)]
pub(crate) struct Comparisons {
    threads: usize,
    class_size: usize,
    classes: usize,
    slices: Vec<Slice>,
    extrapolation: Extrapolation,
    limits: Limits,
    peer_classes: usize,
    peers_not_run: Vec<NotRun>,
    pairs: u64,
    /// With four histograms.
    seconds: f64,
    pairs_per_second: f64,
    match_pairs_per_second: f64,
    peers: Peers,
    /// The smaller one of the two.
    limit_pairs_per_second: f64,
}

/// Four histograms of a part of it.
#[derive(Serialize)]
struct Slice {
    pairs: u64,
    seconds: f64,
    pairs_per_second: f64,
}

/// Not measured: the pairs at the rate of the largest slice.
#[derive(Serialize)]
struct Extrapolation {
    pairs: f64,
    seconds: f64,
}

/// What the machine could do.
#[derive(Serialize)]
struct Limits {
    /// Four differences and population counts and their sum, and nothing else.
    popcount_pairs_per_second: f64,
    /// Reading and writing of a copy, on all threads.
    memory_bytes_per_second: f64,
    /// At one read of 32 bytes for every 256 pairs.
    memory_pairs_per_second: f64,
}

/// numpy makes four histograms. faiss and usearch know no lanes: they search among whole digests.
#[derive(Serialize)]
struct Peers {
    numpy: Option<f64>,
    faiss: Option<f64>,
    usearch: Option<f64>,
}

#[derive(Serialize)]
struct NotRun {
    peer: &'static str,
    why: String,
}

/// What `tests/peers/compare.py` answers.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Seconds(f64),
    NotRun(String),
}

pub(crate) fn measure(args: &CompareArgs) -> Result<Comparisons> {
    let threads = thread::available_parallelism()?.get();
    let digests = digests();
    let sets: Vec<Columns> = digests.chunks(CLASS).map(|class| class.iter().copied().collect()).collect();
    let all: Vec<_> = sets.iter().map(Pairs::Within).collect();
    let pairs = count(&all);

    let slices: Vec<_> = SLICES.iter().map(|&(classes, times)| slice(&all[..classes].repeat(times))).collect();
    let matching = best(|| matches(&all, ACCEPT));
    let seconds = best(|| histograms(&all));
    let popcount = pairs as f64 / best(|| sum(&all));
    let bytes = memory(threads);
    let limits = Limits {
        popcount_pairs_per_second: popcount,
        memory_bytes_per_second: bytes,
        memory_pairs_per_second: bytes / 32.0 * ROWS_OF_A_READ,
    };

    let mut peers_not_run = Vec::new();
    let peers = peers(args.python.as_deref(), &digests, threads, &mut peers_not_run)?;
    let rate = slices.last().map_or(f64::NAN, |slice| slice.pairs_per_second);
    Ok(Comparisons {
        threads,
        class_size: CLASS,
        classes: CLASSES,
        slices,
        extrapolation: Extrapolation { pairs: FAR, seconds: FAR / rate },
        peer_classes: PEER_CLASSES,
        peers_not_run,
        pairs,
        seconds,
        pairs_per_second: pairs as f64 / seconds,
        match_pairs_per_second: pairs as f64 / matching,
        peers,
        limit_pairs_per_second: limits.popcount_pairs_per_second.min(limits.memory_pairs_per_second),
        limits,
    })
}

/// Those of a class differ from what they have in common in a quarter of their bits; 42 bits are colours.
fn digests() -> Vec<Digest> {
    let mut random = ChaCha8Rng::from_seed([7; 32]);
    let mut digests = Vec::with_capacity(CLASS * CLASSES);
    for _ in 0..CLASSES {
        let common = [0; 4].map(|_: u64| random.next_u64());
        for _ in 0..CLASS {
            let [a, b, c, d] = common.map(|lane| lane ^ (random.next_u64() & random.next_u64()));
            digests.push(Digest::from_lanes([a, b, c, d & ((1 << 42) - 1)]));
        }
    }
    digests
}

fn count(pairs: &[Pairs<'_>]) -> u64 {
    pairs.iter().map(Pairs::count).sum()
}

fn slice(pairs: &[Pairs<'_>]) -> Slice {
    let (seconds, pairs) = (best(|| histograms(pairs)), count(pairs));
    Slice { pairs, seconds, pairs_per_second: pairs as f64 / seconds }
}

fn best<T>(work: impl Fn() -> T) -> f64 {
    let seconds = |_| {
        let begun = Instant::now();
        black_box(work());
        begun.elapsed().as_secs_f64()
    };
    (0..TRIES).map(seconds).fold(f64::INFINITY, f64::min)
}

/// Bytes a second that are read and written.
fn memory(threads: usize) -> f64 {
    let (from, mut to) = (vec![1_u8; COPIED], vec![0_u8; COPIED]);
    let share = COPIED.div_ceil(threads);
    let mut copy = || {
        let begun = Instant::now();
        thread::scope(|scope| {
            for (from, to) in from.chunks(share).zip(to.chunks_mut(share)) {
                scope.spawn(move || black_box(to).copy_from_slice(black_box(from)));
            }
        });
        begun.elapsed().as_secs_f64()
    };
    let fastest = (0..TRIES).map(|_| copy()).fold(f64::INFINITY, f64::min);
    2.0 * COPIED as f64 / fastest
}

fn peers(python: Option<&Path>, digests: &[Digest], threads: usize, not_run: &mut Vec<NotRun>) -> Result<Peers> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("digests");
    let slice: Vec<u8> = digests[..CLASS * PEER_CLASSES].iter().flat_map(|digest| digest.0).collect();
    fs::write(&file, slice)?;
    let pairs = (PEER_CLASSES * CLASS * (CLASS - 1) / 2) as f64;
    let mut rate = |peer: &'static str| -> Result<Option<f64>> {
        let answer = match python {
            Some(python) => ask(python, peer, &file, threads)?,
            None => Answer::NotRun("no Python has it".to_owned()),
        };
        Ok(match answer {
            Answer::Seconds(seconds) => Some(pairs / seconds),
            Answer::NotRun(why) => {
                not_run.push(NotRun { peer, why });
                None
            }
        })
    };
    Ok(Peers { numpy: rate("numpy")?, faiss: rate("faiss")?, usearch: rate("usearch")? })
}

fn ask(python: &Path, peer: &str, file: &Path, threads: usize) -> Result<Answer> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/compare.py");
    let numbers = [CLASS, PEER_CLASSES, threads].map(|number| number.to_string());
    let output = Command::new(python).arg(script).arg(peer).arg(file).args(numbers).output()?;
    ensure!(output.status.success(), "{peer} ended with {}", output.status);
    serde_json::from_slice(&output.stdout).wrap_err_with(|| format!("{peer} gave no answer"))
}

pub(crate) fn print(found: &Comparisons) {
    let Comparisons { threads, class_size, classes, pairs, seconds, .. } = found;
    println!("{pairs} pairs within {classes} classes of {class_size} digests, {threads} threads");
    println!("four histograms      {seconds:7.2} s  {:.3e} pairs/s", found.pairs_per_second);
    let matching = found.match_pairs_per_second;
    println!("matches              {:7.2} s  {matching:.3e} pairs/s", *pairs as f64 / matching);
    println!(
        "limit                           {:.3e} pairs/s: population counts alone",
        found.limits.popcount_pairs_per_second
    );
    let Limits { memory_bytes_per_second: bytes, memory_pairs_per_second: by_memory, .. } = found.limits;
    println!("                                {by_memory:.3e} pairs/s: memory, at {:.1} GB/s", bytes / 1e9);
    for Slice { pairs, seconds, pairs_per_second } in &found.slices {
        println!("slice of {pairs:12} {seconds:6.2} s  {pairs_per_second:.3e} pairs/s");
    }
    let Extrapolation { pairs, seconds } = found.extrapolation;
    println!("extrapolated to {pairs:.0e}: {seconds:.0} s, at the rate of the last slice; not measured");
    println!("peers, on the first {} classes, each pair counted once:", found.peer_classes);
    let Peers { numpy, faiss, usearch } = found.peers;
    let what = [
        ("numpy", numpy, "four histograms"),
        ("faiss", faiss, "range search over all 256 bits, from both sides"),
        ("usearch", usearch, "exact nearest over all 256 bits, from both sides"),
    ];
    for (peer, rate, what) in what {
        match (rate, found.peers_not_run.iter().find(|not_run| not_run.peer == peer)) {
            (Some(rate), _) => println!("  {peer:8} {rate:.3e} pairs/s  {what}"),
            (None, not_run) => println!("  {peer:8} not run: {}", not_run.map_or("", |not_run| &not_run.why)),
        }
    }
}
