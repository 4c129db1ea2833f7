//! How fast texts are written, read and checked, beside llama.cpp on the same weights and the same machine.

use std::{
    cell::RefCell,
    fs,
    io::Write as _,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use eyre::{Result, WrapErr as _, ensure, eyre};
use oracle::{
    output::Text,
    spec::{Message, Role, TextSpec},
};
use prover_node::inference::language::{Checker as _, Judgement, LanguageError, Model, Reason, Settings};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Tokens that are written to measure the speed.
const TOKENS: u32 = 128;

/// Tokens of a text that is checked.
const CHECKED: u32 = 256;

/// Of each measurement the best of so many counts: what else the machine does only ever adds.
const TRIES: usize = 3;

/// A story goes on for as long as it is asked to.
const STORY: &str = "Write a story about a fox.";

/// What texts are compared for.
const PROMPTS: [&str; 20] = [
    "What is the capital of France?",
    "Write a haiku about rain.",
    "Explain photosynthesis to a child.",
    "List five animals that live in the desert.",
    "Why is the sky blue?",
    "How do I boil an egg?",
    "Translate 'good morning' into Spanish.",
    "What is 17 plus 26?",
    "Who wrote Romeo and Juliet?",
    "Give me three tips for sleeping better.",
    "Describe a volcano.",
    "What is a prime number?",
    "Write a short letter to a friend who moved away.",
    "Name the planets of the solar system.",
    "What does a blacksmith do?",
    "Summarise the story of Little Red Riding Hood.",
    "How does a bicycle stay upright?",
    "Write a Python function that reverses a list.",
    "What should I pack for a week in the mountains?",
    "Why do leaves change colour in autumn?",
];

/// What `--model` and `--peer` say.
#[derive(clap::Args)]
pub(crate) struct TextArgs {
    /// A language model; without it only pictures are measured
    #[arg(long, value_name = "GGUF")]
    pub(crate) model: Option<PathBuf>,
    /// A Python with llama.cpp (cyllama)
    #[arg(long, value_name = "PYTHON", requires = "work")]
    llama_cpp: Option<PathBuf>,
    /// Where the peer's weights in f32 are kept
    #[arg(long, value_name = "DIR", requires = "llama_cpp")]
    work: Option<PathBuf>,
}

/// All that is measured of texts.
#[derive(Serialize)]
pub(crate) struct Texts {
    /// Checking a text of 256 tokens, as a part of writing it.
    check_over_generate_256: f64,
    /// Largest distance of a token's logit from the top one, where one pass looks at what many have made.
    largest_own_margin: f32,
    together: Together,
    text: Vec<Speed>,
}

/// Several texts written at once, prompts included, each being what it is alone.
#[derive(Serialize)]
struct Together {
    texts: usize,
    tok_s: f64,
    /// Of the same texts, one after the other.
    alone_tok_s: f64,
}

/// A peer's weights, and how fast both are.
#[derive(Serialize)]
struct Speed {
    model: String,
    dtype: &'static str,
    threads: usize,
    decode_tok_s: f64,
    prefill_tok_s: f64,
    /// Or why it was not run.
    peer: String,
    peer_decode_tok_s: Option<f64>,
    peer_prefill_tok_s: Option<f64>,
    agreement: Option<Agreement>,
}

/// How a peer's greedy texts differ from ours.
#[derive(Serialize)]
struct Agreement {
    texts: usize,
    same: usize,
    /// First differences of those that are not the same.
    differences: Vec<Difference>,
}

/// Where two texts part.
#[derive(Serialize)]
struct Difference {
    prompt: &'static str,
    position: usize,
    /// How far our logit for the peer's token is below that for ours.
    margin: f32,
}

/// What the peer says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Peer {
    prefill_tok_s: f64,
    decode_tok_s: f64,
    texts: Vec<Vec<u32>>,
}

