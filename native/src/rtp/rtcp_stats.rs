//! What one session reports and is told in RTCP (RFC 3550 section 6), and its figures: counts, jitter, round trip, quality.
//!
//! Two parties never need the scaled intervals of section 6.3: reports go out every 5 s, half of that the first time,
//! spread by chance as section 6.3.1 wants. A figure that was not measured is `None`, never a guess.

use super::quality::{estimate, Quality};
use super::rtcp::{
    write_bye, write_cname, write_report, Block, Compound, RtcpError, RtcpPacket, SenderInfo,
};
use super::source::Source;

/// The least interval between two reports, in ms (section 6.2).
pub const INTERVAL_MS: u64 = 5_000;

/// Makes up for the bias of the random spread (section 6.3.1: e - 3/2).
const COMPENSATION: f64 = 1.218_28;

/// Middle 32 bits of NTP count 65536ths of a second.
const UNITS_PER_S: u64 = 65_536;

/// A longer round trip than this is a report that says rubbish, in ms.
const MAX_ROUND_TRIP_MS: f32 = 30_000.0;

/// What the peer last said of what we send.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Remote {
    lost: i32,
    fraction_lost: u8,
    jitter: u32,
}

/// What of the peer's last sender report goes back to it.
#[derive(Debug, Clone, Copy)]
struct LastReport {
    ntp_middle: u32,
    at_ms: u64,
}

/// The figures of a session. `None` means: not measured.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Statistics {
    /// Packets sent.
    pub packets_sent: u64,
    /// Octets of payload sent.
    pub bytes_sent: u64,
    /// Packets received, duplicates included.
    pub packets_received: u64,
    /// Octets of payload received.
    pub bytes_received: u64,
    /// Packets that never came, in both lives of a source that restarted.
    pub lost: u64,
    /// Packets that came too late to be played.
    pub late: u64,
    /// Packets that came more than once.
    pub duplicates: u64,
    /// Jitter of what is received, in ms.
    pub jitter_ms: Option<f32>,
    /// Round trip, in ms, from the last report that tells it.
    pub round_trip_ms: Option<f32>,
    /// Packets the peer says it lost of what we sent; less than none with duplicates.
    pub remote_lost: Option<i32>,
    /// Jitter of what we sent as the peer sees it, in ms.
    pub remote_jitter_ms: Option<f32>,
    /// How the peer sounds here.
    pub received_quality: Option<Quality>,
    /// How we sound there, by what the peer reports.
    pub sent_quality: Option<Quality>,
}

/// The RTCP of one session and its counters.
#[derive(Debug, Clone)]
pub struct RtcpSession {
    ssrc: u32,
    cname: String,
    clock_rate: u32,
    packets_sent: u64,
    bytes_sent: u64,
    sent_at_report: u64,
    last_sent: Option<(u64, u32)>,
    bytes_received: u64,
    late: u64,
    playout_delay_ms: u32,
    source: Option<Source>,
    earlier: Earlier,
    remote: Option<Remote>,
    last_report: Option<LastReport>,
    round_trip_ms: Option<f32>,
    next_ms: u64,
    peer_left: bool,
}

/// Counts of sources that came before the present one.
#[derive(Debug, Clone, Copy, Default)]
struct Earlier {
    received: u64,
    lost: u64,
    duplicates: u64,
}

impl RtcpSession {
    /// A session that sends as `ssrc` under `cname`, on a clock of `clock_rate` (8000), beginning at `now_ms`.
    ///
    /// `chance` is even between 0 and 1 and spreads the first report.
    pub fn new(ssrc: u32, cname: &str, clock_rate: u32, now_ms: u64, chance: f64) -> Self {
        Self {
            ssrc,
            cname: cname.to_owned(),
            clock_rate: clock_rate.max(1_000),
            packets_sent: 0,
            bytes_sent: 0,
            sent_at_report: 0,
            last_sent: None,
            bytes_received: 0,
            late: 0,
            playout_delay_ms: 0,
            source: None,
            earlier: Earlier::default(),
            remote: None,
            last_report: None,
            round_trip_ms: None,
            next_ms: now_ms + interval(INTERVAL_MS / 2, chance),
            peer_left: false,
        }
    }

