//! Events in their order, kept until they are acknowledged, so that a control process that comes back hears what it missed.
//! Pure: bytes of frames in and out.

use std::collections::VecDeque;

use super::protocol::Event;

/// What may wait for an acknowledgement; far above what a control process that lives ever leaves waiting.
pub const MAX_WAITING_BYTES: usize = 64 << 20;

#[derive(Default)]
pub struct Ledger {
    waiting: VecDeque<Vec<u8>>,
    waiting_bytes: usize,
    /// Number of the first frame in `waiting` less one: all up to it are acknowledged or dropped.
    before: u64,
    /// How many of `waiting` the present connection was given.
    given: usize,
    dropped: u64,
}

impl Ledger {
    /// Numbers an event and keeps it.
    pub fn add(&mut self, event: &Event) {
        let mut frame = Vec::with_capacity(48);
        event.encode(self.highest() + 1, &mut frame);
        self.waiting_bytes += frame.len();
        self.waiting.push_back(frame);
        while self.waiting_bytes > MAX_WAITING_BYTES {
            self.forget_first();
            self.dropped += 1;
        }
    }

    fn forget_first(&mut self) {
        if let Some(frame) = self.waiting.pop_front() {
            self.waiting_bytes -= frame.len();
            self.before += 1;
            self.given = self.given.saturating_sub(1);
        }
    }

    /// Number of the newest event; 0 before the first.
    pub fn highest(&self) -> u64 {
        self.before + self.waiting.len() as u64
    }

    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// All up to `event` are dealt with. What was never said cannot be acknowledged.
    pub fn acknowledge(&mut self, event: u64) {
        while self.before < event.min(self.highest()) {
            self.forget_first();
        }
    }

    /// A new connection: everything that waits is said again.
    pub fn rewind(&mut self) {
        self.given = 0;
    }

    /// Adds what this connection has not been given to `out`, up to about `limit` bytes in it.
    pub fn give(&mut self, out: &mut Vec<u8>, limit: usize) {
        while out.len() < limit {
            let Some(frame) = self.waiting.get(self.given) else {
                return;
            };
            out.extend_from_slice(frame);
            self.given += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::protocol::{Answer, Frames};

    fn numbers(bytes: &[u8]) -> Vec<u64> {
        let mut frames = Frames::default();
        frames.feed(bytes);
        let mut found = Vec::new();
        while let Some(frame) = frames.next_frame().unwrap() {
            if let Answer::Event(number, _) = Answer::decode(frame).unwrap() {
                found.push(number);
            }
        }
        found
    }

    fn given(ledger: &mut Ledger) -> Vec<u64> {
        let mut out = Vec::new();
        ledger.give(&mut out, usize::MAX);
        numbers(&out)
    }

    #[test]
    fn what_is_not_acknowledged_is_said_again_to_the_next() {
        let mut ledger = Ledger::default();
        (1..=3).for_each(|session| ledger.add(&Event::MediaBack { session }));
        assert_eq!(given(&mut ledger), [1, 2, 3]);
        assert_eq!(given(&mut ledger), []);
        ledger.acknowledge(2);
        ledger.add(&Event::MediaBack { session: 4 });
        assert_eq!(given(&mut ledger), [4]);
        ledger.rewind();
        assert_eq!((ledger.waiting(), ledger.highest()), (2, 4));
        assert_eq!(given(&mut ledger), [3, 4]);
    }

    #[test]
    fn only_what_was_said_can_be_acknowledged() {
        let mut ledger = Ledger::default();
        ledger.add(&Event::MediaBack { session: 1 });
        ledger.acknowledge(u64::MAX);
        assert_eq!((ledger.highest(), ledger.waiting()), (1, 0));
        ledger.add(&Event::MediaBack { session: 1 });
        ledger.acknowledge(1);
        assert_eq!(given(&mut ledger), [2]);
    }

    #[test]
    fn the_oldest_go_when_nobody_listens_for_too_long_and_are_counted() {
        let mut ledger = Ledger::default();
        let detail = "x".repeat(30_000);
        let events = MAX_WAITING_BYTES / 30_000 + 10;
        (0..events).for_each(|_| {
            ledger.add(&Event::CommandFailed {
                command: 1,
                id: 1,
                detail: detail.clone(),
            })
        });
        assert!(ledger.waiting_bytes <= MAX_WAITING_BYTES);
        assert_eq!(ledger.dropped() + ledger.waiting() as u64, events as u64);
        assert_eq!(ledger.highest(), events as u64);
    }

    #[test]
    fn a_slow_reader_is_given_a_little_at_a_time() {
        let mut ledger = Ledger::default();
        (0..100).for_each(|session| ledger.add(&Event::MediaBack { session }));
        let mut out = Vec::new();
        ledger.give(&mut out, 50);
        assert!(out.len() < 100);
        ledger.give(&mut out, usize::MAX);
        assert_eq!(numbers(&out), (1..=100).collect::<Vec<_>>());
    }
}
