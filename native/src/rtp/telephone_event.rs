//! Keys received as telephone-event (RFC 4733): many packets in, one press and one release out.
//!
//! An event is its timestamp and its code, not its marker bit: markers and end packets get lost. A key is released by
//! its first end packet, by the next key, or by silence; its other packets, late or repeated, then mean nothing.
//! Only DTMF (codes 0 to 15) is reported. Times come as arguments; [`deadline_ms`](TelephoneEvents::deadline_ms) says when to ask again.

use std::collections::VecDeque;

use crate::dsp::digit::{Digit, DigitEvent};

/// Octets of one event in a payload (section 2.3).
pub const EVENT_BYTES: usize = 4;

/// Without a packet for so long, a key is taken to be up: three missed updates of the 20 to 40 ms senders use.
pub const RELEASE_AFTER_MS: u64 = 120;

/// A finished event's stray packets are known as such for so long, in ms.
const REMEMBERED_MS: u64 = 2_000;

/// How many finished events are remembered.
const REMEMBERED: usize = 8;

/// Events in one packet at most; more is rubbish.
const MAX_EVENTS_PER_PACKET: usize = 16;

/// A segment of a long event ends at the largest duration, or a packet short of it (section 2.5.1.3).
const SEGMENT_AT_LEAST: u32 = 0xF000;

/// One event as it stands in a payload (section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPayload {
    /// Event code: 0 to 15 are keys.
    pub code: u8,
    /// Whether the event is over.
    pub end: bool,
    /// Level of the tone in -dBm0, 0 to 63.
    pub volume: u8,
    /// How long it has lasted, in timestamp units.
    pub duration: u16,
}

/// Why octets are not a telephone-event payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventError {
    /// Not a whole number of events, or none.
    Length,
    /// More events than one packet can sensibly carry.
    TooMany,
}

impl EventPayload {
    /// Reads one event; `None` unless there are at least [`EVENT_BYTES`] octets. The reserved bit is ignored.
    pub fn parse(octets: &[u8]) -> Option<Self> {
        let octets = octets.get(..EVENT_BYTES)?;
        Some(Self {
            code: octets[0],
            end: octets[1] & 0x80 != 0,
            volume: octets[1] & 0x3F,
            duration: u16::from_be_bytes([octets[2], octets[3]]),
        })
    }

    /// The octets of the event, the reserved bit 0.
    pub fn write(&self) -> [u8; EVENT_BYTES] {
        let [high, low] = self.duration.to_be_bytes();
        let flags = (u8::from(self.end) << 7) | (self.volume & 0x3F);
        [self.code, flags, high, low]
    }
}

/// Checks a payload and returns how many events it holds.
///
/// # Errors
/// [`EventError`] with the reason.
pub fn count_events(payload: &[u8]) -> Result<usize, EventError> {
    if payload.is_empty() || payload.len() % EVENT_BYTES != 0 {
        return Err(EventError::Length);
    }
    let count = payload.len() / EVENT_BYTES;
    if count > MAX_EVENTS_PER_PACKET {
        return Err(EventError::TooMany);
    }
    Ok(count)
}

#[derive(Debug, Clone, Copy)]
struct Event {
    digit: Digit,
    timestamp: u32,
    /// Of this segment, the largest seen.
    duration: u32,
    /// Of the segments before it.
    earlier: u64,
    last_ms: u64,
}

/// The keys of one stream.
#[derive(Debug, Clone)]
pub struct TelephoneEvents {
    clock_rate: u32,
    current: Option<Event>,
    finished: VecDeque<Event>,
}