pub(crate) fn measure(path: &Path, args: &TextArgs) -> Result<Texts> {
    let settings = Settings::default();
    let mut model = Model::open(path, &settings)?;
    let (long, story) = (spec(&STORY.repeat(70), 1), spec(STORY, TOKENS));
    let reading = best(|| Ok(timed(&mut model, &long)?.first))?;
    let prefill_tok_s = model.prompt(&long)?.len() as f64 / reading;
    let writing = best(|| {
        let timed = timed(&mut model, &story)?;
        Ok(timed.rest / (timed.text.tokens.len() - 1) as f64)
    })?;

    let (check_over_generate_256, largest_own_margin) = checking(&mut model)?;
    let together = together(&model)?;
    let speed = |peer: String| Speed {
        model: path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        dtype: "f32",
        threads: settings.threads.get(),
        decode_tok_s: 1.0 / writing,
        prefill_tok_s,
        peer,
        peer_decode_tok_s: None,
        peer_prefill_tok_s: None,
        agreement: None,
    };
    let request = |prompts: &[&str]| -> Result<serde_json::Value> {
        let prompts = prompts.iter().map(|prompt| model.prompt(&spec(prompt, 64))).collect::<Result<Vec<_>, _>>()?;
        let (long, short) = (model.prompt(&long)?, model.prompt(&story)?);
        let threads = settings.threads;
        Ok(json!({ "threads": threads, "long": long, "short": short, "tokens": TOKENS, "prompts": prompts }))
    };
    let text = match (&args.llama_cpp, &args.work) {
        (Some(python), Some(work)) => {
            // The same weights, to compare texts and speed; and what llama.cpp is used for.
            let same = ask(python, &in_f32(python, path, work)?, request(&PROMPTS)?)?;
            let stored = ask(python, path, request(&[])?)?;
            let agreement = Some(compare(&mut model, &same.texts)?);
            let row = |name: &str, peer: &Peer| Speed {
                peer_decode_tok_s: Some(peer.decode_tok_s),
                peer_prefill_tok_s: Some(peer.prefill_tok_s),
                ..speed(format!("llama.cpp, weights {name}"))
            };
            vec![Speed { agreement, ..row("in f32", &same) }, row("as stored", &stored)]
        }
        _ => vec![speed("not run: no Python with cyllama was given".to_owned())],
    };
    Ok(Texts { check_over_generate_256, largest_own_margin, together, text })
}

fn spec(prompt: &str, max_tokens: u32) -> TextSpec {
    let messages = vec![Message { role: Role::User, content: prompt.into() }];
    TextSpec { messages, max_tokens, beams: 1, stops: Vec::new() }
}

/// A text, with the seconds that its first token and all others took.
struct Timed {
    text: Text,
    first: f64,
    rest: f64,
}

fn timed(model: &mut Model, spec: &TextSpec) -> Result<Timed> {
    let start = Instant::now();
    let mut first = 0.0;
    let text = model.write(spec, &mut |progress| {
        if progress.step == 1 {
            first = start.elapsed().as_secs_f64();
        }
        ControlFlow::Continue(())
    })?;
    Ok(Timed { text, first, rest: start.elapsed().as_secs_f64() - first })
}

fn best(mut measure: impl FnMut() -> Result<f64>) -> Result<f64> {
    (0..TRIES).try_fold(f64::INFINITY, |best, _| Ok(measure()?.min(best)))
}

/// Seconds of checking over seconds of writing, prompt included in both, and the largest margin.
fn checking(model: &mut Model) -> Result<(f64, f32)> {
    let spec = spec(STORY, CHECKED);
    let mut tokens = Vec::new();
    let writing = best(|| {
        let made = timed(model, &spec)?;
        tokens = made.text.tokens;
        Ok(made.first + made.rest)
    })?;
    ensure!(tokens.len() == CHECKED as usize, "the story ends after {} tokens of {CHECKED}", tokens.len());
    let mut largest = 0.0;
    let checking = best(|| {
        let start = Instant::now();
        match model.check(&spec, &tokens, 1e-3)? {
            Judgement::Accepted { margin } => largest = margin,
            Judgement::Rejected(fault) => return Err(eyre!("an honest text was rejected: {fault:?}")),
        }
        Ok(start.elapsed().as_secs_f64())
    })?;
    Ok((checking / writing, largest))
}

fn together(model: &Model) -> Result<Together> {
    let specs: Vec<_> = PROMPTS[..model.at_once()].iter().map(|prompt| spec(prompt, 64)).collect();
    let mut alone = Vec::new();
    let one_by_one = best(|| {
        let start = Instant::now();
        let texts = specs.iter().map(|spec| model.write(spec, &mut |_| ControlFlow::Continue(())));
        alone = texts.map(|text| text.map(Some)).collect::<Result<_, _>>()?;
        Ok(start.elapsed().as_secs_f64())
    })?;
    let at_once = best(|| {
        let (start, texts) = (Instant::now(), RefCell::new(vec![None; specs.len()]));
        let texts_of = &texts;
        let answer =
            |i: usize| move |text: std::result::Result<Text, LanguageError>| texts_of.borrow_mut()[i] = text.ok();
        let mut waiting = specs.iter().enumerate().map(|(i, spec)| (spec.clone(), answer(i)));
        if let Some(first) = waiting.next() {
            model.write_together(first, || waiting.next());
        }
        ensure!(texts.into_inner() == alone, "a text is not the same in company");
        Ok(start.elapsed().as_secs_f64())
    })?;
    let tokens = alone.iter().flatten().map(|text| text.tokens.len()).sum::<usize>() as f64;
    Ok(Together { texts: specs.len(), tok_s: tokens / at_once, alone_tok_s: tokens / one_by_one })
}

