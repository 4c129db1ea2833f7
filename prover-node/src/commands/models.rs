//! Which models, as typed: the flags of `run`, `worker` and `doctor`.

use std::path::PathBuf;

use bytesize::ByteSize;
use eyre::ensure;
use oracle::{manifest::LocalModel, models_dir::ModelsDirArgs};

use super::printable;
use crate::inference::{Device, memory_of_the_machine};

/// Models on this machine, and the memory that they may have.
#[derive(Debug, Clone, clap::Args)]
pub struct ModelArgs {
    /// Folder of a model, with its quorate-model.json, or the name of one that `oracle models pull` has put on this machine;
    /// may be given several times, or list several with commas
    #[arg(
        long = "model-dir",
        env = "QUORATE_MODEL_DIR",
        value_name = "DIR",
        value_delimiter = ',',
        default_value = "models/emoji-64"
    )]
    pub folders: Vec<PathBuf>,
    /// Where models with a name are.
    #[command(flatten)]
    pub models_dir: ModelsDirArgs,
    /// Memory for the weights of models, as 16GB: beyond, those go that were used least recently, and are loaded again when
    /// they are needed [default: half of the machine's; on a GPU it has to be said where there are several models]
    #[arg(long, env = "QUORATE_MODEL_MEMORY", value_name = "SIZE")]
    pub model_memory: Option<ByteSize>,
}

impl ModelArgs {
    /// The models, each once.
    pub fn open(&self) -> eyre::Result<Vec<LocalModel>> {
        let mut models: Vec<LocalModel> = Vec::new();
        for folder in &self.folders {
            let model = LocalModel::open(&self.models_dir.resolve(folder))?;
            let twin = models.iter().find(|other| other.hash == model.hash);
            ensure!(
                twin.is_none(),
                "{} is named twice with --model-dir: {} has the same manifest",
                printable(&model.manifest.name),
                folder.display()
            );
            models.push(model);
        }
        Ok(models)
    }

    /// The memory for them, in bytes. How much a GPU has is for its owner to say.
    pub fn memory(&self, device: Device) -> eyre::Result<u64> {
        let (typed, usual) = (self.model_memory.map(|size| size.as_u64()), memory_of_the_machine() / 2);
        match device {
            Device::Cpu => Ok(typed.unwrap_or(usual)),
            _ if self.folders.len() <= 1 => Ok(typed.unwrap_or(u64::MAX)),
            device => typed.ok_or_else(|| {
                eyre::eyre!("say how much memory of {device} the models may have: --model-memory, as 16GB")
            }),
        }
    }
}
