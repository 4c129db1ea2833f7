//! `oracle models` on this machine: the real program, and a server that answers as the hub does.

#![allow(clippy::unwrap_used, missing_docs)]

mod machine;
mod server;

use std::fs;

use serde_json::{Value, json};

use crate::{
    machine::{COMMIT, Machine, sha256},
    server::Server,
};

/// A small model as the hub has it; the weights are one large file.
fn tiny() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("README.md", b"# Tiny".to_vec()),
        ("config.json", br#"{"model_type": "llama"}"#.to_vec()),
        ("model.safetensors", weights()),
        ("pytorch_model.bin", b"a pickle".to_vec()),
        ("tokenizer.json", b"{}".to_vec()),
    ]
}

fn weights() -> Vec<u8> {
    (0..10_000_u32).flat_map(u32::to_le_bytes).collect()
}

/// A machine that knows the hub's `me/Tiny` as `tiny`.
fn added(hub: &Server) -> Machine {
    let machine = Machine::new(hub);
    machine.succeed(&["add", "me/Tiny"]);
    machine
}

fn requested(hub: &Server, path: &str) -> Vec<Option<String>> {
    hub.seen().into_iter().filter(|seen| seen.path.ends_with(path)).map(|seen| seen.range).collect()
}

#[test]
fn a_model_of_the_hubs_is_added_pulled_verified_listed_and_removed() {
    let hub = Server::hub(tiny());
    let machine = added(&hub);
    let folder = machine.models.join("tiny");
    let manifest = machine.manifest("tiny");
    assert_eq!(manifest["source"], json!({"from": "hub", "repository": "me/Tiny", "revision": COMMIT}));
    assert_eq!((&manifest["license"], &manifest["pipeline"]["family"]), (&json!("MIT"), &json!("llama")));
    let paths: Vec<_> = manifest["files"].as_array().unwrap().iter().map(|file| file["path"].clone()).collect();
    assert_eq!(paths, ["config.json", "model.safetensors", "tokenizer.json"]);

    let refused = machine.refuse(&["register", "tiny", "--seat-stake", "1", "--keystore", "none.json"]);
    assert!(refused.contains("has no id") && refused.contains("oracle models pull tiny"), "{refused}");
    assert!(machine.refuse(&["verify", "tiny"]).contains("has no id"));

    let pulled = machine.succeed(&["pull", "tiny"]);
    let written = fs::read(folder.join("quorate-model.json")).unwrap();
    assert_eq!(pulled["manifestHash"], sha256(&written));
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), weights());
    assert!(!folder.join("pytorch_model.bin").exists(), "nothing asks for the pickle");
    assert_eq!(machine.succeed(&["verify"])[0]["files"], 3);

    let before = hub.seen().len();
    machine.succeed(&["pull", "tiny"]);
    assert_eq!(hub.seen().len(), before, "what is there is not asked for again");

    let listed = machine.succeed(&["list", "--local"]);
    let of = |name: &str| listed.as_array().unwrap().iter().find(|model| model["name"] == *name).unwrap();
    assert_eq!((&of("tiny")["state"], &of("tiny")["manifestHash"]), (&json!("complete"), &pulled["manifestHash"]));
    assert_eq!((&of("sd-1.5")["state"], &of("sd-1.5")["manifestHash"]), (&json!("notPulled"), &Value::Null));

    fs::write(folder.join("model.safetensors"), vec![0; weights().len()]).unwrap();
    assert!(machine.refuse(&["verify", "tiny"]).contains("is not the file that the manifest pins"));
    machine.succeed(&["pull", "tiny"]);
    machine.succeed(&["verify", "tiny"]);

    machine.succeed(&["remove", "tiny"]);
    assert!(!folder.exists());
    for name in ["tiny", "..", "../models", ""] {
        assert!(machine.refuse(&["remove", name]).contains("no model"), "{name:?}");
    }
}

