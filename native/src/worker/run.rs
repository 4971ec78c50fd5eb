//! The loop of a worker: turns first, since they have a time; then what came; then what is to be done.

use std::net::SocketAddr;

use nix::sys::epoll::{EpollEvent, EpollTimeout};
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::sys::timerfd::{Expiration, TimerSetTimeFlags};

use crate::control::protocol::{CloseCause, Event};
use crate::rtp::packet::MAX_DATAGRAM_BYTES;
use crate::session::{Now, Pass};

use super::seat::Joined;
use super::{Report, Rider, Task, Worker};

pub(super) const TIMER: u64 = u64::MAX;
pub(super) const INBOX: u64 = u64::MAX - 1;
/// Datagrams taken before the wheel is looked at again: well under a millisecond of work.
const BATCH: usize = 128;
/// A turn later than this is told.
const LATE_US: u64 = 5_000;
const TELL_EVERY_US: u64 = 1_000_000;

pub(super) fn token(index: usize, rtcp: bool) -> u64 {
    (index as u64) << 1 | u64::from(rtcp)
}

/// How late turns were since it was last told.
#[derive(Default)]
pub(super) struct Lateness {
    worst_us: u64,
    late: u32,
    told_us: u64,
}

impl Lateness {
    fn note(&mut self, late_us: u64) {
        if late_us > LATE_US {
            self.late += 1;
            self.worst_us = self.worst_us.max(late_us);
        }
    }

    fn tell(&mut self, now_us: u64) -> Option<Event> {
        if self.late == 0 || now_us.saturating_sub(self.told_us) < TELL_EVERY_US {
            return None;
        }
        let event = Event::TickLate {
            worst_us: self.worst_us.min(u64::from(u32::MAX)) as u32,
            late_ticks: self.late,
        };
        *self = Self {
            told_us: now_us,
            ..Self::default()
        };
        Some(event)
    }
}

impl Worker {
    /// Runs until it is told to stop.
    pub fn run(mut self) {
        let mut ready = [EpollEvent::empty(); BATCH];
        let mut riders = Vec::new();
        let mut buffer = [0; MAX_DATAGRAM_BYTES];
        loop {
            self.turn_wheel(&mut riders);
            let timeout = self.arm_timer();
            let count = self.epoll.wait(&mut ready, timeout).unwrap_or(0);
            for event in &ready[..count] {
                match event.data() {
                    TIMER => {}
                    INBOX => {
                        self.inbox.quieten();
                        if !self.take_tasks() {
                            return;
                        }
                    }
                    token => self.receive((token >> 1) as usize, token & 1 == 1, &mut buffer),
                }
            }
            self.hand_on_events();
        }
    }

    fn turn_wheel(&mut self, riders: &mut Vec<Rider>) {
        loop {
            let mut now = self.clock.now();
            let Some(due) = self.wheel.due(now.us) else {
                break;
            };
            now.turn = due.turn;
            self.lateness.note(due.late_us);
            riders.clear();
            riders.extend_from_slice(self.wheel.riders(due.slot));
            for rider in riders.drain(..) {
                match rider {
                    Rider::Mix(id) => self.tick_mix(id, now),
                    Rider::Seat(index) => {
                        let key = self
                            .guarded(index, |session, wire| session.tick(now, None, wire))
                            .flatten();
                        if let Some((digit, duration_ms)) = key {
                            self.press_other(index, digit, duration_ms);
                        }
                    }
                }
            }
        }
        if let Some(event) = self.lateness.tell(self.clock.now().us) {
            self.events.push(event);
        }
    }

    /// A key pressed towards a bridged party that takes no events becomes a tone.
    fn press_other(&mut self, index: usize, digit: crate::dsp::digit::Digit, duration_ms: u32) {
        let Some(Joined::Bridge(other)) = self
            .seats
            .get(index)
            .and_then(Option::as_ref)
            .filter(|seat| !seat.muted)
            .map(|seat| seat.joined)
        else {
            return;
        };
        self.guarded(other, |session, _| {
            if !session.takes_events() {
                session.press(digit, duration_ms);
            }
        });
    }

