//! What it costs to write a page: nanoseconds a sample for each format, and the speed of each compression.
//!
//! `cargo run --release -p expo --example encode_bench`

#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use std::{
    io::{self, Write},
    time::Instant,
};

use expo::{Compressor, Encoder, Encoding, Format};
use metric::{Batch, Bytes, Family, Label, Seconds, Subject};

const CONTAINERS: usize = 5_000;
const ROUNDS: u32 = 20;

struct Container;

impl Subject for Container {
    const LABELS: &'static [Label] = &[
        Label::open("container", "containers"),
        Label::open("id", "containers"),
        Label::open("image", "images"),
        Label::open("name", "containers"),
        Label::open("namespace", "namespaces"),
        Label::open("pod", "pods"),
    ];
}

struct Pod;

impl Subject for Pod {
    const LABELS: &'static [Label] =
        &[Label::open("namespace", "namespaces"), Label::open("pod", "pods"), Label::open("container", "containers")];
}

static USAGE: Family<Bytes, 0, Pod> = Family::gauge("container_memory_usage_bytes", "Memory in use.", &[]);
static CPU: Family<Seconds, 0, Container> = Family::counter("container_cpu_usage_seconds_total", "Time on CPU.", &[]);
static WORKING_SET: Family<Bytes, 0, Container> =
    Family::gauge("container_memory_working_set_bytes", "Memory that cannot be reclaimed at once.", &[]);
static SENT: Family<Bytes, 1, Container> = Family::counter(
    "container_network_transmit_bytes_total",
    "Bytes sent.",
    &[Label::open("interface", "interfaces of the container")],
);

/// Three labels and one sample each: the shape of a plain family of ours.
fn narrow() -> Batch {
    let mut batch = Batch::default();
    for i in 0..CONTAINERS * 4 {
        let (namespace, pod) = (format!("team-{}", i % 200), format!("checkout-service-7d9f8b6c5-{i:05x}"));
        let pod = batch.subject::<Pod, 3>([&namespace, &pod, "app"]);
        batch.put_of(&USAGE, pod, [], Bytes(i as u64 * 4096));
    }
    batch
}

/// Six long labels and many families: the shape of the cAdvisor view.
fn wide() -> Batch {
    let mut batch = Batch::default();
    for i in 0..CONTAINERS {
        let (namespace, pod) = (format!("team-{}", i % 200), format!("checkout-service-7d9f8b6c5-{i:05x}"));
        let name = format!("{:064x}", i as u128 * 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835 % (1 << 127));
        let id =
            format!("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{i:032x}.slice/cri-{name}.scope");
        let image = format!("registry.example/checkout/service:{}", i % 40);
        let container = batch.subject::<Container, 6>(["app", &id, &image, &name, &namespace, &pod]);
        batch.put_of(&CPU, container, [], Seconds(i as f64 * 1.000_123));
        batch.put_of(&WORKING_SET, container, [], Bytes(i as u64 * 4096));
        batch.put_of(&SENT, container, ["eth0"], Bytes(i as u64 * 1500));
        batch.put_of(&SENT, container, ["eth1"], Bytes(0));
    }
    batch
}

fn main() -> io::Result<()> {
    for (name, batch) in [("narrow", narrow()), ("wide", wide())] {
        println!("{name}: {} samples", batch.len());
        for format in Format::ALL {
            encode(&batch, format)?;
        }
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            compress(&batch, encoding)?;
        }
    }
    Ok(())
}

fn encode(batch: &Batch, format: Format) -> io::Result<()> {
    let mut encoder = Encoder::default();
    let mut best = f64::MAX;
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let stats = encoder.encode(&[batch], format, &mut io::sink())?;
        best = best.min(start.elapsed().as_secs_f64());
        bytes = stats.bytes;
    }
    let samples = batch.len() as f64;
    println!(
        "  {:14} {:6.1} ns/sample  {:6.1} B/sample  {:7.0} MB/s",
        format!("{format:?}"),
        best * 1e9 / samples,
        bytes as f64 / samples,
        bytes as f64 / best / 1e6
    );
    Ok(())
}

fn compress(batch: &Batch, encoding: Encoding) -> io::Result<()> {
    let mut page = Vec::new();
    Encoder::default().encode(&[batch], Format::Text004, &mut page)?;
    let mut best = f64::MAX;
    let mut packed = Vec::with_capacity(page.len());
    for _ in 0..ROUNDS / 4 {
        packed.clear();
        let start = Instant::now();
        let mut compressor = Compressor::new(encoding, &mut packed)?;
        for chunk in page.chunks(64 * 1024) {
            compressor.write_all(chunk)?;
        }
        compressor.finish()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!(
        "  {:14} {:6.0} MB/s  ratio {:.1}",
        format!("{encoding:?}"),
        page.len() as f64 / best / 1e6,
        page.len() as f64 / packed.len() as f64
    );
    Ok(())
}
