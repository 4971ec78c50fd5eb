//! `offhook-media`: the media engine as a program. Started and watched by the control process, spoken to over a Unix socket; it
//! outlives that process for a while, so that a new one finds its calls still sounding.

use std::io::Write;
use std::ops::RangeInclusive;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use nix::sys::resource::{getrlimit, setrlimit, Resource};
use nix::sys::signal::{signal, SigHandler, Signal};
use nix::sys::stat::{umask, Mode};

use offhook_media::control::router::{Router, Settings};
use offhook_media::control::server::Server;

/// As far as an audio server usually goes.
const NICENESS: i32 = -11;

const USAGE: &str = "\
usage: offhook-media --socket PATH [options]
  --socket PATH         where the control process comes (required)
  --ports FIRST-LAST    UDP ports for sound (20000-29999)
  --port-rest-s N       how long a port rests before it is used again (60)
  --threads N           threads for sound (one less than there are cores, at least 1)
  --orphan-s N          how long to wait for a new control process (120)
  --version";

struct Options {
    socket: PathBuf,
    ports: RangeInclusive<u16>,
    port_rest_s: u64,
    threads: usize,
    orphan_s: u64,
}

fn number<T: std::str::FromStr>(option: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{option} takes a number, not {value:?}"))
}

fn ports(value: &str) -> Result<RangeInclusive<u16>, String> {
    let wrong = || format!("--ports takes a range such as 20000-29999, not {value:?}");
    let (first, last) = value.split_once('-').ok_or_else(wrong)?;
    let (first, last) = (
        first.parse().map_err(|_| wrong())?,
        last.parse().map_err(|_| wrong())?,
    );
    if first == 0 || first >= last {
        return Err(wrong());
    }
    Ok(first..=last)
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let mut socket = None;
    let mut options = Options {
        socket: PathBuf::new(),
        ports: 20_000..=29_999,
        port_rest_s: 60,
        threads: cores.saturating_sub(1).max(1),
        orphan_s: 120,
    };
    let mut arguments = arguments;
    while let Some(option) = arguments.next() {
        let value = arguments
            .next()
            .ok_or_else(|| format!("{option} needs a value\n{USAGE}"))?;
        match option.as_str() {
            "--socket" => socket = Some(PathBuf::from(value)),
            "--ports" => options.ports = ports(&value)?,
            "--port-rest-s" => options.port_rest_s = number(&option, &value)?,
            "--threads" => options.threads = number(&option, &value)?,
            "--orphan-s" => options.orphan_s = number(&option, &value)?,
            _ => return Err(format!("no option {option}\n{USAGE}")),
        }
    }
    options.socket = socket.ok_or_else(|| format!("--socket is missing\n{USAGE}"))?;
    Ok(options)
}

/// The terminal that started the control process is not ours: its hang-up and its Ctrl-C end nobody's call.
#[allow(unsafe_code)]
fn ignore_terminal() {
    let _ = nix::unistd::setsid();
    for each in [Signal::SIGHUP, Signal::SIGINT] {
        // SAFETY: ignoring a signal installs no handler, so no code can run at a wrong moment.
        let _ = unsafe { signal(each, SigHandler::SigIgn) };
    }
}

/// Sound has a time, the rest of the machine has none. Only root may ask for it, and nobody needs it.
#[allow(unsafe_code)]
fn raise_priority() {
    // SAFETY: takes and gives numbers only.
    let _ = unsafe { nix::libc::setpriority(nix::libc::PRIO_PROCESS, 0, NICENESS) };
    // A kernel that groups processes by their terminal session weighs ours, which has none, as a whole.
    let _ = std::fs::write("/proc/self/autogroup", NICENESS.to_string());
}

/// A session has two sockets, and the usual limit of 1024 descriptors would be 500 calls.
fn raise_descriptor_limit() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

fn listen(socket: &PathBuf) -> Result<UnixListener, String> {
    if UnixStream::connect(socket).is_ok() {
        return Err(format!(
            "another engine answers at {}: stop it, or adopt it",
            socket.display()
        ));
    }
    // Nobody answers there: what lies there is left over from an engine that died.
    let _ = std::fs::remove_file(socket);
    // Whoever can speak to the engine can hear calls.
    umask(Mode::from_bits_truncate(0o077));
    UnixListener::bind(socket)
        .map_err(|error| format!("cannot listen at {}: {error}", socket.display()))
}

fn run() -> Result<(), String> {
    if std::env::args().any(|argument| argument == "--version") {
        println!("offhook-media {}", env!("CARGO_PKG_VERSION"));
        return Ok(());
    }
    let options = parse(std::env::args().skip(1))?;
    ignore_terminal();
    raise_descriptor_limit();
    raise_priority();
    let listener = listen(&options.socket)?;
    let settings = Settings {
        ports: options.ports,
        port_rest: Duration::from_secs(options.port_rest_s),
        threads: options.threads,
    };
    let router = Router::start(&settings).map_err(|error| format!("cannot start: {error}"))?;
    let orphan_after = Duration::from_secs(options.orphan_s);
    let server = Server::new(listener, router, orphan_after)
        .map_err(|error| format!("cannot start: {error}"))?;
    // Said once, to whoever waits for it; who does not listen is no reason to stop.
    let _ = writeln!(std::io::stdout(), "ready").and_then(|()| std::io::stdout().flush());
    server.run();
    let _ = std::fs::remove_file(&options.socket);
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "offhook-media: {why}");
            ExitCode::from(2)
        }
    }
}
