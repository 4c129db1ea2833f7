//! What is counted of the distances of a row from a stretch of columns.

use super::{BINS, Histogram};

/// Columns whose distances are reckoned together: as many as an AVX-512 register has lanes of 64 bits.
const WIDTH: usize = 8;

/// Two distances as one number below this.
const PLANE: usize = BINS * BINS;
/// The next power of two, so that an index needs a mask and no check; what is beyond [`PLANE`] is never touched.
const TABLE: usize = PLANE.next_power_of_two();

/// The same for one distance.
const LINE: usize = BINS.next_power_of_two();

/// Neighbours count in different tables: an increment that waits for the last one of the same number takes five times
/// as long.
const COPIES: usize = 4;

/// A way to count.
pub(super) trait Kernel: Send {
    /// Makes sure that so many pairs more can be counted.
    fn expect(&mut self, _pairs: usize) {}

    /// Counts the pairs of a digest with [`WIDTH`] others, given their distances by lane.
    fn many(&mut self, distances: &[[u64; WIDTH]; 4]);

    /// Counts one pair, given its distances.
    fn one(&mut self, distances: [u64; 4]);

    /// Both together.
    fn merge(self, other: Self) -> Self;

    /// Counts the pairs of a digest with some others, which are given lane by lane and equally many.
    #[inline(always)]
    fn row(&mut self, row: [u64; 4], columns: [&[u64]; 4]) {
        let [a, b, c, d] = columns.map(<[u64]>::as_chunks::<WIDTH>);
        for (((a, b), c), d) in a.0.iter().zip(b.0).zip(c.0).zip(d.0) {
            self.many(&[distances(row[0], a), distances(row[1], b), distances(row[2], c), distances(row[3], d)]);
        }
        for (((a, b), c), d) in a.1.iter().zip(b.1).zip(c.1).zip(d.1) {
            self.one([distance(row[0], *a), distance(row[1], *b), distance(row[2], *c), distance(row[3], *d)]);
        }
    }
}

#[inline(always)]
fn distances(row: u64, columns: &[u64; WIDTH]) -> [u64; WIDTH] {
    let mut distances = [0; WIDTH];
    for (bits, &column) in distances.iter_mut().zip(columns) {
        *bits = distance(row, column);
    }
    distances
}

#[inline(always)]
fn distance(a: u64, b: u64) -> u64 {
    u64::from((a ^ b).count_ones())
}

/// By the distance of each lane. Of two lanes together, which makes two increments of four; the sum over the other lane
/// is taken at the end.
pub(super) struct PerLane {
    /// By lanes 0 and 1, and by lanes 2 and 3.
    planes: Box<[[[u32; TABLE]; COPIES]; 2]>,
    /// Pairs that the planes may have counted since they were emptied.
    pending: usize,
    total: [Histogram; 4],
}

impl Default for PerLane {
    fn default() -> Self {
        Self { planes: Box::new([[[0; TABLE]; COPIES]; 2]), pending: 0, total: [Histogram::EMPTY; 4] }
    }
}

impl PerLane {
    pub(super) fn total(mut self) -> [Histogram; 4] {
        self.flush();
        self.total
    }

    fn flush(&mut self) {
        for (plane, total) in self.planes.iter_mut().zip(self.total.as_chunks_mut::<2>().0) {
            for table in plane {
                for (index, count) in table.iter_mut().take(PLANE).enumerate() {
                    let count = u64::from(std::mem::take(count));
                    total[0].0[index / BINS] += count;
                    total[1].0[index % BINS] += count;
                }
            }
        }
        self.pending = 0;
    }
}

impl Kernel for PerLane {
    fn expect(&mut self, pairs: usize) {
        if self.pending + pairs > u32::MAX as usize {
            self.flush();
        }
        self.pending += pairs;
    }

    #[inline(always)]
    fn many(&mut self, [a, b, c, d]: &[[u64; WIDTH]; 4]) {
        let (ab, cd) = (joint(a, b), joint(c, d));
        let [first, second] = &mut *self.planes;
        for at in 0..WIDTH {
            increment(&mut first[at % COPIES], ab[at]);
            increment(&mut second[at % COPIES], cd[at]);
        }
    }

    #[inline(always)]
    fn one(&mut self, [a, b, c, d]: [u64; 4]) {
        let [first, second] = &mut *self.planes;
        increment(&mut first[0], a * BINS as u64 + b);
        increment(&mut second[0], c * BINS as u64 + d);
    }