impl TelephoneEvents {
    /// A receiver for a stream whose telephone-event was negotiated with `clock_rate` (8000 with G.711).
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate: clock_rate.max(1_000),
            current: None,
            finished: VecDeque::with_capacity(REMEMBERED),
        }
    }

    /// Takes in one packet and reports what it changes, in order.
    ///
    /// # Errors
    /// [`EventError`] if the payload is no telephone-event; nothing is then changed.
    pub fn push(
        &mut self,
        marker: bool,
        timestamp: u32,
        payload: &[u8],
        now_ms: u64,
        mut report: impl FnMut(DigitEvent),
    ) -> Result<(), EventError> {
        count_events(payload)?;
        self.handle_timer(now_ms, &mut report);
        let mut timestamp = timestamp;
        for (n, octets) in payload.chunks_exact(EVENT_BYTES).enumerate() {
            // Several events in one packet follow each other without a gap (section 2.5.1.5).
            let Some(event) = EventPayload::parse(octets) else {
                return Err(EventError::Length);
            };
            self.take(marker && n == 0, timestamp, event, now_ms, &mut report);
            timestamp = timestamp.wrapping_add(u32::from(event.duration));
        }
        Ok(())
    }

    /// Releases a key that has not been heard of for [`RELEASE_AFTER_MS`].
    pub fn handle_timer(&mut self, now_ms: u64, report: impl FnMut(DigitEvent)) {
        if self
            .deadline_ms()
            .is_some_and(|deadline| now_ms >= deadline)
        {
            self.release(None, report);
        }
    }

    /// When to call [`handle_timer`](Self::handle_timer), if a key is down.
    pub fn deadline_ms(&self) -> Option<u64> {
        self.current.map(|event| event.last_ms + RELEASE_AFTER_MS)
    }

    /// The key that is down.
    pub fn pressed(&self) -> Option<Digit> {
        self.current.map(|event| event.digit)
    }

    /// Begins anew, as for a new source: releases what is down and forgets the rest.
    pub fn reset(&mut self, report: impl FnMut(DigitEvent)) {
        self.release(None, report);
        self.finished.clear();
    }

    fn take(
        &mut self,
        marker: bool,
        timestamp: u32,
        event: EventPayload,
        now_ms: u64,
        report: &mut impl FnMut(DigitEvent),
    ) {
        let Some(digit) = Digit::from_code(event.code) else {
            return;
        };
        // A duration of zero is for events that are states, never for keys (section 2.3.5).
        if event.duration == 0 {
            return;
        }
        let duration = u32::from(event.duration);
        let fresh = Event {
            digit,
            timestamp,
            duration,
            earlier: 0,
            last_ms: now_ms,
        };
        if let Some(current) = &mut self.current {
            if current.absorb(marker, &fresh) {
                if event.end {
                    self.release(None, report);
                }
                return;
            }
            if is_before(timestamp, current.timestamp) {
                // Whatever it was, it is over, and keys must not come out of order.
                return;
            }
        }
        if self.is_stray(marker, &fresh) {
            return;
        }
        // The end of the key before was lost: it cannot have lasted into this one.
        self.release(Some(timestamp), &mut *report);
        self.current = Some(fresh);
        report(DigitEvent::Started { digit });
        if event.end {
            self.release(None, report);
        }
    }

    /// Whether a packet belongs to an event that is over.
    fn is_stray(&mut self, marker: bool, fresh: &Event) -> bool {
        let now_ms = fresh.last_ms;
        self.finished
            .retain(|event| now_ms.saturating_sub(event.last_ms) < REMEMBERED_MS);
        let known = self.finished.iter_mut().any(|event| {
            // A key released by mistake, its packets late, stays known for as long as they come.
            event.absorb(marker, fresh)
        });
        if known {
            return true;
        }
        self.finished
            .back()
            .is_some_and(|last| is_before(fresh.timestamp, last.timestamp))
    }

    /// Releases the current key, cut at `until` if that lies within it.
    fn release(&mut self, until: Option<u32>, mut report: impl FnMut(DigitEvent)) {
        let Some(event) = self.current.take() else {
            return;
        };
        let cut = until.map_or(event.duration, |until| {
            event.duration.min(until.wrapping_sub(event.timestamp))
        });
        let units = event.earlier + u64::from(cut);
        let duration_ms = units * 1_000 / u64::from(self.clock_rate);
        if self.finished.len() == REMEMBERED {
            self.finished.pop_front();
        }
        self.finished.push_back(event);
        report(DigitEvent::Ended {
            digit: event.digit,
            duration_ms: u32::try_from(duration_ms).unwrap_or(u32::MAX),
        });
    }
}

impl Event {
    /// Takes in another packet of the same event; false if it is of another one.
    fn absorb(&mut self, marker: bool, next: &Event) -> bool {
        if self.digit != next.digit {
            return false;
        }
        if self.timestamp == next.timestamp {
            self.duration = self.duration.max(next.duration);
            self.last_ms = next.last_ms;
            return true;
        }
        let ahead = next.timestamp.wrapping_sub(self.timestamp);
        if marker || ahead > 0xFFFF {
            return false;
        }
        // The next segment of a long event begins where the last one ended (section 2.5.1.3).
        if ahead >= SEGMENT_AT_LEAST
            && ahead >= self.duration
            && self.duration + 0x0FFF >= SEGMENT_AT_LEAST
        {
            self.earlier += u64::from(ahead);
            self.timestamp = next.timestamp;
            self.duration = next.duration;
            self.last_ms = next.last_ms;
            return true;
        }
        // A key cannot begin inside itself. Some senders move the timestamp with every update: bear with them.
        if ahead < self.duration {
            self.duration = self.duration.max(next.duration);
            self.last_ms = next.last_ms;
            return true;
        }
        false
    }
}

