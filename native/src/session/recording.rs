//! One recording of a session: gathers sound on the session's beat, hands it on in half seconds, and knows when it is over.

use std::sync::Arc;

use crate::control::protocol::{RecordingEnd, RecordingKind};
use crate::disk::recorder::{Recorder, Shared};
use crate::dsp::mixer::mix_into;
use crate::dsp::silence::{SilenceConfig, SilenceDetector};
use crate::dsp::{FRAME_MS, FRAME_SAMPLES};

/// Handed to the writing thread at once: half of the second that a file may be behind.
const BLOCK_SAMPLES: usize = 4_000;

pub struct Recording {
    pub id: u32,
    session: u32,
    kind: RecordingKind,
    max_ms: u32,
    silence_ms: u32,
    /// Silence stands for what is said: the file keeps the time, and the silence ends nothing.
    pub paused: bool,
    silence: SilenceDetector,
    gathered: Vec<i16>,
    recorded_ms: u32,
    recorder: Recorder,
    shared: Arc<Shared>,
}

/// What was asked for; 0 ms is no limit.
pub struct Wanted {
    pub id: u32,
    pub session: u32,
    pub kind: RecordingKind,
    pub path: String,
    pub max_ms: u32,
    pub silence_ms: u32,
}

impl Recording {
    pub fn start(wanted: Wanted, recorder: Recorder) -> Self {
        let shared = recorder.begin(wanted.id, wanted.path);
        Self {
            id: wanted.id,
            session: wanted.session,
            kind: wanted.kind,
            max_ms: wanted.max_ms,
            silence_ms: wanted.silence_ms,
            paused: false,
            silence: SilenceDetector::new(SilenceConfig::default()),
            gathered: Vec::with_capacity(BLOCK_SAMPLES),
            recorded_ms: 0,
            recorder,
            shared,
        }
    }

    pub fn wants_sent(&self) -> bool {
        self.kind == RecordingKind::Both
    }

    /// One beat: what the peer said and what it was sent. `Some` when the recording is over.
    pub fn beat(
        &mut self,
        heard: &[i16; FRAME_SAMPLES],
        sent: &[i16; FRAME_SAMPLES],
    ) -> Option<RecordingEnd> {
        let mut frame = [0; FRAME_SAMPLES];
        if !self.paused {
            frame = *heard;
            if self.wants_sent() {
                mix_into(&mut frame, sent);
            }
            self.silence.push(&frame);
        }
        self.gathered.extend_from_slice(&frame);
        self.recorded_ms += FRAME_MS;
        if self.gathered.len() >= BLOCK_SAMPLES && !self.hand_on() {
            return Some(RecordingEnd::Failed);
        }
        if self.max_ms > 0 && self.recorded_ms >= self.max_ms {
            return Some(RecordingEnd::Max);
        }
        let silent =
            !self.paused && self.silence_ms > 0 && self.silence.silent_ms() >= self.silence_ms;
        silent.then_some(RecordingEnd::Silence)
    }

    fn hand_on(&mut self) -> bool {
        let block = std::mem::replace(&mut self.gathered, Vec::with_capacity(BLOCK_SAMPLES));
        self.recorder.sound(self.id, &self.shared, block)
    }