    /// How long to wait: until the next turn, which the timer tells more finely than milliseconds.
    fn arm_timer(&mut self) -> EpollTimeout {
        let Some(deadline) = self.wheel.deadline_us() else {
            // A timer that has rung is ready until it is set anew: with nobody left to serve it would wake us for ever.
            if self.armed_us.take().is_some() {
                let _ = self.timer.unset();
            }
            return EpollTimeout::NONE;
        };
        if deadline <= super::clock::monotonic_us() {
            return EpollTimeout::ZERO;
        }
        if self.armed_us != Some(deadline) {
            let at = Expiration::OneShot(TimeSpec::microseconds(deadline as i64));
            if self
                .timer
                .set(at, TimerSetTimeFlags::TFD_TIMER_ABSTIME)
                .is_err()
            {
                return EpollTimeout::from(1u8);
            }
            self.armed_us = Some(deadline);
        }
        EpollTimeout::NONE
    }

    /// False when it is time to end.
    fn take_tasks(&mut self) -> bool {
        while let Some(task) = self.inbox.take() {
            if matches!(task, Task::Stop) {
                (0..self.seats.len()).for_each(|index| self.close(index, CloseCause::Asked));
                self.hand_on_events();
                return false;
            }
            let now = self.clock.now();
            self.task(task, now);
        }
        true
    }

    fn receive(&mut self, index: usize, rtcp: bool, buffer: &mut [u8]) {
        let Some(seat) = self.seats.get(index).and_then(Option::as_ref) else {
            return;
        };
        let socket = if rtcp { &seat.rtcp } else { &seat.rtp };
        // An error is an ICMP message about something sent, or nothing there after all: neither says anything of the call.
        let Ok((length, from)) = socket.recv_from(buffer) else {
            return;
        };
        let now = self.clock.now();
        if rtcp {
            self.guarded(index, |session, _| {
                session.handle_rtcp(&buffer[..length], from, now)
            });
        } else {
            self.take_rtp(index, &mut buffer[..length], from, now);
        }
    }

    /// A packet of sound or of a key: for the session, and for whom it is bridged with.
    pub(super) fn take_rtp(
        &mut self,
        index: usize,
        datagram: &mut [u8],
        from: SocketAddr,
        now: Now,
    ) {
        let Some(seat) = self.seats.get(index).and_then(Option::as_ref) else {
            return;
        };
        let (joined, muted) = (seat.joined, seat.muted);
        let heard = self.guarded(index, |session, wire| {
            session.handle_rtp(datagram, from, now, wire)
        });
        let (Some(Some(heard)), Joined::Bridge(other)) = (heard, joined) else {
            return;
        };
        if muted {
            // The stream goes on, so that its listener neither waits for it nor takes it for lost.
            match heard.pass {
                Pass::Sound(law) => datagram[heard.payload.clone()].fill(law.silence()),
                Pass::Event | Pass::Nothing => return,
            }
        }
        if let Some((digit, duration_ms)) = heard.key {
            self.press_other(index, digit, duration_ms);
        }
        self.guarded(other, |session, wire| {
            session.pass_on(datagram, &heard, now, wire)
        });
    }

    fn hand_on_events(&mut self) {
        if !self.events.is_empty() {
            self.outbox
                .send(Report::Events(std::mem::take(&mut self.events)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_told_at_most_once_a_second() {
        let mut lateness = Lateness::default();
        lateness.note(LATE_US);
        assert_eq!(lateness.tell(10_000_000), None);
        lateness.note(7_000);
        lateness.note(9_000);
        assert_eq!(
            lateness.tell(10_000_000),
            Some(Event::TickLate {
                worst_us: 9_000,
                late_ticks: 2
            })
        );
        lateness.note(6_000);
        assert_eq!(lateness.tell(10_500_000), None);
        assert_eq!(
            lateness.tell(11_000_000),
            Some(Event::TickLate {
                worst_us: 6_000,
                late_ticks: 1
            })
        );
    }
}
