//! How many calls one core carries: starts the engine pinned to one core and is, pinned to another, all the phones it speaks
//! to. Prints one line of JSON. Lateness is taken from the kernel's receive times, so that our own delays are not the engine's.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, IoSliceMut, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{sched_setaffinity, CpuSet};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::resource::{getrlimit, setrlimit, Resource};
use nix::sys::socket::{recvmsg, setsockopt, sockopt, ControlMessageOwned, MsgFlags};
use nix::sys::time::TimeValLike;
use nix::time::{clock_gettime, ClockId};
use nix::unistd::Pid;

use offhook_media::control::protocol::{
    Answer, Codec, Command, Direction, Event, Frames, Latch, PayloadMap, Remote, VERSION,
};
use offhook_media::disk::prepared::encode;
use offhook_media::rtp::packet::RtpPacket;
use offhook_media::worker::clock::monotonic_us;
use offhook_media::worker::wheel::Wheel;

type Failure = Box<dyn std::error::Error>;

const USAGE: &str = "\
usage: media_bench --engine PATH [--plays N] [--bridges N] [--seconds N] [--engine-core N] [--own-core N]";
const SOUND_S: usize = 10;
const WARM_S: u64 = 3;
const EVENTS_TYPE: u8 = 101;
/// Each phone of a bridge presses a key so often, in packets.
const KEY_EVERY: u64 = 250;
const HEADER: usize = 12;
const SENT_AT: usize = HEADER + 8;

struct Options {
    engine: PathBuf,
    plays: usize,
    bridges: usize,
    seconds: u64,
    engine_core: usize,
    own_core: usize,
}

struct Phone {
    socket: UdpSocket,
    to: SocketAddr,
    bridged: bool,
    packet: Vec<u8>,
    sequence: u16,
    timestamp: u32,
    sent: u64,
    first: Option<u16>,
    highest: u16,
    wraps: u64,
    received: u64,
    transits: Vec<i64>,
}

fn options() -> Result<Options, Failure> {
    let mut found = Options {
        engine: PathBuf::new(),
        plays: 0,
        bridges: 0,
        seconds: 20,
        engine_core: 0,
        own_core: 1,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match option.as_str() {
            "--engine" => found.engine = value.into(),
            "--plays" => found.plays = value.parse()?,
            "--bridges" => found.bridges = value.parse()?,
            "--seconds" => found.seconds = value.parse()?,
            "--engine-core" => found.engine_core = value.parse()?,
            "--own-core" => found.own_core = value.parse()?,
            _ => return Err(USAGE.into()),
        }
    }
    if found.engine.as_os_str().is_empty() || found.plays + found.bridges == 0 {
        return Err(USAGE.into());
    }
    Ok(found)
}

fn pin(core: usize) -> Result<(), Failure> {
    let mut cores = CpuSet::new();
    cores.set(core)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &cores)?)
}

fn wall_ns() -> i64 {
    clock_gettime(ClockId::CLOCK_REALTIME).map_or(0, |time| time.num_nanoseconds())
}

/// The engine, and what it said that nobody has asked for yet.
struct Engine {
    child: Child,
    stream: UnixStream,
    frames: Frames,
    events: Vec<Event>,
    last: u64,
}

impl Engine {
    fn start(options: &Options, directory: &std::path::Path) -> Result<Self, Failure> {
        let socket = directory.join("media.sock");
        // A child inherits where its parent may run.
        pin(options.engine_core)?;
        let mut child = Process::new(&options.engine)
            .args(["--socket".as_ref(), socket.as_os_str()])
            .args(["--threads", "1", "--ports", "20000-29999"])
            .stdout(Stdio::piped())
            .spawn()?;
        pin(options.own_core)?;
        let mut ready = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut ready)?;
        let stream = UnixStream::connect(&socket)?;
        let mut engine = Self {
            child,
            stream,
            frames: Frames::default(),
            events: Vec::new(),
            last: 0,
        };
        engine.say(&[Command::Hello {
            version: VERSION,
            generation: 1,
        }])?;
        Ok(engine)
    }

    fn say(&mut self, commands: &[Command]) -> Result<(), Failure> {
        let mut out = Vec::new();
        commands.iter().for_each(|command| command.encode(&mut out));
        Ok(self.stream.write_all(&out)?)
    }

    /// Reads for at most so long; acknowledges what came.
    fn hear(&mut self, within: Duration) -> Result<(), Failure> {
        self.stream.set_read_timeout(Some(within))?;
        let mut bytes = [0; 65_536];
        match self.stream.read(&mut bytes) {
            Ok(0) => return Err("the engine hung up".into()),
            Ok(count) => self.frames.feed(&bytes[..count]),
            Err(_) => return Ok(()),
        }
        while let Some(frame) = self.frames.next_frame().map_err(|_| "not understood")? {
            if let Answer::Event(number, event) =
                Answer::decode(frame).map_err(|_| "not understood")?
            {
                self.last = number;
                self.events.push(event);
            }
        }
        let last = self.last;
        self.say(&[Command::Ack { event: last }])
    }

    /// (seconds of processor time, KiB resident)
    fn usage(&self) -> Result<(f64, u64), Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .ok_or("no stat")?
            .split_whitespace()
            .collect();
        let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .ok_or("no VmRSS")?;
        Ok((
            ticks / 100.0,
            resident.trim().trim_end_matches(" kB").trim().parse()?,
        ))
    }
}