#[test]
fn the_commit_is_asked_for_and_not_the_branch() {
    let hub = Server::hub(tiny());
    let machine = added(&hub);
    machine.succeed(&["pull", "tiny"]);
    let paths: Vec<_> = hub.seen().into_iter().map(|seen| seen.path).collect();
    let at_commit = format!("/me/Tiny/resolve/{COMMIT}/");
    assert!(
        paths.iter().filter(|path| path.contains("/resolve/")).all(|path| path.starts_with(&at_commit)),
        "{paths:?}"
    );

    // A manifest that names a branch is pinned to what the branch is now.
    let mut manifest = machine.manifest("tiny");
    manifest["source"]["revision"] = json!("main");
    machine.write_manifest("tiny", &manifest);
    assert!(machine.refuse(&["verify", "tiny"]).contains("revision main"));
    machine.succeed(&["pull", "tiny"]);
    assert_eq!(machine.manifest("tiny")["source"]["revision"], COMMIT);
}

#[test]
fn a_connection_that_is_cut_is_taken_up_where_it_stopped() {
    let hub = Server::hub(tiny());
    let machine = added(&hub);
    hub.cut("model.safetensors", vec![15_000, 20_000]);
    machine.succeed(&["pull", "tiny"]);
    let ranges = requested(&hub, "model.safetensors");
    assert_eq!(ranges, [None, Some("bytes=15000-".to_owned()), Some("bytes=35000-".to_owned())]);
    assert_eq!(fs::read(machine.models.join("tiny/model.safetensors")).unwrap(), weights());
}

#[test]
fn a_pull_that_failed_is_taken_up_by_the_next() {
    let hub = Server::hub(tiny());
    let machine = added(&hub);
    let folder = machine.models.join("tiny");
    hub.cut("model.safetensors", vec![15_000, 0]);
    let refused = machine.refuse(&["pull", "tiny"]);
    assert!(refused.contains("try again"), "{refused}");
    assert!(!folder.join("model.safetensors").exists(), "half a file is not in its place");
    assert!(
        machine.refuse(&["register", "tiny", "--seat-stake", "1", "--keystore", "none.json"]).contains("has no id")
    );

    hub.cut("tokenizer.json", vec![0]);
    machine.refuse(&["pull", "tiny"]);
    machine.succeed(&["pull", "tiny"]);
    let ranges = requested(&hub, "model.safetensors");
    assert_eq!(ranges, [None, Some("bytes=15000-".to_owned()), Some("bytes=15000-".to_owned())], "what is there stays");
    assert_eq!(fs::read(folder.join("model.safetensors")).unwrap(), weights());
    let left: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 4, "{left:?}");
}

#[test]
fn a_server_that_knows_no_ranges_sends_it_all_again() {
    let hub = Server::hub(tiny());
    let machine = added(&hub);
    hub.ignore_ranges();
    hub.cut("model.safetensors", vec![15_000]);
    machine.succeed(&["pull", "tiny"]);
    assert_eq!(fs::read(machine.models.join("tiny/model.safetensors")).unwrap(), weights());
}

#[test]
fn other_bytes_than_promised_never_get_into_place() {
    let (mut other, mut longer, mut shorter) = (weights(), weights(), weights());
    other[7] ^= 1;
    longer.push(0);
    shorter.pop();
    for (bytes, words) in [(other, "sha256"), (longer, "wrong length"), (shorter, "wrong length")] {
        let hub = Server::hub(tiny());
        let machine = added(&hub);
        hub.replace("model.safetensors", bytes);
        let refused = machine.refuse(&["pull", "tiny"]);
        assert!(refused.contains("model.safetensors") && refused.contains(words), "{refused}");
        let left: Vec<_> = fs::read_dir(machine.models.join("tiny")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().contains("safetensors")), "{left:?}");
    }
}

