//! Digits to be sent, one request after another, as events where the peer takes them and as tones where not. Pure.

use std::collections::VecDeque;

use crate::control::protocol::DigitTone;
use crate::dsp::digit::{DialStep, Digit};
use crate::dsp::dtmf_generate::ToneDialler;
use crate::dsp::FRAME_SAMPLES;
use crate::rtp::telephone_event_send::{DigitSender, Slot};

/// Requests that may wait; more are refused.
const MAX_WAITING: usize = 64;

enum Current {
    Events(DigitSender),
    Tones(Box<ToneDialler>),
}

/// What a turn sends of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Dialled {
    /// Nothing: other sound may be sent.
    Idle,
    /// This packet.
    Event {
        marker: bool,
        timestamp: u32,
        payload: [u8; 4],
    },
    /// The samples given were filled.
    Tone,
    /// Quiet between digits.
    Pause,
    /// A request is done; ask again. 0 stands for digits that nobody asked for (a bridged peer's).
    Done(u32),
}

#[derive(Default)]
pub struct Dialling {
    waiting: VecDeque<(u32, Vec<DialStep>)>,
    current: Option<(u32, Current)>,
}

/// The steps a request means; characters that are no digits were refused before.
pub fn steps(digits: &[DigitTone]) -> Vec<DialStep> {
    let step = |tone: &DigitTone| DialStep {
        digit: Digit::from_char(tone.digit),
        duration_ms: u32::from(tone.duration_ms),
        pause_ms: u32::from(tone.pause_ms),
    };
    digits.iter().map(step).collect()
}

impl Dialling {
    /// False when too many wait already.
    pub fn add(&mut self, request: u32, steps: Vec<DialStep>) -> bool {
        if self.waiting.len() >= MAX_WAITING {
            return false;
        }
        self.waiting.push_back((request, steps));
        true
    }

    pub fn is_idle(&self) -> bool {
        self.current.is_none() && self.waiting.is_empty()
    }

    /// Requests that will not be sent any more.
    pub fn abandon(&mut self) -> Vec<u32> {
        let current = self.current.take().map(|(request, _)| request);
        current
            .into_iter()
            .chain(self.waiting.drain(..).map(|(request, _)| request))
            .collect()
    }

    /// One turn of 20 ms at the stream's `timestamp`; `events`: the peer takes them.
    pub fn next(
        &mut self,
        events: bool,
        timestamp: u32,
        samples: &mut [i16; FRAME_SAMPLES],
    ) -> Dialled {
        if self.current.is_none() {
            let Some((request, steps)) = self.waiting.pop_front() else {
                return Dialled::Idle;
            };
            let sender = if events {
                Current::Events(DigitSender::new(steps))
            } else {
                Current::Tones(Box::new(ToneDialler::new(steps)))
            };
            self.current = Some((request, sender));
        }
        let Some((request, current)) = &mut self.current else {
            return Dialled::Idle;
        };
        let request = *request;
        let dialled = match current {
            Current::Events(sender) => match sender.tick(timestamp) {
                Slot::Event {
                    marker,
                    timestamp,
                    payload,
                } => Dialled::Event {
                    marker,
                    timestamp,
                    payload,
                },
                Slot::Pause => Dialled::Pause,
                Slot::Done => Dialled::Done(request),
            },
            Current::Tones(dialler) => {
                if dialler.fill(samples) {
                    Dialled::Tone
                } else {
                    Dialled::Done(request)
                }
            }
        };
        if dialled == Dialled::Done(request) {
            self.current = None;
        }
        dialled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(dialling: &mut Dialling, events: bool) -> Vec<Dialled> {
        let mut samples = [0; FRAME_SAMPLES];
        let mut all = Vec::new();
        for turn in 0.. {
            let dialled = dialling.next(events, turn * 160, &mut samples);
            if dialled == Dialled::Idle {
                return all;
            }
            assert!(
                dialled != Dialled::Tone || turn > 1 || samples.iter().any(|&sample| sample != 0)
            );
            all.push(dialled);
        }
        unreachable!()
    }

    #[test]
    fn requests_are_sent_in_their_order() {
        let tone = DigitTone {
            digit: '5',
            duration_ms: 40,
            pause_ms: 60,
        };
        for events in [true, false] {
            let mut dialling = Dialling::default();
            assert!(dialling.is_idle());
            assert!(
                dialling.add(1, steps(std::slice::from_ref(&tone)))
                    && dialling.add(2, steps(&[tone.clone(), tone.clone()]))
            );
            let all = run(&mut dialling, events);
            let done: Vec<usize> = (1..=2)
                .map(|n| all.iter().position(|d| *d == Dialled::Done(n)).unwrap())
                .collect();
            assert!(done[0] >= 5 && done[1] >= done[0] + 10, "{done:?}");
            let marks = all
                .iter()
                .filter(|d| matches!(d, Dialled::Event { marker: true, .. }))
                .count();
            assert_eq!(marks, if events { 3 } else { 0 });
            assert_eq!(all.contains(&Dialled::Tone), !events);
            assert!(dialling.is_idle());
        }
    }

    #[test]
    fn a_pause_alone_is_quiet() {
        let mut dialling = Dialling::default();
        dialling.add(
            1,
            steps(&[DigitTone {
                digit: '\0',
                duration_ms: 0,
                pause_ms: 100,
            }]),
        );
        let all = run(&mut dialling, true);
        assert_eq!(all.len(), 6);
        assert!(all[..5].iter().all(|dialled| *dialled == Dialled::Pause));
    }

    #[test]
    fn what_was_not_sent_is_told() {
        let mut dialling = Dialling::default();
        let tone = DigitTone {
            digit: '#',
            duration_ms: 100,
            pause_ms: 0,
        };
        (1..=3)
            .for_each(|request| assert!(dialling.add(request, steps(std::slice::from_ref(&tone)))));
        dialling.next(true, 0, &mut [0; FRAME_SAMPLES]);
        assert_eq!(dialling.abandon(), [1, 2, 3]);
        let refused = (0..100)
            .filter(|&request| !dialling.add(request, Vec::new()))
            .count();
        assert_eq!(refused, 100 - MAX_WAITING);
    }
}