/// Whether a timestamp lies before another, over the wrap.
fn is_before(timestamp: u32, other: u32) -> bool {
    timestamp != other && other.wrapping_sub(timestamp) < 1 << 31
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A receiver and what it has reported: `+5` for a key going down, `5:100` for one released after 100 ms.
    struct Wire {
        receiver: TelephoneEvents,
        reported: Vec<String>,
        now_ms: u64,
    }

    impl Wire {
        fn new() -> Self {
            Self {
                receiver: TelephoneEvents::new(8_000),
                reported: Vec::new(),
                now_ms: 1_000,
            }
        }

        fn packet(&mut self, key: char, marker: bool, timestamp: u32, duration: u16, end: bool) {
            let code = Digit::from_char(key).map_or(16, Digit::code);
            let payload = EventPayload {
                code,
                end,
                volume: 10,
                duration,
            }
            .write();
            let reported = &mut self.reported;
            self.receiver
                .push(marker, timestamp, &payload, self.now_ms, |event| {
                    reported.push(told(event))
                })
                .expect("an event");
            self.now_ms += 20;
        }

        fn wait(&mut self, ms: u64) {
            self.now_ms += ms;
            let reported = &mut self.reported;
            self.receiver
                .handle_timer(self.now_ms, |event| reported.push(told(event)));
        }

        /// A whole key as most senders send it, without the packets whose places are in `lost`.
        fn key(&mut self, key: char, timestamp: u32, lost: &[usize]) {
            let sent = [
                (true, 160, false),
                (false, 320, false),
                (false, 480, false),
                (false, 640, false),
                (false, 800, true),
                (false, 800, true),
                (false, 800, true),
            ];
            for (place, &(marker, duration, end)) in sent.iter().enumerate() {
                if lost.contains(&place) {
                    self.wait(20);
                } else {
                    self.packet(key, marker, timestamp, duration, end);
                }
            }
        }

        fn told(&self) -> String {
            self.reported.join(" ")
        }
    }

    fn told(event: DigitEvent) -> String {
        match event {
            DigitEvent::Started { digit } => format!("+{}", digit.as_char()),
            DigitEvent::Ended { digit, duration_ms } => {
                format!("{}:{duration_ms}", digit.as_char())
            }
        }
    }

    #[test]
    fn a_key_is_one_press_whatever_single_packet_is_lost() {
        for lost in 0..7 {
            let mut wire = Wire::new();
            wire.key('5', 8_000, &[lost]);
            wire.wait(500);
            assert_eq!(wire.told(), "+5 5:100", "without packet {lost}");
        }
    }

    #[test]
    fn any_one_packet_of_a_key_is_enough() {
        for kept in 0..7 {
            let lost: Vec<usize> = (0..7).filter(|&place| place != kept).collect();
            let mut wire = Wire::new();
            wire.key('#', 8_000, &lost);
            wire.wait(500);
            let ms = [20, 40, 60, 80, 100, 100, 100][kept];
            assert_eq!(wire.told(), format!("+# #:{ms}"), "only packet {kept}");
        }
    }

    #[test]
    fn a_lost_end_is_made_up_for_in_120_ms() {
        let mut wire = Wire::new();
        wire.key('1', 8_000, &[4, 5, 6]);
        assert_eq!(wire.told(), "+1");
        wire.wait(20);
        assert_eq!(wire.told(), "+1");
        wire.wait(20);
        assert_eq!(wire.told(), "+1 1:80");
        wire.packet('1', false, 8_000, 800, true);
        wire.wait(500);
        assert_eq!(wire.told(), "+1 1:80", "the end that comes too late");
        assert_eq!(wire.receiver.deadline_ms(), None);
    }

    #[test]
    fn the_next_key_ends_one_whose_end_was_lost() {
        let mut wire = Wire::new();
        wire.packet('1', true, 8_000, 400, false);
        wire.packet('2', true, 8_320, 160, false);
        assert_eq!(wire.told(), "+1 1:40 +2", "cut where the next began");
        wire.packet('1', false, 8_000, 480, true);
        wire.packet('2', false, 8_320, 320, true);
        assert_eq!(wire.told(), "+1 1:40 +2 2:40");
    }

    #[test]
    fn the_same_key_twice_is_two_keys_even_without_markers() {
        let mut wire = Wire::new();
        wire.key('7', 8_000, &[0]);
        wire.key('7', 9_600, &[0]);
        assert_eq!(wire.told(), "+7 7:100 +7 7:100");
    }

    #[test]
    fn reordered_packets_do_not_press_again() {
        let mut wire = Wire::new();
        wire.packet('3', false, 8_000, 480, false);
        wire.packet('3', true, 8_000, 160, false);
        wire.packet('3', false, 8_000, 640, true);
        wire.packet('3', false, 8_000, 320, false);
        wire.packet('4', true, 9_600, 160, true);
        wire.packet('3', false, 8_000, 640, true);
        wire.packet('9', true, 8_800, 160, true);
        assert_eq!(wire.told(), "+3 3:80 +4 4:20", "nothing comes out of order");
    }

    #[test]
    fn a_long_key_goes_on_over_its_segments() {
        let mut wire = Wire::new();
        let mut begins: u32 = u32::MAX - 70_000;
        let mut duration = 160u32;
        wire.packet('0', true, begins, 160, false);
        for _ in 0..1_000 {
            duration += 160;
            if duration > 0xFFFF {
                for _ in 0..3 {
                    wire.packet('0', false, begins, 0xFFFF, false);
                }
                begins = begins.wrapping_add(0xFFFF);
                duration -= 0xFFFF;
            }
            wire.packet('0', false, begins, duration as u16, false);
        }
        wire.packet('0', false, begins, duration as u16, true);
        assert_eq!(wire.told(), "+0 0:20020");
    }

    #[test]
    fn a_segment_whose_last_packets_were_lost_still_goes_on() {
        let mut wire = Wire::new();
        wire.packet('0', true, 0, 65_000, false);
        wire.packet('0', false, 0xFFFF, 160, false);
        wire.packet('0', false, 0xFFFF, 320, true);
        assert_eq!(wire.told(), "+0 0:8231");
    }

    #[test]
    fn senders_that_move_the_timestamp_press_once() {
        let mut wire = Wire::new();
        for n in 0..6u32 {
            wire.packet('8', n == 0, 8_000 + n * 160, (n as u16 + 2) * 160, n >= 4);
        }
        wire.wait(500);
        assert_eq!(wire.reported.len(), 2, "{}", wire.told());
    }

    #[test]
    fn other_events_and_empty_ones_are_no_keys() {
        let mut wire = Wire::new();
        wire.packet('x', true, 8_000, 160, true);
        wire.packet('5', true, 8_000, 0, false);
        assert_eq!(wire.told(), "");
        wire.packet('5', false, 8_000, 160, false);
        assert_eq!(wire.receiver.pressed(), Digit::from_char('5'));
        let reported = &mut wire.reported;
        wire.receiver.reset(|event| reported.push(told(event)));
        assert_eq!(wire.told(), "+5 5:20");
    }

    #[test]
    fn several_keys_in_one_packet_follow_each_other() {
        let mut payload = Vec::new();
        for (key, end, duration) in [('1', true, 400), ('2', true, 480), ('3', false, 160)] {
            let code = Digit::from_char(key).expect("a key").code();
            payload.extend(
                EventPayload {
                    code,
                    end,
                    volume: 10,
                    duration,
                }
                .write(),
            );
        }
        let mut wire = Wire::new();
        let reported = &mut wire.reported;
        wire.receiver
            .push(true, 8_000, &payload, 1_000, |event| {
                reported.push(told(event))
            })
            .expect("events");
        assert_eq!(wire.told(), "+1 1:50 +2 2:60 +3");
        wire.packet('3', false, 8_880, 320, true);
        assert_eq!(wire.reported[5], "3:40");
    }

    #[test]
    fn broken_payloads_are_refused() {
        let mut receiver = TelephoneEvents::new(8_000);
        for length in [0, 1, 3, 5, 7] {
            let payload = vec![0; length];
            let outcome = receiver.push(true, 0, &payload, 0, |_| panic!("nothing was sent"));
            assert_eq!(outcome, Err(EventError::Length));
        }
        assert_eq!(
            receiver.push(true, 0, &[0; 400], 0, |_| ()),
            Err(EventError::TooMany)
        );
        let event = EventPayload {
            code: 11,
            end: true,
            volume: 63,
            duration: 0xABCD,
        };
        assert_eq!(EventPayload::parse(&event.write()), Some(event));
    }

    #[test]
    fn an_old_event_may_come_again_after_a_while() {
        let mut wire = Wire::new();
        wire.key('5', 8_000, &[]);
        wire.wait(REMEMBERED_MS);
        wire.key('5', 8_000, &[]);
        assert_eq!(
            wire.told(),
            "+5 5:100 +5 5:100",
            "senders whose timestamp stands still"
        );
    }
}
