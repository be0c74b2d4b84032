//! The state of the terminal, kept while a line is edited: the command may end in the middle of a line.

#[cfg(unix)]
mod kept {
    use std::io::{Write as _, stdin, stdout};
    use std::sync::OnceLock;

    use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

    static BEFORE: OnceLock<Termios> = OnceLock::new();

    pub(crate) fn keep() {
        if let Ok(before) = tcgetattr(stdin()) {
            // Kept before the first line, and never again.
            let _ = BEFORE.set(before);
        }
    }

    pub(crate) fn restore() {
        if let Some(before) = BEFORE.get() {
            // Each fails only if the terminal is gone.
            let _ = tcsetattr(stdin(), OptionalActions::Now, before);
            // What is printed from here on does not stand behind the prompt.
            let _ = stdout().write_all(b"\r\x1b[K");
            let _ = stdout().flush();
        }
    }
}

#[cfg(not(unix))]
mod kept {
    pub(crate) fn keep() {}

    pub(crate) fn restore() {}
}

pub(crate) use kept::{keep, restore};