fn compare(model: &mut Model, texts: &[Vec<u32>]) -> Result<Agreement> {
    let mut agreement = Agreement { texts: texts.len(), same: 0, differences: Vec::new() };
    for (prompt, theirs) in PROMPTS.into_iter().zip(texts) {
        let spec = spec(prompt, 64);
        let ours = timed(model, &spec)?.text.tokens;
        if ours == *theirs {
            agreement.same += 1;
            continue;
        }
        let position = ours.iter().zip(theirs).take_while(|(ours, theirs)| ours == theirs).count();
        // Ours up to where they part, then theirs: cut there, it is judged as a text that ends with this token.
        let parted = [&ours[..position], &theirs[position..=position.min(theirs.len() - 1)]].concat();
        let cut = TextSpec { max_tokens: u32::try_from(parted.len())?, ..spec };
        let margin = match model.check(&cut, &parted, 0.0)? {
            Judgement::Accepted { margin } => margin,
            Judgement::Rejected(fault) => match fault.reason {
                Reason::Unlikely { margin, .. } => margin,
                reason => return Err(eyre!("llama.cpp's text for {prompt:?} cannot be compared: {reason:?}")),
            },
        };
        agreement.differences.push(Difference { prompt, position, margin });
    }
    Ok(agreement)
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/llama_cpp.py")
}

/// The model with weights in f32, which the peer writes once.
fn in_f32(python: &Path, model: &Path, work: &Path) -> Result<PathBuf> {
    let name = model.file_stem().ok_or_else(|| eyre!("{} is no file", model.display()))?;
    let target = work.join(name).with_extension("f32.gguf");
    if !target.exists() {
        fs::create_dir_all(work)?;
        let mut command = Command::new(python);
        let ended = command.arg(script()).arg("f32").arg(model).arg(&target).stdout(Stdio::null()).status()?;
        ensure!(ended.success(), "llama.cpp ended with {ended} while writing {}", target.display());
    }
    Ok(target)
}

fn ask(python: &Path, model: &Path, mut request: serde_json::Value) -> Result<Peer> {
    request["model"] = model.to_string_lossy().into();
    let mut command = Command::new(python);
    let mut peer = command.arg(script()).arg("run").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    if let Some(mut input) = peer.stdin.take() {
        input.write_all(&serde_json::to_vec(&request)?)?;
    }
    let output = peer.wait_with_output()?;
    ensure!(output.status.success(), "llama.cpp ended with {}", output.status);
    let answer = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(answer.lines().last().unwrap_or_default()).wrap_err("llama.cpp's answer is not JSON")
}

pub(crate) fn print(texts: &Texts) {
    println!("checking 256 tokens takes {:.3} of writing them", texts.check_over_generate_256);
    println!("largest margin of its own tokens {:.2e}", texts.largest_own_margin);
    let Together { texts: count, tok_s, alone_tok_s } = texts.together;
    println!("{count} texts at once: {tok_s:.1} tokens a second; one after the other: {alone_tok_s:.1}\n");
    println!("{:26} {:>8} {:>8}  {:>8} {:>8}  peer", "tokens/s", "write", "read", "peer's", "peer's");
    let figure = |figure: Option<f64>| figure.map_or_else(String::new, |figure| format!("{figure:.1}"));
    for speed in &texts.text {
        let (decode, prefill) = (figure(speed.peer_decode_tok_s), figure(speed.peer_prefill_tok_s));
        let Speed { model, decode_tok_s, prefill_tok_s, peer, .. } = speed;
        println!("{model:26} {decode_tok_s:8.1} {prefill_tok_s:8.1}  {decode:>8} {prefill:>8}  {peer}");
    }
    for (speed, agreement) in texts.text.iter().filter_map(|speed| Some((speed, speed.agreement.as_ref()?))) {
        println!("\n{}: {} of {} greedy texts are the same", speed.peer, agreement.same, agreement.texts);
        for Difference { prompt, position, margin } in &agreement.differences {
            println!("  parts at token {position:2}, where ours is ahead by {margin:.2e}: {prompt}");
        }
    }
}
