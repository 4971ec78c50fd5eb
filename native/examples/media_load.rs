//! A generator of sound for the benchmarks: the far ends of many calls on one UDP socket, on one thread.
//!
//! `media_load played|bridged|mixed SECONDS`: prints its port, reads one `ip:port` of the engine a line until an empty one,
//! then sends 50 packets a second to each and listens, and prints one JSON object. In `bridged`, lines 2n and 2n+1 are the
//! two legs of a call, every packet carries the time at which it left, and keys are pressed (RFC 4733). In `mixed`, all
//! speak at once, and packets of silence are counted: nobody should hear any.
//! Times of arrival are the kernel's, so that this program's own lateness is nobody else's. It speaks to no engine by itself.

use std::collections::HashMap;
use std::io::{BufRead, IoSliceMut, Write};
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::socket::{
    recvmmsg, setsockopt, sockopt, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn,
};

const PACKET_US: u64 = 20_000;
const SLOTS: u64 = 20;
const SLOT_US: u64 = PACKET_US / SLOTS;
const BATCH: usize = 64;
const BUFFER_BYTES: usize = 4 << 20;
const SOUND: u8 = 8;
const EVENTS: u8 = 101;
const HEADER: usize = 12;
const SAMPLES: u32 = 160;
/// Sound flows so long before anything counts: streams are learned, buffers filled.
const WARM: Duration = Duration::from_secs(3);
/// What left before the end may arrive so much later and still counts as arrived.
const LINGER: Duration = Duration::from_millis(500);
/// A key every so many packets of each leg, held for so many, its end said three times (RFC 4733 section 2.5.1.4).
const KEY_EVERY: u64 = 500;
const KEY_PACKETS: u64 = 5;
const KEY_ENDS: u64 = 3;

fn wall_ns() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as i64)
}

/// What the engine does with what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Played,
    Bridged,
    Mixed,
}

/// The far end of one leg.
struct FarEnd {
    to: SocketAddr,
    sent: u64,
    sequence: u16,
    keys: u64,
    pressing: bool,
    /// The stream that comes: extended sequence number and time of arrival.
    highest: Option<u64>,
    arrivals: Vec<(u64, i64)>,
    /// Of passed packets: how long they took.
    passed_ns: Vec<i64>,
    events_heard: u64,
    /// Packets that began with silence.
    silent: u64,
}

impl FarEnd {
    fn new(to: SocketAddr) -> Self {
        Self {
            to,
            sent: 0,
            sequence: 0,
            keys: 0,
            pressing: false,
            highest: None,
            arrivals: Vec::new(),
            passed_ns: Vec::new(),
            events_heard: 0,
            silent: 0,
        }
    }

