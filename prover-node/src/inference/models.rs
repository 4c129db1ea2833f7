//! The models of one machine: each loaded when it is asked for, and kept as long as there is room for it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use alloy::primitives::B256;
use oracle::manifest::LocalModel;
use tokio::sync::watch;
use tracing::info;

use super::{Generator, InferenceError, Memory, Model, Settings, footprint};

/// Where a model comes from.
pub trait Source: Send + 'static {
    /// What it is once it is loaded.
    type Model: Generator;

    /// Whether it could be loaded as far as that can be told without taking its place in memory. Asked before another
    /// model has to go for it.
    fn check(&self) -> Result<(), InferenceError>;

    /// Loads it.
    fn load(&self) -> Result<Self::Model, InferenceError>;
}

/// A model's files, and what becomes of it once they are read.
pub struct OnDisk<F> {
    files: LocalModel,
    settings: Settings,
    finish: F,
}

impl<G: Generator, F: Fn(Model) -> G + Send + 'static> Source for OnDisk<F> {
    type Model = G;

    fn check(&self) -> Result<(), InferenceError> {
        Ok(self.files.verify()?)
    }

    fn load(&self) -> Result<G, InferenceError> {
        Ok((self.finish)(Model::load(&self.files, self.settings)?))
    }
}

/// What a machine has in its memory, and how often it had to load something.
#[derive(Debug, Clone, Default)]
pub struct Stock {
    /// Who is there, and who could be.
    pub memory: Memory,
    /// How many greedy texts each model writes together; known once it was loaded.
    pub at_once: BTreeMap<B256, usize>,
    /// Models that were loaded.
    pub loads: u64,
    /// Models that had to go for another.
    pub evictions: u64,
}

/// The models that can be loaded here, and those that are, by their manifests' hashes.
pub struct Models<S: Source> {
    sources: BTreeMap<B256, S>,
    loaded: BTreeMap<B256, S::Model>,
    stock: watch::Sender<Stock>,
}

impl<S: Source> Models<S> {
    /// None yet, and room for so many bytes of them.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        let stock = Stock { memory: Memory::new(limit), ..Stock::default() };
        Self { sources: BTreeMap::new(), loaded: BTreeMap::new(), stock: watch::Sender::new(stock) }
    }

    /// One more that can be loaded, of so many bytes. Refused if it would not fit even alone.
    pub fn add(&mut self, model: B256, name: &str, size: u64, source: S) -> Result<(), InferenceError> {
        let mut admitted = Ok(());
        self.stock.send_modify(|stock| admitted = stock.memory.admit(model, name, size));
        admitted?;
        self.sources.insert(model, source);
        Ok(())
    }

    /// What is here, now and later.
    #[must_use]
    pub fn stock(&self) -> watch::Receiver<Stock> {
        self.stock.subscribe()
    }

    /// The model, and how long it took to load it: nothing if it was here. Nobody goes for one that turns out to be
    /// missing or damaged.
    pub fn get(&mut self, model: B256) -> Result<(&S::Model, Duration), InferenceError> {
        let begun = Instant::now();
        let took = match self.loaded.contains_key(&model) {
            true => Duration::ZERO,
            false => {
                self.load(model)?;
                begun.elapsed()
            }
        };
        self.stock.send_modify(|stock| {
            stock.memory.touch(model);
        });
        let loaded = self.loaded.get(&model).ok_or(InferenceError::NoModel(model))?;
        Ok((loaded, took))
    }

    fn load(&mut self, model: B256) -> Result<(), InferenceError> {
        let source = self.sources.get(&model).ok_or(InferenceError::NoModel(model))?;
        let in_the_way = self.stock.borrow().memory.in_the_way_of(model);
        if !in_the_way.is_empty() {
            source.check()?;
        }
        for other in in_the_way {
            self.loaded.remove(&other);
            self.stock.send_modify(|stock| {
                stock.memory.forget(other);
                stock.evictions += 1;
            });
            info!(model = %other, "evicted, to make room");
        }
        let loaded = source.load()?;
        self.stock.send_modify(|stock| {
            stock.loads += 1;
            stock.at_once.insert(model, loaded.at_once());
        });
        self.loaded.insert(model, loaded);
        info!(%model, "loaded");
        Ok(())
    }
}

