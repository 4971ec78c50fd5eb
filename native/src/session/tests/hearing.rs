//! What comes from a peer: keys, silence, strangers, reports, and who listens.

use super::*;

#[test]
fn media_that_stops_is_told_once_and_its_return_too() {
    let mut scene = Scene::new(Some(Remote {
        media_timeout_ms: 200,
        ..said()
    }));
    scene.hear(8, &[1; 160]);
    scene.turns(10);
    assert_eq!(scene.told(), []);
    scene.turns(30);
    assert_eq!(
        scene.told(),
        [Event::MediaLost {
            session: 1,
            silent_ms: 220
        }]
    );
    scene.hear(8, &[1; 160]);
    assert_eq!(scene.told(), [Event::MediaBack { session: 1 }]);
}

#[test]
fn keys_are_told_once_also_without_their_end() {
    let mut scene = Scene::new(Some(said()));
    for (duration, end) in [
        (160, false),
        (320, false),
        (800, true),
        (800, true),
        (800, true),
    ] {
        scene.key(5, duration, end);
    }
    let at_us = scene.now().us;
    let digit = |digit, duration_ms, at_us| Event::Digit {
        session: 1,
        digit,
        duration_ms,
        source: DigitSource::Event,
        at_us,
    };
    assert_eq!(scene.told(), [digit('5', 100, at_us)]);
    scene.timestamp += 4000;
    scene.key(11, 400, false);
    assert_eq!(scene.told(), []);
    scene.turns(10);
    assert!(matches!(
        scene.told()[..],
        [Event::Digit {
            digit: '#',
            duration_ms: 50,
            ..
        }]
    ));
}

#[test]
fn tones_are_heard_where_that_was_asked() {
    for wanted in [true, false] {
        let mut scene = Scene::new(Some(Remote {
            inband_digits: wanted,
            ..said()
        }));
        let mut samples = [0; 160];
        let mut dialler =
            crate::dsp::dtmf_generate::ToneDialler::new([crate::dsp::digit::DialStep {
                digit: Digit::from_char('8'),
                duration_ms: 100,
                pause_ms: 100,
            }]);
        while dialler.fill(&mut samples) {
            scene.turns(1);
            let octets = samples.map(|sample| Law::Mu.encode(sample));
            scene.hear(0, &octets);
        }
        let told = scene.told();
        assert_eq!(told.len(), usize::from(wanted), "{told:?}");
        assert!(
            !wanted
                || matches!(
                    told[0],
                    Event::Digit {
                        digit: '8',
                        source: DigitSource::Inband,
                        ..
                    }
                )
        );
    }
}

#[test]
fn silence_is_told_once_until_there_is_a_voice() {
    let mut scene = Scene::new(Some(said()));
    let now = scene.now();
    scene.session.watch_silence(500, now);
    let speak = |scene: &mut Scene, turns: u64, loud: bool| {
        for _ in 0..turns {
            scene.turns(1);
            let octets: Vec<u8> = (0..160)
                .map(|n| if loud { Law::A.encode(tone(n)) } else { 0xD5 })
                .collect();
            scene.hear(8, &octets);
        }
        scene.told()
    };
    assert_eq!(speak(&mut scene, 40, true), []);
    assert_eq!(
        speak(&mut scene, 100, false),
        [Event::Silence {
            session: 1,
            silence_ms: 500
        }]
    );
    assert_eq!(speak(&mut scene, 20, true), []);
    scene.turns(60);
    assert_eq!(
        scene.told(),
        [Event::Silence {
            session: 1,
            silence_ms: 500
        }],
        "no packets are silence too"
    );
}

#[test]
fn strangers_and_rubbish_are_counted() {
    let mut scene = Scene::new(Some(said()));
    scene.hear(8, &[1; 160]);
    scene.peer = "203.0.113.5:4000".parse().unwrap();
    assert!(scene.hear(8, &[1; 160]).is_none());
    assert!(scene.key(5, 800, true).is_none());
    scene.peer = peer();
    assert!(scene.hear(97, &[1; 160]).is_none(), "never agreed");
    let now = scene.now();
    for rubbish in [&[][..], &[0x80], &[0; 12], &[0xFF; 40]] {
        assert!(scene
            .session
            .handle_rtp(rubbish, peer(), now, &mut scene.wire)
            .is_none());
    }
    let statistics = scene.session.statistics();
    assert_eq!(
        (
            statistics.foreign,
            statistics.rubbish,
            statistics.packets_received
        ),
        (2, 5, 1)
    );
    assert_eq!(scene.told(), []);
}

#[test]
fn a_peer_behind_a_nat_is_followed() {
    let elsewhere = "203.0.113.5:9999".parse().unwrap();
    let mut scene = Scene::new(Some(Remote {
        latch: LatchWord::Symmetric,
        ..said()
    }));
    scene.peer = elsewhere;
    (0..5).for_each(|_| {
        scene.hear(8, &[1; 160]);
    });
    scene.play(1, vec![sound(1, 2)]);
    scene.turns(3);
    assert!(scene.wire.rtp.iter().all(|(to, _)| *to == elsewhere));
}

