//! Memory: which models are loaded. As many as fit below a limit; whoever was used least recently goes first.
//!
//! It holds no model: who does keeps to it, and who plans tries on a copy what would happen.

use std::{collections::BTreeMap, fs};

use alloy::primitives::B256;
use bytesize::ByteSize;

use super::InferenceError;

/// A machine's memory for models, which are known by their manifests' hashes. Sizes in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    limit: u64,
    /// What each model takes that can be here.
    sizes: BTreeMap<B256, u64>,
    /// Those that are here, the least recently used first.
    loaded: Vec<B256>,
}

impl Memory {
    /// An empty one.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self { limit, ..Self::default() }
    }

    /// One that has all of these models, and keeps them.
    #[must_use]
    pub fn with_all(models: impl IntoIterator<Item = B256>) -> Self {
        let loaded: Vec<_> = models.into_iter().collect();
        Self { limit: u64::MAX, sizes: loaded.iter().map(|model| (*model, 0)).collect(), loaded }
    }

    /// The model can be loaded here from now on. Refused if it would not fit even alone.
    pub fn admit(&mut self, model: B256, name: &str, size: u64) -> Result<(), InferenceError> {
        if size > self.limit {
            let (name, size, limit) = (name.to_owned(), ByteSize(size), ByteSize(self.limit));
            return Err(InferenceError::TooLarge { name, size, limit });
        }
        self.sizes.insert(model, size);
        Ok(())
    }

    /// Whether the model can be loaded here.
    #[must_use]
    pub fn takes(&self, model: B256) -> bool {
        self.sizes.contains_key(&model)
    }

    /// How many models can be loaded here, at one time or another.
    #[must_use]
    pub fn models(&self) -> usize {
        self.sizes.len()
    }

    /// Those that are here, the least recently used first.
    #[must_use]
    pub fn loaded(&self) -> &[B256] {
        &self.loaded
    }

    /// Whether the model is here.
    #[must_use]
    pub fn has(&self, model: B256) -> bool {
        self.loaded.contains(&model)
    }

    /// What the models that are here take.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.loaded.iter().map(|model| self.size_of(*model)).fold(0, u64::saturating_add)
    }

    /// Who has to go before the model can be loaded, first the least recently used.
    #[must_use]
    pub fn in_the_way_of(&self, model: B256) -> Vec<B256> {
        let mut used = self.used().saturating_add(self.size_of(model));
        let must_go = |other: &&B256| {
            let is_too_much = used > self.limit;
            used = used.saturating_sub(self.size_of(**other));
            is_too_much
        };
        match self.has(model) {
            true => Vec::new(),
            false => self.loaded.iter().take_while(must_go).copied().collect(),
        }
    }

    /// The model is used: it is here from now on, and who is in its way is not. Says whether it was here before.
    pub fn touch(&mut self, model: B256) -> bool {
        let was_here = self.has(model);
        self.in_the_way_of(model).into_iter().for_each(|other| self.forget(other));
        self.forget(model);
        self.loaded.push(model);
        was_here
    }

    /// The model is gone.
    pub fn forget(&mut self, model: B256) {
        self.loaded.retain(|loaded| *loaded != model);
    }

    /// What all models take that can be loaded here, and what they may take.
    #[must_use]
    pub fn needed_for_all(&self) -> (u64, u64) {
        (self.sizes.values().copied().fold(0, u64::saturating_add), self.limit)
    }

    fn size_of(&self, model: B256) -> u64 {
        self.sizes.get(&model).copied().unwrap_or_default()
    }
}

/// In bytes: what the processor has, or less where a container has less. More than there is of anything where the system
/// does not tell.
#[must_use]
pub fn memory_of_the_machine() -> u64 {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let of_container = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| number(&text));
    let of_all = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        number(line.trim().trim_end_matches(" kB")).map(|kilobytes| kilobytes.saturating_mul(1024))
    });
    of_container.into_iter().chain(of_all).min().unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const A: B256 = B256::repeat_byte(1);
    const B: B256 = B256::repeat_byte(2);
    const C: B256 = B256::repeat_byte(3);

    fn memory(limit: u64, sizes: [u64; 3]) -> Memory {
        let mut memory = Memory::new(limit);
        for (model, size) in [A, B, C].into_iter().zip(sizes) {
            memory.admit(model, "tiny", size).unwrap();
        }
        memory
    }

    #[test]
    fn who_was_used_least_recently_goes_first() {
        let mut memory = memory(20, [10; 3]);
        assert!(!memory.touch(A) && !memory.touch(B) && memory.touch(A));

        assert_eq!(memory.in_the_way_of(C), [B]);
        assert!(!memory.touch(C));
        assert_eq!(memory.loaded(), [A, C]);
        assert!(memory.in_the_way_of(A).is_empty(), "what is here needs no more room");
        assert!(!memory.touch(B) && memory.loaded() == [C, B]);
    }

    #[test]
    fn no_more_go_than_have_to() {
        let mut memory = memory(25, [5, 10, 20]);
        memory.touch(A);
        memory.touch(B);
        assert_eq!(memory.used(), 15);

        assert_eq!(memory.in_the_way_of(C), [A, B]);
        memory.forget(B);
        assert!(memory.in_the_way_of(C).is_empty(), "both just fit");
    }

    #[test]
    fn a_model_that_never_fits_is_refused_with_the_arithmetic() {
        let refused = Memory::new(1 << 30).admit(A, "large", 3 << 30).unwrap_err().to_string();
        assert!(
            ["large", "3.0 GiB", "1.0 GiB", "--model-memory"].iter().all(|said| refused.contains(said)),
            "{refused}"
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_machine_says_how_much_memory_it_has() {
        assert!((1 << 28..1 << 50).contains(&memory_of_the_machine()));
    }
}
