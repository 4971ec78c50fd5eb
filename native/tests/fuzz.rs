//! What the network sends, made up and spoilt for FUZZ_SECONDS: nothing panics, and presses have their releases.
//! Run by `make fuzz`; the quick form of the same with found cases made small is `parsers.rs`.

use std::time::{Duration, Instant};

use offhook_media::dsp::digit::DigitEvent;
use offhook_media::dsp::g711::Law;
use offhook_media::rtp::jitter_buffer::{JitterBuffer, SoundPacket};
use offhook_media::rtp::packet::{is_rtcp, Extension, RtpPacket};
use offhook_media::rtp::rtcp::{write_bye, write_cname, write_report, Block, SenderInfo};
use offhook_media::rtp::rtcp_stats::RtcpSession;
use offhook_media::rtp::telephone_event::{EventPayload, TelephoneEvents};

struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 11) as usize % limit
    }
}

/// Good datagrams to start from.
fn seeds() -> Vec<Vec<u8>> {
    let event = EventPayload {
        code: 5,
        end: false,
        volume: 10,
        duration: 160,
    }
    .write();
    let mut wire = [0; 400];
    let mut seeds = Vec::new();
    let extension = Some(Extension {
        profile: 0xBEDE,
        data: &[0; 8],
    });
    for packet in [
        RtpPacket::plain(8, 1, 160, 9, &[0xD5; 160]),
        RtpPacket::plain(101, 2, 320, 9, &event),
        RtpPacket {
            csrc: &[1; 8],
            extension,
            padding: 4,
            ..RtpPacket::plain(0, 3, 480, 9, &[0xFF; 160])
        },
    ] {
        let length = packet.write(&mut wire).expect("room");
        seeds.push(wire[..length].to_vec());
    }
    let block = Block {
        ssrc: 7,
        fraction_lost: 1,
        lost: 2,
        highest: 3,
        jitter: 4,
        last_report: 5,
        since_last_report: 6,
    };
    let sender = SenderInfo {
        ntp: 1 << 40,
        rtp_timestamp: 1,
        packets: 2,
        octets: 3,
    };
    let mut report = Vec::new();
    write_report(&mut report, 9, Some(&sender), &[block; 2]);
    write_cname(&mut report, 9, "peer@example.net");
    write_bye(&mut report, 9);
    seeds.push(report);
    seeds
}

fn spoil(chance: &mut Chance, datagram: &mut Vec<u8>) {
    for _ in 0..chance.below(6) {
        let at = chance.below(datagram.len().max(1));
        match chance.below(4) {
            0 => datagram.truncate(at),
            1 => datagram.insert(at.min(datagram.len()), chance.next() as u8),
            2 => datagram.extend_from_within(at.min(datagram.len())..),
            _ => {
                if let Some(octet) = datagram.get_mut(at) {
                    *octet = chance.next() as u8;
                }
            }
        }
        datagram.truncate(1_500);
    }
}

#[test]
#[ignore = "takes FUZZ_SECONDS"]
fn nothing_the_network_sends_panics() {
    let seconds = std::env::var("FUZZ_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(30);
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut chance = Chance(0x2545_F491_4F6C_DD1D);
    let seeds = seeds();
    let mut buffer = JitterBuffer::new(Law::A);
    let mut events = TelephoneEvents::new(8_000);
    let mut session = RtcpSession::new(7, "leg@offhook", 8_000, 0, 0.5);
    let (mut down, mut now_ms, mut datagrams) = (0i32, 0u64, 0u64);
    let mut frame = [0; 160];
    while datagrams % 1_024 != 0 || Instant::now() < until {
        datagrams += 1;
        now_ms += chance.below(40) as u64;
        let mut datagram = seeds[chance.below(seeds.len())].clone();
        spoil(&mut chance, &mut datagram);
        if is_rtcp(&datagram) {
            let _ = session.handle_rtcp(&datagram, now_ms, now_ms << 22);
            let _ = session.statistics();
        } else if let Ok(packet) = RtpPacket::parse(&datagram) {
            let source = session.source_mut(packet.ssrc, packet.sequence, 2);
            source.update(packet.sequence);
            source.observe_transit(now_ms as u32 * 8, packet.timestamp);
            let _ = events.push(
                packet.marker,
                packet.timestamp,
                packet.payload,
                now_ms,
                |event| match event {
                    DigitEvent::Started { .. } => down += 1,
                    DigitEvent::Ended { .. } => down -= 1,
                },
            );
            assert!((0..=1).contains(&down), "one key at a time");
            let RtpPacket {
                ssrc,
                sequence,
                timestamp,
                marker,
                payload,
                ..
            } = packet;
            buffer.push(
                &SoundPacket {
                    ssrc,
                    sequence,
                    timestamp,
                    marker,
                    payload,
                },
                now_ms,
            );
        }
        buffer.pull(now_ms, &mut frame);
        let _ = session.tick(now_ms, now_ms << 22, 0.5);
    }
    println!("{datagrams} datagrams");
}
