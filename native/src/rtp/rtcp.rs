//! RTCP (RFC 3550 section 6): compound packets read and written. Reports, CNAME and BYE are understood, the rest skipped.
//!
//! A compound is checked whole (appendix A.2) before any of it is believed; reading it allocates nothing.

/// Reception blocks in one report at most (the count has 5 bits).
pub const MAX_BLOCKS: usize = 31;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;

const BLOCK_BYTES: usize = 24;
const SENDER_INFO_BYTES: usize = 20;
const CNAME: u8 = 1;

/// Why octets are not an RTCP compound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtcpError {
    /// A packet is shorter than it says, or than its kind must be.
    Short,
    /// A packet's version is not 2.
    Version,
    /// The first packet is no report (section 6.1).
    NotAReport,
    /// Padding before the last packet, or more than there is.
    Padding,
}

impl std::fmt::Display for RtcpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            RtcpError::Short => "shorter than it says",
            RtcpError::Version => "not version 2",
            RtcpError::NotAReport => "does not begin with a report",
            RtcpError::Padding => "padding does not fit",
        })
    }
}

impl std::error::Error for RtcpError {}

/// What a sender says of itself (section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// When, as an NTP timestamp: seconds since 1900 in 32.32 bits.
    pub ntp: u64,
    /// The same moment on the stream's own clock.
    pub rtp_timestamp: u32,
    /// Packets sent since the start.
    pub packets: u32,
    /// Octets of payload sent since the start.
    pub octets: u32,
}

/// What a receiver says of one source (section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The source reported on.
    pub ssrc: u32,
    /// Share lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost since the start, -0x80_0000 to 0x7F_FFFF.
    pub lost: i32,
    /// Highest sequence number received, with its wraps.
    pub highest: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// Middle 32 bits of the NTP timestamp of the last sender report received; 0 for none.
    pub last_report: u32,
    /// Time since that report in 65536ths of a second.
    pub since_last_report: u32,
}

/// The blocks of one report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks<'a>(&'a [u8]);

impl Blocks<'_> {
    /// The blocks in order.
    pub fn iter(&self) -> impl Iterator<Item = Block> + '_ {
        self.0.chunks_exact(BLOCK_BYTES).map(|octets| Block {
            ssrc: u32_at(octets, 0),
            fraction_lost: octets[4],
            // 24 bits, signed: lifted to the top and brought down again with their sign.
            lost: (u32_at(octets, 4) << 8) as i32 >> 8,
            highest: u32_at(octets, 8),
            jitter: u32_at(octets, 12),
            last_report: u32_at(octets, 16),
            since_last_report: u32_at(octets, 20),
        })
    }
}

/// One packet of a compound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtcpPacket<'a> {
    /// A sender report, or a receiver report without `sender`.
    Report {
        /// Who reports.
        ssrc: u32,
        /// What it says of its own sending.
        sender: Option<SenderInfo>,
        /// What it says of what it receives.
        blocks: Blocks<'a>,
    },
    /// The canonical name of a source (section 6.5.1): the first chunk of a description, if it has one.
    Cname {
        /// The source.
        ssrc: u32,
        /// Its name, as octets that should be UTF-8.
        name: &'a [u8],
    },
    /// Sources that leave (section 6.6), four octets each.
    Bye {
        /// The sources.
        sources: &'a [u8],
    },
    /// Another kind, by its packet type.
    Other(u8),
}

/// A compound that has been checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compound<'a>(&'a [u8]);

impl<'a> Compound<'a> {
    /// Checks a datagram.
    ///
    /// # Errors
    /// [`RtcpError`] with the reason; nothing of a broken compound is used.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtcpError> {
        let mut rest = datagram;
        let mut first = true;
        while first || !rest.is_empty() {
            let (packet, after) = cut(rest)?;
            if first && !matches!(packet[1], SENDER_REPORT | RECEIVER_REPORT) {
                return Err(RtcpError::NotAReport);
            }
            if packet[0] & 0x20 != 0 && !after.is_empty() {
                return Err(RtcpError::Padding);
            }
            read(packet)?;
            first = false;
            rest = after;
        }
        Ok(Self(datagram))
    }

    /// The packets in order.
    pub fn packets(&self) -> impl Iterator<Item = RtcpPacket<'a>> + 'a {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (packet, after) = cut(rest).ok()?;
            rest = after;
            read(packet).ok()
        })
    }
}

