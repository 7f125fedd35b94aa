//! Where panels stand: 24 columns, lines from left to right.

/// Columns of the grid.
pub(super) const COLUMNS: u32 = 24;

/// A place on the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) w: u32,
    pub(super) h: u32,
}

impl Place {
    /// Whether two places have a cell in common.
    pub(super) fn meets(self, other: Self) -> bool {
        self.x < other.x + other.w
            && other.x < self.x + self.w
            && self.y < other.y + other.h
            && other.y < self.y + self.h
    }
}

/// Places one panel after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flow {
    x: u32,
    y: u32,
    bottom: u32,
}

impl Flow {
    /// From the left at a height.
    pub(super) const fn at(y: u32) -> Self {
        Self { x: 0, y, bottom: y }
    }

    /// The next place of this size.
    pub(super) fn next(&mut self, w: u32, h: u32) -> Place {
        if self.x + w > COLUMNS {
            (self.x, self.y) = (0, self.bottom);
        }
        let place = Place { x: self.x, y: self.y, w, h };
        self.x += w;
        self.bottom = self.bottom.max(self.y + h);
        place
    }

    /// The first free height below all.
    pub(super) const fn bottom(&self) -> u32 {
        self.bottom
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_fill_lines() {
        let mut flow = Flow::at(1);
        let places: Vec<Place> = [(12, 4), (12, 8), (24, 8)].map(|(w, h)| flow.next(w, h)).into();
        assert_eq!(places.iter().map(|place| (place.x, place.y)).collect::<Vec<_>>(), [(0, 1), (12, 1), (0, 9)]);
        assert_eq!(flow.bottom(), 17);
        assert!(!places.iter().enumerate().any(|(at, a)| places.iter().skip(at + 1).any(|b| a.meets(*b))));
        assert!(Place { x: 0, y: 0, w: 2, h: 2 }.meets(Place { x: 1, y: 1, w: 1, h: 1 }));
    }
}
