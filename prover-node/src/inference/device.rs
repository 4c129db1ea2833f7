//! Devices: what computes.

use std::{fmt, str::FromStr};

use oracle::{manifest, panics::without_panic};

use super::InferenceError;

/// The processor, or one of the machine's GPUs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU, by its number among those that the driver shows (`CUDA_VISIBLE_DEVICES` hides some).
    Cuda(usize),
    /// A GPU of Apple's, by its number.
    Metal(usize),
}

/// What was typed names no device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("possible values: cpu, cuda, cuda:N, metal, metal:N")]
pub struct UnknownDevice;

impl Device {
    /// As manifests name it.
    #[must_use]
    pub fn kind(self) -> manifest::Device {
        match self {
            Self::Cpu => manifest::Device::Cpu,
            Self::Cuda(_) => manifest::Device::Cuda,
            Self::Metal(_) => manifest::Device::Metal,
        }
    }

    /// Whether it is there, and this program can use it.
    pub fn check(self) -> Result<(), InferenceError> {
        self.open().map(drop)
    }

    /// Makes it ready for tensors.
    pub(super) fn open(self) -> Result<candle_core::Device, InferenceError> {
        let opened = match self {
            Self::Cpu => return Ok(candle_core::Device::Cpu),
            Self::Cuda(_) if !candle_core::utils::cuda_is_available() => return Err(InferenceError::NoCuda),
            Self::Metal(_) if !candle_core::utils::metal_is_available() => return Err(InferenceError::NoMetal),
            // A program that looks for CUDA's libraries when they are called panics where there are none: cudarc says
            // which one it is, and then under which forty names it was looked for.
            Self::Cuda(number) => without_panic(|| candle_core::Device::new_cuda(number))
                .map_err(|said| said.split(" - ").next().unwrap_or_default().to_owned())
                .map_err(|reason| InferenceError::NoCudaLibrary { device: self, reason })?,
            Self::Metal(number) => candle_core::Device::new_metal(number),
        };
        opened.map_err(|source| InferenceError::NoDevice { device: self, source })
    }
}

impl FromStr for Device {
    type Err = UnknownDevice;

    fn from_str(text: &str) -> Result<Self, UnknownDevice> {
        let (kind, number) = text.split_once(':').unwrap_or((text, "0"));
        let number = || number.parse().map_err(|_| UnknownDevice);
        match kind {
            "cpu" if text == kind => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(number()?)),
            "metal" => Ok(Self::Metal(number()?)),
            _ => Err(UnknownDevice),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
            Self::Metal(number) => write!(f, "metal:{number}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_typed_as_it_is_shown() {
        for device in [Device::Cpu, Device::Cuda(0), Device::Cuda(7), Device::Metal(1)] {
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        assert_eq!("cuda".parse(), Ok(Device::Cuda(0)));
        for text in ["", "gpu", "cpu:0", "cuda:", "cuda:-1", "metal:x", "CUDA"] {
            assert_eq!(text.parse::<Device>(), Err(UnknownDevice), "{text}");
        }
    }

    #[test]
    #[cfg(not(any(feature = "cuda", feature = "metal")))]
    fn a_build_without_gpus_says_so() {
        assert!(matches!(Device::Cuda(0).open(), Err(InferenceError::NoCuda)));
        assert!(matches!(Device::Metal(0).open(), Err(InferenceError::NoMetal)));
    }
}