/// Appends a report: a sender report if there is something to say of one's own sending (section 6.4).
///
/// Blocks beyond [`MAX_BLOCKS`] are left out.
pub fn write_report(out: &mut Vec<u8>, ssrc: u32, sender: Option<&SenderInfo>, blocks: &[Block]) {
    let blocks = &blocks[..blocks.len().min(MAX_BLOCKS)];
    let kind = if sender.is_some() {
        SENDER_REPORT
    } else {
        RECEIVER_REPORT
    };
    write_packet(out, blocks.len() as u8, kind, |out| {
        out.extend(ssrc.to_be_bytes());
        if let Some(sender) = sender {
            out.extend(sender.ntp.to_be_bytes());
            out.extend(sender.rtp_timestamp.to_be_bytes());
            out.extend(sender.packets.to_be_bytes());
            out.extend(sender.octets.to_be_bytes());
        }
        for block in blocks {
            out.extend(block.ssrc.to_be_bytes());
            let lost = block.lost.clamp(-0x80_0000, 0x7F_FFFF) as u32 & 0x00FF_FFFF;
            out.extend((u32::from(block.fraction_lost) << 24 | lost).to_be_bytes());
            out.extend(block.highest.to_be_bytes());
            out.extend(block.jitter.to_be_bytes());
            out.extend(block.last_report.to_be_bytes());
            out.extend(block.since_last_report.to_be_bytes());
        }
    });
}

/// Appends a source description with a canonical name (section 6.5.1), cut to the 255 octets it can have.
pub fn write_cname(out: &mut Vec<u8>, ssrc: u32, name: &str) {
    let name = &name.as_bytes()[..name.len().min(255)];
    write_packet(out, 1, SOURCE_DESCRIPTION, |out| {
        let chunk = out.len();
        out.extend(ssrc.to_be_bytes());
        out.push(CNAME);
        out.push(name.len() as u8);
        out.extend(name);
        // A chunk ends with at least one null octet and on a word.
        let ragged = (out.len() - chunk) % 4;
        out.resize(out.len() + 4 - ragged, 0);
    });
}

/// Appends a BYE for one source, without a reason (section 6.6).
pub fn write_bye(out: &mut Vec<u8>, ssrc: u32) {
    write_packet(out, 1, BYE, |out| out.extend(ssrc.to_be_bytes()));
}

fn write_packet(out: &mut Vec<u8>, count: u8, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0x80 | count, kind, 0, 0]);
    body(out);
    let words = ((out.len() - start) / 4 - 1) as u16;
    out[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
}

/// Cuts the first packet off a compound, by its length field.
fn cut(octets: &[u8]) -> Result<(&[u8], &[u8]), RtcpError> {
    if octets.len() < 4 {
        return Err(RtcpError::Short);
    }
    if octets[0] >> 6 != 2 {
        return Err(RtcpError::Version);
    }
    let length = (usize::from(u16::from_be_bytes([octets[2], octets[3]])) + 1) * 4;
    if octets.len() < length {
        return Err(RtcpError::Short);
    }
    Ok(octets.split_at(length))
}

