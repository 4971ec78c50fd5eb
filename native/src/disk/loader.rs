//! The thread that reads prepared sound, so that a slow disk holds up nobody but who asked for the file.

use std::path::Path;
use std::sync::mpsc::{self, Sender};
use std::sync::Arc;
use std::thread;

use super::prepared::{Cache, Prepared};

/// What a playback needs.
pub struct Load {
    pub session: u32,
    pub playback: u32,
    pub files: Vec<String>,
}

/// The files in their order, or why one of them could not be read.
pub struct Loaded {
    pub session: u32,
    pub playback: u32,
    pub sounds: Result<Vec<Arc<Prepared>>, String>,
}

/// Starts the thread; it ends when the sender is dropped.
pub fn start(answer: impl Fn(Loaded) + Send + 'static) -> std::io::Result<Sender<Load>> {
    let (sender, requests) = mpsc::channel::<Load>();
    thread::Builder::new()
        .name("sounds".to_owned())
        .spawn(move || {
            let mut cache = Cache::default();
            while let Ok(Load {
                session,
                playback,
                files,
            }) = requests.recv()
            {
                let sounds = files
                    .iter()
                    .map(|file| cache.get(Path::new(file)))
                    .collect();
                answer(Loaded {
                    session,
                    playback,
                    sounds,
                });
            }
        })?;
    Ok(sender)
}
