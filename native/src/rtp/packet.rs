//! One RTP packet (RFC 3550 section 5.1): parse, or say why not; write; rewrite in place for passing on.
//!
//! Borrows from the datagram and allocates nothing. What a profile means by an extension is not read here.

/// Octets of the fixed header.
pub const HEADER_BYTES: usize = 12;

/// The largest datagram worth receiving: an Ethernet frame's worth of UDP.
pub const MAX_DATAGRAM_BYTES: usize = 1_500;

/// Why octets are not an RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtpError {
    /// Fewer octets than the headers need.
    Short,
    /// The version is not 2.
    Version,
    /// The padding count is 0 or more than there is.
    Padding,
    /// An RTCP packet type where the payload type should be (RFC 5761 section 4).
    Rtcp,
    /// More contributing sources than the 15 a header can count, or a payload type above 127 (when writing).
    OutOfRange,
    /// The buffer written to is too small, or the extension is no whole number of 32-bit words (when writing).
    NoRoom,
}

impl std::fmt::Display for RtpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            RtpError::Short => "too short for its headers",
            RtpError::Version => "not RTP version 2",
            RtpError::Padding => "padding does not fit",
            RtpError::Rtcp => "RTCP, not RTP",
            RtpError::OutOfRange => "a field is out of range",
            RtpError::NoRoom => "no room to write",
        })
    }
}

impl std::error::Error for RtpError {}

/// A header extension (section 5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    /// The 16 bits whose meaning the profile defines.
    pub profile: u16,
    /// The extension's data, a whole number of 32-bit words.
    pub data: &'a [u8],
}

/// One packet, its variable parts borrowed from where it was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    /// Marker: for sound, the first packet after a silence (RFC 3551 section 4.1).
    pub marker: bool,
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp, in samples for the codecs here.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Contributing sources, four octets each, at most 15.
    pub csrc: &'a [u8],
    /// The header extension, if there is one.
    pub extension: Option<Extension<'a>>,
    /// What is carried, without padding.
    pub payload: &'a [u8],
    /// Octets of padding, its own count included; 0 for none.
    pub padding: u8,
}

/// Whether a datagram on a port shared with RTCP is RTCP (RFC 5761 section 4): packet types 192 to 223.
pub fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.len() >= 2 && (192..=223).contains(&datagram[1])
}

impl<'a> RtpPacket<'a> {
    /// A packet without contributing sources, extension, padding or marker.
    pub fn plain(
        payload_type: u8,
        sequence: u16,
        timestamp: u32,
        ssrc: u32,
        payload: &'a [u8],
    ) -> Self {
        Self {
            marker: false,
            payload_type,
            sequence,
            timestamp,
            ssrc,
            csrc: &[],
            extension: None,
            payload,
            padding: 0,
        }
    }

