//! What a peer is sent: playback, digits, a bridged party, silence, and nothing on hold.

use super::*;

#[test]
fn before_anything_is_agreed_nothing_is_sent_or_heard() {
    let mut scene = Scene::new(None);
    scene.play(1, vec![sound(100, 3)]);
    assert!(scene.turns(5).is_empty());
    assert!(scene.hear(8, &[1; 160]).is_none());
    let now = scene.now();
    scene.session.set_remote(&said(), now);
    assert_eq!(scene.turns(5).len(), 3);
}

#[test]
fn a_playback_is_replaced_and_told() {
    let mut scene = Scene::new(Some(said()));
    scene.play(1, vec![sound(100, 50)]);
    scene.turns(10);
    scene.play(2, vec![sound(8000, 2)]);
    let heard = scene.turns(5);
    assert_eq!(heard, vec![vec![Law::A.encode(8000); 160]; 2]);
    let ends: Vec<_> = scene.told();
    assert!(matches!(
        ends[0],
        Event::PlaybackEnded {
            playback: 1,
            reason: PlaybackEnd::Replaced,
            played_ms: 200,
            ..
        }
    ));
    assert!(matches!(
        ends[1],
        Event::PlaybackEnded {
            playback: 2,
            reason: PlaybackEnd::Finished,
            played_ms: 40,
            ..
        }
    ));
}

#[test]
fn a_beat_may_change_only_while_nobody_would_hear_it() {
    let mut scene = Scene::new(Some(said()));
    assert!(scene.session.may_change_beat());
    scene.play(1, vec![sound(100, 3)]);
    assert!(scene.session.may_change_beat(), "nothing was sent yet");
    scene.turns(2);
    assert!(!scene.session.may_change_beat());
    scene.turns(2);
    assert!(scene.session.may_change_beat());
    scene.session.set_mixed(true);
    assert!(!scene.session.may_change_beat());
}

#[test]
fn a_beat_of_silence_may_change_until_something_is_heard() {
    let mut scene = Scene::new(Some(Remote {
        send_silence: true,
        ..said()
    }));
    scene.turns(2);
    assert!(scene.session.may_change_beat());
    scene.play(1, vec![sound(100, 1)]);
    assert!(scene.session.may_change_beat());
    scene.turns(1);
    assert!(!scene.session.may_change_beat());
    scene.turns(5);
    assert!(
        !scene.session.may_change_beat(),
        "the stream is joined to what was heard"
    );
}

#[test]
fn two_turns_of_one_number_are_two_frames_in_a_row() {
    let mut scene = Scene::new(Some(said()));
    scene.play(1, vec![sound(100, 3)]);
    scene.turns(1);
    scene.turn -= 1;
    scene.turns(1);
    let (_, second) = &scene.wire.rtp[0];
    let second = RtpPacket::parse(second).unwrap();
    assert_eq!((second.sequence, second.timestamp), (11, 52 * 160));
}

#[test]
fn a_sound_read_too_late_is_not_played() {
    let mut scene = Scene::new(Some(said()));
    scene
        .session
        .play(Playback::new(1, 1, 0, 0), &mut scene.wire);
    assert!(scene.session.stop_playback(1, &mut scene.wire));
    assert!(!scene.session.stop_playback(1, &mut scene.wire));
    scene.session.loaded(
        Loaded {
            session: 1,
            playback: 1,
            sounds: Ok(vec![sound(1, 9)]),
        },
        &mut scene.wire,
    );
    assert!(scene.turns(5).is_empty());
    assert_eq!(scene.told().len(), 1);
}

