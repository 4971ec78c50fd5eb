//! `offhook-media`: started and watched by the control process, spoken to over a Unix socket.

fn main() {
    println!("offhook-media {}", env!("CARGO_PKG_VERSION"));
}