    /// Counts a packet sent: its octets of payload and its timestamp, which is the stream's clock at `now_ms`.
    pub fn sent(&mut self, payload_bytes: usize, timestamp: u32, now_ms: u64) {
        self.packets_sent += 1;
        self.bytes_sent += payload_bytes as u64;
        self.last_sent = Some((now_ms, timestamp));
    }

    /// Counts the octets of payload of a packet received; its number is told to [`source`](Self::source_mut).
    pub fn received(&mut self, payload_bytes: usize) {
        self.bytes_received += payload_bytes as u64;
    }

    /// Counts packets that came too late to be played, and notes the delay of the playout, in ms.
    pub fn played(&mut self, late: u64, playout_delay_ms: u32) {
        self.late = late;
        self.playout_delay_ms = playout_delay_ms;
    }

    /// The source received from; another one takes its place, and what was counted of the one before is kept.
    pub fn source_mut(&mut self, ssrc: u32, sequence: u16, probation: u32) -> &mut Source {
        if let Some(before) = self.source.as_ref().filter(|source| source.ssrc() != ssrc) {
            self.earlier.received += before.received();
            self.earlier.lost += before.lost();
            self.earlier.duplicates += before.duplicates();
            self.source = None;
            self.last_report = None;
        }
        self.source
            .get_or_insert_with(|| Source::new(ssrc, sequence, probation))
    }

    /// Takes in a datagram of RTCP. `ntp` is the wall clock as an NTP timestamp, `now_ms` the monotonic one.
    ///
    /// # Errors
    /// [`RtcpError`] if it is no compound; nothing is then changed.
    pub fn handle_rtcp(&mut self, datagram: &[u8], now_ms: u64, ntp: u64) -> Result<(), RtcpError> {
        for packet in Compound::parse(datagram)?.packets() {
            match packet {
                RtcpPacket::Report {
                    ssrc,
                    sender,
                    blocks,
                } => {
                    let ours = self
                        .source
                        .as_ref()
                        .map_or(true, |source| source.ssrc() == ssrc);
                    if let Some(sender) = sender.filter(|_| ours) {
                        let ntp_middle = middle(sender.ntp);
                        self.last_report = Some(LastReport {
                            ntp_middle,
                            at_ms: now_ms,
                        });
                    }
                    if let Some(block) = blocks.iter().find(|block| block.ssrc == self.ssrc) {
                        self.hear(&block, ntp);
                    }
                }
                RtcpPacket::Bye { sources } => {
                    let ssrc = self.source.as_ref().map(Source::ssrc);
                    self.peer_left |= sources
                        .chunks_exact(4)
                        .any(|octets| ssrc.is_some_and(|ssrc| octets == ssrc.to_be_bytes()));
                }
                RtcpPacket::Cname { .. } | RtcpPacket::Other(_) => {}
            }
        }
        Ok(())
    }

    /// When the next report is due.
    pub fn deadline_ms(&self) -> u64 {
        self.next_ms
    }

    /// The report that is due, if one is; to be sent to the peer's RTCP address.
    pub fn tick(&mut self, now_ms: u64, ntp: u64, chance: f64) -> Option<Vec<u8>> {
        if now_ms < self.next_ms {
            return None;
        }
        self.next_ms = now_ms + interval(INTERVAL_MS, chance);
        Some(self.report(now_ms, ntp))
    }

    /// The last words: a report and a BYE (section 6.3.7; two parties need no back-off).
    pub fn bye(&mut self, now_ms: u64, ntp: u64) -> Vec<u8> {
        let mut out = self.report(now_ms, ntp);
        write_bye(&mut out, self.ssrc);
        out
    }

    /// Whether the peer said that it leaves.
    pub fn peer_left(&self) -> bool {
        self.peer_left
    }