/// Reads one packet that was cut to its length.
fn read(packet: &[u8]) -> Result<RtcpPacket<'_>, RtcpError> {
    let count = usize::from(packet[0] & 0x1F);
    let body = without_padding(packet)?;
    match packet[1] {
        SENDER_REPORT => {
            let info = body.get(4..4 + SENDER_INFO_BYTES).ok_or(RtcpError::Short)?;
            let sender = SenderInfo {
                ntp: u64::from(u32_at(info, 0)) << 32 | u64::from(u32_at(info, 4)),
                rtp_timestamp: u32_at(info, 8),
                packets: u32_at(info, 12),
                octets: u32_at(info, 16),
            };
            read_report(body, 4 + SENDER_INFO_BYTES, count, Some(sender))
        }
        RECEIVER_REPORT => read_report(body, 4, count, None),
        SOURCE_DESCRIPTION if count > 0 => read_cname(body),
        BYE => {
            let sources = body.get(..count * 4).ok_or(RtcpError::Short)?;
            Ok(RtcpPacket::Bye { sources })
        }
        kind => Ok(RtcpPacket::Other(kind)),
    }
}

fn without_padding(packet: &[u8]) -> Result<&[u8], RtcpError> {
    let body = &packet[4..];
    if packet[0] & 0x20 == 0 {
        return Ok(body);
    }
    let padding = usize::from(*body.last().ok_or(RtcpError::Padding)?);
    if padding == 0 || padding > body.len() {
        return Err(RtcpError::Padding);
    }
    Ok(&body[..body.len() - padding])
}

fn read_report(
    body: &[u8],
    at: usize,
    count: usize,
    sender: Option<SenderInfo>,
) -> Result<RtcpPacket<'_>, RtcpError> {
    // What follows the blocks is a profile's business (section 6.4.3).
    let blocks = body
        .get(at..at + count * BLOCK_BYTES)
        .ok_or(RtcpError::Short)?;
    Ok(RtcpPacket::Report {
        ssrc: u32_at(body, 0),
        sender,
        blocks: Blocks(blocks),
    })
}

/// Looks for the canonical name among the items of the first chunk (section 6.5).
fn read_cname(body: &[u8]) -> Result<RtcpPacket<'_>, RtcpError> {
    let mut items = body.get(4..).ok_or(RtcpError::Short)?;
    let ssrc = u32_at(body, 0);
    loop {
        let (&kind, rest) = items.split_first().ok_or(RtcpError::Short)?;
        if kind == 0 {
            return Ok(RtcpPacket::Other(SOURCE_DESCRIPTION));
        }
        let (&length, rest) = rest.split_first().ok_or(RtcpError::Short)?;
        let text = rest.get(..usize::from(length)).ok_or(RtcpError::Short)?;
        if kind == CNAME {
            return Ok(RtcpPacket::Cname { ssrc, name: text });
        }
        items = &rest[usize::from(length)..];
    }
}

