//! How many threads a product is cut into.

/// Fixes the number of threads for candle, which else finds it out at every single product by reading all of
/// `/proc/cpuinfo`: a quarter of the time of a small model on two cores, and more on larger machines.
///
/// candle takes the number from `RAYON_NUM_THREADS` only, and a running process cannot change its environment safely:
/// so this program starts itself again with the variable set, once, in the same process. Call it first in `main`.
pub fn fix_thread_count() {
    const VARIABLE: &str = "RAYON_NUM_THREADS";
    if std::env::var_os(VARIABLE).is_some() {
        return;
    }
    #[cfg(unix)]
    if let (Ok(program), Ok(threads)) = (std::env::current_exe(), std::thread::available_parallelism()) {
        use std::os::unix::process::CommandExt;
        // Comes back only if it fails; then everything works all the same, and slower.
        let _ = std::process::Command::new(program)
            .args(std::env::args_os().skip(1))
            .env(VARIABLE, threads.to_string())
            .exec();
    }
}