    fn merge(mut self, mut other: Self) -> Self {
        self.flush();
        other.flush();
        for (mine, theirs) in self.total.iter_mut().zip(&other.total) {
            mine.add(theirs);
        }
        self
    }
}

#[inline(always)]
fn joint(a: &[u64; WIDTH], b: &[u64; WIDTH]) -> [u64; WIDTH] {
    let mut joint = [0; WIDTH];
    for ((joint, a), b) in joint.iter_mut().zip(a).zip(b) {
        *joint = a.wrapping_mul(BINS as u64).wrapping_add(*b);
    }
    joint
}

#[inline(always)]
fn increment<const N: usize>(table: &mut [u32; N], index: u64) {
    let count = &mut table[index as usize & (N - 1)];
    *count = count.wrapping_add(1);
}

/// By the largest distance of the four.
pub(super) struct Largest {
    tables: [[u64; LINE]; WIDTH],
}

impl Default for Largest {
    fn default() -> Self {
        Self { tables: [[0; LINE]; WIDTH] }
    }
}

impl Largest {
    pub(super) fn total(self) -> Histogram {
        Histogram(std::array::from_fn(|bits| self.tables.iter().map(|table| table[bits]).sum()))
    }
}

impl Kernel for Largest {
    #[inline(always)]
    fn many(&mut self, [a, b, c, d]: &[[u64; WIDTH]; 4]) {
        let mut largest = [0; WIDTH];
        for at in 0..WIDTH {
            largest[at] = a[at].max(b[at]).max(c[at]).max(d[at]);
        }
        for (table, largest) in self.tables.iter_mut().zip(largest) {
            let count = &mut table[largest as usize & (LINE - 1)];
            *count = count.wrapping_add(1);
        }
    }

    #[inline(always)]
    fn one(&mut self, distances: [u64; 4]) {
        self.tables[0][distances.into_iter().max().unwrap_or_default() as usize] += 1;
    }

    fn merge(mut self, other: Self) -> Self {
        for (mine, theirs) in self.tables.iter_mut().flatten().zip(other.tables.iter().flatten()) {
            *mine += theirs;
        }
        self
    }
}

/// Those that have every lane within its accept distance.
pub(super) struct Matches {
    accept: [u64; 4],
    found: [u64; WIDTH],
}

impl Matches {
    pub(super) fn within(accept: [u8; 4]) -> Self {
        Self { accept: accept.map(u64::from), found: [0; WIDTH] }
    }

    pub(super) fn total(self) -> u64 {
        self.found.iter().sum()
    }
}

impl Kernel for Matches {
    #[inline(always)]
    fn many(&mut self, [a, b, c, d]: &[[u64; WIDTH]; 4]) {
        let [most_a, most_b, most_c, most_d] = self.accept;
        for at in 0..WIDTH {
            let near = (a[at] <= most_a) & (b[at] <= most_b) & (c[at] <= most_c) & (d[at] <= most_d);
            self.found[at] = self.found[at].wrapping_add(u64::from(near));
        }
    }

    #[inline(always)]
    fn one(&mut self, distances: [u64; 4]) {
        let near = distances.iter().zip(self.accept).all(|(&bits, most)| bits <= most);
        self.found[0] += u64::from(near);
    }

    fn merge(mut self, other: Self) -> Self {
        for (mine, theirs) in self.found.iter_mut().zip(other.found) {
            *mine += theirs;
        }
        self
    }
}

/// The sum of all distances.
#[derive(Default)]
pub(super) struct Sum {
    sums: [u64; WIDTH],
}

impl Sum {
    pub(super) fn total(self) -> u64 {
        self.sums.iter().sum()
    }
}

impl Kernel for Sum {
    #[inline(always)]
    fn many(&mut self, [a, b, c, d]: &[[u64; WIDTH]; 4]) {
        for at in 0..WIDTH {
            // Of four lanes, 256 bits at most.
            let bits = a[at].wrapping_add(b[at]).wrapping_add(c[at]).wrapping_add(d[at]);
            self.sums[at] = self.sums[at].wrapping_add(bits);
        }
    }

    #[inline(always)]
    fn one(&mut self, distances: [u64; 4]) {
        self.sums[0] += distances.iter().sum::<u64>();
    }

    fn merge(mut self, other: Self) -> Self {
        for (mine, theirs) in self.sums.iter_mut().zip(other.sums) {
            *mine += theirs;
        }
        self
    }
}
