//! The table: a line of CPUs, then a line an interrupt with a number of each CPU and words.

use kernfs::text;

/// The whole file.
#[derive(Debug)]
pub(super) struct Table<'f> {
    /// Numbers of the CPUs, by column.
    pub(super) cpus: Vec<&'f str>,
    file: &'f [u8],
}

/// An interrupt.
#[derive(Debug, PartialEq)]
pub(super) struct Line<'f> {
    pub(super) name: &'f str,
    /// What handles it when it has a number, what it is when it has a name.
    pub(super) info: String,
    /// Whose it is; interrupts with a name are nobody's.
    pub(super) devices: String,
    /// By column.
    pub(super) counts: Vec<u64>,
}

impl<'f> Table<'f> {
    pub(super) fn parse(file: &'f [u8]) -> Self {
        let heads = text::lines(file).next().map(text::words).into_iter().flatten();
        let number = |word: &'f [u8]| std::str::from_utf8(word.strip_prefix(b"CPU")?).ok();
        Self { cpus: heads.filter_map(number).collect(), file }
    }

    /// Those that are counted by CPU.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line<'f>> {
        let columns = self.cpus.len();
        text::lines(self.file).skip(1).filter_map(move |line| line_of(line, columns))
    }
}

fn line_of(line: &[u8], columns: usize) -> Option<Line<'_>> {
    // Some machines write no space behind the colon.
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, rest) = line.split_at_checked(colon)?;
    let name = std::str::from_utf8(name.trim_ascii()).ok()?;
    let mut words = text::words(rest.get(1..)?);
    let counts: Vec<u64> = words.by_ref().take(columns).map_while(text::number).collect();
    if columns == 0 || counts.len() < columns {
        return None;
    }
    let mut words = words.map(text::text).peekable();
    words.peek()?;
    let has_number = text::number(name.as_bytes()).is_some();
    let info = if has_number { words.next()?.into_owned() } else { joined(&mut words) };
    Some(Line { name, info, devices: joined(&mut words), counts })
}

fn joined<'w>(words: &mut impl Iterator<Item = std::borrow::Cow<'w, str>>) -> String {
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_has_a_number_is_told_from_what_has_a_name() {
        let file = b"   CPU0  CPU2\n 9: 1 2 IO-APIC 9-fasteoi  acpi\nLOC: 3 4 Local timer interrupts\n\
            IPI0:5 6 Rescheduling\n NMI: 7 8\nERR: 9\n 10: 1 x IO-APIC\n";
        let table = Table::parse(file);
        assert_eq!(table.cpus, ["0", "2"]);
        let line = |name, info: &str, devices: &str, counts: [u64; 2]| Line {
            name,
            info: info.to_owned(),
            devices: devices.to_owned(),
            counts: counts.to_vec(),
        };
        assert_eq!(
            table.lines().collect::<Vec<_>>(),
            [
                line("9", "IO-APIC", "9-fasteoi acpi", [1, 2]),
                line("LOC", "Local timer interrupts", "", [3, 4]),
                line("IPI0", "Rescheduling", "", [5, 6]),
            ]
        );
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Table::parse(&bytes).lines().count();
        }
    }
}
