//! The thread that writes recordings. What is recorded waits for it in a queue of limited size; a disk that refuses or cannot
//! keep up fails the recording, never a call, and what was written stays a valid file.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::Arc;
use std::thread;

use crate::control::protocol::{Event, RecordingEnd};
use crate::dsp::wav::WavWriter;

/// Sound of one recording that may wait for the disk: ten seconds.
pub const MAX_WAITING_SAMPLES: usize = 80_000;

/// What a session and the thread both see of one recording.
#[derive(Default)]
pub struct Shared {
    waiting: AtomicUsize,
    failed: AtomicBool,
}

pub enum Work {
    Start {
        recording: u32,
        path: String,
        shared: Arc<Shared>,
    },
    Sound {
        recording: u32,
        samples: Vec<i16>,
    },
    Finish {
        recording: u32,
        session: u32,
        reason: RecordingEnd,
        duration_ms: u32,
        voiced_ms: u32,
    },
}

/// Where a session puts what it records. Cheap to clone; never waits.
#[derive(Clone)]
pub struct Recorder {
    queue: Sender<Work>,
}

impl Recorder {
    /// Starts the thread; it ends, and closes all files, when the last `Recorder` is dropped.
    pub fn start(
        ended: impl Fn(Event) + Send + 'static,
    ) -> std::io::Result<(Self, thread::JoinHandle<()>)> {
        let (queue, work) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("recordings".to_owned())
            .spawn(move || run(&work, ended))?;
        Ok((Self { queue }, thread))
    }

    /// A recorder whose work is looked at by a test.
    #[cfg(test)]
    pub fn pretend() -> (Self, Receiver<Work>) {
        let (queue, work) = mpsc::channel();
        (Self { queue }, work)
    }

    /// Creates the file, which must not exist. Whether that worked is seen in the next `sound`.
    pub fn begin(&self, recording: u32, path: String) -> Arc<Shared> {
        let shared = Arc::new(Shared::default());
        let _ = self.queue.send(Work::Start {
            recording,
            path,
            shared: shared.clone(),
        });
        shared
    }

    /// False when the recording has failed, or fails now because the disk is too slow.
    pub fn sound(&self, recording: u32, shared: &Shared, samples: Vec<i16>) -> bool {
        if shared.failed.load(Ordering::Relaxed) {
            return false;
        }
        if shared.waiting.fetch_add(samples.len(), Ordering::Relaxed) > MAX_WAITING_SAMPLES {
            return false;
        }
        self.queue.send(Work::Sound { recording, samples }).is_ok()
    }

    /// Closes the file; `RecordingEnded` follows from the thread.
    pub fn finish(
        &self,
        recording: u32,
        session: u32,
        reason: RecordingEnd,
        duration_ms: u32,
        voiced_ms: u32,
    ) {
        let _ = self.queue.send(Work::Finish {
            recording,
            session,
            reason,
            duration_ms,
            voiced_ms,
        });
    }
}

struct Open {
    writer: Option<WavWriter<File>>,
    shared: Arc<Shared>,
    failure: String,
}

impl Open {
    fn create(path: &str, shared: Arc<Shared>) -> Self {
        let created = OpenOptions::new().write(true).create_new(true).open(path);
        match created
            .map_err(|error| format!("{path}: {error}"))
            .and_then(|file| WavWriter::create(file, 1).map_err(|error| format!("{path}: {error}")))
        {
            Ok(writer) => Self {
                writer: Some(writer),
                shared,
                failure: String::new(),
            },
            Err(failure) => {
                shared.failed.store(true, Ordering::Relaxed);
                Self {
                    writer: None,
                    shared,
                    failure,
                }
            }
        }
    }

    fn sound(&mut self, samples: &[i16]) {
        self.shared
            .waiting
            .fetch_sub(samples.len(), Ordering::Relaxed);
        let Some(writer) = &mut self.writer else {
            return;
        };
        if self.failure.is_empty() {
            if let Err(error) = writer.write(samples) {
                self.failure = error.to_string();
                self.shared.failed.store(true, Ordering::Relaxed);
            }
        }
    }

    /// The rest is written; length in ms and bytes of what the file holds.
    fn finish(mut self) -> (String, u32, u64) {
        let Some(writer) = self.writer.take() else {
            return (self.failure, 0, 0);
        };
        let all_ms = writer.moments() / 8;
        let before_ms = writer.duration_ms();
        let (file, outcome) = writer.finish();
        if let (true, Err(error)) = (self.failure.is_empty(), &outcome) {
            self.failure = error.to_string();
        }
        let length_ms = if outcome.is_ok() { all_ms } else { before_ms };
        (
            self.failure,
            length_ms as u32,
            file.metadata().map_or(0, |about| about.len()),
        )
    }
}

