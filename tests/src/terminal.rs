//! A terminal: a program that asks somebody, who is the test.

use std::{
    ffi::OsStr,
    fs::File,
    io::{Read as _, Write as _},
    os::unix::ffi::OsStrExt as _,
    process::{Child, Command, ExitStatus},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use eyre::{Result, WrapErr as _};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::programs;

/// The longest wait for words.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program at a terminal of its own.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: Receiver<String>,
    /// What it has said since the last answer.
    said: String,
}

impl Terminal {
    /// Starts it.
    pub fn start(mut command: Command) -> Result<Self> {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let name = ptsname(&ours, Vec::new())?;
        let theirs = File::options().read(true).write(true).open(OsStr::from_bytes(name.as_bytes()))?;
        for setting in programs::settings() {
            command.env_remove(setting);
        }
        command.stdin(theirs.try_clone()?).stdout(theirs.try_clone()?).stderr(theirs);
        let child = command.spawn()?;
        // It holds the program's ends of the terminal, too, which would never be at its end.
        drop(command);

        let keyboard = File::from(ours);
        let (mut reader, (sender, screen)) = (keyboard.try_clone()?, channel());
        thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                let _ = sender.send(String::from_utf8_lossy(&bytes[..count]).into_owned());
            }
        });
        Ok(Self { child, keyboard, screen, said: String::new() })
    }

    /// Types a line once the program has said `question`.
    pub fn answer(&mut self, question: &str, line: &str) -> Result<()> {
        self.hear(question)?;
        self.said.clear();
        Ok(self.keyboard.write_all(format!("{line}\r").as_bytes())?)
    }

    /// Waits until the program has said `words`.
    pub fn hear(&mut self, words: &str) -> Result<()> {
        while !self.said.contains(words) {
            let more = self.screen.recv_timeout(PATIENCE);
            self.said += &more.wrap_err_with(|| format!("waited for {words:?}, and heard {:?}", self.said))?;
        }
        Ok(())
    }

    /// How it ends.
    pub fn end(mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
