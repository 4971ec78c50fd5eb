//! Bytes of the control protocol: `protocol.toml` says what they are, and the tests hold this file to it and to `golden.txt`.
//! Reading never panics: a frame is a message, or `Malformed`.

use std::net::{IpAddr, SocketAddr};

/// Both sides must name the same one in `Hello`.
pub const VERSION: u16 = 1;
/// Of a frame after its length.
pub const MAX_FRAME_BYTES: usize = 65_536;
/// Kinds from here on are events and carry a number.
pub const FIRST_EVENT_KIND: u8 = 16;

/// The bytes are not a message of this protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// A frame being read.
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(frame: &'a [u8]) -> Self {
        Self { rest: frame }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        if count > self.rest.len() {
            return Err(Malformed);
        }
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }
}

/// What can stand in a message.
pub trait Field: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed>;
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Field for $type {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
                Ok(<$type>::from_le_bytes(from.array()?))
            }
        }
    )*};
}
numbers!(u8, u16, u32, u64);

macro_rules! optional_numbers {
    ($($type:ty),*) => {$(
        impl Field for Option<$type> {
            fn put(&self, out: &mut Vec<u8>) {
                self.unwrap_or(<$type>::MAX).put(out);
            }
            fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
                Ok(Some(<$type>::get(from)?).filter(|&value| value != <$type>::MAX))
            }
        }
    )*};
}
optional_numbers!(u8, u16, u32);

impl Field for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        match u8::get(from)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }
}

/// A key of the telephone, or `'\0'` for a pause.
impl Field for char {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self as u8);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        match u8::get(from)? {
            0 => Ok('\0'),
            key if b"0123456789*#ABCD".contains(&key) => Ok(char::from(key)),
            _ => Err(Malformed),
        }
    }
}

impl Field for String {
    fn put(&self, out: &mut Vec<u8>) {
        // Whatever the engine says of itself fits; a longer text is cut rather than garbling the frame.
        let mut end = self.len().min(u16::MAX as usize / 2);
        while !self.is_char_boundary(end) {
            end -= 1;
        }
        (end as u16).put(out);
        out.extend_from_slice(&self.as_bytes()[..end]);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let length = u16::get(from)?;
        let bytes = from.take(usize::from(length))?;
        Ok(std::str::from_utf8(bytes)
            .map_err(|_| Malformed)?
            .to_owned())
    }
}

impl Field for IpAddr {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::V4(ip) => {
                out.push(4);
                out.extend_from_slice(&ip.octets());
            }
            Self::V6(ip) => {
                out.push(6);
                out.extend_from_slice(&ip.octets());
            }
        }
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        match u8::get(from)? {
            4 => Ok(Self::from(from.array::<4>()?)),
            6 => Ok(Self::from(from.array::<16>()?)),
            _ => Err(Malformed),
        }
    }
}

impl Field for SocketAddr {
    fn put(&self, out: &mut Vec<u8>) {
        self.ip().put(out);
        self.port().put(out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self::new(IpAddr::get(from)?, u16::get(from)?))
    }
}

impl Field for Option<SocketAddr> {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(address) => address.put(out),
        }
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        if from.rest.first() == Some(&0) {
            from.take(1)?;
            return Ok(None);
        }
        SocketAddr::get(from).map(Some)
    }
}

impl<T: Field> Field for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u16).put(out);
        self.iter().for_each(|each| each.put(out));
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let count = u16::get(from)?;
        (0..count).map(|_| T::get(from)).collect()
    }
}

macro_rules! enums {
    ($($(#[$doc:meta])* $name:ident { $($value:ident = $number:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($value = $number),* }

        impl Field for $name {
            fn put(&self, out: &mut Vec<u8>) {
                out.push(*self as u8);
            }
            fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
                match u8::get(from)? {
                    $($number => Ok(Self::$value),)*
                    _ => Err(Malformed),
                }
            }
        }
    )*};
}

