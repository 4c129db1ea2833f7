//! What a spec takes, and that it survives JSON and the ABI.

use proptest::prelude::*;

use super::*;
use crate::chain::IGenerationOracle;

const BOUNDS: ImageBounds =
    ImageBounds { min_side: 64, max_side: 128, side_step: 8, max_steps: 50, max_guidance: 20_000 };

fn spec() -> ImageSpec {
    ImageSpec {
        prompt: "a red apple".into(),
        negative_prompt: Prompt::default(),
        width: 64,
        height: 128,
        steps: 20,
        solver: Solver::Ddim,
        guidance: 7_500,
        seed: B256::repeat_byte(1),
    }
}

#[test]
fn bounds_are_inclusive_and_nothing_outside_them_passes() {
    let largest = ImageSpec { width: 128, steps: 50, guidance: 20_000, ..spec() };
    assert_eq!([spec(), largest].map(|spec| spec.check(&BOUNDS)), [Ok(()), Ok(())]);

    for side in [0, 56, 65, 136, u32::MAX] {
        let refused = [ImageSpec { width: side, ..spec() }, ImageSpec { height: side, ..spec() }];
        assert!(refused.iter().all(|spec| matches!(spec.check(&BOUNDS), Err(SpecError::Size { .. }))), "{side}");
    }
    for steps in [0, 51] {
        assert_eq!(ImageSpec { steps, ..spec() }.check(&BOUNDS), Err(SpecError::Steps { steps, max: 50 }));
    }
    let refused = ImageSpec { guidance: 20_001, ..spec() }.check(&BOUNDS).unwrap_err();
    assert_eq!(refused.to_string(), "guidance 20.001 is out of bounds: this model takes at most 20.000");
}

#[test]
fn a_prompt_may_have_4096_bytes_and_no_more() {
    let long = |bytes| Prompt(vec![b'a'; bytes]);
    assert_eq!(ImageSpec { prompt: long(4_096), negative_prompt: long(4_096), ..spec() }.check(&BOUNDS), Ok(()));
    let refused = ImageSpec { negative_prompt: long(4_097), ..spec() }.check(&BOUNDS);
    assert_eq!(refused, Err(SpecError::PromptTooLong { which: "negative prompt", bytes: 4_097 }));
}

#[test]
fn any_bytes_are_a_prompt_and_survive_json_and_the_abi() {
    for bytes in [b"".as_slice(), b"an apple", "Fluß \u{1f40b}".as_bytes(), b"caf\xe9", &[0xff; 40], b"a\0"] {
        let spec = ImageSpec { prompt: Prompt(bytes.to_vec()), ..spec() };
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<ImageSpec>(&json).unwrap(), spec, "{json}");
        assert_eq!(ImageSpec::from(&IGenerationOracle::ImageSpec::from(&spec)), spec, "{json}");
    }
    let spec = ImageSpec { solver: Solver::UniPc, ..spec() };
    let json = serde_json::to_string(&spec).unwrap();
    assert!(json.contains(r#""solver":"unipc""#), "{json}");
    assert_eq!(serde_json::from_str::<ImageSpec>(&json).unwrap(), spec);
    assert_eq!(ImageSpec::from(&IGenerationOracle::ImageSpec::from(&spec)), spec);
    assert_eq!(Prompt(b"caf\xe9".to_vec()).text(), "caf\u{fffd}");
}

#[test]
fn a_spec_says_only_what_it_must_and_nothing_unknown() {
    let json = r#"{"prompt":"a red apple","width":64,"height":128,"steps":20,"guidance":7500}"#;
    let spoken: ImageSpec = serde_json::from_str(json).unwrap();
    assert_eq!(spoken, ImageSpec { seed: B256::ZERO, ..spec() });
    assert!(serde_json::from_str::<ImageSpec>(&json.replace("steps", "stepz")).is_err());
}

#[test]
fn a_text_needs_a_message_a_token_and_a_beam_and_takes_no_more_than_the_model_does() {
    let bounds = TextBounds { max_tokens: 256, max_beams: 4 };
    let json =
        r#"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}],"maxTokens":256}"#;
    let spec: TextSpec = serde_json::from_str(json).unwrap();
    assert_eq!((spec.beams, spec.stops.len(), spec.check(&bounds)), (1, 0, Ok(())));

    let refused = |spec: TextSpec| spec.check(&bounds).unwrap_err();
    assert_eq!(refused(TextSpec { messages: Vec::new(), ..spec.clone() }), SpecError::Messages(0));
    let stops = vec![Prompt(vec![b'a'; 4_086])];
    assert_eq!(refused(TextSpec { stops, ..spec.clone() }), SpecError::MessagesTooLong(4_097));
    for tokens in [0, 257] {
        let refused = refused(TextSpec { max_tokens: tokens, ..spec.clone() });
        assert_eq!(refused, SpecError::Tokens { tokens, max: 256 });
    }
    for beams in [0, 5] {
        assert_eq!(refused(TextSpec { beams, ..spec.clone() }), SpecError::Beams { beams, max: 4 });
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_spec_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), json in ".{0,300}") {
        let _ = (IGenerationOracle::ImageSpec::abi_decode(&bytes), IGenerationOracle::TextSpec::abi_decode(&bytes));
        let _ = (serde_json::from_slice::<Spec>(&bytes), serde_json::from_str::<Spec>(&json));
    }

    #[test]
    fn any_text_survives_json_and_the_abi(
        said in prop::collection::vec((0..3_usize, prop::collection::vec(any::<u8>(), 0..40)), 0..6),
        stops in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..4),
        max_tokens in any::<u32>(),
        beams in any::<u8>(),
    ) {
        let roles = [Role::System, Role::User, Role::Assistant];
        let messages = said.into_iter().map(|(role, bytes)| Message { role: roles[role], content: Prompt(bytes) });
        let stops = stops.into_iter().map(Prompt).collect();
        let spec = TextSpec { messages: messages.collect(), max_tokens, beams, stops };
        let encoded = IGenerationOracle::TextSpec::from(&spec).abi_encode();
        let decoded = IGenerationOracle::TextSpec::abi_decode(&encoded).unwrap();
        prop_assert_eq!(&TextSpec::from(&decoded), &spec);
        let spec = Spec::Text(spec);
        let json = serde_json::to_string(&spec).unwrap();
        prop_assert_eq!(serde_json::from_str::<Spec>(&json).unwrap(), spec);
    }
}

#[test]
fn only_a_fixed_seed_is_the_noise_itself() {
    let (seed, draw) = (B256::repeat_byte(1), B256::repeat_byte(2));
    assert_eq!(noise_seed(seed, draw, true), seed);
    assert_ne!(noise_seed(seed, draw, false), noise_seed(draw, seed, false));
}
