//! Which ports are free. RTP takes an even one, its RTCP the odd one above (RFC 3550 section 11). A port given back rests, so
//! that what is still on its way to an ended call is not heard in the next. Pure: it binds nothing.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A port rests at least so long even when no other is left: what is still on its way arrives within a second or two.
const LEAST_REST: Duration = Duration::from_secs(5);

pub struct PortPool {
    range: RangeInclusive<u16>,
    rest: Duration,
    free: VecDeque<u16>,
    /// In the order they come back: the rest is the same for all.
    resting: VecDeque<(Duration, u16)>,
}

impl PortPool {
    /// `chance` moves the first port, so that an engine that starts again does not begin where the one before it did.
    pub fn new(range: RangeInclusive<u16>, rest: Duration, chance: u64) -> Self {
        let first = range.start().checked_add(range.start() % 2);
        let mut free: VecDeque<u16> = match first {
            Some(first) => (first..=*range.end())
                .step_by(2)
                .filter(|&port| port < *range.end())
                .collect(),
            None => VecDeque::new(),
        };
        if !free.is_empty() {
            let turn = (chance % free.len() as u64) as usize;
            free.rotate_left(turn);
        }
        Self {
            range,
            rest,
            free,
            resting: VecDeque::new(),
        }
    }

    /// How many pairs could be taken now.
    pub fn free(&mut self, now: Duration) -> usize {
        self.wake(now);
        self.free.len()
    }

    fn wake(&mut self, now: Duration) {
        while let Some(&(ready, port)) = self.resting.front() {
            if ready > now {
                break;
            }
            self.resting.pop_front();
            self.free.push_back(port);
        }
    }

    /// The port that has been free longest. When none is left, the one that has rested longest, if that is long enough:
    /// many short calls would else use up the whole range while almost all of it rests.
    pub fn take(&mut self, now: Duration) -> Option<u16> {
        self.wake(now);
        if let Some(port) = self.free.pop_front() {
            return Some(port);
        }
        let &(ready, port) = self.resting.front()?;
        let rested = (now + self.rest).saturating_sub(ready);
        if rested < LEAST_REST.min(self.rest) {
            return None;
        }
        self.resting.pop_front();
        Some(port)
    }

    /// A certain port, even while it rests: for a session that is made again where it was. `None` if it is in use or not ours.
    pub fn take_certain(&mut self, port: u16) -> Option<u16> {
        if let Some(at) = self.free.iter().position(|&free| free == port) {
            return self.free.remove(at);
        }
        let at = self
            .resting
            .iter()
            .position(|&(_, resting)| resting == port)?;
        self.resting.remove(at).map(|(_, port)| port)
    }

    /// The port is closed, or somebody else has it: it rests.
    pub fn give_back(&mut self, port: u16, now: Duration) {
        if self.range.contains(&port) {
            self.resting.push_back((now + self.rest, port));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(60);
    const START: Duration = Duration::from_secs(1000);

    #[test]
    fn only_even_ports_with_an_odd_one_above_are_taken() {
        let mut pool = PortPool::new(20_001..=20_006, REST, 0);
        assert_eq!(
            (pool.take(START), pool.take(START), pool.take(START)),
            (Some(20_002), Some(20_004), None)
        );
    }

    #[test]
    fn a_port_rests_before_it_is_taken_again() {
        let mut pool = PortPool::new(20_000..=20_003, REST, 0);
        assert_eq!(pool.take(START), Some(20_000));
        pool.give_back(20_000, START);
        assert_eq!(pool.take(START), Some(20_002));
        assert_eq!(pool.free(START + REST - Duration::from_millis(1)), 0);
        assert_eq!(pool.free(START + REST), 1);
        assert_eq!(pool.take(START + REST), Some(20_000));
    }

    #[test]
    fn the_last_ports_rest_shorter_but_never_hardly_at_all() {
        let mut pool = PortPool::new(20_000..=20_003, REST, 0);
        for (port, at) in [(20_000, START), (20_002, START + Duration::from_secs(1))] {
            assert_eq!(pool.take(at), Some(port));
            pool.give_back(port, at);
        }
        assert_eq!(pool.take(START + LEAST_REST - Duration::from_millis(1)), None);
        assert_eq!(pool.take(START + LEAST_REST), Some(20_000));
        assert_eq!(pool.take(START + LEAST_REST), None);
        let mut impatient = PortPool::new(20_000..=20_001, Duration::from_secs(1), 0);
        assert_eq!(impatient.take(START), Some(20_000));
        impatient.give_back(20_000, START);
        assert_eq!(impatient.take(START), None);
        assert_eq!(impatient.take(START + Duration::from_secs(1)), Some(20_000));
    }

    #[test]
    fn ports_go_round_and_begin_by_chance() {
        let mut pool = PortPool::new(20_000..=20_005, REST, 4);
        let taken: Vec<_> = std::iter::from_fn(|| pool.take(START)).collect();
        assert_eq!(taken, [20_002, 20_004, 20_000]);
    }

    #[test]
    fn a_certain_port_is_had_while_it_rests_but_not_while_it_is_used() {
        let mut pool = PortPool::new(20_000..=20_003, REST, 0);
        assert_eq!(pool.take_certain(20_002), Some(20_002));
        assert_eq!(pool.take_certain(20_002), None);
        pool.give_back(20_002, START);
        assert_eq!(pool.take_certain(20_002), Some(20_002));
        assert_eq!(pool.take_certain(9), None);
    }

    #[test]
    fn ranges_too_small_have_no_ports() {
        for range in [20_000..=20_000, 65_535..=65_535, 65_534..=65_534] {
            assert_eq!(PortPool::new(range, REST, 7).take(START), None);
        }
        assert_eq!(
            PortPool::new(65_534..=65_535, REST, 7).take(START),
            Some(65_534)
        );
    }

    #[test]
    fn a_foreign_port_given_back_is_not_ours_afterwards() {
        let mut pool = PortPool::new(20_000..=20_001, Duration::ZERO, 0);
        pool.give_back(30_000, START);
        assert_eq!(pool.free(START), 1);
    }
}
