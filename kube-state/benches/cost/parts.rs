//! The parts in this process.

use std::{
    io::{self, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use yagura_kube_state::{kind::OptIn, labels::AllowList, resources, rows::Rows, store::Store};

use crate::{ALLOCATOR, pod::pod};

/// Prints what updates and pages cost without the network.
pub(crate) fn measure(pods: usize) {
    let resource = resources::find("pods").expect("invariant: pods are a kind");
    let options = resource.options(AllowList::default(), AllowList::default(), OptIn::None);
    let mut store = Store::of(resource, &options.wanted);
    let mut rows = Rows::new(Arc::new(options));
    for number in 0..pods {
        resource.render(pod(number, 0).as_bytes(), &mut rows).expect("invariant: we made it");
        store.put(&rows);
    }
    let usage = store.reader().snapshot().usage();
    let (bytes, series) = (usage.bytes / pods, usage.series / pods);
    println!("store            {bytes:>9} B a pod for {series} series, of {} B of JSON", pod(0, 0).len());
    let mut best = Duration::MAX;
    let mut length = 0;
    for _ in 0..7 {
        let mut sink = Length(0);
        let start = Instant::now();
        store.reader().snapshot().write(&mut sink, |_| true).expect("invariant: a sink takes all");
        best = best.min(start.elapsed());
        length = sink.0;
    }
    println!("page             {:>9.1} ms, {length} B, best of 7", best.as_secs_f64() * 1e3);
    let updates = pods.min(10_000);
    let (mut parse, mut put, mut families, mut allocations) = (Duration::ZERO, Duration::ZERO, 0, 0);
    for number in 0..updates {
        let json = pod(number * 7919 % pods, 1);
        let before = ALLOCATOR.stats().allocations;
        let start = Instant::now();
        resource.render(json.as_bytes(), &mut rows).expect("invariant: we made it");
        let rendered = Instant::now();
        families += store.put(&rows).families;
        put += rendered.elapsed();
        parse += rendered - start;
        allocations += ALLOCATOR.stats().allocations - before;
    }
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / updates as f64;
    println!(
        "update           {:>9.1} µs = parse and render {:.1} + store {:.1}; {:.1} allocations, {} families changed",
        micros(parse + put),
        micros(parse),
        micros(put),
        allocations as f64 / updates as f64,
        families / updates
    );
}

struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
