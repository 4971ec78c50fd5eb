//! From whom packets are taken: the rule that keeps foreign sound out of a call.
//!
//! Until it proved itself, a peer is where signalling said (RFC 4961 lets us expect it to send from where it
//! receives). Behind a NAT that address is wrong, so with `symmetric` the first sender of consistent RTP becomes the
//! peer. Once proved, only that address counts, until signalling names another or, from the same host, it falls silent.

use std::net::SocketAddr;

/// Packets in order from one address before it is believed.
pub const PROBATION_PACKETS: u32 = 3;

/// After so long without a packet from the peer, another port of its host may prove itself, in ms.
pub const SILENCE_BEFORE_MOVE_MS: u64 = 1_000;

/// Packets of a probation must follow each other within this time, in ms.
const PROBATION_GAP_MS: u64 = 500;

/// How many sequence numbers a packet of a probation may be ahead of the one before: a lost one is no disproof.
const PROBATION_MAX_STEP: u16 = 4;

/// What to do with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is the peer's: use it.
    Accept,
    /// It is the peer's, who with this packet proved to be here: use it, and send there from now on.
    AcceptAndSendTo(SocketAddr),
    /// It may become the peer's: do not use it yet.
    Undecided,
    /// It is foreign: it was counted and is to be dropped.
    Drop,
}

/// What of a packet the rule looks at.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Where it came from.
    pub from: SocketAddr,
    /// Its synchronisation source.
    pub ssrc: u32,
    /// Its sequence number.
    pub sequence: u16,
    /// Whether its payload type is one that was negotiated.
    pub known_payload: bool,
    /// When it came, in ms.
    pub now_ms: u64,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    from: SocketAddr,
    ssrc: u32,
    sequence: u16,
    last_ms: u64,
    packets: u32,
}

/// The rule for one session.
#[derive(Debug, Clone)]
pub struct Latch {
    signalled: Option<SocketAddr>,
    symmetric: bool,
    proved: Option<SocketAddr>,
    last_ms: u64,
    candidate: Option<Candidate>,
    dropped: u64,
}

impl Latch {
    /// A rule for a peer that signalling places at an address, or nowhere yet.
    ///
    /// With `symmetric` another address may prove to be the peer's; without, only the signalled one counts.
    pub fn new(signalled: Option<SocketAddr>, symmetric: bool) -> Self {
        Self {
            signalled,
            symmetric,
            proved: None,
            last_ms: 0,
            candidate: None,
            dropped: 0,
        }
    }

    /// Judges one packet that parsed as RTP.
    pub fn admit(&mut self, arrival: Arrival) -> Admission {
        if !arrival.known_payload {
            return self.refuse();
        }
        match self.proved {
            Some(proved) if proved == arrival.from => {
                self.last_ms = arrival.now_ms;
                self.candidate = None;
                Admission::Accept
            }
            Some(proved) if self.may_move(proved, arrival) => self.probe(arrival),
            Some(_) => self.refuse(),
            None if self.signalled == Some(arrival.from) => self.prove(arrival),
            None if self.symmetric => self.probe(arrival),
            None => self.refuse(),
        }
    }

    /// Judges an RTCP packet, which never proves anything: taken from the peer's host only.
    pub fn admits_rtcp(&mut self, from: SocketAddr) -> bool {
        let known = self.proved.or(self.signalled);
        let admitted = known.is_some_and(|peer| peer.ip() == from.ip());
        if !admitted {
            self.dropped += 1;
        }
        admitted
    }

    /// Signalling says where the peer is now (a re-INVITE, another early dialog). The same address again changes nothing.
    pub fn signal(&mut self, address: Option<SocketAddr>, symmetric: bool) {
        self.symmetric = symmetric;
        if self.signalled != address {
            self.signalled = address;
            self.proved = None;
            self.candidate = None;
        }
    }

    /// Where to send: to the proved address, else the signalled one.
    pub fn send_to(&self) -> Option<SocketAddr> {
        self.proved.or(self.signalled)
    }

    /// Whether the peer has proved where it is.
    pub fn is_proved(&self) -> bool {
        self.proved.is_some()
    }