impl Phone {
    fn new(to: SocketAddr, bridged: bool, number: usize) -> Result<Self, Failure> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_nonblocking(true)?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        let mut packet = vec![0xD5; HEADER + 160];
        RtpPacket::plain(8, 0, 0, 0x5000_0000 + number as u32, &[0xD5; 160]).write(&mut packet)?;
        Ok(Self {
            socket,
            to,
            bridged,
            packet,
            sequence: number as u16,
            timestamp: number as u32,
            sent: 0,
            first: None,
            highest: 0,
            wraps: 0,
            received: 0,
            transits: Vec::new(),
        })
    }

    fn send(&mut self) {
        self.packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        self.packet[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        self.packet[HEADER..SENT_AT].copy_from_slice(&wall_ns().to_be_bytes());
        let _ = self.socket.send_to(&self.packet, self.to);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        self.sent += 1;
        if self.bridged && self.sent % KEY_EVERY == 100 {
            self.press();
        }
    }

    /// A key as it is sent when its end is all that arrives.
    fn press(&mut self) {
        let ssrc = u32::from_be_bytes([
            self.packet[8],
            self.packet[9],
            self.packet[10],
            self.packet[11],
        ]);
        let mut packet = [0; HEADER + 4];
        let payload = [5, 0x8A, 0x03, 0x20];
        if RtpPacket::plain(EVENTS_TYPE, self.sequence, self.timestamp, ssrc, &payload)
            .write(&mut packet)
            .is_ok()
        {
            let _ = self.socket.send_to(&packet, self.to);
            self.sequence = self.sequence.wrapping_add(1);
        }
    }

    fn receive(&mut self, buffer: &mut [u8], room: &mut [u8], measure: bool) {
        let mut slices = [IoSliceMut::new(buffer)];
        let Ok(message) = recvmsg::<()>(
            self.socket.as_raw_fd(),
            &mut slices,
            Some(room),
            MsgFlags::MSG_DONTWAIT,
        ) else {
            return;
        };
        let arrival = message.cmsgs().ok().and_then(|mut all| {
            all.find_map(|each| match each {
                ControlMessageOwned::ScmTimestampns(at) => Some(at.num_nanoseconds()),
                _ => None,
            })
        });
        let length = message.bytes;
        let (Some(arrival), Ok(packet)) = (arrival, RtpPacket::parse(&buffer[..length])) else {
            return;
        };
        if packet.payload_type == EVENTS_TYPE {
            self.highest = packet.sequence.max(self.highest);
            self.received += u64::from(self.first.is_some());
            return;
        }
        if !measure {
            self.first = None;
            self.received = 0;
            return;
        }
        if self.first.is_none() {
            self.first = Some(packet.sequence);
            self.highest = packet.sequence;
        } else if packet.sequence < self.highest && self.highest - packet.sequence > 30_000 {
            self.wraps += 1;
            self.highest = packet.sequence;
        } else {
            self.highest = self.highest.max(packet.sequence);
        }
        self.received += 1;
        let due = if self.bridged {
            let sent = packet
                .payload
                .get(..8)
                .and_then(|bytes| bytes.try_into().ok());
            sent.map_or(arrival, i64::from_be_bytes)
        } else {
            i64::from(packet.timestamp) * 125_000
        };
        self.transits.push(arrival - due);
    }

    fn expected(&self) -> u64 {
        self.first.map_or(0, |first| {
            self.wraps * 65_536 + u64::from(self.highest) + 1 - u64::from(first)
        })
    }

    /// Lateness in microseconds: beyond the promptest packet of its own stream where only our clock is known, or the whole
    /// way through the engine where the time of sending is.
    fn lateness(&self, all: &mut Vec<f64>) {
        let promptest = if self.bridged {
            0
        } else {
            self.transits.iter().copied().min().unwrap_or(0)
        };
        all.extend(
            self.transits
                .iter()
                .map(|&transit| (transit - promptest) as f64 / 1_000.0),
        );
    }
}