    /// The figures so far.
    pub fn statistics(&self) -> Statistics {
        let source = self
            .source
            .as_ref()
            .filter(|source| source.is_valid() && source.received() > 0);
        let ms = |units: u32| units as f32 * 1_000.0 / self.clock_rate as f32;
        let (received, lost, duplicates) = source.map_or((0, 0, 0), |source| {
            (source.received(), source.lost(), source.duplicates())
        });
        let mut statistics = Statistics {
            packets_sent: self.packets_sent,
            bytes_sent: self.bytes_sent,
            packets_received: self.earlier.received + received,
            bytes_received: self.bytes_received,
            lost: self.earlier.lost + lost,
            late: self.late,
            duplicates: self.earlier.duplicates + duplicates,
            jitter_ms: source.map(|source| ms(source.jitter())),
            round_trip_ms: self.round_trip_ms,
            remote_lost: self.remote.map(|remote| remote.lost),
            remote_jitter_ms: self.remote.map(|remote| ms(remote.jitter)),
            received_quality: None,
            sent_quality: None,
        };
        statistics.received_quality = self.received_quality(&statistics);
        statistics.sent_quality = self.sent_quality(&statistics);
        statistics
    }

    /// Without a round trip the delay on the way is unknown and only what we add ourselves is counted.
    fn received_quality(&self, statistics: &Statistics) -> Option<Quality> {
        let came = statistics.packets_received - statistics.duplicates;
        if came == 0 {
            return None;
        }
        let expected = (came + statistics.lost) as f32;
        let missing = (statistics.lost + statistics.late) as f32;
        Some(estimate(
            missing / expected,
            self.one_way_ms() + self.playout_delay_ms as f32,
        ))
    }

    /// Known only once the peer has reported on us. Its own playout is unseen; twice its jitter stands for it.
    fn sent_quality(&self, statistics: &Statistics) -> Option<Quality> {
        let lost = statistics.remote_lost?;
        let playout = 2.0 * statistics.remote_jitter_ms?;
        if self.packets_sent == 0 {
            return None;
        }
        let share = lost.max(0) as f32 / self.packets_sent as f32;
        Some(estimate(share, self.one_way_ms() + playout))
    }

    fn one_way_ms(&self) -> f32 {
        self.round_trip_ms.unwrap_or(0.0) / 2.0
    }

    /// Notes what the peer says of our packets, and the round trip (section 6.4.1).
    fn hear(&mut self, block: &Block, ntp: u64) {
        self.remote = Some(Remote {
            lost: block.lost,
            fraction_lost: block.fraction_lost,
            jitter: block.jitter,
        });
        if block.last_report == 0 {
            return;
        }
        let units = middle(ntp)
            .wrapping_sub(block.last_report)
            .wrapping_sub(block.since_last_report) as i32;
        let ms = units as f32 * 1_000.0 / UNITS_PER_S as f32;
        // Clocks that were set, and peers that count wrong, give times before now or absurdly long ago.
        if (0.0..=MAX_ROUND_TRIP_MS).contains(&ms) {
            self.round_trip_ms = Some(ms);
        }
    }

    /// Share of our packets the peer lost between its last two reports, 0 to 1.
    pub fn remote_recent_loss(&self) -> Option<f32> {
        self.remote
            .map(|remote| f32::from(remote.fraction_lost) / 256.0)
    }

    fn report(&mut self, now_ms: u64, ntp: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        let sender = self.sender_info(now_ms, ntp);
        let block = self.block(now_ms);
        write_report(&mut out, self.ssrc, sender.as_ref(), block.as_slice());
        write_cname(&mut out, self.ssrc, &self.cname);
        out
    }

    /// A sender report only from who has sent since the last report (section 6.4).
    fn sender_info(&mut self, now_ms: u64, ntp: u64) -> Option<SenderInfo> {
        let (at_ms, timestamp) = self.last_sent?;
        if self.sent_at_report == self.packets_sent {
            return None;
        }
        self.sent_at_report = self.packets_sent;
        let since = now_ms.saturating_sub(at_ms) * u64::from(self.clock_rate) / 1_000;
        Some(SenderInfo {
            ntp,
            rtp_timestamp: timestamp.wrapping_add(since as u32),
            packets: self.packets_sent as u32,
            octets: self.bytes_sent as u32,
        })
    }

