//! The manifests that come with Quorate; their files are pulled.

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../models/", $name, "/quorate-model.json")))),*]
    };
}

/// Names and manifests.
pub(super) const SHIPPED: &[(&str, &str)] = shipped![
    "gemma-3-270m",
    "llama-3.2-1b",
    "qwen2.5-0.5b",
    "sd-1.5",
    "sd-2.1",
    "sdxl",
    "sdxl-turbo",
    "smollm2-135m",
    "smollm2-135m-gguf",
];

/// The one of that name.
pub(super) fn find(name: &str) -> Option<(&'static str, &'static str)> {
    SHIPPED.iter().copied().find(|(shipped, _)| *shipped == name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use oracle::manifest::{Draft, files_of};

    use super::*;

    #[test]
    fn each_is_a_manifest_under_its_own_name_that_lists_what_its_pipeline_reads() {
        for (name, manifest) in SHIPPED {
            let draft = Draft::parse(manifest.as_bytes()).unwrap();
            assert_eq!(draft.name, *name);
            let listed = draft.files.iter().map(|file| file.path.to_string()).collect();
            let read = files_of(&draft.pipeline, &listed).unwrap();
            assert_eq!(read.len(), listed.len(), "{name} lists what nothing reads, or not all");
            assert_eq!(
                String::from_utf8(draft.to_bytes().unwrap()).unwrap(),
                *manifest,
                "{name} is not as pull writes it"
            );
        }
    }
}
