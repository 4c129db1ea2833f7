//! Panics of libraries over what came from outside.

use std::panic::{self, UnwindSafe};

/// What `work` returns, or what it says if it panics.
pub fn without_panic<T>(work: impl FnOnce() -> T + UnwindSafe) -> Result<T, String> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let returned = panic::catch_unwind(work);
    panic::set_hook(hook);
    returned.map_err(|panic| match panic.downcast::<String>() {
        Ok(said) => *said,
        Err(panic) => panic.downcast_ref::<&str>().map_or_else(String::new, ToString::to_string),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_in_its_own_words() {
        let which = "libcuda";
        assert_eq!(without_panic(|| -> u8 { panic!("{which} is missing") }), Err("libcuda is missing".to_owned()));
        assert_eq!(without_panic(|| -> u8 { panic!("missing") }), Err("missing".to_owned()));
        assert_eq!(without_panic(|| 7), Ok(7));
    }
}