enums! {
    /// Static payload types of RFC 3551.
    Codec { Pcmu = 0, Pcma = 8 }
    /// What we may do.
    Direction { Inactive = 0, SendOnly = 1, RecvOnly = 2, SendRecv = 3 }
    /// Where packets may come from.
    Latch { Strict = 0, Symmetric = 1 }
    PlaybackEnd { Finished = 0, Stopped = 1, Replaced = 2, Failed = 3, Closed = 4 }
    DigitSource { Event = 0, Inband = 1 }
    DigitsEnd { Sent = 0, Closed = 1 }
    RecordingKind { Party = 0, Both = 1 }
    RecordingEnd { Stopped = 0, Max = 1, Silence = 2, Closed = 3, Failed = 4 }
    OpenFailure { NoPorts = 0, Address = 1, Duplicate = 2, Busy = 3 }
    CloseCause { Asked = 0, Fault = 1 }
    RefusedWhy { Version = 0, Generation = 1 }
}

macro_rules! structs {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name { $(pub $field: $type),* }

        impl Field for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)*
            }
            fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
                Ok(Self { $($field: Field::get(from)?),* })
            }
        }
    )*};
}

structs! {
    /// A payload type the peer may send.
    PayloadMap { payload_type: u8, codec: Codec }
    /// A digit to send and the pause after it.
    DigitTone { digit: char, duration_ms: u16, pause_ms: u16 }
    /// Counts since a session was opened; `None` is unknown.
    SessionStatistics {
        packets_received: u64, bytes_received: u64, packets_sent: u64, bytes_sent: u64,
        lost: u32, late: u32, duplicate: u32, foreign: u32, rubbish: u32,
        jitter_us: Option<u32>, round_trip_us: Option<u32>, remote_lost: Option<u32>, mos_hundredths: Option<u16>,
        codec: Codec,
    }
    /// What `SetRemote` says.
    Remote {
        session: u32, remote: SocketAddr, remote_rtcp: Option<SocketAddr>, send_codec: Codec, send_payload_type: u8,
        receive: Vec<PayloadMap>, send_events: Option<u8>, receive_events: Option<u8>, ptime_ms: u8,
        direction: Direction, latch: Latch, rtcp_mux: bool, inband_digits: bool, send_silence: bool,
        media_timeout_ms: u32,
    }
}

macro_rules! messages {
    ($(#[$doc:meta])* $name:ident { $($kind:literal $message:ident { $($field:ident: $type:ty),* $(,)? })* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name { $($message { $($field: $type),* }),* }

        impl $name {
            /// Every kind there is.
            pub const KINDS: &'static [u8] = &[$($kind),*];

            pub fn kind(&self) -> u8 {
                match self { $(Self::$message { .. } => $kind),* }
            }

            #[allow(unused_variables)]
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$message { $($field),* } => { $($field.put(out);)* })*
                }
            }

            fn get(kind: u8, from: &mut Reader<'_>) -> Result<Self, Malformed> {
                let message = match kind {
                    $($kind => Self::$message { $($field: Field::get(from)?),* },)*
                    _ => return Err(Malformed),
                };
                if from.rest.is_empty() { Ok(message) } else { Err(Malformed) }
            }
        }
    };
}

messages! {
    /// What the control process says.
    Command {
        1 Hello { version: u16, generation: u64 }
        2 Ack { event: u64 }
        3 Shutdown {}
        4 OpenSession { session: u32, local: IpAddr, near: u32, port: u16 }
        5 SetRemote { remote: Box<Remote> }
        6 CloseSession { session: u32 }
        7 Play { session: u32, playback: u32, files: Vec<String>, repeat: u16, gap_ms: u32, start_ms: u32 }
        8 StopPlayback { session: u32, playback: u32 }
        9 SendDigits { session: u32, request: u32, digits: Vec<DigitTone> }
        10 WatchSilence { session: u32, silence_ms: u32 }
        11 StartRecording {
            recording: u32, session: u32, recorded: RecordingKind, path: String, max_ms: u32, silence_ms: u32,
        }
        12 StopRecording { recording: u32 }
        13 PauseRecording { recording: u32, paused: bool }
        14 Bridge { a: u32, b: u32 }
        15 Unbridge { a: u32, b: u32 }
        16 JoinMix { mix: u32, session: u32, muted: bool }
        17 LeaveMix { mix: u32, session: u32 }
        18 MuteInMix { mix: u32, session: u32, muted: bool }
        19 GetStatistics { session: u32 }
        20 Mute { session: u32, muted: bool }
        32 KeepSocket { name: String }
        33 FetchSockets {}
        34 DropSocket { name: String }
    }
}