fn percentile(sorted: &[f64], share: f64) -> f64 {
    sorted
        .get(((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or(0.0)
}

fn remote(session: u32, phone: &Phone) -> Result<Command, Failure> {
    Ok(Command::SetRemote {
        remote: Box::new(Remote {
            session,
            remote: phone.socket.local_addr()?,
            remote_rtcp: Some("127.0.0.1:9".parse()?),
            send_codec: Codec::Pcma,
            send_payload_type: 8,
            receive: vec![PayloadMap {
                payload_type: 8,
                codec: Codec::Pcma,
            }],
            send_events: Some(EVENTS_TYPE),
            receive_events: Some(EVENTS_TYPE),
            ptime_ms: 20,
            direction: Direction::SendRecv,
            latch: Latch::Strict,
            rtcp_mux: false,
            inband_digits: false,
            send_silence: false,
            media_timeout_ms: 60_000,
        }),
    })
}

/// Opens every session; a phone for each.
fn connect(engine: &mut Engine, options: &Options, sound: &str) -> Result<Vec<Phone>, Failure> {
    let count = options.plays + 2 * options.bridges;
    let open = |n: usize| Command::OpenSession {
        session: n as u32 + 1,
        local: [127, 0, 0, 1].into(),
        near: 0,
        port: 0,
    };
    engine.say(&(0..count).map(open).collect::<Vec<_>>())?;
    let mut addresses = HashMap::new();
    let deadline = Instant::now() + Duration::from_secs(20);
    while addresses.len() < count {
        if Instant::now() > deadline {
            return Err("not all sessions were opened".into());
        }
        engine.hear(Duration::from_millis(100))?;
        for event in engine.events.drain(..) {
            match event {
                Event::SessionOpened { session, local, .. } => {
                    addresses.insert(session, local);
                }
                other => return Err(format!("{other:?}").into()),
            }
        }
    }
    let mut phones = Vec::new();
    let mut commands = Vec::new();
    for n in 0..count {
        let session = n as u32 + 1;
        let phone = Phone::new(addresses[&session], n >= options.plays, n)?;
        commands.push(remote(session, &phone)?);
        if n < options.plays {
            let files = vec![sound.to_owned()];
            commands.push(Command::Play {
                session,
                playback: session,
                files,
                repeat: 0,
                gap_ms: 0,
                start_ms: 0,
            });
        } else if (n - options.plays) % 2 == 1 {
            commands.push(Command::Bridge {
                a: session - 1,
                b: session,
            });
        }
        phones.push(phone);
    }
    for some in commands.chunks(50) {
        engine.say(some)?;
    }
    Ok(phones)
}

/// What a run of the phones found besides what they keep themselves.
struct Run {
    own_lateness_us: Vec<f64>,
    processor_s: f64,
    wall_s: f64,
}

fn run(engine: &mut Engine, phones: &mut [Phone], seconds: u64) -> Result<Run, Failure> {
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    let mut wheel = Wheel::new(monotonic_us());
    for (n, phone) in phones.iter().enumerate() {
        epoll.add(
            &phone.socket,
            EpollEvent::new(EpollFlags::EPOLLIN, n as u64),
        )?;
        wheel.add(n);
    }
    let mut ready = [EpollEvent::empty(); 256];
    let (mut buffer, mut room) = ([0; 1500], nix::cmsg_space!(nix::sys::time::TimeSpec));
    let start = Instant::now();
    let (warm, end) = (
        Duration::from_secs(WARM_S),
        Duration::from_secs(WARM_S + seconds),
    );
    let mut before = None;
    let mut own_lateness_us = Vec::new();
    let mut told = Instant::now();
    while start.elapsed() < end {
        let measure = start.elapsed() >= warm;
        if measure && before.is_none() {
            before = Some((engine.usage()?.0, Instant::now()));
        }
        while let Some(due) = wheel.due(monotonic_us()) {
            if measure {
                own_lateness_us.push(due.late_us as f64);
            }
            for &n in wheel.riders(due.slot) {
                phones[n].send();
            }
        }
        let count = epoll.wait(&mut ready, EpollTimeout::from(1u8))?;
        for event in &ready[..count] {
            phones[event.data() as usize].receive(&mut buffer, &mut room, measure);
        }
        if told.elapsed() > Duration::from_millis(500) {
            engine.hear(Duration::from_millis(1))?;
            told = Instant::now();
        }
    }
    let (processor_before, since) = before.ok_or("too short a run")?;
    Ok(Run {
        own_lateness_us,
        processor_s: engine.usage()?.0 - processor_before,
        wall_s: since.elapsed().as_secs_f64(),
    })
}

fn report(
    engine: &Engine,
    phones: &[Phone],
    mut run: Run,
    empty_kib: u64,
) -> Result<String, Failure> {
    let mut lateness = Vec::new();
    phones
        .iter()
        .for_each(|phone| phone.lateness(&mut lateness));
    lateness.sort_by(f64::total_cmp);
    run.own_lateness_us.sort_by(f64::total_cmp);
    let (received, expected): (u64, u64) = phones.iter().fold((0, 0), |sum, phone| {
        (sum.0 + phone.received, sum.1 + phone.expected())
    });
    let within = lateness.iter().filter(|&&late| late <= 5_000.0).count();
    let digits = engine
        .events
        .iter()
        .filter(|event| matches!(event, Event::Digit { .. }))
        .count();
    let late_ticks = engine
        .events
        .iter()
        .filter(|event| matches!(event, Event::TickLate { .. }))
        .count();
    let silent = phones.iter().filter(|phone| phone.received == 0).count();
    let kib = engine.usage()?.1.saturating_sub(empty_kib) as f64 / phones.len() as f64;
    Ok(format!(
        "{{\"sessions\": {}, \"packets\": {received}, \"loss_percent\": {:.4}, \"within_5ms_percent\": {:.4}, \
         \"late_us_p50\": {:.0}, \"late_us_p99\": {:.0}, \"late_us_p999\": {:.0}, \"late_us_max\": {:.0}, \
         \"engine_core_percent\": {:.1}, \"kib_per_session\": {kib:.1}, \"silent_phones\": {silent}, \
         \"digits_seen\": {digits}, \"late_reports\": {late_ticks}, \"own_timer_us_p99\": {:.0}, \"own_timer_us_p999\": {:.0}}}",
        phones.len(),
        100.0 * expected.saturating_sub(received) as f64 / expected.max(1) as f64,
        100.0 * within as f64 / lateness.len().max(1) as f64,
        percentile(&lateness, 0.5),
        percentile(&lateness, 0.99),
        percentile(&lateness, 0.999),
        lateness.last().copied().unwrap_or(0.0),
        100.0 * run.processor_s / run.wall_s,
        percentile(&run.own_lateness_us, 0.99),
        percentile(&run.own_lateness_us, 0.999),
    ))
}

fn main() -> Result<(), Failure> {
    let options = options()?;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    let directory =
        std::env::temp_dir().join(format!("offhook-media-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let sound = directory.join("sound.ohf");
    let samples: Vec<i16> = (0..8000 * SOUND_S)
        .map(|n| ((n * 7919) % 20_011) as i16 - 10_000)
        .collect();
    std::fs::write(&sound, encode(&samples))?;
    let mut engine = Engine::start(&options, &directory)?;
    let outcome = measure(&mut engine, &options, &sound.to_string_lossy());
    let _ = engine.say(&[Command::Shutdown {}]);
    engine.child.wait()?;
    std::fs::remove_dir_all(&directory)?;
    println!("{}", outcome?);
    Ok(())
}

fn measure(engine: &mut Engine, options: &Options, sound: &str) -> Result<String, Failure> {
    engine.hear(Duration::from_secs(2))?;
    let (_, empty_kib) = engine.usage()?;
    let mut phones = connect(engine, options, sound)?;
    let found = run(engine, &mut phones, options.seconds)?;
    engine.hear(Duration::from_millis(100))?;
    report(engine, &phones, found, empty_kib)
}
