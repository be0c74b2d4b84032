//! Files of tests.

use std::fs;
use std::path::PathBuf;

/// A file of this test's own, for as long as it runs.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str, content: &[u8]) -> Self {
        let name = format!("sio-cli-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, content).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may be cleared up later.
        let _ = fs::remove_file(&self.0);
    }
}
