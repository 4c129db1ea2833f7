//! Devices: what computes.

use std::{fmt, str::FromStr};

use oracle::manifest;

use super::InferenceError;

/// The processor, or one of the machine's GPUs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU, by its number among those that the driver shows (`CUDA_VISIBLE_DEVICES` hides some).
    Cuda(usize),
}

/// What was typed names no device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("possible values: cpu, cuda, cuda:N")]
pub struct UnknownDevice;

impl Device {
    /// As manifests name it.
    #[must_use]
    pub fn kind(self) -> manifest::Device {
        match self {
            Self::Cpu => manifest::Device::Cpu,
            Self::Cuda(_) => manifest::Device::Cuda,
        }
    }

    /// Whether it is there, and this program can use it.
    pub fn check(self) -> Result<(), InferenceError> {
        self.open().map(drop)
    }

    /// Makes it ready for tensors.
    pub(super) fn open(self) -> Result<candle_core::Device, InferenceError> {
        match self {
            Self::Cpu => Ok(candle_core::Device::Cpu),
            Self::Cuda(_) if !candle_core::utils::cuda_is_available() => Err(InferenceError::NoCuda),
            Self::Cuda(number) => candle_core::Device::new_cuda(number)
                .map_err(|source| InferenceError::NoDevice { device: self, source }),
        }
    }
}

impl FromStr for Device {
    type Err = UnknownDevice;

    fn from_str(text: &str) -> Result<Self, UnknownDevice> {
        match text.split_once(':') {
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "cuda" => Ok(Self::Cuda(0)),
            Some(("cuda", number)) => number.parse().map(Self::Cuda).map_err(|_| UnknownDevice),
            _ => Err(UnknownDevice),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_typed_as_it_is_shown() {
        for device in [Device::Cpu, Device::Cuda(0), Device::Cuda(7)] {
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        assert_eq!("cuda".parse(), Ok(Device::Cuda(0)));
        for text in ["", "gpu", "cpu:0", "cuda:", "cuda:-1", "CUDA"] {
            assert_eq!(text.parse::<Device>(), Err(UnknownDevice), "{text}");
        }
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_build_without_cuda_says_so() {
        assert!(matches!(Device::Cuda(0).open(), Err(InferenceError::NoCuda)));
    }
}