    fn block(&mut self, now_ms: u64) -> Option<Block> {
        let reception = self.source.as_mut()?.report()?;
        let last = self.last_report;
        Some(Block {
            ssrc: reception.ssrc,
            fraction_lost: reception.fraction_lost,
            lost: reception.lost,
            highest: reception.highest,
            jitter: reception.jitter,
            last_report: last.map_or(0, |last| last.ntp_middle),
            since_last_report: last.map_or(0, |last| {
                (now_ms.saturating_sub(last.at_ms) * UNITS_PER_S / 1_000) as u32
            }),
        })
    }
}

/// Section 6.3.1: between half and one and a half of the interval, made shorter for the bias this brings.
fn interval(least_ms: u64, chance: f64) -> u64 {
    let spread = 0.5 + chance.clamp(0.0, 1.0);
    (least_ms as f64 * spread / COMPENSATION) as u64
}

/// The middle 32 bits of an NTP timestamp.
fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An NTP timestamp for a time in ms of the tests' own clock.
    fn ntp(ms: u64) -> u64 {
        (3_900_000_000u64 << 32) + (ms << 32) / 1_000
    }

    fn session(ssrc: u32) -> RtcpSession {
        RtcpSession::new(ssrc, "leg@offhook", 8_000, 0, 0.5)
    }

    fn receive(session: &mut RtcpSession, ssrc: u32, sequences: std::ops::Range<u16>) {
        for sequence in sequences {
            session.source_mut(ssrc, sequence, 0).update(sequence);
            session.received(160);
        }
    }

    #[test]
    fn nothing_measured_is_nothing_claimed() {
        let mut session = session(1);
        session.sent(160, 0, 0);
        let statistics = session.statistics();
        assert_eq!((statistics.packets_sent, statistics.bytes_sent), (1, 160));
        assert_eq!(statistics.jitter_ms, None);
        assert_eq!(statistics.round_trip_ms, None);
        assert_eq!(statistics.received_quality, None);
        assert_eq!(statistics.sent_quality, None);
        assert_eq!(session.remote_recent_loss(), None);
    }

    #[test]
    fn reports_come_at_their_times() {
        let mut session = session(1);
        let first = session.deadline_ms();
        assert!((1_000..=3_100).contains(&first), "{first}");
        assert_eq!(session.tick(first - 1, ntp(first - 1), 0.0), None);
        assert!(session.tick(first, ntp(first), 0.0).is_some());
        assert_eq!(session.deadline_ms(), first + 2_052);
        assert!(session.tick(first + 2_052, ntp(0), 1.0).is_some());
        assert_eq!(session.deadline_ms(), first + 2_052 + 6_156);
    }

    #[test]
    fn only_senders_send_sender_reports() {
        let mut session = session(1);
        receive(&mut session, 2, 0..10);
        let wire = session.tick(10_000, ntp(10_000), 0.5).expect("due");
        let compound = Compound::parse(&wire).expect("a compound");
        let Some(RtcpPacket::Report { sender, blocks, .. }) = compound.packets().next() else {
            panic!("no report");
        };
        assert_eq!(sender, None);
        assert_eq!(
            blocks
                .iter()
                .map(|block| (block.ssrc, block.highest))
                .next(),
            Some((2, 9))
        );
        session.sent(160, 1_000, 19_900);
        let wire = session.bye(20_000, ntp(20_000));
        let compound = Compound::parse(&wire).expect("a compound");
        let packets: Vec<_> = compound.packets().collect();
        let RtcpPacket::Report {
            sender: Some(sender),
            ..
        } = packets[0]
        else {
            panic!("no sender report");
        };
        assert_eq!(
            (sender.rtp_timestamp, sender.packets),
            (1_800, 1),
            "the clock went on for 100 ms"
        );
        assert_eq!(
            packets[2],
            RtcpPacket::Bye {
                sources: &[0, 0, 0, 1]
            }
        );
    }

    #[test]
    fn two_sessions_measure_their_round_trip_and_loss() {
        let (mut here, mut there) = (session(1), session(2));
        for n in 0..100u16 {
            here.sent(160, u32::from(n) * 160, u64::from(n) * 20);
        }
        receive(&mut there, 1, 0..50);
        receive(&mut there, 1, 60..100);
        // 40 ms each way, and 300 ms spent there.
        let asked = here.tick(10_000, ntp(10_000), 0.5).expect("due");
        there
            .handle_rtcp(&asked, 10_040, ntp(10_040))
            .expect("a compound");
        let answered = there.tick(10_340, ntp(10_340), 0.5).expect("due");
        here.handle_rtcp(&answered, 10_380, ntp(10_380))
            .expect("a compound");
        let statistics = here.statistics();
        let round_trip = statistics.round_trip_ms.expect("measured");
        assert!((round_trip - 80.0).abs() < 0.1, "{round_trip}");
        assert_eq!(statistics.remote_lost, Some(10));
        assert!(here
            .remote_recent_loss()
            .is_some_and(|share| (share - 0.1).abs() < 0.01));
        let quality = statistics.sent_quality.expect("the peer reported");
        assert!(quality.mos < 2.5, "10 % of loss is heard: {quality:?}");
        assert_eq!(statistics.received_quality, None, "nothing came");
        let there = there.statistics();
        assert_eq!(
            (there.packets_received, there.lost, there.bytes_received),
            (90, 10, 90 * 160)
        );
        assert!(there.received_quality.is_some());
    }

    #[test]
    fn late_packets_and_a_long_playout_lower_the_figure() {
        let mut session = session(1);
        receive(&mut session, 2, 0..1_000);
        let best = session.statistics().received_quality.expect("measured").mos;
        session.played(0, 300);
        let slow = session.statistics().received_quality.expect("measured").mos;
        session.played(30, 300);
        let late = session.statistics().received_quality.expect("measured").mos;
        assert!(best > slow && slow > late);
        assert_eq!(session.statistics().late, 30);
    }

    #[test]
    fn a_new_source_keeps_what_the_old_one_counted() {
        let mut session = session(1);
        receive(&mut session, 2, 0..10);
        receive(&mut session, 2, 12..20);
        receive(&mut session, 3, 500..510);
        let statistics = session.statistics();
        assert_eq!((statistics.packets_received, statistics.lost), (28, 2));
    }

    #[test]
    fn reports_on_others_and_absurd_times_are_not_believed() {
        let mut session = session(1);
        session.sent(160, 0, 0);
        let block = Block {
            ssrc: 1,
            fraction_lost: 0,
            lost: 0,
            highest: 1,
            jitter: 8,
            last_report: middle(ntp(20_000)),
            since_last_report: 0,
        };
        let mut wire = Vec::new();
        write_report(&mut wire, 9, None, &[Block { ssrc: 77, ..block }]);
        session
            .handle_rtcp(&wire, 10_000, ntp(10_000))
            .expect("a compound");
        assert_eq!(session.statistics().remote_lost, None);
        wire.clear();
        write_report(&mut wire, 9, None, &[block]);
        session
            .handle_rtcp(&wire, 10_000, ntp(10_000))
            .expect("a compound");
        assert_eq!(
            session.statistics().round_trip_ms,
            None,
            "a report from the future"
        );
        assert_eq!(session.statistics().remote_jitter_ms, Some(1.0));
        assert_eq!(session.handle_rtcp(&[1, 2, 3], 0, 0), Err(RtcpError::Short));
    }

    #[test]
    fn the_peer_may_say_goodbye() {
        let mut session = session(1);
        receive(&mut session, 2, 0..2);
        let mut wire = Vec::new();
        write_report(&mut wire, 2, None, &[]);
        write_bye(&mut wire, 5);
        session.handle_rtcp(&wire, 0, ntp(0)).expect("a compound");
        assert!(!session.peer_left(), "another source left");
        write_bye(&mut wire, 2);
        session.handle_rtcp(&wire, 0, ntp(0)).expect("a compound");
        assert!(session.peer_left());
    }
}