    fn packet(&mut self, id: u32, keys: bool, out: &mut [u8; HEADER + SAMPLES as usize]) -> usize {
        let turn = self.sent;
        self.sent += 1;
        self.sequence = self.sequence.wrapping_add(1);
        // Legs press at different times, and none in its first second.
        let at = (turn + u64::from(id) * 37) % KEY_EVERY;
        let pressing = keys && turn > 50 && at < KEY_PACKETS + KEY_ENDS - 1;
        let stamp = (turn as u32).wrapping_mul(SAMPLES);
        let began = stamp.wrapping_sub((at.min(turn) as u32).wrapping_mul(SAMPLES));
        out[0] = 0x80;
        out[1] = if pressing { EVENTS } else { SOUND };
        out[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        out[4..8].copy_from_slice(&(if pressing { began } else { stamp }).to_be_bytes());
        out[8..12].copy_from_slice(&(0x6000_0000 | id).to_be_bytes());
        if !pressing {
            self.pressing = false;
            out[12..20].copy_from_slice(&wall_ns().to_be_bytes());
            return out.len();
        }
        if !self.pressing {
            out[1] |= 0x80;
            self.keys += 1;
        }
        self.pressing = true;
        let ended = at >= KEY_PACKETS - 1;
        let held = (at.min(KEY_PACKETS - 1) as u16 + 1) * SAMPLES as u16;
        out[12] = (id % 12) as u8;
        out[13] = 10 | if ended { 0x80 } else { 0 };
        out[14..16].copy_from_slice(&held.to_be_bytes());
        16
    }

    fn hear(&mut self, packet: &[u8], at_ns: i64, counting: Option<i64>, bridged: bool) {
        if packet.len() < HEADER || packet[0] >> 6 != 2 {
            return;
        }
        if packet[1] & 0x7F == EVENTS {
            self.events_heard += 1;
        }
        let number = u64::from(u16::from_be_bytes([packet[2], packet[3]]));
        let extended = match self.highest {
            None => number + 0x1_0000,
            Some(highest) => {
                let step = (number as u16).wrapping_sub(highest as u16) as i16;
                highest.saturating_add_signed(i64::from(step))
            }
        };
        self.highest = Some(
            self.highest
                .map_or(extended, |highest| highest.max(extended)),
        );
        let Some(since_ns) = counting else { return };
        if packet[HEADER..].iter().all(|octet| octet & 0x7F == 0x55) {
            self.silent += 1;
        }
        if !bridged {
            self.arrivals.push((extended, at_ns));
        } else if packet[1] & 0x7F == SOUND && packet.len() >= 20 {
            let mut left = [0; 8];
            left.copy_from_slice(&packet[12..20]);
            let left_ns = i64::from_be_bytes(left);
            // What left before the count began is not of it; nor is silence that the engine made itself.
            if left_ns >= since_ns && left_ns <= at_ns {
                self.passed_ns.push(at_ns - left_ns);
            }
        }
    }

    /// Packets that should have come, and how late each was that did, in nanoseconds after its time: the steady beat that
    /// nothing came before.
    fn lateness(&self) -> (u64, Vec<i64>) {
        let beat = PACKET_US as i64 * 1_000;
        let times = self
            .arrivals
            .iter()
            .map(|&(number, at)| at - number as i64 * beat);
        let Some(first) = times.clone().min() else {
            return (0, Vec::new());
        };
        let lowest = self.arrivals.iter().map(|each| each.0).min().unwrap_or(0);
        let highest = self.arrivals.iter().map(|each| each.0).max().unwrap_or(0);
        (
            highest - lowest + 1,
            times.map(|time| time - first).collect(),
        )
    }
}

fn quantile_ms(sorted: &[i64], share: f64) -> f64 {
    if sorted.is_empty() {
        return -1.0;
    }
    let place = ((share * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len());
    sorted[place - 1] as f64 / 1e6
}

fn spread(mut ns: Vec<i64>) -> String {
    ns.sort_unstable();
    let [median, p99, p999, most] = [0.5, 0.99, 0.999, 1.0].map(|share| quantile_ms(&ns, share));
    let within = ns.partition_point(|&each| each <= 5_000_000) as f64 / ns.len().max(1) as f64;
    format!(
        r#"{{"count":{},"median":{median:.3},"p99":{p99:.3},"p999":{p999:.3},"most":{most:.3},"within_5_ms":{within:.6}}}"#,
        ns.len()
    )
}

struct Load {
    socket: UdpSocket,
    ends: Vec<FarEnd>,
    by_address: HashMap<SocketAddr, usize>,
    kind: Kind,
    own_late_ns: Vec<i64>,
    /// Sound that left while counting.
    left: u64,
}

impl Load {
    /// Takes everything that waits.
    fn receive(
        &mut self,
        headers: &mut MultiHeaders<SockaddrIn>,
        room: &mut [[u8; 256]],
        counting: Option<i64>,
    ) {
        loop {
            let mut slices: Vec<[IoSliceMut; 1]> = room
                .iter_mut()
                .map(|each| [IoSliceMut::new(each)])
                .collect();
            let fd = self.socket.as_raw_fd();
            let Ok(messages) =
                recvmmsg(fd, headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)
            else {
                return;
            };
            let mut heard = Vec::with_capacity(BATCH);
            for message in messages {
                let at_ns = message.cmsgs().ok().and_then(|mut all| {
                    all.find_map(|each| match each {
                        ControlMessageOwned::ScmTimestampns(time) => {
                            Some(time.tv_sec() * 1_000_000_000 + time.tv_nsec())
                        }
                        _ => None,
                    })
                });
                let from = message
                    .address
                    .map(|from| SocketAddr::V4(SocketAddrV4::new(from.ip(), from.port())));
                heard.push((from, at_ns.unwrap_or_else(wall_ns), message.bytes));
            }
            let count = heard.len();
            for (place, (from, at_ns, bytes)) in heard.into_iter().enumerate() {
                if let Some(&index) = from.and_then(|from| self.by_address.get(&from)) {
                    self.ends[index].hear(
                        &room[place][..bytes.min(256)],
                        at_ns,
                        counting,
                        self.kind == Kind::Bridged,
                    );
                }
            }
            if count < BATCH {
                return;
            }
        }
    }

    fn send(&mut self, slot: u64, counting: bool) {
        // A-law: silence, or for a mix a wave that can be told from it.
        let mut out = [0x55; HEADER + SAMPLES as usize];
        if self.kind == Kind::Mixed {
            for (n, octet) in out.iter_mut().enumerate() {
                *octet = if n % 16 < 8 { 0xA5 } else { 0x25 };
            }
        }
        for index in (slot as usize..self.ends.len()).step_by(SLOTS as usize) {
            let end = &mut self.ends[index];
            let length = end.packet(index as u32, self.kind == Kind::Bridged, &mut out);
            let _ = self.socket.send_to(&out[..length], end.to);
            if counting && length > 16 {
                self.left += 1;
            }
        }
    }

    fn run(&mut self, seconds: u64) {
        let mut headers =
            MultiHeaders::preallocate(BATCH, Some(nix::cmsg_space!(nix::sys::time::TimeSpec)));
        let mut room = vec![[0u8; 256]; BATCH];
        let began = Instant::now();
        let (from, until) = (WARM, WARM + Duration::from_secs(seconds));
        let mut since_ns = None;
        for slot in 0.. {
            let due = Duration::from_micros(slot * SLOT_US);
            let wait = due.saturating_sub(began.elapsed());
            if !wait.is_zero() {
                std::thread::sleep(wait);
            }
            if due >= until {
                break;
            }
            if since_ns.is_none() && due >= from {
                since_ns = Some(wall_ns());
            }
            if since_ns.is_some() {
                self.own_late_ns
                    .push((began.elapsed().saturating_sub(due)).as_nanos() as i64);
            }
            self.send(slot % SLOTS, since_ns.is_some());
            self.receive(&mut headers, &mut room, since_ns);
        }
        // In `played` and `mixed`, the engine goes on and so does the count; in `bridged`, what is under way may still arrive.
        let stop = Instant::now()
            + if self.kind == Kind::Bridged {
                LINGER
            } else {
                Duration::ZERO
            };
        while Instant::now() < stop {
            std::thread::sleep(Duration::from_millis(5));
            self.receive(&mut headers, &mut room, since_ns);
        }
    }

    fn report(&self) -> String {
        let (mut wanted, mut late) = (0, Vec::new());
        for end in &self.ends {
            if self.kind == Kind::Bridged {
                late.extend_from_slice(&end.passed_ns);
            } else {
                let (expected, each) = end.lateness();
                wanted += expected;
                late.extend(each);
            }
        }
        if self.kind == Kind::Bridged {
            wanted = self.left;
        }
        let silent = self.ends.iter().filter(|end| end.highest.is_none()).count();
        let sum = |of: fn(&FarEnd) -> u64| self.ends.iter().map(of).sum::<u64>();
        format!(
            r#"{{"wanted":{wanted},"came":{},"silent":{silent},"sent":{},"keys":{},"event_packets":{},"silent_packets":{},"late_ms":{},"own_late_ms":{}}}"#,
            late.len(),
            sum(|end| end.sent),
            sum(|end| end.keys),
            sum(|end| end.events_heard),
            sum(|end| end.silent),
            spread(late),
            spread(self.own_late_ns.clone()),
        )
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let kind = match arguments.next().as_deref() {
        Some("played") => Kind::Played,
        Some("bridged") => Kind::Bridged,
        Some("mixed") => Kind::Mixed,
        _ => return Err("usage: media_load played|bridged|mixed SECONDS".into()),
    };
    let seconds = arguments.next().ok_or("how many seconds?")?.parse()?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    setsockopt(&socket, sockopt::RcvBuf, &BUFFER_BYTES)?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    println!("{}", socket.local_addr()?.port());
    std::io::stdout().flush()?;
    let mut ends = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        ends.push(FarEnd::new(line.parse()?));
    }
    let by_address = ends
        .iter()
        .enumerate()
        .map(|(index, end)| (end.to, index))
        .collect();
    let mut load = Load {
        socket,
        ends,
        by_address,
        kind,
        own_late_ns: Vec::new(),
        left: 0,
    };
    load.run(seconds);
    println!("{}", load.report());
    Ok(())
}

fn main() {
    if let Err(why) = run() {
        eprintln!("media_load: {why}");
        std::process::exit(2);
    }
}
