//! The models folder: where pulled models lie on this machine, each in a folder of its name.

use std::{
    env, fs,
    path::{Component, Path, PathBuf},
};

use crate::manifest::{LocalDraft, LocalModel, MANIFEST_FILE, ManifestError};

/// The flag that names the models folder.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ModelsDirArgs {
    /// Folder of the models that were pulled [default: ~/.local/share/quorate/models]
    #[arg(long, env = "QUORATE_MODELS_DIR", value_name = "DIR")]
    models_dir: Option<PathBuf>,
}

/// A folder of models. It need not exist.
#[derive(Debug, Clone)]
pub struct ModelsDir(PathBuf);

/// There is nowhere to put it.
#[derive(Debug, thiserror::Error)]
#[error("neither XDG_DATA_HOME nor HOME is set: name the models' folder with --models-dir")]
pub struct NoHome;

impl ModelsDirArgs {
    /// What was typed, or `quorate/models` where the user's data are.
    pub fn models_dir(&self) -> Result<ModelsDir, NoHome> {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = || set("HOME").map(|home| home.join(".local/share"));
        let usual = || set("XDG_DATA_HOME").or_else(home).map(|data| data.join("quorate/models"));
        self.models_dir.clone().or_else(usual).map(ModelsDir).ok_or(NoHome)
    }

    /// The models with an id below `models/` and in here; what is none is passed over. Their files may be missing.
    #[must_use]
    pub fn local_models(&self) -> Vec<LocalModel> {
        let pulled = self.models_dir().map(|models| models.models()).unwrap_or_default();
        let bundled = ModelsDir(PathBuf::from("models")).models();
        bundled.into_iter().chain(pulled).filter_map(|(_, model)| model.ok()?.pinned().ok()).collect()
    }

    /// The folder of a model as typed: see [`ModelsDir::resolve`].
    #[must_use]
    pub fn resolve(&self, typed: &Path) -> PathBuf {
        self.models_dir().map_or_else(|NoHome| typed.to_owned(), |models| models.resolve(typed))
    }
}

impl ModelsDir {
    /// Where a model of that name lies or will lie.
    #[must_use]
    pub fn folder_of(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The folder of a model as typed: the folder itself or, where there is no such model, the name of one in here. What
    /// is neither is given back as it is.
    #[must_use]
    pub fn resolve(&self, typed: &Path) -> PathBuf {
        let named = self.0.join(typed);
        match !has_manifest(typed) && as_name(typed).is_some() && has_manifest(&named) {
            true => named,
            false => typed.to_owned(),
        }
    }

    /// The models in here, by name; broken ones too.
    #[must_use]
    pub fn models(&self) -> Vec<(PathBuf, Result<LocalDraft, ManifestError>)> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut folders: Vec<_> = entries.map(|entry| entry.path()).filter(|folder| has_manifest(folder)).collect();
        folders.sort();
        folders.into_iter().map(|folder| (folder.clone(), LocalDraft::open(&folder))).collect()
    }
}

/// What was typed, if it can be a name and no path.
#[must_use]
pub fn as_name(typed: &Path) -> Option<&str> {
    let mut parts = typed.components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(name)), None) => name.to_str().filter(|name| typed.as_os_str() == *name),
        _ => None,
    }
}

fn has_manifest(folder: &Path) -> bool {
    folder.join(MANIFEST_FILE).is_file()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_named_by_its_folder_or_by_its_name_in_here() {
        let folder = tempfile::tempdir().unwrap();
        let models = ModelsDir(folder.path().to_owned());
        let tiny = models.folder_of("tiny");
        fs::create_dir(&tiny).unwrap();
        assert_eq!(models.resolve(Path::new("tiny")), Path::new("tiny"), "it has no manifest");

        fs::write(tiny.join(MANIFEST_FILE), "{}").unwrap();
        assert_eq!(models.resolve(Path::new("tiny")), tiny);
        assert_eq!(models.resolve(&tiny), tiny);
        assert_eq!(models.resolve(Path::new("./tiny")), Path::new("./tiny"), "a path is no name");
        assert_eq!(models.models().len(), 1);
    }
}
