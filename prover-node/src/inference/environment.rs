//! What the libraries below take from the environment only.

use std::{env, thread};

/// Fixes what products depend on, where the operator has not:
///
/// - the number of threads, which candle else finds out at every single product by reading all of `/proc/cpuinfo`: a
///   quarter of the time of a small model on two cores, and more on larger machines;
/// - the workspace of cuBLAS, without which it may sum in another order every time.
///
/// A running process cannot change its environment safely: so this program starts itself again with the variables set,
/// once, in the same process. Call it first in `main`.
pub fn fix_environment() {
    let threads = thread::available_parallelism().map(|threads| ("RAYON_NUM_THREADS", threads.to_string()));
    let workspace = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8".to_owned());
    let mut missing = vec![workspace];
    missing.extend(threads);
    missing.retain(|(variable, _)| env::var_os(variable).is_none());
    if missing.is_empty() {
        return;
    }
    #[cfg(unix)]
    if let Ok(program) = env::current_exe() {
        use std::os::unix::process::CommandExt;
        // Comes back only if it fails; then everything works all the same, and slower.
        let _ = std::process::Command::new(program).args(env::args_os().skip(1)).envs(missing).exec();
    }
}