#[test]
fn lost_doubled_and_jumped_packets_are_told_apart() {
    let mut scene = Scene::new(Some(said()));
    for n in 0..100 {
        scene.turns(1);
        let octets = [0xD5; 160];
        let bytes = scene.datagram(8, &octets);
        scene.timestamp += 160;
        let now = scene.now();
        match n {
            10 | 20 => {}
            30 => (0..2).for_each(|_| {
                scene
                    .session
                    .handle_rtp(&bytes, peer(), now, &mut scene.wire);
            }),
            _ => drop(
                scene
                    .session
                    .handle_rtp(&bytes, peer(), now, &mut scene.wire),
            ),
        }
    }
    let statistics = scene.session.statistics();
    assert_eq!(
        (
            statistics.lost,
            statistics.duplicate,
            statistics.packets_received
        ),
        (2, 1, 99)
    );
    assert_eq!(statistics.jitter_us, Some(0));
    assert_eq!(
        (
            statistics.round_trip_us,
            statistics.mos_hundredths,
            statistics.remote_lost
        ),
        (None, None, None)
    );
}

#[test]
fn reports_are_sent_and_the_last_says_goodbye() {
    let mut scene = Scene::new(Some(Remote {
        send_silence: true,
        ..said()
    }));
    scene.turns(500);
    assert!(
        (1..=4).contains(&scene.wire.rtcp.len()),
        "{}",
        scene.wire.rtcp.len()
    );
    assert!(scene
        .wire
        .rtcp
        .iter()
        .all(|(to, packet)| to.port() == 4001 && packet[1] == 200));
    let now = scene.now();
    scene.session.send_digits(
        3,
        &[DigitTone {
            digit: '1',
            duration_ms: 100,
            pause_ms: 100,
        }],
    );
    scene.session.close(CloseCause::Asked, now, &mut scene.wire);
    assert!(scene
        .wire
        .rtcp
        .last()
        .unwrap()
        .1
        .windows(2)
        .any(|pair| pair == [0x81, 203]));
    let told = scene.told();
    assert!(matches!(
        told[0],
        Event::DigitsSent {
            request: 3,
            reason: DigitsEnd::Closed,
            ..
        }
    ));
    assert!(
        matches!(&told[1], Event::SessionClosed { statistics, .. } if statistics.packets_sent == 500)
    );
}

#[test]
fn reports_share_the_port_where_that_was_agreed() {
    let mut scene = Scene::new(Some(Remote {
        rtcp_mux: true,
        ..said()
    }));
    scene.turns(400);
    assert!(scene.wire.rtcp.is_empty());
    // Receivers' reports (201): nothing was sent yet.
    assert!(
        scene
            .wire
            .rtp
            .iter()
            .all(|(to, packet)| *to == peer() && packet[1] == 201)
            && !scene.wire.rtp.is_empty()
    );
    let report = scene.wire.rtp[0].1.clone();
    let now = scene.now();
    assert!(scene
        .session
        .handle_rtp(&report, peer(), now, &mut scene.wire)
        .is_none());
    assert_eq!(scene.session.statistics().rubbish, 0);
}

#[test]
fn both_parties_are_in_a_recording_of_both() {
    let (recorder, work) = Recorder::pretend();
    let mut scene = Scene::new(Some(said()));
    let kind = RecordingKind::Both;
    let wanted = Wanted {
        id: 9,
        session: 1,
        kind,
        path: "x".to_owned(),
        max_ms: 1000,
        silence_ms: 0,
    };
    scene.session.record(Recording::start(wanted, recorder));
    scene.play(1, vec![sound(4000, 100)]);
    for _ in 0..60 {
        scene.turns(1);
        scene.hear(8, &[Law::A.encode(2000); 160]);
    }
    let samples: Vec<i16> = work
        .try_iter()
        .flat_map(|work| match work {
            Work::Sound { samples, .. } => samples,
            Work::Start { .. } | Work::Finish { .. } => Vec::new(),
        })
        .collect();
    assert_eq!(samples.len(), 8000);
    let both = samples
        .iter()
        .filter(|&&sample| (5700..6300).contains(&sample))
        .count();
    assert!(both > 6000, "{both}");
    assert!(
        scene.session.heard.is_none() && scene.session.sent.is_none(),
        "nothing is buffered for nobody"
    );
}

#[test]
fn a_mix_hears_the_peer_on_its_beat() {
    let mut scene = Scene::new(Some(said()));
    scene.session.set_mixed(true);
    let mut heard = 0;
    for _ in 0..50 {
        scene.turn += 1;
        scene.hear(8, &[Law::A.encode(3000); 160]);
        let now = scene.now();
        let mut frame = [0; FRAME_SAMPLES];
        heard += usize::from(scene.session.beat(now, &mut frame));
        scene
            .session
            .tick(now, Some(&[700; FRAME_SAMPLES]), &mut scene.wire);
    }
    assert!(heard > 40, "{heard}");
    assert_eq!(scene.wire.rtp.len(), 50);
    assert_eq!(
        RtpPacket::parse(&scene.wire.rtp[7].1).unwrap().payload,
        [Law::A.encode(700); 160]
    );
}