fn run(work: &Receiver<Work>, ended: impl Fn(Event)) {
    let mut open: HashMap<u32, Open> = HashMap::new();
    while let Ok(next) = work.recv() {
        match next {
            Work::Start {
                recording,
                path,
                shared,
            } => {
                open.insert(recording, Open::create(&path, shared));
            }
            Work::Sound { recording, samples } => {
                if let Some(open) = open.get_mut(&recording) {
                    open.sound(&samples);
                }
            }
            Work::Finish {
                recording,
                session,
                reason,
                duration_ms,
                voiced_ms,
            } => {
                let Some(open) = open.remove(&recording) else {
                    continue;
                };
                let (mut detail, length_ms, bytes) = open.finish();
                let failed = reason == RecordingEnd::Failed || !detail.is_empty();
                if failed && detail.is_empty() {
                    detail = "the disk could not keep up with the recording".to_owned();
                }
                ended(Event::RecordingEnded {
                    recording,
                    session,
                    reason: if failed { RecordingEnd::Failed } else { reason },
                    duration_ms: if failed { length_ms } else { duration_ms },
                    voiced_ms: voiced_ms.min(duration_ms),
                    bytes,
                    detail,
                });
            }
        }
    }
    for open in open.into_values() {
        open.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("offhook-{name}-{}.wav", std::process::id()))
    }

    fn recorder() -> (Recorder, Receiver<Event>, thread::JoinHandle<()>) {
        let (sender, events) = mpsc::channel();
        let (recorder, thread) = Recorder::start(move |event| sender.send(event).unwrap()).unwrap();
        (recorder, events, thread)
    }

    #[test]
    fn a_recording_is_a_wav_file_of_its_length() {
        let (recorder, events, thread) = recorder();
        let path = path("whole");
        let shared = recorder.begin(7, path.to_str().unwrap().to_owned());
        assert!(recorder.sound(7, &shared, vec![1000; 8000]));
        assert!(recorder.sound(7, &shared, vec![2000; 80]));
        recorder.finish(7, 3, RecordingEnd::Stopped, 1010, 500);
        let Event::RecordingEnded {
            recording: 7,
            session: 3,
            reason,
            duration_ms: 1010,
            voiced_ms: 500,
            bytes,
            detail,
        } = events.recv().unwrap()
        else {
            panic!("another event")
        };
        assert_eq!(
            (reason, bytes, detail.as_str()),
            (RecordingEnd::Stopped, 44 + 2 * 8080, "")
        );
        let written = std::fs::read(&path).unwrap();
        assert_eq!(&written[..4], b"RIFF");
        assert_eq!(&written[44 + 16_000..44 + 16_002], &2000i16.to_le_bytes());
        std::fs::remove_file(&path).unwrap();
        drop(recorder);
        thread.join().unwrap();
    }

    #[test]
    fn a_disk_that_refuses_fails_the_recording_with_its_reason() {
        let (recorder, events, _thread) = recorder();
        let shared = recorder.begin(1, "/nowhere/at/all.wav".to_owned());
        while recorder.sound(1, &shared, vec![0; 160]) {
            thread::yield_now();
        }
        recorder.finish(1, 2, RecordingEnd::Failed, 20, 0);
        let Event::RecordingEnded {
            reason,
            duration_ms,
            bytes,
            detail,
            ..
        } = events.recv().unwrap()
        else {
            panic!("another event")
        };
        assert_eq!((reason, duration_ms, bytes), (RecordingEnd::Failed, 0, 0));
        assert!(detail.contains("/nowhere/at/all.wav"), "{detail}");
    }

    #[test]
    fn a_full_disk_fails_the_recording() {
        let (recorder, events, _thread) = recorder();
        let mut open = Open {
            writer: WavWriter::create(OpenOptions::new().write(true).open("/dev/null").unwrap(), 1)
                .ok(),
            shared: Arc::default(),
            failure: String::new(),
        };
        open.writer = None;
        open.failure = "no space left".to_owned();
        assert_eq!(open.finish(), ("no space left".to_owned(), 0, 0));
        let shared = recorder.begin(1, "/dev/full".to_owned());
        while recorder.sound(1, &shared, vec![0; 160]) {
            thread::yield_now();
        }
        recorder.finish(1, 2, RecordingEnd::Stopped, 20, 0);
        assert!(matches!(
            events.recv().unwrap(),
            Event::RecordingEnded {
                reason: RecordingEnd::Failed,
                ..
            }
        ));
    }

    #[test]
    fn a_slow_disk_fails_the_recording_and_the_queue_stays_small() {
        let (recorder, work) = Recorder::pretend();
        let shared = recorder.begin(1, "x".to_owned());
        let mut taken = 0;
        while recorder.sound(1, &shared, vec![0; 4000]) {
            taken += 4000;
        }
        assert!(taken <= MAX_WAITING_SAMPLES + 4000);
        assert!(work.try_iter().count() <= 2 + taken / 4000);
    }
}