    /// Closes the file; the event follows when it is closed.
    pub fn end(mut self, reason: RecordingEnd) {
        if self.max_ms > 0 && self.recorded_ms > self.max_ms {
            let over = (self.recorded_ms - self.max_ms) as usize * 8;
            self.gathered
                .truncate(self.gathered.len().saturating_sub(over));
            self.recorded_ms = self.max_ms;
        }
        let written = self.gathered.is_empty() || self.hand_on();
        let reason = if written {
            reason
        } else {
            RecordingEnd::Failed
        };
        self.recorder.finish(
            self.id,
            self.session,
            reason,
            self.recorded_ms,
            self.silence.voiced_ms(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::recorder::Work;

    const QUIET: [i16; FRAME_SAMPLES] = [0; FRAME_SAMPLES];

    fn loud(level: i16) -> [i16; FRAME_SAMPLES] {
        std::array::from_fn(|n| if n % 8 < 4 { level } else { -level })
    }

    fn wanted(kind: RecordingKind, max_ms: u32, silence_ms: u32) -> Wanted {
        Wanted {
            id: 1,
            session: 2,
            kind,
            path: "x".to_owned(),
            max_ms,
            silence_ms,
        }
    }

    fn samples(
        work: &std::sync::mpsc::Receiver<Work>,
    ) -> (Vec<i16>, Option<(RecordingEnd, u32, u32)>) {
        let (mut all, mut end) = (Vec::new(), None);
        for each in work.try_iter() {
            match each {
                Work::Start { .. } => {}
                Work::Sound { samples, .. } => all.extend(samples),
                Work::Finish {
                    reason,
                    duration_ms,
                    voiced_ms,
                    ..
                } => end = Some((reason, duration_ms, voiced_ms)),
            }
        }
        (all, end)
    }

    #[test]
    fn both_are_mixed_and_one_is_alone() {
        for (kind, level) in [(RecordingKind::Both, 3000), (RecordingKind::Party, 1000)] {
            let (recorder, work) = Recorder::pretend();
            let mut recording = Recording::start(wanted(kind, 0, 0), recorder);
            (0..30).for_each(|_| assert_eq!(recording.beat(&loud(1000), &loud(2000)), None));
            recording.end(RecordingEnd::Stopped);
            let (all, end) = samples(&work);
            assert_eq!((all.len(), all[0]), (30 * 160, level));
            let (reason, duration_ms, voiced_ms) = end.unwrap();
            assert_eq!((reason, duration_ms), (RecordingEnd::Stopped, 600));
            assert!(voiced_ms > 400);
        }
    }

    #[test]
    fn it_ends_at_its_limit_to_the_millisecond() {
        let (recorder, work) = Recorder::pretend();
        let mut recording = Recording::start(wanted(RecordingKind::Party, 1010, 0), recorder);
        let beats = (1..)
            .find(|_| recording.beat(&loud(1000), &QUIET) == Some(RecordingEnd::Max))
            .unwrap();
        assert_eq!(beats, 51);
        recording.end(RecordingEnd::Max);
        let (all, end) = samples(&work);
        assert_eq!((all.len(), end.unwrap().1), (8080, 1010));
    }

    #[test]
    fn silence_ends_it_and_voice_puts_that_off() {
        let (recorder, _work) = Recorder::pretend();
        let mut recording = Recording::start(wanted(RecordingKind::Party, 0, 1000), recorder);
        for _ in 0..3 {
            (0..10).for_each(|_| assert_eq!(recording.beat(&loud(5000), &QUIET), None));
            (0..45).for_each(|_| assert_eq!(recording.beat(&QUIET, &QUIET), None));
        }
        let more = (1..)
            .find(|_| recording.beat(&QUIET, &QUIET) == Some(RecordingEnd::Silence))
            .unwrap();
        assert!(more <= 6, "{more}");
    }

    #[test]
    fn a_pause_keeps_the_time_and_nothing_of_what_is_said_in_it() {
        let (recorder, work) = Recorder::pretend();
        let mut recording = Recording::start(wanted(RecordingKind::Party, 0, 100), recorder);
        recording.paused = true;
        (0..100).for_each(|_| assert_eq!(recording.beat(&loud(9000), &QUIET), None));
        recording.paused = false;
        recording.beat(&loud(9000), &QUIET);
        recording.end(RecordingEnd::Closed);
        let all = samples(&work).0;
        assert_eq!(all.len(), 101 * FRAME_SAMPLES);
        assert!(all[..100 * FRAME_SAMPLES].iter().all(|&sample| sample == 0));
        assert!(all[100 * FRAME_SAMPLES..].iter().any(|&sample| sample != 0));
    }
}
