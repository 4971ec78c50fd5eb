//! Every parser of what the network sends, with one invariant: it parses, or says why not. It never panics.

use offhook_media::dsp::g711::Law;
use offhook_media::rtp::jitter_buffer::{JitterBuffer, SoundPacket};
use offhook_media::rtp::packet::{Extension, RtpPacket};
use offhook_media::rtp::rtcp::{write_report, Block, Compound, RtcpPacket};
use offhook_media::rtp::rtcp_stats::RtcpSession;
use offhook_media::rtp::source::Source;
use offhook_media::rtp::telephone_event::TelephoneEvents;
use proptest::collection::vec;
use proptest::prelude::*;

/// Octets that are mostly headers of the kind in question, so that chance gets past the first check.
fn almost(first: &'static [u8], second: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let head = (prop::sample::select(first), prop::sample::select(second));
    (head, vec(any::<u8>(), 0..120), 0..30u8).prop_map(|((a, b), mut rest, words)| {
        rest.splice(0..0, [a, b, 0, words]);
        rest
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn an_rtp_packet_that_parses_is_written_as_it_was(octets in prop_oneof![
        vec(any::<u8>(), 0..200),
        almost(&[0x80, 0x90, 0xA0, 0xB3, 0x8F], &[0, 8, 0x88, 101]),
    ]) {
        if let Ok(packet) = RtpPacket::parse(&octets) {
            prop_assert_eq!(packet.wire_bytes(), octets.len());
            let mut wire = vec![0; octets.len()];
            prop_assert_eq!(packet.write(&mut wire), Ok(octets.len()));
            prop_assert_eq!(RtpPacket::parse(&wire), Ok(packet));
        }
    }

    #[test]
    fn an_rtp_packet_that_is_written_parses_as_it_was(
        marker: bool, payload_type in 0..64u8, sequence: u16, timestamp: u32, ssrc: u32, padding: u8,
        sources in 0..=15usize, words in prop::option::of(0..10usize), payload in vec(any::<u8>(), 0..200),
    ) {
        let octets = [7u8; 60];
        let packet = RtpPacket {
            marker,
            csrc: &octets[..sources * 4],
            extension: words.map(|words| Extension { profile: 0xBEDE, data: &octets[..words * 4] }),
            padding,
            ..RtpPacket::plain(payload_type, sequence, timestamp, ssrc, &payload)
        };
        let mut wire = [0; 700];
        let length = packet.write(&mut wire).expect("in range");
        prop_assert_eq!(RtpPacket::parse(&wire[..length]), Ok(packet));
    }

    #[test]
    fn rtcp_parses_or_says_why_not(octets in prop_oneof![
        vec(any::<u8>(), 0..200),
        almost(&[0x80, 0x81, 0xA1, 0x82], &[200, 201, 202, 203]),
    ], mut_at in 0..60usize, mut_to: u8) {
        let mut session = RtcpSession::new(7, "leg@offhook", 8_000, 0, 0.5);
        session.source_mut(9, 1, 0).update(1);
        if let Ok(compound) = Compound::parse(&octets) {
            prop_assert!(compound.packets().count() > 0);
        }
        let _ = session.handle_rtcp(&octets, 1_000, 1 << 40);
        // The same at the end of a good report, and a good report with one octet spoilt.
        let block = Block {
            ssrc: 7, fraction_lost: 1, lost: 2, highest: 3, jitter: 4, last_report: 5, since_last_report: 6,
        };
        let mut wire = Vec::new();
        write_report(&mut wire, 9, None, &[block]);
        wire.extend(&octets);
        let _ = session.handle_rtcp(&wire, 2_000, 1 << 41);
        if let Some(octet) = wire.get_mut(mut_at) {
            *octet = mut_to;
        }
        if let Ok(compound) = Compound::parse(&wire) {
            for packet in compound.packets() {
                if let RtcpPacket::Report { blocks, .. } = packet {
                    prop_assert!(blocks.iter().count() <= 31);
                }
            }
        }
        let _ = session.statistics();
        let _ = session.bye(3_000, 1 << 42);
    }

    #[test]
    fn every_press_has_its_release(packets in vec(
        (any::<bool>(), prop_oneof![0..4_000u32, any::<u32>()], vec(any::<u8>(), 0..13), 0..200u64), 1..60,
    ), few: bool) {
        let mut receiver = TelephoneEvents::new(8_000);
        let mut now_ms = 0;
        let mut down = 0i32;
        let mut report = |event| match event {
            offhook_media::dsp::digit::DigitEvent::Started { .. } => down += 1,
            offhook_media::dsp::digit::DigitEvent::Ended { .. } => down -= 1,
        };
        for (marker, timestamp, mut payload, wait_ms) in packets {
            now_ms += wait_ms;
            if few && !payload.is_empty() {
                payload[0] %= 3;
            }
            let _ = receiver.push(marker, timestamp, &payload, now_ms, &mut report);
        }
        receiver.handle_timer(now_ms + 10_000, &mut report);
        prop_assert_eq!(down, 0);
        prop_assert_eq!(receiver.pressed(), None);
    }

    #[test]
    fn a_source_counts_no_nonsense(first: u16, steps in vec(prop_oneof![0..4u16, any::<u16>()], 1..300), probation in 0..4u32) {
        let mut source = Source::new(1, first, probation);
        let mut sequence = first;
        for step in steps {
            source.update(sequence);
            source.observe_transit(u32::from(step) << 16, u32::from(sequence));
            sequence = sequence.wrapping_add(step);
            prop_assert!(source.lost() <= source.expected());
            prop_assert!(source.duplicates() <= source.received());
            let _ = source.report();
        }
    }

    #[test]
    fn the_playout_survives_any_stream(packets in vec(
        (any::<u16>(), prop_oneof![0..9_000u32, any::<u32>()], any::<bool>(), 0..1_000usize, 0..400u64), 1..200,
    )) {
        let mut buffer = JitterBuffer::new(Law::A);
        let octets = [0x20; 1_000];
        let mut frame = [0; 160];
        let mut now_ms = 0;
        for (sequence, timestamp, marker, length, wait_ms) in packets {
            now_ms += wait_ms;
            let payload = &octets[..length];
            buffer.push(&SoundPacket { ssrc: u32::from(length == 7), sequence, timestamp, marker, payload }, now_ms);
            buffer.pull(now_ms, &mut frame);
        }
    }
}