#[test]
fn a_gated_repository_says_where_its_licence_is() {
    for (status, code, words) in [
        (401, Some("GatedRepo"), &["accept its licence at", "/me/Tiny", "HF_TOKEN"][..]),
        (403, Some("GatedRepo"), &["accept its licence at", "/me/Tiny", "hf auth login"]),
        (403, None, &["accept its licence at"]),
        (401, Some("RepoNotFound"), &["shows no", "me/Tiny", "HF_TOKEN"]),
        (404, Some("EntryNotFound"), &["shows no", "model.safetensors of me/Tiny"]),
        (503, None, &["503"]),
    ] {
        let hub = Server::hub(tiny());
        let machine = added(&hub);
        hub.refuse("model.safetensors", status, code);
        let refused = machine.refuse(&["pull", "tiny"]);
        assert!(words.iter().all(|word| refused.contains(word)), "{status} {code:?}: {refused}");
    }
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let cdn = Server::files(tiny());
    let hub = Server::hub(tiny());
    hub.redirect("model.safetensors", &format!("{}/model.safetensors?signed=yes", cdn.url));
    let machine = Machine::new(&hub).with("HF_TOKEN", "hf_secret");
    machine.succeed(&["add", "me/Tiny"]);
    hub.cut("config.json", vec![0]);
    assert!(!machine.refuse(&["pull", "tiny"]).contains("hf_secret"));
    machine.succeed(&["pull", "tiny"]);
    assert!(hub.seen().iter().all(|seen| seen.authorization.as_deref() == Some("Bearer hf_secret")));
    assert!(!cdn.seen().is_empty() && cdn.seen().iter().all(|seen| seen.authorization.is_none()));

    // As `hf auth login` leaves it.
    let hub = Server::hub(tiny());
    let machine = Machine::new(&hub);
    fs::create_dir_all(machine.home.join(".cache/huggingface")).unwrap();
    fs::write(machine.home.join(".cache/huggingface/token"), "hf_stored\n").unwrap();
    machine.succeed(&["add", "me/Tiny"]);
    assert_eq!(hub.seen()[0].authorization.as_deref(), Some("Bearer hf_stored"));
    let machine = machine.with("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
    machine.succeed(&["pull", "tiny"]);
    assert_eq!(hub.seen().pop().unwrap().authorization, None);
}

#[test]
fn offline_only_the_hubs_cache_is_used() {
    let hub = Server::hub(tiny());
    let machine = added(&hub).with("HF_HUB_OFFLINE", "1");
    let before = hub.seen().len();
    let refused = machine.refuse(&["pull", "tiny"]);
    assert!(refused.contains("offline") && refused.contains("config.json of me/Tiny"), "{refused}");
    assert!(machine.refuse(&["pull", "qwen2.5-0.5b"]).contains("offline"));

    let cache = machine.home.join(".cache/huggingface/hub/models--me--Tiny");
    fs::create_dir_all(cache.join("refs")).unwrap();
    fs::create_dir_all(cache.join("snapshots").join(COMMIT)).unwrap();
    fs::write(cache.join("refs/main"), COMMIT).unwrap();
    for (path, bytes) in tiny() {
        fs::write(cache.join("snapshots").join(COMMIT).join(path), bytes).unwrap();
    }
    machine.succeed(&["pull", "tiny"]);
    machine.succeed(&["verify", "tiny"]);
    assert_eq!(hub.seen().len(), before, "the network was not used");
}

#[test]
fn files_come_from_a_folder_or_any_server_and_are_checked_all_the_same() {
    let hub = Server::hub(tiny());
    let machine = added(&hub);
    machine.succeed(&["pull", "tiny"]);
    let pinned = machine.manifest("tiny");
    let disk = machine.home.join("disk");
    fs::rename(machine.models.join("tiny"), &disk).unwrap();
    fs::remove_file(disk.join("quorate-model.json")).unwrap();
    let fresh = |source: Value| {
        let _ = fs::remove_dir_all(machine.models.join("tiny"));
        let mut manifest = pinned.clone();
        manifest["source"] = source;
        machine.write_manifest("tiny", &manifest);
    };

    let server = Server::files(tiny());
    for source in [json!({"from": "url", "url": server.url}), json!({"from": "path", "path": disk})] {
        fresh(source);
        machine.succeed(&["pull", "tiny"]);
        machine.succeed(&["verify", "tiny"]);
    }
    fresh(json!({"from": "hub", "repository": "me/Tiny", "revision": COMMIT}));
    let asked = hub.seen().len();
    machine.succeed(&["pull", "tiny", "--from", disk.to_str().unwrap()]);
    assert_eq!(hub.seen().len(), asked);

    fs::write(disk.join("model.safetensors"), vec![1; weights().len()]).unwrap();
    fresh(json!({"from": "path", "path": disk}));
    assert!(machine.refuse(&["pull", "tiny"]).contains("sha256"));
}

#[test]
fn a_folder_is_added_where_it_lies() {
    let machine = Machine::new(&Server::hub(Vec::new()));
    let folder = machine.home.join("Mine");
    fs::create_dir(&folder).unwrap();
    for (path, bytes) in tiny() {
        fs::write(folder.join(path), bytes).unwrap();
    }
    let path = folder.to_str().unwrap();
    assert!(machine.refuse(&["add", path]).contains("--license"));
    let added = machine.succeed(&["add", path, "--license", "MIT"]);
    assert_eq!(added["name"], "mine");
    assert_eq!(machine.succeed(&["verify", path])[0]["manifestHash"], added["manifestHash"]);
    assert!(machine.refuse(&["add", path, "--license", "MIT"]).contains("--force"));
}

#[cfg(unix)]
#[test]
fn a_pull_writes_through_no_link_out_of_the_models_folder() {
    let mut files = tiny();
    files.retain(|(path, _)| *path != "config.json");
    let server = Server::files(files);
    let machine = Machine::new(&server);
    let elsewhere = machine.home.join("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    let weights = weights();
    let manifest =
        manifest(&json!([{"path": "unet/model.safetensors", "size": weights.len(), "sha256": sha256(&weights)}]));
    machine.write_manifest("tiny", &manifest);
    std::os::unix::fs::symlink(&elsewhere, machine.models.join("tiny/unet")).unwrap();
    let refused = machine.refuse(&["pull", "tiny", "--from", machine.home.to_str().unwrap()]);
    assert!(refused.contains("leads out of the model's folder"), "{refused}");
    assert_eq!(fs::read_dir(elsewhere).unwrap().count(), 0);
}

#[test]
fn what_is_no_manifest_is_refused_in_one_line() {
    let machine = Machine::new(&Server::hub(Vec::new()));
    let file = |path: &str, size: u64| json!([{"path": path, "size": size, "sha256": sha256(b"")}]);
    let mut cases: Vec<(String, &str)> = [
        (file("../model.safetensors", 1), "not a path inside"),
        (file("/etc/model.safetensors", 1), "not a path inside"),
        (file("model.bin", 1), "pickled"),
        (file("model.safetensors", 0), "0 bytes"),
        (json!([]), "empty"),
        (file("config.json", 1), "neither or both"),
    ]
    .map(|(files, words)| (manifest(&files).to_string(), words))
    .into();
    let whole = manifest(&file("model.safetensors", u64::MAX)).to_string();
    cases.push((whole[..whole.len() / 2].to_owned(), "EOF"));
    cases.push(("{\n\"name\": 7}".to_owned(), "line 2"));
    for (manifest, words) in cases {
        fs::create_dir_all(machine.models.join("tiny")).unwrap();
        fs::write(machine.models.join("tiny/quorate-model.json"), &manifest).unwrap();
        for command in ["verify", "pull", "pin"] {
            let refused = machine.refuse(&[command, "tiny"]);
            assert!(refused.contains("is not a model manifest") && refused.contains(words), "{manifest}: {refused}");
        }
        assert_eq!(machine.succeed(&["list", "--local"])[9]["state"], "broken");
    }
    // Huge is no mistake in itself: the file is not there.
    fs::write(machine.models.join("tiny/quorate-model.json"), whole).unwrap();
    assert!(machine.refuse(&["verify", "tiny"]).contains("cannot read"));
    assert!(machine.refuse(&["pull", "no-such-model"]).contains("oracle models list --local"));
    assert!(machine.refuse(&["add", "not a repository"]).contains("OWNER/NAME"));
}

#[test]
fn a_wrong_answer_of_the_hubs_is_named() {
    let hub = Server::hub(tiny());
    hub.replace("revision/main", b"<html>".to_vec());
    assert!(Machine::new(&hub).refuse(&["add", "me/Tiny"]).contains("no description of a repository"));
    let nobody = Machine::new(&hub).with("HF_ENDPOINT", "http://127.0.0.1:1");
    assert!(nobody.refuse(&["add", "me/Tiny"]).contains("cannot be reached"));
    let nowhere = Machine::new(&hub).with("HF_ENDPOINT", "ftp://example.org");
    assert!(nowhere.refuse(&["add", "me/Tiny"]).contains("not an address"));
}

fn manifest(files: &Value) -> Value {
    json!({
        "name": "tiny",
        "license": "MIT",
        "pipeline": {
            "kind": "text", "family": "llama", "defaults": {"maxTokens": 64, "beams": 1},
            "bounds": {"maxTokens": 256, "maxBeams": 4},
        },
        "arithmetic": {"cpu": ["f32"]},
        "files": files,
    })
}
