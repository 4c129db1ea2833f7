//! Many things at once.

use std::{
    num::NonZeroUsize,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

/// Does all tasks on `workers` threads; `done` is called on this one, in the order in which they are finished. After its
/// first error no task is begun any more.
pub(crate) fn in_parallel<T: Sync, D: Send, E>(
    tasks: &[T],
    workers: NonZeroUsize,
    work: impl Fn(&T) -> D + Sync,
    mut done: impl FnMut(D) -> Result<(), E>,
) -> Result<(), E> {
    let (next, work) = (AtomicUsize::new(0), &work);
    thread::scope(|scope| {
        let (sender, finished) = mpsc::channel();
        for _ in 0..workers.get() {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if sender.send(work(task)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        // On the first error the receiver goes, and the workers with it.
        finished.into_iter().try_for_each(&mut done)
    })
}
