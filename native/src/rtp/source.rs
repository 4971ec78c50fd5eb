//! One source of packets (RFC 3550 appendix A.1, A.3, A.8): is it one, what is lost, how much does it jitter.
//!
//! A source counts only after some packets in order; a jump in the numbers is believed when it is seen to go on.
//! Beyond the appendix, the last 64 numbers are remembered, to tell a duplicate from a packet that came late.

/// Packets in order before a source counts (A.1's MIN_SEQUENTIAL).
pub const MIN_SEQUENTIAL: u32 = 2;

/// A gap of at least so many numbers is a restart, not a loss (A.1's MAX_DROPOUT: a minute of 50 packets a second).
pub const MAX_DROPOUT: u16 = 3_000;

/// A packet at least so far behind is of a restart, not reordered (A.1's MAX_MISORDER: two seconds).
pub const MAX_MISORDER: u16 = 100;

/// What one sequence number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The source is not valid yet; play nothing of it.
    Probation,
    /// The next packet, or a later one with a loss before it.
    New,
    /// An earlier packet that had been missing.
    Reordered,
    /// A packet that was here before.
    Duplicate,
    /// A jump too far to be believed before it goes on.
    Jumped,
    /// The sender started anew: the second packet in order after a jump. All counts begin again.
    Restarted,
}

/// What a receiver knows of one synchronisation source.
#[derive(Debug, Clone)]
pub struct Source {
    ssrc: u32,
    probation: u32,
    highest: u16,
    cycles: u32,
    base: u32,
    after_jump: Option<u16>,
    recent: u64,
    received: u64,
    expected_before: u64,
    received_before: u64,
    duplicates: u64,
    reordered: u64,
    jitter_16ths: u32,
    transit: Option<u32>,
}

/// What a report block says of a source (section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reception {
    /// The source.
    pub ssrc: u32,
    /// Share lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost since the start; less than none when there are duplicates. Fits 24 bits, as the wire wants.
    pub lost: i32,
    /// Highest sequence number, with its wraps above.
    pub highest: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
}

impl Source {
    /// A source whose first packet has the number `sequence`; that packet is then given to [`update`](Self::update).
    ///
    /// `probation` packets in order make it valid; 0 trusts it at once, as when signalling proved the sender.
    pub fn new(ssrc: u32, sequence: u16, probation: u32) -> Self {
        let mut source = Self {
            ssrc,
            probation,
            highest: sequence,
            cycles: 0,
            base: 0,
            after_jump: None,
            recent: 0,
            received: 0,
            expected_before: 0,
            received_before: 0,
            duplicates: 0,
            reordered: 0,
            jitter_16ths: 0,
            transit: None,
        };
        source.restart(sequence);
        source
    }

    /// The synchronisation source.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Whether the source has passed its probation.
    pub fn is_valid(&self) -> bool {
        self.probation == 0
    }

    /// Judges and counts one packet by its number (A.1).
    pub fn update(&mut self, sequence: u16) -> Verdict {
        if self.probation > 0 {
            return self.probe(sequence);
        }
        let ahead = sequence.wrapping_sub(self.highest);
        if ahead == 0 {
            return self.count_old(0);
        }
        if ahead < MAX_DROPOUT {
            if sequence < self.highest {
                self.cycles = self.cycles.wrapping_add(1 << 16);
            }
            self.highest = sequence;
            self.recent = self.recent.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            self.after_jump = None;
            self.received += 1;
            return Verdict::New;
        }
        let behind = self.highest.wrapping_sub(sequence);
        if behind < MAX_MISORDER {
            return self.count_old(behind);
        }
        if self.after_jump == Some(sequence) {
            self.restart(sequence);
            self.recent = 1;
            self.received = 1;
            return Verdict::Restarted;
        }
        self.after_jump = Some(sequence.wrapping_add(1));
        Verdict::Jumped
    }

