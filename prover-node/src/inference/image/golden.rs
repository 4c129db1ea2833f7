//! The bundled model makes the picture of `tests/golden`, within its own tolerance; and it and tiny models of each family make
//! those that `diffusers` makes.

use std::{fs, ops::ControlFlow, path::Path};

use alloy::primitives::B256;
use image::RgbImage;
use oracle::{
    digest::{Digest, Zone},
    manifest::{LocalModel, ModelFile, hash_file},
    spec::{ImageBounds, ImageSpec, Spec},
};
use serde::Deserialize;

use super::tests::manifest;
use crate::inference::{Arithmetic, Attention, GuidanceMode, Pipeline, Settings};

/// What `prover-node generate --json` said of the golden picture.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Golden {
    manifest_hash: B256,
    spec_hash: B256,
    noise_seed: B256,
    digest: Digest,
}

#[test]
fn the_bundled_model_makes_the_golden_picture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let file = |name: &str| fs::read(root.join("tests/golden").join(name)).unwrap();
    let Spec::Image(spec) = serde_json::from_slice(&file("spec.json")).unwrap() else { panic!("of a picture") };
    let golden: Golden = serde_json::from_slice(&file("digest.json")).unwrap();
    let model = LocalModel::open(&root.join("models/emoji-64")).unwrap();
    assert_eq!(model.hash, golden.manifest_hash, "the bundled model has changed: run tests/golden/regenerate");
    assert_eq!(spec.hash(), golden.spec_hash, "spec.json has changed: run tests/golden/regenerate");
    let drawn = image::load_from_memory(&file("picture.png")).unwrap().to_rgb8();
    assert_eq!(Digest::of_image(&drawn), golden.digest);

    for (arithmetic, guidance) in [(Arithmetic::F32, GuidanceMode::Batched), (Arithmetic::F16, GuidanceMode::TwoPass)] {
        let pipeline = Pipeline::load(&model, Settings { arithmetic, guidance, ..Settings::default() }).unwrap();
        let picture = pipeline.generate(&spec, golden.noise_seed, &mut |_| ControlFlow::Continue(())).unwrap();
        let digest = Digest::of_image(&picture);
        let zone = model.manifest.image().unwrap().profile.zone(&golden.digest, &digest);
        assert_eq!(zone, Zone::Accepted, "{arithmetic:?}: distances {:?}", golden.digest.distances(&digest));
    }
}

/// One picture that `diffusers` made; see `tests/golden/families/make.py`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    model: String,
    spec: ImageSpec,
    noise_seed: B256,
    picture: String,
}

#[test]
fn pictures_are_those_of_diffusers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let families = root.join("tests/golden/families");
    let cases: Vec<Case> = serde_json::from_slice(&fs::read(families.join("cases.json")).unwrap()).unwrap();
    let mut worst = f64::INFINITY;
    for Case { model, spec, noise_seed, picture } in cases {
        let expected = image::open(families.join(&picture)).unwrap().to_rgb8();
        let local = match model.as_str() {
            "emoji-64" => LocalModel::open(&root.join("models").join(&model)).unwrap(),
            _ => tiny(&families.join(&model), &files_below(&families.join(&model))),
        };
        let settings = Settings { attention: Attention::Sliced, ..Settings::default() };
        for settings in [Settings::default(), settings] {
            let pipeline = Pipeline::load(&local, settings).unwrap();
            let made = pipeline.generate(&spec, noise_seed, &mut |_| ControlFlow::Continue(())).unwrap();
            let distances = Digest::of_image(&expected).distances(&Digest::of_image(&made));
            let psnr = psnr(&made, &expected);
            println!("{picture}: {psnr:.1} dB, distances {distances:?}");
            assert!(psnr > 40.0, "{picture}: {psnr} dB with {settings:?}");
            assert!(distances.iter().all(|distance| *distance <= 1), "{picture}: {distances:?} with {settings:?}");
            worst = worst.min(psnr);
        }
    }
    println!("at least {worst:.1} dB");
}

/// A tiny model of `tests/golden/families` or a copy of one, pinned as it is.
pub(super) fn tiny(folder: &Path, files: &[String]) -> LocalModel {
    let pin = |path: &String| {
        let (size, sha256) = hash_file(&folder.join(path)).unwrap();
        ModelFile { path: path.as_str().try_into().unwrap(), size, sha256 }
    };
    let bounds = ImageBounds { min_side: 64, max_side: 128, side_step: 8, max_steps: 50, max_guidance: 20_000 };
    let manifest = manifest(bounds, files.iter().map(pin).collect());
    LocalModel { manifest, hash: B256::ZERO, folder: folder.to_owned() }
}

/// The files of a model, relative to its folder.
pub(super) fn files_below(folder: &Path) -> Vec<String> {
    let below = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        match entry.path().is_dir() {
            true => files_below(&entry.path()).into_iter().map(|file| format!("{name}/{file}")).collect(),
            false => vec![name],
        }
    };
    fs::read_dir(folder).unwrap().flat_map(|entry| below(entry.unwrap())).collect()
}

/// In dB.
fn psnr(one: &RgbImage, other: &RgbImage) -> f64 {
    assert_eq!(one.dimensions(), other.dimensions());
    let squares = one.iter().zip(other.iter()).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
    let error = squares.sum::<f64>() / one.len() as f64;
    10.0 * (255.0f64.powi(2) / error).log10()
}
