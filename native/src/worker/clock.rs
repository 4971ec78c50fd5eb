//! The engine's clocks: CLOCK_MONOTONIC for everything, the time of day once, for the reports that carry it.

use std::time::{SystemTime, UNIX_EPOCH};

use nix::time::{clock_gettime, ClockId};

use super::wheel::TURN_US;
use crate::session::Now;

/// CLOCK_MONOTONIC in microseconds.
pub fn monotonic_us() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| {
        time.tv_sec() as u64 * 1_000_000 + time.tv_nsec() as u64 / 1_000
    })
}

/// Makes `Now` of the monotonic clock. The wall clock is asked once: a report must not jump when somebody sets it.
#[derive(Clone, Copy)]
pub struct Clock {
    wall_us: u64,
}

impl Default for Clock {
    fn default() -> Self {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_micros() as u64);
        Self {
            wall_us: wall.wrapping_sub(monotonic_us()),
        }
    }
}

impl Clock {
    pub fn now(self) -> Now {
        let us = monotonic_us();
        Now {
            us,
            turn: us / TURN_US,
            wall_us: self.wall_us,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_run_on() {
        let clock = Clock::default();
        let (before, after) = (clock.now(), clock.now());
        assert!(before.us > 0 && after.us >= before.us);
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_micros() as u64;
        assert!(wall.abs_diff(clock.now().us + after.wall_us) < 1_000_000);
    }
}
