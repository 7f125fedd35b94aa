//! Proof that packets which are dropped on purpose are counted, under the right reason and at the right place.
//!
//! `cargo run --release -p yagura-exporter --example proof_drops` makes a network namespace and drops packets in it: for
//! want of room at a socket, for bad checksums, at a full listener, and by rules of nftables (`NFT` says where `nft` is,
//! if not in the path). Needs root and a version 2 tree. Exits 1 when a count is wrong.

#[path = "../tests/common/mod.rs"]
mod common;

use common::{drops::compare, network::Network, unable};

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn main() -> anyhow::Result<()> {
    if let Some(reason) = unable().or_else(Network::unable) {
        testkit::skipped(&reason);
        return Ok(());
    }
    let (lines, missing) = compare();
    for line in &lines {
        println!("{:<50} {:>4} of {:>4}, as {}", line.what, line.counted, line.done, line.counted_as);
    }
    if let Some(missing) = missing {
        println!("not tried: {missing}");
    }
    anyhow::ensure!(lines.iter().all(|line| line.counted == line.done), "the books of dropped packets are wrong");
    Ok(())
}
