//! Arithmetic: what matrices are multiplied in, and on which devices a verifier may use it.

use serde::{Deserialize, Serialize};

use super::Unsound;

/// What the matrices are multiplied in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arithmetic {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    Bf16,
}

/// Where a model computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Device {
    /// The processor.
    Cpu,
    /// An NVIDIA GPU.
    Cuda,
    /// A GPU of Apple's.
    Metal,
}

/// What was measured to agree, by device; the first of a device is the one to prefer. A device without any may not be
/// used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermittedArithmetic {
    /// On processors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cpu: Vec<Arithmetic>,
    /// On NVIDIA GPUs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuda: Vec<Arithmetic>,
    /// On GPUs of Apple's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metal: Vec<Arithmetic>,
}

impl PermittedArithmetic {
    /// What may be used there.
    #[must_use]
    pub fn on(&self, device: Device) -> &[Arithmetic] {
        match device {
            Device::Cpu => &self.cpu,
            Device::Cuda => &self.cuda,
            Device::Metal => &self.metal,
        }
    }

    pub(super) fn check(&self) -> Result<(), Unsound> {
        let lists = [&self.cpu, &self.cuda, &self.metal];
        if lists.iter().all(|list| list.is_empty()) {
            return Err(Unsound::NoArithmetic);
        }
        let repeats = |list: &[Arithmetic]| (1..list.len()).any(|i| list[..i].contains(&list[i]));
        if lists.iter().any(|list| repeats(list)) {
            return Err(Unsound::RepeatedArithmetic);
        }
        Ok(())
    }
}