#[test]
fn on_hold_nothing_is_sent_and_time_goes_by() {
    let mut scene = Scene::new(Some(said()));
    scene.play(1, vec![sound(100, 10)]);
    scene.turns(2);
    let now = scene.now();
    scene.session.set_remote(
        &Remote {
            direction: Direction::Inactive,
            media_timeout_ms: 100,
            ..said()
        },
        now,
    );
    assert!(scene.turns(5).is_empty());
    assert!(scene.hear(8, &[1; 160]).is_none(), "not heard on hold");
    let now = scene.now();
    scene.session.set_remote(&said(), now);
    assert_eq!(scene.turns(10).len(), 3);
    assert!(
        matches!(
            scene.told()[..],
            [Event::PlaybackEnded { played_ms: 200, .. }]
        ),
        "and no media is missed"
    );
}

#[test]
fn digits_go_as_events_before_what_plays() {
    let mut scene = Scene::new(Some(said()));
    scene.play(1, vec![sound(8000, 3)]);
    let tone = DigitTone {
        digit: '1',
        duration_ms: 60,
        pause_ms: 60,
    };
    assert!(scene.session.send_digits(4, &[tone]));
    let sent = scene.turns(20);
    let events: Vec<_> = sent
        .iter()
        .filter(|payload| payload.len() == 4)
        .map(|payload| payload[0])
        .collect();
    assert!(
        events.len() >= 5 && events.iter().all(|&code| code == 1),
        "{events:?}"
    );
    let last_event = sent.iter().rposition(|payload| payload.len() == 4).unwrap();
    let first_sound = sent
        .iter()
        .position(|payload| *payload == [Law::A.encode(8000); 160])
        .unwrap();
    assert!(first_sound > last_event);
    assert!(matches!(
        scene.told()[0],
        Event::DigitsSent {
            request: 4,
            reason: DigitsEnd::Sent,
            ..
        }
    ));
}

#[test]
fn without_events_digits_are_tones() {
    let mut scene = Scene::new(Some(Remote {
        send_events: None,
        ..said()
    }));
    assert!(!scene.session.takes_events());
    scene.session.press(Digit::from_char('3').unwrap(), 100);
    let sent = scene.turns(20);
    assert!(sent.len() >= 5 && sent.iter().all(|payload| payload.len() == 160));
    assert!(sent[1].iter().any(|&octet| octet != Law::A.silence()));
    assert_eq!(scene.told(), [], "nobody asked for it");
}

#[test]
fn a_bridged_peers_packets_are_passed_and_translated() {
    let mut a = Scene::new(Some(said()));
    let mut b = Scene::new(Some(Remote {
        send_codec: Codec::Pcmu,
        send_payload_type: 0,
        send_events: Some(96),
        ..said()
    }));
    let octets: Vec<u8> = (0..160).map(|n| Law::A.encode(tone(n))).collect();
    let mut datagram = a.datagram(8, &octets);
    let now = a.now();
    let heard = a
        .session
        .handle_rtp(&datagram, a.peer, now, &mut a.wire)
        .unwrap();
    assert_eq!(heard.pass, Pass::Sound(Law::A));
    b.session.pass_on(&mut datagram, &heard, now, &mut b.wire);
    let packet = RtpPacket::parse(&b.wire.rtp[0].1).unwrap();
    assert_eq!((packet.payload_type, packet.ssrc), (0, 77));
    let near =
        |n: usize, octet: u8| (i32::from(Law::Mu.decode(octet)) - i32::from(tone(n))).abs() < 600;
    assert!(packet
        .payload
        .iter()
        .enumerate()
        .all(|(n, &octet)| near(n, octet)));

    let mut key = a.datagram(
        EVENTS,
        &EventPayload {
            code: 9,
            end: true,
            volume: 10,
            duration: 800,
        }
        .write(),
    );
    let heard = a
        .session
        .handle_rtp(&key, a.peer, now, &mut a.wire)
        .unwrap();
    assert_eq!(
        (heard.pass, heard.key.map(|(digit, _)| digit.as_char())),
        (Pass::Event, Some('9'))
    );
    b.session.pass_on(&mut key, &heard, now, &mut b.wire);
    assert_eq!(RtpPacket::parse(&b.wire.rtp[1].1).unwrap().payload_type, 96);
    assert_eq!(b.session.statistics().packets_sent, 2);
}

