//! Tasks that the kernel found hung, from `/proc/sys/kernel/hung_task_detect_count` (since Linux 6.13, with
//! `CONFIG_DETECT_HUNG_TASK`).

use kernfs::ReadError;
use metric::{Count, Desc, Family};

use super::node::{attribute_number, counter};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

static TASKS: Family<Count, 0> =
    counter("node_kernel_hung_tasks_total", "Tasks that the kernel found hung since it booted.", &[]);
static ALL: &[&Desc] = &[TASKS.desc()];

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_kernel_hung",
    about: "Tasks that the kernel found hung.",
    default_on: true,
    needs: &[Need::File("proc/sys/kernel/hung_task_detect_count"), Need::Kernel(6, 13)],
    shows: &[(View::Node, ALL)],
    build,
};

#[derive(Debug)]
struct NodeKernelHung;

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeKernelHung))
}

impl Collector for NodeKernelHung {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        if let Some(tasks) = attribute_number(reader, &host.proc, "sys/kernel/hung_task_detect_count") {
            out.put(&TASKS, [], tasks);
        } else {
            scrape.nothing_there();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn hung_tasks_are_counted() {
        check(&SPEC, "node_kernel_hung/testdata/vm-6-18", View::Node);
    }
}
