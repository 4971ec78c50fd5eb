//! The control thread: listens where the control process comes, lets one have the engine at a time, keeps sockets for the
//! next one, and ends when nobody comes for too long.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};

use super::connection::{Connection, Gone};
use super::ledger::Ledger;
use super::protocol::{Command, RefusedWhy, Reply, VERSION};
use super::router::{chance, Router};

/// Waiting to be written to the control process before more events are added; the rest waits in the ledger.
const MAX_OUT_BYTES: usize = 256 << 10;
/// Connections that have not yet said what they are.
const MAX_STRANGERS: usize = 16;
/// Longest wait for anything.
const MAX_WAIT: Duration = Duration::from_secs(1);

pub struct Server {
    listener: UnixListener,
    router: Router,
    ledger: Ledger,
    sockets: BTreeMap<String, OwnedFd>,
    strangers: Vec<Connection>,
    control: Option<Connection>,
    control_generation: u64,
    engine_generation: u64,
    orphan_after: Duration,
    alone_since: Instant,
}

/// What a connection turned out to be.
enum Stranger {
    Waits,
    Done,
    Control(u64),
}

impl Server {
    pub fn new(listener: UnixListener, router: Router, orphan_after: Duration) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener,
            router,
            ledger: Ledger::default(),
            sockets: BTreeMap::new(),
            strangers: Vec::new(),
            control: None,
            control_generation: 0,
            engine_generation: chance() | 1,
            orphan_after,
            alone_since: Instant::now(),
        })
    }

    /// Runs until told to shut down, or until nobody has come for too long.
    pub fn run(mut self) {
        loop {
            let ready = self.wait();
            if ready.reports {
                self.router.reports().quieten();
            }
            if ready.control && self.hear_control() {
                break;
            }
            // In reverse, so that removing one leaves the places of those before it.
            for at in ready.strangers.into_iter().rev() {
                self.hear_stranger(at);
            }
            if ready.listener {
                self.accept();
            }
            self.tell();
            if self.control.is_none() && self.alone_since.elapsed() >= self.orphan_after {
                break;
            }
        }
        let (mut ledger, control) = (self.ledger, self.control);
        self.router.stop(|event| ledger.add(event));
        if let Some(mut control) = control {
            ledger.give(control.out(), usize::MAX);
            let _ = control.write();
        }
    }

    fn wait(&self) -> Ready {
        let mut watched = vec![
            PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.router.reports().fd(), PollFlags::POLLIN),
        ];
        if let Some(control) = &self.control {
            let writes = if control.has_to_write() {
                PollFlags::POLLOUT
            } else {
                PollFlags::empty()
            };
            watched.push(PollFd::new(
                control.stream().as_fd(),
                PollFlags::POLLIN | writes,
            ));
        }
        let before_strangers = watched.len();
        watched.extend(
            self.strangers
                .iter()
                .map(|each| PollFd::new(each.stream().as_fd(), PollFlags::POLLIN)),
        );
        let wait = patience(
            self.control.is_some(),
            self.orphan_after,
            self.alone_since.elapsed(),
        );
        let _ = poll(
            &mut watched,
            PollTimeout::try_from(wait).unwrap_or(PollTimeout::ZERO),
        );
        let is_ready = |at: usize| watched.get(at).and_then(PollFd::any).unwrap_or(false);
        Ready {
            listener: is_ready(0),
            reports: is_ready(1),
            control: self.control.is_some() && is_ready(2),
            strangers: (0..self.strangers.len())
                .filter(|at| is_ready(before_strangers + at))
                .collect(),
        }
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            if self.strangers.len() >= MAX_STRANGERS {
                self.strangers.remove(0);
            }
            self.strangers.extend(Connection::new(stream));
        }
    }

    /// True when it is time to shut down.
    fn hear_control(&mut self) -> bool {
        let Some(mut control) = self.control.take() else {
            return false;
        };
        match self.hear(&mut control) {
            Ok(shutdown) => {
                self.control = Some(control);
                shutdown
            }
            Err(Gone) => {
                self.alone_since = Instant::now();
                false
            }
        }
    }

    fn hear(&mut self, control: &mut Connection) -> Result<bool, Gone> {
        control.read()?;
        self.obey(control)
    }

    fn obey(&mut self, control: &mut Connection) -> Result<bool, Gone> {
        while let Some(command) = control.command()? {
            match command {
                Command::Ack { event } => self.ledger.acknowledge(event),
                Command::Shutdown {} => return Ok(true),
                Command::Hello { .. } => return Err(Gone),
                other => self.router.command(other),
            }
        }
        self.router.wake();
        Ok(false)
    }

    fn hear_stranger(&mut self, at: usize) {
        let mut stranger = self.strangers.remove(at);
        match self.meet(&mut stranger) {
            Ok(Stranger::Waits) => self.strangers.push(stranger),
            Ok(Stranger::Done) | Err(Gone) => {}
            Ok(Stranger::Control(generation)) => self.welcome(stranger, generation),
        }
    }

    fn meet(&mut self, stranger: &mut Connection) -> Result<Stranger, Gone> {
        let mut descriptors = stranger.read_with_descriptors()?;
        let Some(command) = stranger.command()? else {
            return Ok(Stranger::Waits);
        };
        match command {
            Command::Hello {
                version,
                generation,
            } => {
                let newer = if self.control.is_some() {
                    generation > self.control_generation
                } else {
                    generation >= self.control_generation
                };
                if version == VERSION && newer {
                    return Ok(Stranger::Control(generation));
                }
                let why = if version == VERSION {
                    RefusedWhy::Generation
                } else {
                    RefusedWhy::Version
                };
                let refused = Reply::Refused {
                    why,
                    version: VERSION,
                    generation: self.control_generation,
                };
                refused.encode(stranger.out());
                stranger.write()?;
            }
            Command::KeepSocket { name } => {
                if let Some(descriptor) = descriptors.pop() {
                    self.sockets.insert(name, descriptor);
                }
                self.answer_sockets(stranger, false)?;
            }
            Command::DropSocket { name } => {
                self.sockets.remove(&name);
                self.answer_sockets(stranger, false)?;
            }
            Command::FetchSockets {} => self.answer_sockets(stranger, true)?,
            _ => {}
        }
        Ok(Stranger::Done)
    }

    fn answer_sockets(
        &self,
        stranger: &mut Connection,
        with_descriptors: bool,
    ) -> Result<(), Gone> {
        let mut answer = Vec::new();
        Reply::Sockets {
            names: self.sockets.keys().cloned().collect(),
        }
        .encode(&mut answer);
        let descriptors: Vec<RawFd> = self.sockets.values().map(AsRawFd::as_raw_fd).collect();
        stranger.write_with_descriptors(&answer, if with_descriptors { &descriptors } else { &[] })
    }

    /// A control process has the engine from here on; one that had it before has not.
    fn welcome(&mut self, mut control: Connection, generation: u64) {
        // Whatever the threads have reported belongs to the state the newcomer is told.
        let ledger = &mut self.ledger;
        self.router.collect(|event| ledger.add(event));
        self.ledger.rewind();
        let out = control.out();
        Reply::Welcome {
            version: VERSION,
            engine_pid: std::process::id(),
            engine_generation: self.engine_generation,
            sessions: self.router.sessions() as u32,
            highest_event: self.ledger.highest(),
            waiting_events: self.ledger.waiting() as u32,
            dropped_events: self.ledger.dropped(),
        }
        .encode(out);
        self.router.alive().for_each(|alive| alive.encode(out));
        self.control_generation = generation;
        self.alone_since = Instant::now();
        // It may have said more in the same breath; a Shutdown is not said before the Welcome is read.
        if matches!(self.obey(&mut control), Ok(false)) {
            self.control = Some(control);
        }
    }

    /// Collects what happened and writes what the control process takes.
    fn tell(&mut self) {
        let ledger = &mut self.ledger;
        self.router.collect(|event| ledger.add(event));
        if let Some(control) = &mut self.control {
            self.ledger.give(control.out(), MAX_OUT_BYTES);
            if control.write().is_err() {
                self.control = None;
                self.alone_since = Instant::now();
            }
        }
    }
}

struct Ready {
    listener: bool,
    reports: bool,
    control: bool,
    strangers: Vec<usize>,
}

/// How long to wait for anything: never beyond the moment at which an orphan is to go.
fn patience(controlled: bool, orphan_after: Duration, alone: Duration) -> Duration {
    if controlled {
        return MAX_WAIT;
    }
    // A millisecond more, since `poll` counts whole ones and would turn on the spot for the last part of one.
    MAX_WAIT.min(orphan_after.saturating_sub(alone) + Duration::from_millis(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_orphan_does_not_sleep_over_its_end() {
        let ms = Duration::from_millis;
        assert_eq!(patience(false, ms(3_000), ms(0)), MAX_WAIT);
        assert_eq!(patience(false, ms(3_000), ms(2_900)), ms(101));
        assert_eq!(patience(false, ms(3_000), ms(3_500)), ms(1));
        assert_eq!(patience(true, ms(3_000), ms(2_900)), MAX_WAIT);
    }
}
