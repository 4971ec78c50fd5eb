//! Keys sent as telephone-event (RFC 4733 section 2.5.1): a machine that says, slot by slot, what to send.
//!
//! Asked once every 20 ms. All packets of a key carry the timestamp at which it began; the first has the marker; the
//! end is sent three times, at the pace of the updates (section 2.5.1.4). Sound stops while a key is down.

use std::collections::VecDeque;

use super::telephone_event::EventPayload;
use crate::dsp::digit::{DialStep, Digit};
use crate::dsp::{FRAME_MS, FRAME_SAMPLES};

/// Level the keys are said to have, in -dBm0.
pub const VOLUME: u8 = 10;

/// The shortest key, in ms: what ITU-T Q.24 says a receiver must hear, in whole slots.
pub const SHORTEST_KEY_MS: u32 = 40;

/// The longest key, in ms; short of the 8 s at which an event must be segmented.
pub const LONGEST_KEY_MS: u32 = 6_000;

/// The shortest pause after a key, in ms: its three end packets need two more slots, and a receiver 40 ms.
pub const SHORTEST_PAUSE_MS: u32 = 60;

/// How often the end of a key is sent.
const END_PACKETS: u32 = 3;

/// What to send in one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// A telephone-event packet, instead of sound.
    Event {
        /// The packet's marker bit.
        marker: bool,
        /// The packet's timestamp, which is not that of the slot.
        timestamp: u32,
        /// The packet's payload.
        payload: [u8; 4],
    },
    /// Nothing of ours: sound may be sent.
    Pause,
    /// The last step is over; sound may be sent.
    Done,
}

#[derive(Debug, Clone, Copy)]
struct Key {
    digit: Digit,
    timestamp: u32,
    slots: u32,
    sent: u32,
    ends: u32,
}

/// Sends a dialled string. Key and pause lengths are rounded up to whole slots of 20 ms.
#[derive(Debug, Clone)]
pub struct DigitSender {
    steps: VecDeque<DialStep>,
    key: Option<Key>,
    pause_slots: u32,
}

