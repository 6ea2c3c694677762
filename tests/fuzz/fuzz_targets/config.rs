//! Texts of configuration files: a configuration, or what is wrong with a fix for each.
#![no_main]

use greenroom::config::{Mode, load_text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match load_text(text, Mode::Dev) {
        Ok(loaded) => assert!(!loaded.config.providers.is_empty()),
        Err(error) => {
            assert!(!error.0.is_empty());
            for problem in &error.0 {
                assert!(!problem.what.is_empty() && !problem.fix.is_empty(), "{problem:?}");
            }
        }
    }
});
