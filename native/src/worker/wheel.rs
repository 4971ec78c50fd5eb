//! The wheel: 20 ms cut into slots of 1 ms, the sessions spread over them, so that a thousand packets never leave in one burst.
//! Pure: it says what is due when; the time is the caller's.

/// Time for which each session is served once.
pub const TURN_US: u64 = 20_000;
const SLOTS: usize = 20;
const SLOT_US: u64 = TURN_US / SLOTS as u64;
/// Turns further behind than this are left out, not made up for: a burst of old sound helps nobody.
const MAX_BEHIND_US: u64 = 100_000;
/// A slot is crowded with a quarter more riders than there are on average, and so many besides.
const SPARE_SEATS: usize = 2;

pub struct Wheel<T> {
    slots: [Vec<T>; SLOTS],
    /// The next slot to be served, counted from the clock's zero.
    next: u64,
}

/// A slot whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Which slot, for [`Wheel::riders`].
    pub slot: usize,
    /// Which turn of the wheel; moves on by more than one where turns were left out.
    pub turn: u64,
    pub late_us: u64,
}

impl<T: Copy + PartialEq> Wheel<T> {
    pub fn new(now_us: u64) -> Self {
        Self {
            slots: std::array::from_fn(|_| Vec::new()),
            next: now_us / SLOT_US + 1,
        }
    }

    /// Seats somebody where fewest sit; says in which slot.
    pub fn add(&mut self, rider: T) -> usize {
        // The first of the emptiest, looked for from a place of its own each time: neighbours in time are not neighbours here.
        let turn = self.slots.iter().map(Vec::len).sum::<usize>() * 7;
        let slot = (0..SLOTS)
            .map(|at| (at + turn) % SLOTS)
            .min_by_key(|&slot| self.slots[slot].len())
            .unwrap_or(0);
        self.slots[slot].push(rider);
        slot
    }

    /// Seats somebody anew who is to be served as soon as may be: in the next slot that is not crowded; says in which.
    pub fn hasten(&mut self, rider: T, slot: usize) -> usize {
        self.remove(rider, slot);
        let seated = self.slots.iter().map(Vec::len).sum::<usize>();
        let crowded = seated * 5 / (SLOTS * 4) + SPARE_SEATS;
        let soonest = (self.next..self.next + SLOTS as u64)
            .map(|index| (index % SLOTS as u64) as usize)
            .find(|&slot| self.slots[slot].len() < crowded)
            .unwrap_or(slot);
        self.slots[soonest].push(rider);
        soonest
    }

    pub fn remove(&mut self, rider: T, slot: usize) {
        self.slots[slot].retain(|&other| other != rider);
    }

    /// Who is served in a slot.
    pub fn riders(&self, slot: usize) -> &[T] {
        &self.slots[slot]
    }

    /// When the next slot with somebody in it is due.
    pub fn deadline_us(&self) -> Option<u64> {
        (self.next..self.next + SLOTS as u64)
            .find(|&index| !self.slots[(index % SLOTS as u64) as usize].is_empty())
            .map(|index| index * SLOT_US)
    }

    /// The next slot that is due by now; call until `None`.
    pub fn due(&mut self, now_us: u64) -> Option<Due> {
        let now_slot = now_us / SLOT_US;
        if now_us.saturating_sub(self.next * SLOT_US) > MAX_BEHIND_US {
            // As many turns as are lost, whole ones, so that every slot loses the same.
            let behind = now_slot - self.next;
            self.next += behind / SLOTS as u64 * SLOTS as u64;
        }
        while self.next <= now_slot {
            let index = self.next;
            self.next += 1;
            let slot = (index % SLOTS as u64) as usize;
            if !self.slots[slot].is_empty() {
                return Some(Due {
                    slot,
                    turn: index / SLOTS as u64,
                    late_us: now_us - index * SLOT_US,
                });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_spread_evenly() {
        let mut wheel = Wheel::new(0);
        let slots: Vec<usize> = (0..40).map(|seat| wheel.add(seat)).collect();
        for slot in 0..SLOTS {
            assert_eq!(slots.iter().filter(|&&each| each == slot).count(), 2);
        }
        wheel.remove(5, slots[5]);
        assert_eq!(wheel.add(40), slots[5]);
    }

    #[test]
    fn each_session_is_due_once_in_a_turn() {
        let mut wheel = Wheel::new(0);
        (0..30).for_each(|seat| {
            wheel.add(seat);
        });
        let mut served = vec![Vec::new(); 30];
        for now_us in (0..=10 * TURN_US).step_by(250) {
            while let Some(due) = wheel.due(now_us) {
                assert!(due.late_us < 250);
                wheel
                    .riders(due.slot)
                    .iter()
                    .for_each(|&seat| served[seat].push(due.turn));
            }
        }
        for turns in served {
            assert!(turns.windows(2).all(|pair| pair[1] == pair[0] + 1));
            assert_eq!(turns.len(), 10);
        }
    }

    #[test]
    fn who_is_in_haste_is_served_within_a_slot_or_two() {
        let mut wheel = Wheel::new(0);
        for now_us in (0..50 * SLOT_US).step_by(3_700) {
            while wheel.due(now_us).is_some() {}
            let rider = now_us;
            let slot = wheel.add(rider);
            let slot = wheel.hasten(rider, slot);
            let due = wheel.due(now_us + SLOT_US).unwrap();
            assert_eq!(due.slot, slot);
            assert!(wheel.riders(slot).contains(&rider));
            wheel.remove(rider, slot);
        }
    }

    #[test]
    fn a_thousand_in_haste_at_once_are_spread_all_the_same() {
        let mut wheel = Wheel::new(0);
        for rider in 0..1_000 {
            let slot = wheel.add(rider);
            wheel.hasten(rider, slot);
        }
        let most = (0..SLOTS).map(|slot| wheel.riders(slot).len()).max();
        assert!(
            most <= Some(1_000 / SLOTS * 5 / 4 + SPARE_SEATS),
            "{most:?}"
        );
        let all = (0..SLOTS)
            .map(|slot| wheel.riders(slot).len())
            .sum::<usize>();
        assert_eq!(all, 1_000);
    }

    #[test]
    fn nobody_seated_nothing_due() {
        let mut wheel: Wheel<usize> = Wheel::new(5_000);
        assert_eq!((wheel.deadline_us(), wheel.due(1_000_000)), (None, None));
        let slot = wheel.add(0);
        let deadline = wheel.deadline_us().unwrap();
        assert!(deadline > 1_000_000 && deadline <= 1_000_000 + TURN_US);
        assert_eq!(wheel.due(deadline - 1), None);
        assert_eq!(
            wheel.due(deadline).map(|due| (due.slot, due.late_us)),
            Some((slot, 0))
        );
    }

    #[test]
    fn a_little_behind_is_made_up_for_and_a_lot_is_left_out() {
        let mut wheel = Wheel::new(0);
        wheel.add(0);
        assert_eq!(std::iter::from_fn(|| wheel.due(TURN_US * 4)).count(), 4);
        let after: Vec<Due> = std::iter::from_fn(|| wheel.due(TURN_US * 500)).collect();
        assert!(
            after.len() <= 1 + (MAX_BEHIND_US / TURN_US) as usize,
            "{after:?}"
        );
        assert!(
            after
                .iter()
                .all(|due| due.turn >= 499 && due.late_us <= TURN_US),
            "{after:?}"
        );
    }
}
