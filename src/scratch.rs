//! A directory for the files of one test, gone when the test is, even if it fails.
//!
//! For tests only: those of the crate, and by its path those of the binary (`tests/support`).

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// An empty directory of its own.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// `test` is a name that no other test of the process takes. What a test that was killed has left
    /// under the same name is gone.
    pub(crate) fn new(test: &str) -> Scratch {
        let dir = std::env::temp_dir().join(format!("ringpace-{}-{test}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).expect("the directory for temporary files is there");
        Scratch(dir)
    }
}

impl Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