impl DigitSender {
    /// A sender for `steps`, its first slot yet to come.
    pub fn new(steps: impl IntoIterator<Item = DialStep>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            key: None,
            pause_slots: 0,
        }
    }

    /// Whether everything was sent and every pause is over.
    pub fn is_done(&self) -> bool {
        self.steps.is_empty() && self.key.is_none() && self.pause_slots == 0
    }

    /// What to send in the slot that begins at `timestamp`, the stream's own, which goes on by 160 a slot meanwhile.
    pub fn tick(&mut self, timestamp: u32) -> Slot {
        while self.key.is_none() && self.pause_slots == 0 {
            let Some(step) = self.steps.pop_front() else {
                return Slot::Done;
            };
            self.begin(step, timestamp);
        }
        let Some(key) = &mut self.key else {
            self.pause_slots -= 1;
            return Slot::Pause;
        };
        key.sent += 1;
        let end = key.sent >= key.slots;
        let slot = Slot::Event {
            marker: key.sent == 1,
            timestamp: key.timestamp,
            payload: EventPayload {
                code: key.digit.code(),
                end,
                volume: VOLUME,
                duration: (key.sent.min(key.slots) * FRAME_SAMPLES as u32) as u16,
            }
            .write(),
        };
        key.ends += u32::from(end);
        if key.ends == END_PACKETS {
            self.key = None;
        }
        slot
    }

    /// Gives up: a key that is down is ended properly, nothing after it is sent.
    pub fn stop(&mut self) {
        self.steps.clear();
        self.pause_slots = 0;
        if let Some(key) = &mut self.key {
            key.slots = key.slots.min(key.sent);
        }
    }

    fn begin(&mut self, step: DialStep, timestamp: u32) {
        let slots = |ms: u32| ms.div_ceil(FRAME_MS);
        let Some(digit) = step.digit else {
            self.pause_slots = slots(step.duration_ms.saturating_add(step.pause_ms));
            return;
        };
        let length = step.duration_ms.clamp(SHORTEST_KEY_MS, LONGEST_KEY_MS);
        self.key = Some(Key {
            digit,
            timestamp,
            slots: slots(length),
            sent: 0,
            ends: 0,
        });
        // The repeated ends are sent in the pause.
        self.pause_slots = slots(step.pause_ms.max(SHORTEST_PAUSE_MS)) - (END_PACKETS - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::super::telephone_event::TelephoneEvents;
    use super::*;
    use crate::dsp::digit::DigitEvent;

    fn press(key: char, duration_ms: u32, pause_ms: u32) -> DialStep {
        DialStep {
            digit: Digit::from_char(key),
            duration_ms,
            pause_ms,
        }
    }

    fn run(sender: &mut DigitSender) -> Vec<Slot> {
        let mut timestamp = 1_000u32;
        let mut slots = Vec::new();
        while slots.len() < 10_000 {
            let slot = sender.tick(timestamp);
            if slot == Slot::Done {
                break;
            }
            slots.push(slot);
            timestamp += 160;
        }
        slots
    }

    #[test]
    fn a_key_is_a_marker_updates_and_three_ends() {
        let mut sender = DigitSender::new([press('5', 80, 100)]);
        let slots = run(&mut sender);
        let expected = [(true, false, 160), (false, false, 320), (false, false, 480)]
            .into_iter()
            .chain([(false, true, 640); 3]);
        for (slot, (marked, ended, lasted)) in slots.iter().zip(expected) {
            let Slot::Event {
                marker,
                timestamp,
                payload,
            } = *slot
            else {
                panic!("{slot:?}");
            };
            let event = EventPayload::parse(&payload).expect("an event");
            assert_eq!((marker, timestamp), (marked, 1_000));
            assert_eq!((event.code, event.end, event.duration), (5, ended, lasted));
        }
        assert_eq!(
            slots[6..],
            [Slot::Pause; 3],
            "80 ms of key and 100 of pause are nine slots"
        );
        assert_eq!(slots.len(), 9);
        assert!(sender.is_done());
    }

    #[test]
    fn a_string_takes_its_time_and_is_understood() {
        let steps = [
            press('1', 100, 60),
            press('x', 500, 0),
            press('#', 100, 1),
            press('#', 1, 1),
        ];
        let mut sender = DigitSender::new(steps);
        let mut receiver = TelephoneEvents::new(8_000);
        let mut heard = Vec::new();
        for (n, slot) in run(&mut sender).into_iter().enumerate() {
            if let Slot::Event {
                marker,
                timestamp,
                payload,
            } = slot
            {
                let report = |event| {
                    if let DigitEvent::Ended { digit, duration_ms } = event {
                        heard.push((digit.as_char(), duration_ms, timestamp));
                    }
                };
                receiver
                    .push(marker, timestamp, &payload, n as u64 * 20, report)
                    .expect("an event");
            }
        }
        let second = 1_000 + 8 * (100 + 60 + 500);
        let third = second + 8 * (100 + SHORTEST_PAUSE_MS);
        assert_eq!(
            heard,
            [
                ('1', 100, 1_000),
                ('#', 100, second),
                ('#', SHORTEST_KEY_MS, third)
            ]
        );
    }

    #[test]
    fn a_key_never_needs_segments() {
        let mut sender = DigitSender::new([press('0', u32::MAX, u32::MAX)]);
        let last = (0..LONGEST_KEY_MS / 20)
            .map(|n| sender.tick(n * 160))
            .last()
            .expect("slots");
        let Slot::Event { payload, .. } = last else {
            panic!("{last:?}");
        };
        let event = EventPayload::parse(&payload).expect("an event");
        assert_eq!((event.end, event.duration), (true, 48_000));
    }

    #[test]
    fn stopping_ends_the_key_that_is_down() {
        let mut sender = DigitSender::new([press('1', 1_000, 100), press('2', 100, 100)]);
        sender.tick(0);
        sender.tick(160);
        sender.stop();
        let rest = run(&mut sender);
        assert_eq!(rest.len(), 3);
        for slot in rest {
            let Slot::Event { payload, .. } = slot else {
                panic!("{slot:?}");
            };
            let event = EventPayload::parse(&payload).expect("an event");
            assert_eq!((event.code, event.end, event.duration), (1, true, 320));
        }
        assert!(sender.is_done());
    }

    #[test]
    fn nothing_to_send_is_done() {
        assert_eq!(DigitSender::new([]).tick(0), Slot::Done);
        assert_eq!(DigitSender::new([press('x', 0, 0)]).tick(0), Slot::Done);
    }
}
