//! Knows which worker has which session, gives out ports, and passes commands to where they belong. It carries no sound and
//! knows no connection.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::mpsc::{sync_channel, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::disk::loader::{self, Load};
use crate::disk::recorder::Recorder;
use crate::ports::PortPool;
use crate::session::outgoing::Seed;
use crate::session::Session;
use crate::worker::clock::{monotonic_us, Clock};
use crate::worker::mailbox::{mailbox, Inbox, Mailbox};
use crate::worker::seat::{bind_pair, Joined, Seat};
use crate::worker::{Report, Task, Worker};

use super::protocol::{Command, Direction, Event, OpenFailure, PlaybackEnd, Reply};

/// Ports tried when other programs hold some of ours; a whole server may lie in our way, with a thousand calls in a row. A
/// try that fails takes a few microseconds, and the port is not tried again while it rests.
const MAX_PORT_TRIES: usize = 2048;
/// Requests for keys that are remembered of each session: as many as may wait to be sent.
const MAX_REQUESTS_KNOWN: usize = 64;

pub struct Settings {
    pub ports: RangeInclusive<u16>,
    pub port_rest: Duration,
    pub threads: usize,
}

struct Known {
    worker: usize,
    local: SocketAddr,
    remote: Option<SocketAddr>,
    direction: Direction,
    bridged_with: u32,
    mix: u32,
    playback: u32,
    /// What it was told to play last, and the last of the keys it was told to send: what is said again is not done again.
    played: u32,
    requested: VecDeque<u32>,
    recordings: Vec<u32>,
}

struct Crew {
    tasks: Mailbox<Task>,
    thread: JoinHandle<()>,
    sessions: usize,
    /// Has tasks it was not woken for.
    asleep: bool,
}

pub struct Router {
    crew: Vec<Crew>,
    reports: Inbox<Report>,
    sounds: Sender<Load>,
    recorder: Recorder,
    writing: JoinHandle<()>,
    sessions: HashMap<u32, Known>,
    /// Recording to session.
    recordings: HashMap<u32, u32>,
    ports: PortPool,
    clock: Clock,
    cname: String,
    /// To be told to the control process.
    said: Vec<Event>,
}

/// 64 bits nobody can guess: the standard library's hasher is keyed from the kernel's generator.
pub fn chance() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn now() -> Duration {
    Duration::from_micros(monotonic_us())
}

impl Router {
    pub fn start(settings: &Settings) -> io::Result<Self> {
        let (outbox, reports) = mailbox()?;
        let answers = outbox.clone();
        let sounds = loader::start(move |loaded| answers.send(Report::Loaded(loaded)))?;
        let finished = outbox.clone();
        let (recorder, writing) =
            Recorder::start(move |event| finished.send(Report::Events(vec![event])))?;
        let mut crew = Vec::new();
        for number in 0..settings.threads.max(1) {
            let (tasks, inbox) = mailbox()?;
            let worker = Worker::new(inbox, outbox.clone(), recorder.clone())?;
            let thread = thread::Builder::new()
                .name(format!("sound-{number}"))
                .spawn(move || worker.run())?;
            crew.push(Crew {
                tasks,
                thread,
                sessions: 0,
                asleep: false,
            });
        }
        Ok(Self {
            crew,
            reports,
            sounds,
            recorder,
            writing,
            sessions: HashMap::new(),
            recordings: HashMap::new(),
            ports: PortPool::new(settings.ports.clone(), settings.port_rest, chance()),
            clock: Clock::default(),
            // RFC 7022 section 4.2: a name of chance, that tells nothing of the machine.
            cname: format!("{:016x}", chance()),
            said: Vec::new(),
        })
    }

    /// What rings when the other threads have something to report.
    pub fn reports(&self) -> &Inbox<Report> {
        &self.reports
    }

    /// Takes in what the other threads report; hands out all there is to tell, in its order.
    pub fn collect(&mut self, mut tell: impl FnMut(&Event)) {
        self.said.drain(..).for_each(|event| tell(&event));
        while let Some(report) = self.reports.take() {
            match report {
                Report::Loaded(loaded) => {
                    if let Some(known) = self.sessions.get(&loaded.session) {
                        let worker = known.worker;
                        self.put(worker, Task::Loaded(loaded));
                    }
                }
                Report::Events(events) => {
                    for event in &events {
                        self.note(event);
                        tell(event);
                    }
                }
            }
        }
        self.wake();
    }