messages! {
    /// What the engine answers at once and forgets.
    Reply {
        1 Welcome {
            version: u16, engine_pid: u32, engine_generation: u64, sessions: u32, highest_event: u64,
            waiting_events: u32, dropped_events: u64,
        }
        2 Refused { why: RefusedWhy, version: u16, generation: u64 }
        3 SessionAlive {
            session: u32, local: SocketAddr, rtcp_port: u16, remote: Option<SocketAddr>, direction: Direction,
            bridged_with: u32, mix: u32, playback: u32, recordings: Vec<u32>,
        }
        4 Sockets { names: Vec<String> }
    }
}

messages! {
    /// What the engine says until it is acknowledged.
    Event {
        16 SessionOpened { session: u32, local: SocketAddr, rtcp_port: u16 }
        17 SessionFailed { session: u32, why: OpenFailure, detail: String }
        18 SessionClosed { session: u32, cause: CloseCause, statistics: SessionStatistics }
        19 PlaybackEnded { session: u32, playback: u32, reason: PlaybackEnd, played_ms: u32, detail: String }
        20 Digit { session: u32, digit: char, duration_ms: u32, source: DigitSource, at_us: u64 }
        21 DigitsSent { session: u32, request: u32, reason: DigitsEnd }
        22 Silence { session: u32, silence_ms: u32 }
        23 RecordingEnded {
            recording: u32, session: u32, reason: RecordingEnd, duration_ms: u32, voiced_ms: u32, bytes: u64,
            detail: String,
        }
        24 MediaLost { session: u32, silent_ms: u32 }
        25 MediaBack { session: u32 }
        26 Statistics { session: u32, statistics: SessionStatistics }
        27 TickLate { worst_us: u32, late_ticks: u32 }
        28 CommandFailed { command: u8, id: u32, detail: String }
    }
}

impl Field for Box<Remote> {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_ref().put(out);
    }
    fn get(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        Remote::get(from).map(Box::new)
    }
}

fn frame(out: &mut Vec<u8>, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, kind]);
    body(out);
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

impl Command {
    /// Adds one whole frame to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        frame(out, self.kind(), |out| self.put(out));
    }

    /// A frame without its length.
    pub fn decode(frame: &[u8]) -> Result<Self, Malformed> {
        let (&kind, body) = frame.split_first().ok_or(Malformed)?;
        Self::get(kind, &mut Reader::new(body))
    }
}

impl Reply {
    /// Adds one whole frame to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        frame(out, self.kind(), |out| self.put(out));
    }
}

impl Event {
    /// Adds one whole frame to `out`.
    pub fn encode(&self, number: u64, out: &mut Vec<u8>) {
        frame(out, self.kind(), |out| {
            number.put(out);
            self.put(out);
        });
    }
}

/// Reads what the engine wrote: for load generators and tests.
pub enum Answer {
    Reply(Reply),
    Event(u64, Event),
}

impl Answer {
    /// A frame without its length.
    pub fn decode(frame: &[u8]) -> Result<Self, Malformed> {
        let (&kind, body) = frame.split_first().ok_or(Malformed)?;
        let mut reader = Reader::new(body);
        if kind < FIRST_EVENT_KIND {
            return Reply::get(kind, &mut reader).map(Self::Reply);
        }
        let number = u64::get(&mut reader)?;
        Event::get(kind, &mut reader).map(|event| Self::Event(number, event))
    }
}

/// Cuts a stream into frames.
#[derive(Default)]
pub struct Frames {
    waiting: Vec<u8>,
    read: usize,
}

impl Frames {
    /// Takes in bytes in whatever pieces they come.
    pub fn feed(&mut self, data: &[u8]) {
        self.waiting.drain(..self.read);
        self.read = 0;
        self.waiting.extend_from_slice(data);
    }