/// Four octets at a place the caller has checked to be there.
fn u32_at(octets: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(ssrc: u32) -> Block {
        Block {
            ssrc,
            fraction_lost: 12,
            lost: -3,
            highest: 0x0001_0203,
            jitter: 44,
            last_report: 0xAABB_CCDD,
            since_last_report: 65_536,
        }
    }

    const SENDER: SenderInfo = SenderInfo {
        ntp: 0x0102_0304_0506_0708,
        rtp_timestamp: 9,
        packets: 10,
        octets: 1_600,
    };

    fn compound() -> Vec<u8> {
        let mut wire = Vec::new();
        write_report(&mut wire, 7, Some(&SENDER), &[block(1), block(2)]);
        write_cname(&mut wire, 7, "leg@offhook");
        write_bye(&mut wire, 7);
        wire
    }

    #[test]
    fn what_is_written_is_read() {
        let wire = compound();
        let packets: Vec<_> = Compound::parse(&wire)
            .expect("a compound")
            .packets()
            .collect();
        let RtcpPacket::Report {
            ssrc,
            sender,
            blocks,
        } = packets[0]
        else {
            panic!("{packets:?}");
        };
        assert_eq!((ssrc, sender), (7, Some(SENDER)));
        assert_eq!(blocks.iter().collect::<Vec<_>>(), [block(1), block(2)]);
        assert_eq!(
            packets[1],
            RtcpPacket::Cname {
                ssrc: 7,
                name: b"leg@offhook"
            }
        );
        assert_eq!(
            packets[2],
            RtcpPacket::Bye {
                sources: &[0, 0, 0, 7]
            }
        );
        assert_eq!(packets.len(), 3);
    }

    #[test]
    fn receiver_reports_and_names_of_every_length() {
        for length in 0..300 {
            let mut wire = Vec::new();
            write_report(&mut wire, 7, None, &[]);
            let name = "x".repeat(length);
            write_cname(&mut wire, 7, &name);
            assert_eq!(wire.len() % 4, 0);
            let compound = Compound::parse(&wire).expect("a compound");
            let expected = &name.as_bytes()[..length.min(255)];
            assert!(compound.packets().any(|packet| packet
                == RtcpPacket::Cname {
                    ssrc: 7,
                    name: expected
                }));
        }
    }

    #[test]
    fn losses_keep_their_sign_and_stay_within_24_bits() {
        for (lost, told) in [
            (-1, -1),
            (5, 5),
            (i32::MAX, 0x7F_FFFF),
            (i32::MIN, -0x80_0000),
        ] {
            let mut wire = Vec::new();
            write_report(&mut wire, 7, None, &[Block { lost, ..block(1) }]);
            let compound = Compound::parse(&wire).expect("a compound");
            let Some(RtcpPacket::Report { blocks, .. }) = compound.packets().next() else {
                panic!("no report");
            };
            assert_eq!(
                blocks
                    .iter()
                    .map(|block| (block.fraction_lost, block.lost))
                    .next(),
                Some((12, told))
            );
        }
    }

    #[test]
    fn other_kinds_are_skipped() {
        let mut wire = Vec::new();
        write_report(&mut wire, 7, None, &[]);
        wire.extend([0x80, 204, 0, 2, 0, 0, 0, 7, b'n', b'a', b'm', b'e']);
        wire.extend([0x81, 206, 0, 1, 0, 0, 0, 7]);
        let compound = Compound::parse(&wire).expect("a compound");
        let packets: Vec<_> = compound.packets().skip(1).collect();
        assert_eq!(packets, [RtcpPacket::Other(204), RtcpPacket::Other(206)]);
    }

    #[test]
    fn padding_belongs_to_the_last_packet() {
        let mut wire = Vec::new();
        write_report(&mut wire, 7, None, &[]);
        let report = wire.clone();
        wire.extend([0xA1, BYE, 0, 2, 0, 0, 0, 7, 0, 0, 0, 4]);
        assert!(Compound::parse(&wire).is_ok());
        wire.extend(&report);
        assert_eq!(Compound::parse(&wire), Err(RtcpError::Padding));
        for padding in [0, 9] {
            let mut wire = report.clone();
            wire.extend([0xA1, BYE, 0, 2, 0, 0, 0, 7, 0, 0, 0, padding]);
            assert_eq!(Compound::parse(&wire), Err(RtcpError::Padding));
        }
    }

    #[test]
    fn rubbish_has_a_name() {
        assert_eq!(Compound::parse(&[]), Err(RtcpError::Short));
        assert_eq!(Compound::parse(&[0; 8]), Err(RtcpError::Version));
        let mut bye = Vec::new();
        write_bye(&mut bye, 7);
        assert_eq!(Compound::parse(&bye), Err(RtcpError::NotAReport));
        assert_eq!(
            Compound::parse(&[0x81, 201, 0, 1, 0, 0, 0, 7]),
            Err(RtcpError::Short),
            "a block is missing"
        );
        assert_eq!(
            Compound::parse(&[0x80, 201, 0, 0]),
            Err(RtcpError::Short),
            "the source is missing"
        );
        let wire = compound();
        for length in 0..wire.len() {
            // A cut between two packets leaves a whole compound; any other is seen.
            let whole = [76, 100].contains(&length);
            assert_eq!(
                Compound::parse(&wire[..length]).is_ok(),
                whole,
                "cut at {length}"
            );
        }
    }
}