    /// Reads a datagram.
    ///
    /// # Errors
    /// [`RtpError`] with the reason; nothing of a broken packet is used.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtpError> {
        let (fixed, rest) = split(datagram, HEADER_BYTES)?;
        if fixed[0] >> 6 != 2 {
            return Err(RtpError::Version);
        }
        if is_rtcp(datagram) {
            return Err(RtpError::Rtcp);
        }
        let (csrc, rest) = split(rest, usize::from(fixed[0] & 0x0F) * 4)?;
        let (extension, rest) = if fixed[0] & 0x10 != 0 {
            let (head, rest) = split(rest, 4)?;
            let words = u16::from_be_bytes([head[2], head[3]]);
            let (data, rest) = split(rest, usize::from(words) * 4)?;
            let profile = u16::from_be_bytes([head[0], head[1]]);
            (Some(Extension { profile, data }), rest)
        } else {
            (None, rest)
        };
        let (payload, padding) = if fixed[0] & 0x20 != 0 {
            let padding = *rest.last().ok_or(RtpError::Padding)?;
            let length = rest
                .len()
                .checked_sub(usize::from(padding))
                .ok_or(RtpError::Padding)?;
            if padding == 0 {
                return Err(RtpError::Padding);
            }
            (&rest[..length], padding)
        } else {
            (rest, 0)
        };
        Ok(Self {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7F,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            csrc,
            extension,
            payload,
            padding,
        })
    }

    /// Octets the packet takes on the wire.
    pub fn wire_bytes(&self) -> usize {
        let extension = self
            .extension
            .map_or(0, |extension| 4 + extension.data.len());
        HEADER_BYTES + self.csrc.len() + extension + self.payload.len() + usize::from(self.padding)
    }

    /// Writes the packet to the start of `out` and returns its length in octets.
    ///
    /// # Errors
    /// [`RtpError::OutOfRange`] or [`RtpError::NoRoom`]; `out` may then be partly written.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, RtpError> {
        if self.payload_type > 127 || self.csrc.len() > 60 || self.csrc.len() % 4 != 0 {
            return Err(RtpError::OutOfRange);
        }
        let words = self
            .extension
            .map_or(0, |extension| extension.data.len() / 4);
        let ragged = self
            .extension
            .is_some_and(|extension| extension.data.len() % 4 != 0);
        if ragged || words > usize::from(u16::MAX) {
            return Err(RtpError::NoRoom);
        }
        let length = self.wire_bytes();
        let out = out.get_mut(..length).ok_or(RtpError::NoRoom)?;
        let flags = (u8::from(self.padding > 0) << 5) | (u8::from(self.extension.is_some()) << 4);
        out[0] = 0x80 | flags | (self.csrc.len() / 4) as u8;
        out[1] = (u8::from(self.marker) << 7) | self.payload_type;
        out[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        out[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        let mut at = HEADER_BYTES;
        let mut put = |bytes: &[u8]| {
            out[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(self.csrc);
        if let Some(extension) = self.extension {
            put(&extension.profile.to_be_bytes());
            put(&(words as u16).to_be_bytes());
            put(extension.data);
        }
        put(self.payload);
        out[at..].fill(0);
        if self.padding > 0 {
            out[length - 1] = self.padding;
        }
        Ok(length)
    }
}

/// Gives a packet that is passed on our own numbers, in place, leaving its marker and all it carries as they are.
///
/// False, and nothing touched, if `datagram` has no whole header.
pub fn renumber(
    datagram: &mut [u8],
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
) -> bool {
    let Some(header) = datagram.get_mut(..HEADER_BYTES) else {
        return false;
    };
    header[1] = (header[1] & 0x80) | (payload_type & 0x7F);
    header[2..4].copy_from_slice(&sequence.to_be_bytes());
    header[4..8].copy_from_slice(&timestamp.to_be_bytes());
    header[8..12].copy_from_slice(&ssrc.to_be_bytes());
    true
}

fn split(bytes: &[u8], at: usize) -> Result<(&[u8], &[u8]), RtpError> {
    if bytes.len() < at {
        return Err(RtpError::Short);
    }
    Ok(bytes.split_at(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full<'a>() -> RtpPacket<'a> {
        RtpPacket {
            marker: true,
            csrc: &[0, 0, 0, 1, 0, 0, 0, 2],
            extension: Some(Extension {
                profile: 0xBEDE,
                data: &[1, 2, 3, 4],
            }),
            padding: 4,
            ..RtpPacket::plain(8, 65_535, 0xDEAD_BEEF, 7, &[9; 160])
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for packet in [
            full(),
            RtpPacket::plain(0, 1, 2, 3, &[]),
            RtpPacket {
                padding: 1,
                ..full()
            },
        ] {
            let mut wire = [0xAA; 300];
            let length = packet.write(&mut wire).expect("room");
            assert_eq!(length, packet.wire_bytes());
            assert_eq!(RtpPacket::parse(&wire[..length]), Ok(packet));
        }
    }

    #[test]
    fn the_octets_are_those_of_section_5_1() {
        let mut wire = [0; 16];
        let packet = RtpPacket {
            marker: true,
            ..RtpPacket::plain(8, 0x0102, 0x0304_0506, 0x0708_090A, &[0xD5; 4])
        };
        assert_eq!(packet.write(&mut wire), Ok(16));
        assert_eq!(
            wire,
            [0x80, 0x88, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0xD5, 0xD5, 0xD5, 0xD5]
        );
    }

    #[test]
    fn every_cut_of_a_packet_is_refused_or_read_without_a_panic() {
        let mut wire = [0; 300];
        let packet = RtpPacket {
            padding: 0,
            ..full()
        };
        let length = packet.write(&mut wire).expect("room");
        let headers = length - packet.payload.len();
        for cut in 0..headers {
            assert_eq!(
                RtpPacket::parse(&wire[..cut]),
                Err(RtpError::Short),
                "cut at {cut}"
            );
        }
        assert!(RtpPacket::parse(&wire[..headers]).is_ok_and(|packet| packet.payload.is_empty()));
    }

    #[test]
    fn rubbish_has_a_name() {
        assert_eq!(RtpPacket::parse(&[0x40; 20]), Err(RtpError::Version));
        assert_eq!(
            RtpPacket::parse(b"INVITE sip:someone"),
            Err(RtpError::Version)
        );
        let mut wire = [0; 16];
        wire[0] = 0xA0;
        assert_eq!(
            RtpPacket::parse(&wire),
            Err(RtpError::Padding),
            "a count of 0"
        );
        wire[15] = 5;
        assert_eq!(
            RtpPacket::parse(&wire),
            Err(RtpError::Padding),
            "more than there is"
        );
        assert_eq!(
            RtpPacket::parse(&wire[..12]),
            Err(RtpError::Padding),
            "nothing to pad"
        );
        wire[0] = 0x80;
        wire[1] = 200;
        assert_eq!(RtpPacket::parse(&wire), Err(RtpError::Rtcp));
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let mut wire = [0; 300];
        assert_eq!(full().write(&mut wire[..50]), Err(RtpError::NoRoom));
        assert_eq!(
            RtpPacket::plain(128, 0, 0, 0, &[]).write(&mut wire),
            Err(RtpError::OutOfRange)
        );
        let ragged = Extension {
            profile: 0,
            data: &[1],
        };
        let packet = RtpPacket {
            extension: Some(ragged),
            ..full()
        };
        assert_eq!(packet.write(&mut wire), Err(RtpError::NoRoom));
        let packet = RtpPacket {
            csrc: &[0; 64],
            ..full()
        };
        assert_eq!(packet.write(&mut wire), Err(RtpError::OutOfRange));
    }

    #[test]
    fn renumbering_leaves_the_rest() {
        let mut wire = [0; 300];
        let length = full().write(&mut wire).expect("room");
        assert!(renumber(&mut wire[..length], 0, 5, 6, 8));
        let expected = RtpPacket {
            payload_type: 0,
            sequence: 5,
            timestamp: 6,
            ssrc: 8,
            ..full()
        };
        assert_eq!(RtpPacket::parse(&wire[..length]), Ok(expected));
        assert!(!renumber(&mut wire[..11], 0, 5, 6, 8));
    }
}