    /// Follows what events change.
    fn note(&mut self, event: &Event) {
        match event {
            Event::SessionClosed { session, .. } => {
                if let Some(known) = self.sessions.remove(session) {
                    self.ports.give_back(known.local.port(), now());
                    self.crew[known.worker].sessions -= 1;
                    self.part(*session, known.bridged_with);
                }
            }
            Event::PlaybackEnded {
                session, playback, ..
            } => {
                if let Some(known) = self
                    .sessions
                    .get_mut(session)
                    .filter(|known| known.playback == *playback)
                {
                    known.playback = 0;
                }
            }
            Event::RecordingEnded {
                recording, session, ..
            } => {
                self.recordings.remove(recording);
                if let Some(known) = self.sessions.get_mut(session) {
                    known.recordings.retain(|other| other != recording);
                }
            }
            _ => {}
        }
    }

    fn put(&mut self, worker: usize, task: Task) {
        let crew = &mut self.crew[worker];
        crew.tasks.put(task);
        crew.asleep = true;
    }

    /// Wakes the workers that have something to do: once for a whole batch of commands.
    pub fn wake(&mut self) {
        for crew in &mut self.crew {
            if std::mem::take(&mut crew.asleep) {
                crew.tasks.wake();
            }
        }
    }

    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// What a new control process finds.
    pub fn alive(&self) -> impl Iterator<Item = Reply> + '_ {
        self.sessions
            .iter()
            .map(|(&session, known)| Reply::SessionAlive {
                session,
                local: known.local,
                rtcp_port: known.local.port().saturating_add(1),
                remote: known.remote,
                direction: known.direction,
                bridged_with: known.bridged_with,
                mix: known.mix,
                playback: known.playback,
                recordings: known.recordings.clone(),
            })
    }

    /// Carries a command out, or to the worker who will.
    pub fn command(&mut self, command: Command) {
        match command {
            Command::OpenSession {
                session,
                local,
                near,
                port,
            } => self.open(session, local, near, port),
            Command::StopRecording { recording } => {
                self.recording(&command, recording, |session| {
                    Task::StopRecording(session, recording)
                });
            }
            Command::PauseRecording { recording, paused } => {
                self.recording(&command, recording, |session| {
                    Task::PauseRecording(session, recording, paused)
                });
            }
            Command::Bridge { a, b } => self.bridge(command, a, b),
            Command::JoinMix { mix, session, .. } => self.join_mix(command, mix, session),
            other => self.pass(other),
        }
    }

    fn fail(&mut self, command: &Command, id: u32, detail: &str) {
        self.said.push(Event::CommandFailed {
            command: command.kind(),
            id,
            detail: detail.to_owned(),
        });
    }

    fn recording(&mut self, command: &Command, recording: u32, task: impl FnOnce(u32) -> Task) {
        let session = self.recordings.get(&recording).copied();
        match session.and_then(|session| {
            self.sessions
                .get(&session)
                .map(|known| (session, known.worker))
        }) {
            Some((session, worker)) => self.put(worker, task(session)),
            None => self.fail(command, recording, "no such recording"),
        }
    }

    /// A command for one session, noted for those who will adopt it.
    fn pass(&mut self, command: Command) {
        let Some(session) = target(&command) else {
            return self.fail(&command, 0, "not to be said here");
        };
        let Some(known) = self.sessions.get_mut(&session) else {
            return self.fail(&command, session, "no such session");
        };
        match &command {
            Command::SetRemote { remote } => {
                known.remote = Some(remote.remote);
                known.direction = remote.direction;
            }
            Command::Play { playback, .. } if *playback == known.played => {
                let playback = *playback;
                return self.played_before(session, playback);
            }
            Command::SendDigits { request, .. } => {
                if known.requested.contains(request) {
                    return;
                }
                known.requested.push_back(*request);
                if known.requested.len() > MAX_REQUESTS_KNOWN {
                    known.requested.pop_front();
                }
            }
            Command::Play {
                playback, files, ..
            } => {
                (known.playback, known.played) = (*playback, *playback);
                let load = Load {
                    session,
                    playback: *playback,
                    files: files.clone(),
                };
                let worker = known.worker;
                self.put(worker, Task::Do(command));
                // The worker knows of the playback before its sound can come.
                let _ = self.sounds.send(load);
                return;
            }
            Command::StartRecording { recording, .. } => {
                if self.recordings.contains_key(recording) {
                    let recording = *recording;
                    return self.fail(&command, recording, "this recording is running already");
                }
                known.recordings.push(*recording);
                self.recordings.insert(*recording, session);
            }
            Command::Unbridge { b, .. } => {
                let b = *b;
                if known.bridged_with == b {
                    self.part(session, b);
                }
            }
            Command::LeaveMix { mix, .. } if known.mix == *mix => known.mix = 0,
            _ => {}
        }
        if let Some(worker) = self.sessions.get(&session).map(|known| known.worker) {
            self.put(worker, Task::Do(command));
        }
    }

    /// A control process that cannot know whether its predecessor's words came here says them again. What is over is told
    /// as over, should its event be lost; what plays, plays on.
    fn played_before(&mut self, session: u32, playback: u32) {
        let plays = self
            .sessions
            .get(&session)
            .is_some_and(|known| known.playback == playback);
        if !plays {
            self.said.push(Event::PlaybackEnded {
                session,
                playback,
                reason: PlaybackEnd::Finished,
                played_ms: 0,
                detail: String::new(),
            });
        }
    }

    fn part(&mut self, a: u32, b: u32) {
        for (one, other) in [(a, b), (b, a)] {
            if let Some(known) = self
                .sessions
                .get_mut(&one)
                .filter(|known| known.bridged_with == other)
            {
                known.bridged_with = 0;
            }
        }
    }

    fn open(&mut self, session: u32, local: IpAddr, near: u32, port: u16) {
        let fail = |why, detail: String| Event::SessionFailed {
            session,
            why,
            detail,
        };
        if session == 0 || self.sessions.contains_key(&session) {
            return self.said.push(fail(
                OpenFailure::Duplicate,
                format!("session {session} is taken"),
            ));
        }
        let (rtp, rtcp, address) = match self.bind(local, port) {
            Ok(bound) => bound,
            Err((why, detail)) => return self.said.push(fail(why, detail)),
        };
        let near = self.sessions.get(&near).map(|known| known.worker);
        let emptiest = || {
            (0..self.crew.len())
                .min_by_key(|&worker| self.crew[worker].sessions)
                .unwrap_or(0)
        };
        let worker = near.unwrap_or_else(emptiest);
        let (one, two) = (chance(), chance());
        let seed = Seed {
            ssrc: one as u32,
            sequence: (one >> 32) as u16 >> 1,
            timestamp: two as u32,
        };
        let machine = Session::new(session, seed, &self.cname, two, self.clock.now());
        let seat = Seat {
            session: machine,
            rtp,
            rtcp,
            joined: Joined::Nothing,
            muted: false,
            slot: None,
        };
        self.put(worker, Task::Seat(Box::new(seat)));
        self.crew[worker].sessions += 1;
        self.sessions.insert(
            session,
            Known {
                worker,
                local: address,
                remote: None,
                direction: Direction::Inactive,
                bridged_with: 0,
                mix: 0,
                playback: 0,
                played: 0,
                requested: VecDeque::new(),
                recordings: Vec::new(),
            },
        );
        self.said.push(Event::SessionOpened {
            session,
            local: address,
            rtcp_port: address.port() + 1,
        });
    }

    /// A pair of ports, tried until a pair is free: other programs may hold some of ours.
    fn bind(
        &mut self,
        ip: IpAddr,
        wanted: u16,
    ) -> Result<(UdpSocket, UdpSocket, SocketAddr), (OpenFailure, String)> {
        for _ in 0..MAX_PORT_TRIES {
            let port = if wanted == 0 {
                self.ports.take(now())
            } else {
                self.ports.take_certain(wanted)
            };
            let Some(port) = port else { break };
            let address = SocketAddr::new(ip, port);
            match bind_pair(address) {
                Ok((rtp, rtcp)) => return Ok((rtp, rtcp, address)),
                Err(error) => {
                    self.ports.give_back(port, now());
                    if error.kind() != io::ErrorKind::AddrInUse {
                        return Err((OpenFailure::Address, format!("{address}: {error}")));
                    }
                    if wanted != 0 {
                        return Err((OpenFailure::Busy, format!("{address}: {error}")));
                    }
                }
            }
        }
        if wanted != 0 {
            return Err((
                OpenFailure::Busy,
                format!("port {wanted} is in use or not one of ours"),
            ));
        }
        Err((
            OpenFailure::NoPorts,
            "no RTP port is free: widen rtp_ports, or wait until ports have rested".to_owned(),
        ))
    }

    /// Brings a session to the worker of another. The worker that gives it up answers within a turn of its loop.
    fn move_to(&mut self, session: u32, worker: usize) -> bool {
        let Some(from) = self.sessions.get(&session).map(|known| known.worker) else {
            return false;
        };
        if from == worker {
            return true;
        }
        let (answer, seat) = sync_channel(1);
        self.crew[from].tasks.send(Task::Release(session, answer));
        let Ok(Some(seat)) = seat.recv() else {
            return false;
        };
        self.put(worker, Task::Seat(seat));
        self.crew[from].sessions -= 1;
        self.crew[worker].sessions += 1;
        if let Some(known) = self.sessions.get_mut(&session) {
            known.worker = worker;
        }
        true
    }

    fn bridge(&mut self, command: Command, a: u32, b: u32) {
        let worker = self.sessions.get(&a).map(|known| known.worker);
        let Some(worker) = worker.filter(|_| self.sessions.contains_key(&b)) else {
            return self.fail(&command, a, "no such session");
        };
        if !self.move_to(b, worker) {
            return self.fail(&command, b, "the session is closing");
        }
        for (one, other) in [(a, b), (b, a)] {
            let before = self
                .sessions
                .get(&one)
                .map_or(0, |known| known.bridged_with);
            self.part(one, before);
            if let Some(known) = self.sessions.get_mut(&one) {
                known.bridged_with = other;
                known.mix = 0;
            }
        }
        self.put(worker, Task::Do(command));
    }

    fn join_mix(&mut self, command: Command, mix: u32, session: u32) {
        let here = self
            .sessions
            .values()
            .find(|known| known.mix == mix)
            .map(|known| known.worker);
        let Some(own) = self.sessions.get(&session).map(|known| known.worker) else {
            return self.fail(&command, session, "no such session");
        };
        let worker = here.unwrap_or(own);
        if mix == 0 || !self.move_to(session, worker) {
            return self.fail(
                &command,
                session,
                "the session is closing, or the mix has no number",
            );
        }
        let before = self
            .sessions
            .get(&session)
            .map_or(0, |known| known.bridged_with);
        self.part(session, before);
        if let Some(known) = self.sessions.get_mut(&session) {
            known.mix = mix;
        }
        self.put(worker, Task::Do(command));
    }

    /// Closes every session and file, and waits for it; hands out what there is left to tell.
    pub fn stop(mut self, tell: impl FnMut(&Event)) {
        for worker in 0..self.crew.len() {
            self.put(worker, Task::Stop);
        }
        self.wake();
        for crew in std::mem::take(&mut self.crew) {
            let _ = crew.thread.join();
        }
        let Self {
            recorder,
            writing,
            reports,
            said,
            ..
        } = self;
        drop(recorder);
        let _ = writing.join();
        let left = std::iter::from_fn(|| reports.take()).flat_map(|report| match report {
            Report::Events(events) => events,
            Report::Loaded(_) => Vec::new(),
        });
        let all: Vec<Event> = said.into_iter().chain(left).collect();
        all.iter().for_each(tell);
    }
}

/// The session a command is for.
fn target(command: &Command) -> Option<u32> {
    match command {
        Command::SetRemote { remote } => Some(remote.session),
        Command::CloseSession { session }
        | Command::Play { session, .. }
        | Command::StopPlayback { session, .. }
        | Command::SendDigits { session, .. }
        | Command::WatchSilence { session, .. }
        | Command::StartRecording { session, .. }
        | Command::LeaveMix { session, .. }
        | Command::MuteInMix { session, .. }
        | Command::Mute { session, .. }
        | Command::GetStatistics { session } => Some(*session),
        Command::Unbridge { a, .. } => Some(*a),
        _ => None,
    }
}