    /// The next whole frame, without its length; `None` until more bytes come.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, Malformed> {
        let rest = &self.waiting[self.read..];
        let Some(&[a, b, c, d]) = rest.get(..4) else {
            return Ok(None);
        };
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length == 0 || length > MAX_FRAME_BYTES {
            return Err(Malformed);
        }
        if rest.len() < 4 + length {
            return Ok(None);
        }
        let start = self.read + 4;
        self.read = start + length;
        Ok(Some(&self.waiting[start..start + length]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden() -> impl Iterator<Item = (&'static str, Vec<u8>, &'static str)> {
        include_str!("../../golden.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                let mut parts = line.splitn(3, ' ');
                let (side, hex, text) = (
                    parts.next().unwrap(),
                    parts.next().unwrap(),
                    parts.next().unwrap(),
                );
                let bytes = (0..hex.len())
                    .step_by(2)
                    .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
                (side, bytes.collect(), text)
            })
    }

    /// `SetRemote { remote: Remote { … } }` is flat on the wire and in the file.
    fn shown(debug: String) -> String {
        match debug.strip_prefix("SetRemote { remote: Remote { ") {
            Some(rest) => format!("SetRemote {{ {}", rest.strip_suffix(" }").unwrap()),
            None => debug,
        }
    }

    #[test]
    fn golden_bytes() {
        let mut kinds = [Vec::new(), Vec::new(), Vec::new()];
        for (side, bytes, text) in golden() {
            let mut frames = Frames::default();
            frames.feed(&bytes);
            let frame = frames.next_frame().unwrap().unwrap().to_vec();
            let mut again = Vec::new();
            if side == "control" {
                let command = Command::decode(&frame).unwrap();
                command.encode(&mut again);
                kinds[0].push(command.kind());
                assert_eq!(shown(format!("{command:?}")), text);
            } else {
                match Answer::decode(&frame).unwrap() {
                    Answer::Reply(reply) => {
                        reply.encode(&mut again);
                        kinds[1].push(reply.kind());
                        assert_eq!(format!("{reply:?}"), text);
                    }
                    Answer::Event(number, event) => {
                        event.encode(number, &mut again);
                        kinds[2].push(event.kind());
                        assert_eq!((number, format!("{event:?}").as_str()), (7, text));
                    }
                }
            }
            assert_eq!(again, bytes, "{text}");
        }
        for (found, all) in kinds
            .iter_mut()
            .zip([Command::KINDS, Reply::KINDS, Event::KINDS])
        {
            found.sort_unstable();
            found.dedup();
            assert_eq!(found, all, "golden.txt leaves a message out");
        }
    }

    #[test]
    fn the_schema_names_every_message_and_version() {
        let schema = include_str!("../../protocol.toml");
        assert!(schema.contains(&format!("\nversion = {VERSION}\n")));
        for (_, bytes, text) in golden() {
            let name = text.split(' ').next().unwrap();
            assert!(
                schema.contains(&format!("\n{name} = {{ kind = {},", bytes[4])),
                "{name}"
            );
        }
    }

    #[test]
    fn cut_or_changed_frames_are_refused_without_a_panic() {
        for (side, bytes, _) in golden() {
            for end in 4..bytes.len() {
                let cut = &bytes[4..end];
                assert!(if side == "control" {
                    Command::decode(cut).is_err()
                } else {
                    Answer::decode(cut).is_err()
                });
            }
            for at in 4..bytes.len() {
                for flip in [0x01, 0x80, 0xFF] {
                    let mut changed = bytes[4..].to_vec();
                    changed[at - 4] ^= flip;
                    let _ = (Command::decode(&changed), Answer::decode(&changed));
                }
            }
        }
    }

    #[test]
    fn a_stream_may_be_cut_anywhere() {
        let mut stream = Vec::new();
        (0..5).for_each(|event| Command::Ack { event }.encode(&mut stream));
        for size in 1..stream.len() {
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            for piece in stream.chunks(size) {
                frames.feed(piece);
                while let Some(frame) = frames.next_frame().unwrap() {
                    found.push(Command::decode(frame).unwrap());
                }
            }
            assert_eq!(
                found,
                (0..5)
                    .map(|event| Command::Ack { event })
                    .collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn impossible_lengths_are_refused() {
        for length in [0u32, MAX_FRAME_BYTES as u32 + 1] {
            let mut frames = Frames::default();
            frames.feed(&length.to_le_bytes());
            assert_eq!(frames.next_frame(), Err(Malformed));
        }
    }
}