#[test]
fn what_plays_is_heard_instead_of_the_bridge_in_one_stream() {
    let mut a = Scene::new(Some(said()));
    let mut b = Scene::new(Some(said()));
    let mut sent = Vec::new();
    for turn in 0..30 {
        if turn == 10 {
            b.play(1, vec![sound(8000, 10)]);
        }
        b.wire.rtp.clear();
        b.turn += 1;
        a.turn = b.turn;
        let mut datagram = a.datagram(8, &[0xD5; 160]);
        a.timestamp += 160;
        let now = b.now();
        let heard = a
            .session
            .handle_rtp(&datagram, a.peer, now, &mut a.wire)
            .unwrap();
        b.session.pass_on(&mut datagram, &heard, now, &mut b.wire);
        b.session.tick(now, None, &mut b.wire);
        sent.extend(b.wire.rtp.iter().map(|(_, packet)| {
            let packet = RtpPacket::parse(packet).unwrap();
            (
                packet.sequence,
                packet.timestamp,
                packet.ssrc,
                packet.payload[0],
            )
        }));
    }
    assert!(
        sent.windows(2)
            .all(|pair| pair[1].0 == pair[0].0 + 1 && pair[1].2 == 77),
        "{sent:?}"
    );
    assert!(
        sent.windows(2)
            .all(|pair| (160..=480).contains(&pair[1].1.wrapping_sub(pair[0].1))),
        "{sent:?}"
    );
    assert_eq!(
        sent.iter()
            .filter(|packet| packet.3 == Law::A.encode(8000))
            .count(),
        10
    );
    assert!(sent.len() >= 29);
}

#[test]
fn what_plays_is_heard_over_a_mix_and_cuts_nobody_off() {
    let mut scene = Scene::new(Some(said()));
    scene.session.set_mixed(true);
    let mut heard = Vec::new();
    for turn in 0..12 {
        match turn {
            // Its sound is still being read in turns 2 and 3.
            2 => scene
                .session
                .play(Playback::new(1, 1, 0, 0), &mut scene.wire),
            4 => scene.session.loaded(
                Loaded {
                    session: 1,
                    playback: 1,
                    sounds: Ok(vec![sound(4000, 3)]),
                },
                &mut scene.wire,
            ),
            _ => {}
        }
        scene.turn += 1;
        let now = scene.now();
        scene
            .session
            .tick(now, Some(&[700; FRAME_SAMPLES]), &mut scene.wire);
        let (_, packet) = scene.wire.rtp.last().unwrap();
        heard.push(Law::A.decode(RtpPacket::parse(packet).unwrap().payload[0]));
    }
    assert_eq!(scene.wire.rtp.len(), 12);
    for (turn, &level) in heard.iter().enumerate() {
        let expected = if (4..7).contains(&turn) { 4700 } else { 700 };
        assert!((level - expected).abs() < 200, "{turn}: {heard:?}");
    }
    assert!(matches!(
        scene.told()[..],
        [Event::PlaybackEnded {
            reason: PlaybackEnd::Finished,
            ..
        }]
    ));
}

#[test]
fn silence_is_sent_only_where_it_is_wanted() {
    let mut scene = Scene::new(Some(Remote {
        send_silence: true,
        ..said()
    }));
    assert_eq!(scene.turns(5), vec![vec![0xD5; 160]; 5]);
    let first = RtpPacket::parse(&scene.wire.rtp[0].1).unwrap();
    assert!(first.marker && !RtpPacket::parse(&scene.wire.rtp[1].1).unwrap().marker);
    assert!(Scene::new(Some(said())).turns(5).is_empty());
}

#[test]
fn longer_packets_hold_the_same_sound() {
    let mut scene = Scene::new(Some(Remote {
        ptime_ms: 40,
        ..said()
    }));
    scene.play(1, vec![sound(500, 4)]);
    assert_eq!(scene.turns(8), vec![vec![Law::A.encode(500); 320]; 2]);
}