    /// How many foreign packets were dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn may_move(&self, proved: SocketAddr, arrival: Arrival) -> bool {
        self.symmetric
            && proved.ip() == arrival.from.ip()
            && arrival.now_ms.saturating_sub(self.last_ms) >= SILENCE_BEFORE_MOVE_MS
    }

    /// One candidate at a time; one that stays consistent cannot be pushed out by another's packets in between.
    fn probe(&mut self, arrival: Arrival) -> Admission {
        let Some(candidate) = &mut self.candidate else {
            return self.begin_probation(arrival);
        };
        let in_time = arrival.now_ms.saturating_sub(candidate.last_ms) <= PROBATION_GAP_MS;
        if candidate.from != arrival.from {
            return if in_time {
                self.refuse()
            } else {
                self.begin_probation(arrival)
            };
        }
        let step = arrival.sequence.wrapping_sub(candidate.sequence);
        if !in_time || candidate.ssrc != arrival.ssrc || step == 0 || step > PROBATION_MAX_STEP {
            return self.begin_probation(arrival);
        }
        candidate.sequence = arrival.sequence;
        candidate.last_ms = arrival.now_ms;
        candidate.packets += 1;
        if candidate.packets < PROBATION_PACKETS {
            return Admission::Undecided;
        }
        self.prove(arrival)
    }

    fn begin_probation(&mut self, arrival: Arrival) -> Admission {
        self.candidate = Some(Candidate {
            from: arrival.from,
            ssrc: arrival.ssrc,
            sequence: arrival.sequence,
            last_ms: arrival.now_ms,
            packets: 1,
        });
        Admission::Undecided
    }

    fn prove(&mut self, arrival: Arrival) -> Admission {
        self.proved = Some(arrival.from);
        self.last_ms = arrival.now_ms;
        self.candidate = None;
        Admission::AcceptAndSendTo(arrival.from)
    }

    fn refuse(&mut self) -> Admission {
        self.dropped += 1;
        Admission::Drop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn packet(from: &str, sequence: u16, now_ms: u64) -> Arrival {
        Arrival {
            from: address(from),
            ssrc: 7,
            sequence,
            known_payload: true,
            now_ms,
        }
    }

    const PEER: &str = "192.0.2.1:4000";
    const NAT: &str = "198.51.100.9:61000";
    const MOVED: &str = "198.51.100.9:61002";
    const FOREIGN: &str = "203.0.113.66:5000";

    fn behind_nat() -> Latch {
        let mut latch = Latch::new(Some(address("10.0.0.5:4000")), true);
        assert_eq!(latch.admit(packet(NAT, 1, 0)), Admission::Undecided);
        assert_eq!(latch.admit(packet(NAT, 2, 20)), Admission::Undecided);
        assert_eq!(
            latch.admit(packet(NAT, 3, 40)),
            Admission::AcceptAndSendTo(address(NAT))
        );
        latch
    }

    #[test]
    fn the_signalled_address_proves_itself_at_once() {
        for symmetric in [false, true] {
            let mut latch = Latch::new(Some(address(PEER)), symmetric);
            assert_eq!(
                latch.admit(packet(PEER, 1, 0)),
                Admission::AcceptAndSendTo(address(PEER))
            );
            assert_eq!(latch.admit(packet(PEER, 2, 20)), Admission::Accept);
            assert_eq!(latch.admit(packet(FOREIGN, 3, 30)), Admission::Drop);
            assert_eq!((latch.dropped(), latch.is_proved()), (1, true));
        }
    }

    #[test]
    fn without_symmetry_nobody_else_ever_counts() {
        let mut latch = Latch::new(Some(address(PEER)), false);
        for n in 0..10 {
            assert_eq!(
                latch.admit(packet(FOREIGN, n, u64::from(n) * 20)),
                Admission::Drop
            );
        }
        assert_eq!(latch.send_to(), Some(address(PEER)));
        assert!(!latch.is_proved());
    }

    #[test]
    fn behind_a_nat_the_first_consistent_sender_is_the_peer() {
        let mut latch = behind_nat();
        assert_eq!(latch.send_to(), Some(address(NAT)));
        for n in 4..20 {
            assert_eq!(
                latch.admit(packet(FOREIGN, n, u64::from(n) * 20)),
                Admission::Drop
            );
            assert_eq!(
                latch.admit(packet(NAT, n, u64::from(n) * 20)),
                Admission::Accept
            );
        }
    }

    #[test]
    fn rubbish_proves_nothing() {
        let mut latch = Latch::new(None, true);
        for n in 0..10u16 {
            let spray = packet(FOREIGN, n.wrapping_mul(7_919), u64::from(n));
            assert_eq!(latch.admit(spray), Admission::Undecided);
        }
        for n in 0..10 {
            let spray = Arrival {
                ssrc: u32::from(n),
                ..packet(FOREIGN, n, 20)
            };
            assert_eq!(latch.admit(spray), Admission::Undecided);
        }
        let unknown = Arrival {
            known_payload: false,
            ..packet(FOREIGN, 1, 30)
        };
        assert_eq!(latch.admit(unknown), Admission::Drop);
        assert!(!latch.is_proved());
        assert_eq!(latch.send_to(), None);
    }

    #[test]
    fn the_signalled_address_wins_over_a_candidate() {
        let mut latch = Latch::new(Some(address(PEER)), true);
        latch.admit(packet(FOREIGN, 1, 0));
        latch.admit(packet(FOREIGN, 2, 20));
        assert_eq!(
            latch.admit(packet(PEER, 9, 30)),
            Admission::AcceptAndSendTo(address(PEER))
        );
        assert_eq!(latch.admit(packet(FOREIGN, 3, 40)), Admission::Drop);
    }

    #[test]
    fn one_candidate_at_a_time_until_it_falls_silent() {
        let mut latch = Latch::new(None, true);
        assert_eq!(latch.admit(packet(NAT, 1, 0)), Admission::Undecided);
        assert_eq!(latch.admit(packet(FOREIGN, 1, 10)), Admission::Drop);
        assert_eq!(latch.admit(packet(NAT, 2, 20)), Admission::Undecided);
        assert_eq!(latch.admit(packet(FOREIGN, 2, 600)), Admission::Undecided);
    }

    #[test]
    fn the_same_host_may_move_its_port_after_a_silence() {
        let mut latch = behind_nat();
        assert_eq!(
            latch.admit(packet(MOVED, 4, 100)),
            Admission::Drop,
            "too soon"
        );
        assert_eq!(
            latch.admit(packet(FOREIGN, 4, 5_000)),
            Admission::Drop,
            "another host never"
        );
        assert_eq!(latch.admit(packet(MOVED, 5, 5_000)), Admission::Undecided);
        assert_eq!(latch.admit(packet(MOVED, 6, 5_020)), Admission::Undecided);
        assert_eq!(
            latch.admit(packet(MOVED, 7, 5_040)),
            Admission::AcceptAndSendTo(address(MOVED))
        );
        assert_eq!(latch.admit(packet(NAT, 8, 5_060)), Admission::Drop);
    }

    #[test]
    fn signalling_moves_the_peer_and_repeating_itself_does_not() {
        let mut latch = behind_nat();
        latch.signal(Some(address("10.0.0.5:4000")), true);
        assert_eq!(latch.admit(packet(NAT, 4, 60)), Admission::Accept);
        latch.signal(Some(address(PEER)), true);
        assert_eq!(latch.send_to(), Some(address(PEER)));
        assert_eq!(
            latch.admit(packet(PEER, 1, 80)),
            Admission::AcceptAndSendTo(address(PEER))
        );
        assert_eq!(latch.admit(packet(NAT, 5, 100)), Admission::Drop);
    }

    #[test]
    fn rtcp_comes_from_the_peers_host_and_proves_nothing() {
        let mut latch = Latch::new(Some(address(PEER)), true);
        assert!(latch.admits_rtcp(address("192.0.2.1:4001")));
        assert!(!latch.admits_rtcp(address(FOREIGN)));
        assert!(!latch.is_proved());
        assert_eq!(latch.dropped(), 1);
        assert!(!Latch::new(None, true).admits_rtcp(address(FOREIGN)));
    }
}