    /// Follows the jitter (A.8). `arrival` and `timestamp` share the clock of the stream, 8000 to the second here.
    ///
    /// Call it for new packets only; a packet with the timestamp of the one before (an event) tells nothing.
    pub fn observe_transit(&mut self, arrival: u32, timestamp: u32) {
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            // Wrapping: a clock that jumped far counts as far, not as a panic.
            let change = (transit.wrapping_sub(before) as i32).unsigned_abs();
            let decay = (self.jitter_16ths + 8) >> 4;
            self.jitter_16ths = self.jitter_16ths.saturating_add(change.min(1 << 24)) - decay;
        }
    }

    /// Forgets the last transit, so that a silence or a jump of the timestamp is not taken for jitter.
    pub fn pause_transit(&mut self) {
        self.transit = None;
    }

    /// Interarrival jitter in timestamp units.
    pub fn jitter(&self) -> u32 {
        self.jitter_16ths >> 4
    }

    /// Packets received, duplicates included, since the start or the last restart.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Packets that came more than once.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Packets that came after a later one.
    pub fn reordered(&self) -> u64 {
        self.reordered
    }

    /// Packets the numbers say were sent (A.3).
    pub fn expected(&self) -> u64 {
        if self.received == 0 {
            return 0;
        }
        u64::from(self.extended_highest().wrapping_sub(self.base)) + 1
    }

    /// Packets that never came; a duplicate does not make up for one, unlike in [`Reception::lost`].
    pub fn lost(&self) -> u64 {
        self.expected()
            .saturating_sub(self.received - self.duplicates)
    }

    /// Highest number received, with its wraps in the upper 16 bits.
    pub fn extended_highest(&self) -> u32 {
        self.cycles.wrapping_add(u32::from(self.highest))
    }

    /// What to report now (A.3), and begins the next interval. `None` before anything valid came.
    pub fn report(&mut self) -> Option<Reception> {
        if !self.is_valid() || self.received == 0 {
            return None;
        }
        let expected = self.expected();
        let expected_since = expected.saturating_sub(self.expected_before);
        let received_since = self.received.saturating_sub(self.received_before);
        self.expected_before = expected;
        self.received_before = self.received;
        let lost_since = expected_since.saturating_sub(received_since);
        let fraction = (lost_since * 256).checked_div(expected_since).unwrap_or(0);
        let lost = expected as i64 - self.received as i64;
        Some(Reception {
            ssrc: self.ssrc,
            fraction_lost: fraction.min(255) as u8,
            lost: lost.clamp(-0x80_0000, 0x7F_FFFF) as i32,
            highest: self.extended_highest(),
            jitter: self.jitter(),
        })
    }

    fn probe(&mut self, sequence: u16) -> Verdict {
        let in_order = self.received == 0 || sequence == self.highest.wrapping_add(1);
        if !in_order {
            // The probation begins again with this packet, whose number may be the first of the real source.
            self.probation = self.probation.max(MIN_SEQUENTIAL);
            self.received = 0;
        }
        self.highest = sequence;
        self.received += 1;
        self.probation -= 1;
        if self.probation > 0 {
            return Verdict::Probation;
        }
        self.restart(sequence);
        self.recent = 1;
        self.received = 1;
        Verdict::New
    }

    fn count_old(&mut self, behind: u16) -> Verdict {
        self.received += 1;
        let bit = 1u64.checked_shl(u32::from(behind)).unwrap_or(0);
        if self.recent & bit != 0 {
            self.duplicates += 1;
            return Verdict::Duplicate;
        }
        self.recent |= bit;
        if self.received > 1 {
            self.reordered += 1;
            Verdict::Reordered
        } else {
            // The first packet of a source trusted at once.
            Verdict::New
        }
    }

    fn restart(&mut self, sequence: u16) {
        self.base = u32::from(sequence);
        self.highest = sequence;
        self.cycles = 0;
        self.after_jump = None;
        self.recent = 0;
        self.received = 0;
        self.expected_before = 0;
        self.received_before = 0;
        self.duplicates = 0;
        self.reordered = 0;
        self.transit = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(first: u16) -> Source {
        let mut source = Source::new(1, first, 0);
        assert_eq!(source.update(first), Verdict::New);
        source
    }

    #[test]
    fn a_source_counts_after_two_packets_in_order() {
        let mut source = Source::new(1, 10, MIN_SEQUENTIAL);
        assert_eq!(source.update(10), Verdict::Probation);
        assert_eq!(source.report(), None);
        assert_eq!(source.update(12), Verdict::Probation);
        assert_eq!(source.update(99), Verdict::Probation);
        assert_eq!(source.update(100), Verdict::New);
        assert!(source.is_valid());
        assert_eq!((source.received(), source.expected()), (1, 1));
    }

    #[test]
    fn numbers_wrap_and_are_extended() {
        let mut source = trusted(65_534);
        for sequence in [65_535, 0, 1] {
            assert_eq!(source.update(sequence), Verdict::New);
        }
        assert_eq!(source.extended_highest(), 0x1_0001);
        assert_eq!((source.expected(), source.lost()), (4, 0));
    }

    #[test]
    fn lost_late_and_double_packets_are_told_apart() {
        let mut source = trusted(0);
        assert_eq!(source.update(3), Verdict::New);
        assert_eq!(source.lost(), 2);
        assert_eq!(source.update(2), Verdict::Reordered);
        assert_eq!(source.update(2), Verdict::Duplicate);
        assert_eq!(source.update(3), Verdict::Duplicate);
        assert_eq!(
            (source.lost(), source.duplicates(), source.reordered()),
            (1, 2, 1)
        );
        assert_eq!(source.update(200), Verdict::New);
        assert_eq!(source.update(199), Verdict::Reordered);
        assert_eq!(
            source.update(130),
            Verdict::Reordered,
            "older than is remembered"
        );
    }

    #[test]
    fn a_jump_is_believed_when_it_goes_on() {
        let mut source = trusted(0);
        assert_eq!(source.update(30_000), Verdict::Jumped);
        assert_eq!(source.update(1), Verdict::New, "the old numbers go on");
        assert_eq!(source.update(30_001), Verdict::Jumped);
        assert_eq!(source.update(30_002), Verdict::Restarted);
        assert_eq!((source.received(), source.expected()), (1, 1));
        assert_eq!(source.update(30_003), Verdict::New);
    }

    #[test]
    fn loss_is_reported_per_interval_and_in_all() {
        let mut source = trusted(0);
        for sequence in 1..100 {
            source.update(sequence);
        }
        assert_eq!(
            source
                .report()
                .map(|report| (report.fraction_lost, report.lost)),
            Some((0, 0))
        );
        for sequence in (100..200).filter(|sequence| sequence % 4 != 0) {
            source.update(sequence);
        }
        let report = source.report().expect("valid");
        assert_eq!(
            (report.fraction_lost, report.lost, report.highest),
            (64, 25, 199)
        );
        let report = source.report().expect("valid");
        assert_eq!(
            (report.fraction_lost, report.lost),
            (0, 25),
            "nothing expected, nothing lost"
        );
    }

    #[test]
    fn duplicates_make_the_reported_loss_negative() {
        let mut source = trusted(0);
        source.update(0);
        source.update(0);
        assert_eq!(
            source
                .report()
                .map(|report| (report.fraction_lost, report.lost)),
            Some((0, -2))
        );
        assert_eq!(source.lost(), 0);
    }

    #[test]
    fn a_steady_stream_has_no_jitter_and_a_shaky_one_has_its_own() {
        let mut source = trusted(0);
        for n in 0..200u32 {
            source.observe_transit(n * 160, n * 160 + 4_000_000_000);
        }
        assert_eq!(source.jitter(), 0);
        for n in 200..1_000u32 {
            source.observe_transit(n * 160 + (n % 2) * 80, n * 160);
        }
        assert!((75..=85).contains(&source.jitter()), "{}", source.jitter());
        source.pause_transit();
        source.observe_transit(0, 99_999);
        assert!((75..=85).contains(&source.jitter()), "a pause is no jitter");
    }

    #[test]
    fn absurd_clocks_do_not_overflow() {
        let mut source = trusted(0);
        for n in 0..1_000u32 {
            source.observe_transit(n.wrapping_mul(0x9E37_79B9), n.wrapping_mul(0x85EB_CA6B));
        }
        assert!(source.jitter() < 1 << 29);
    }
}
