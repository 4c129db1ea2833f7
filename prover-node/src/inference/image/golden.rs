//! The bundled model makes the picture of `tests/golden`, within its own tolerance.

use std::{fs, ops::ControlFlow, path::Path};

use alloy::primitives::B256;
use oracle::{
    digest::{Digest, Zone},
    manifest::LocalModel,
    spec::ImageSpec,
};
use serde::Deserialize;

use crate::inference::{Arithmetic, GuidanceMode, Pipeline, Settings};

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
    let spec: ImageSpec = serde_json::from_slice(&file("spec.json")).unwrap();
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
        let zone = model.manifest.profile.zone(&golden.digest, &digest);
        assert_eq!(zone, Zone::Accepted, "{arithmetic:?}: distances {:?}", golden.digest.distances(&digest));
    }
}