impl<G: Generator, F: Fn(Model) -> G + Send + 'static> Models<OnDisk<F>> {
    /// The same with a model on this machine's disk, which must permit the settings; `finish` is given what is loaded.
    pub fn add_files(&mut self, files: &LocalModel, settings: Settings, finish: F) -> Result<(), InferenceError> {
        settings.check(&files.manifest)?;
        let size = footprint(files, settings.arithmetic)?;
        self.add(files.hash, &files.manifest.name, size, OnDisk { files: files.clone(), settings, finish })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    };

    use oracle::{
        output::{Output, Text},
        spec::Spec,
    };

    use super::*;
    use crate::inference::OnProgress;

    const A: B256 = B256::repeat_byte(1);
    const B: B256 = B256::repeat_byte(2);
    const C: B256 = B256::repeat_byte(3);

    /// Says how many of its kind were loaded before it.
    struct Numbered(usize);

    impl Generator for Numbered {
        fn generate(&self, _: &Spec, _: B256, _: &mut OnProgress<'_>) -> Result<Output, InferenceError> {
            Ok(Output::Text(Text { text: self.0.to_string(), tokens: Vec::new() }))
        }
    }

    #[derive(Clone, Default)]
    struct Shelf {
        loads: Arc<AtomicUsize>,
        is_damaged: Arc<AtomicBool>,
    }

    impl Source for Shelf {
        type Model = Numbered;

        fn check(&self) -> Result<(), InferenceError> {
            if self.is_damaged.load(Ordering::Relaxed) { Err(InferenceError::Crashed) } else { Ok(()) }
        }

        fn load(&self) -> Result<Numbered, InferenceError> {
            self.check()?;
            Ok(Numbered(self.loads.fetch_add(1, Ordering::Relaxed)))
        }
    }

    /// With room for two of three.
    fn models() -> (Models<Shelf>, [Shelf; 3]) {
        let (mut models, shelves) = (Models::new(20), [(); 3].map(|()| Shelf::default()));
        for (model, shelf) in [A, B, C].into_iter().zip(&shelves) {
            models.add(model, "tiny", 10, shelf.clone()).unwrap();
        }
        (models, shelves)
    }

    #[test]
    fn a_model_is_loaded_once_and_kept_while_there_is_room() {
        let (mut models, [a, b, _]) = models();
        for model in [A, B, A, B, A] {
            models.get(model).unwrap();
        }
        assert_eq!([&a, &b].map(|shelf| shelf.loads.load(Ordering::Relaxed)), [1, 1]);
        assert!(models.get(A).unwrap().1.is_zero(), "it is here");

        models.get(C).unwrap();
        assert_eq!(models.get(B).unwrap().0.0, 1, "it was used least recently, and is loaded again");
        let stock = models.stock().borrow().clone();
        assert_eq!((stock.memory.loaded(), stock.loads, stock.evictions), (&[C, B][..], 4, 2));
    }

    #[test]
    fn nobody_goes_for_a_model_that_cannot_be_loaded() {
        let (mut models, [.., c]) = models();
        models.get(A).unwrap();
        models.get(B).unwrap();
        c.is_damaged.store(true, Ordering::Relaxed);

        assert!(models.get(C).is_err());
        assert_eq!(models.stock().borrow().memory.loaded(), [A, B]);
        assert!(models.get(A).unwrap().1.is_zero());
        c.is_damaged.store(false, Ordering::Relaxed);
        assert!(models.get(C).is_ok(), "it was put right");
    }

    #[test]
    fn a_model_that_nobody_has_named_is_no_model() {
        let (mut models, _) = models();
        assert!(matches!(models.get(B256::ZERO), Err(InferenceError::NoModel(B256::ZERO))));
    }
}
