//! Where the nodes of a drawing go: apart from each other, near whom they are linked to.
//!
//! Invariants: pure, total and the same for the same input, whatever that is; work is
//! bounded by the number of nodes and [`ROUNDS`]; every coordinate is finite and in 0 to 1.

/// A place in the drawing, 0 to 1 each.
pub type Spot = (f64, f64);

/// Rounds of pushing and pulling.
const ROUNDS: u32 = 160;
/// From one node to the next on the spiral they start from: the golden angle, so that no two share a ray.
const TURN: f64 = 2.399_963;
/// How strongly everything is drawn to the middle, more the further out it is, so that unlinked parts do not
/// drift away and a link stays as long as the room for a node.
const GRAVITY: f64 = 0.6;

/// Places of `count` nodes with these links (Fruchterman and Reingold, 1991); a link that names no node is
/// passed over. Who has most links starts in the middle.
#[must_use]
pub fn lay_out(count: usize, links: &[(usize, usize)]) -> Vec<Spot> {
    let mut degrees = vec![0_usize; count];
    let links: Vec<(usize, usize)> = links
        .iter()
        .copied()
        .filter(|&(a, b)| a != b && a < count && b < count)
        .collect();
    for end in links.iter().flat_map(|&(a, b)| [a, b]) {
        if let Some(degree) = degrees.get_mut(end) {
            *degree += 1;
        }
    }
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|&node| std::cmp::Reverse(degrees.get(node).copied()));
    let mut spots = vec![(0.0, 0.0); count];
    for (rank, node) in order.into_iter().enumerate() {
        let (radius, angle) = (number(rank).sqrt(), number(rank) * TURN);
        if let Some(spot) = spots.get_mut(node) {
            *spot = (radius * angle.cos(), radius * angle.sin());
        }
    }
    let room = number(count).sqrt().max(1.0);
    for round in 0..ROUNDS {
        let heat = room * 0.25 * (1.0 - f64::from(round) / f64::from(ROUNDS));
        step(&mut spots, &links, heat);
    }
    fitted(spots)
}

/// One round: everybody pushes, links pull, the middle pulls a little; nobody moves further than `heat`.
fn step(spots: &mut [Spot], links: &[(usize, usize)], heat: f64) {
    let mut moves = vec![(0.0, 0.0); spots.len()];
    for (at, (&(x, y), moved)) in spots.iter().zip(&mut moves).enumerate() {
        for (_, &(ox, oy)) in spots.iter().enumerate().filter(|&(other, _)| other != at) {
            let (dx, dy) = (x - ox, y - oy);
            let near = (dx * dx + dy * dy).max(1e-4);
            moved.0 += dx / near;
            moved.1 += dy / near;
        }
        moved.0 -= GRAVITY * x;
        moved.1 -= GRAVITY * y;
    }
    for &(a, b) in links {
        let (Some(&(ax, ay)), Some(&(bx, by))) = (spots.get(a), spots.get(b)) else {
            continue;
        };
        let (dx, dy) = (bx - ax, by - ay);
        let far = (dx * dx + dy * dy).sqrt();
        for (node, sign) in [(a, 1.0), (b, -1.0)] {
            if let Some(moved) = moves.get_mut(node) {
                moved.0 += sign * dx * far;
                moved.1 += sign * dy * far;
            }
        }
    }
    for (spot, (mx, my)) in spots.iter_mut().zip(moves) {
        let length = (mx * mx + my * my).sqrt().max(1e-9);
        let stride = length.min(heat) / length;
        spot.0 += mx * stride;
        spot.1 += my * stride;
    }
}

/// Stretched to fill the square.
fn fitted(spots: Vec<Spot>) -> Vec<Spot> {
    let bounds = |of: fn(&Spot) -> f64| {
        let all = spots.iter().map(of).filter(|value| value.is_finite());
        all.fold((f64::MAX, f64::MIN), |(least, most), value| {
            (least.min(value), most.max(value))
        })
    };
    let (across, down) = (bounds(|spot| spot.0), bounds(|spot| spot.1));
    spots
        .iter()
        .map(|&(x, y)| (share(x, across), share(y, down)))
        .collect()
}

/// How far along it is, in the middle where there is no length.
fn share(value: f64, (least, most): (f64, f64)) -> f64 {
    if value.is_finite() && most - least > 1e-9 {
        ((value - least) / (most - least)).clamp(0.0, 1.0)
    } else {
        0.5
    }
}

/// A count as a length; counts of a drawing are small.
fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far(spots: &[Spot], a: usize, b: usize) -> f64 {
        ((spots[a].0 - spots[b].0).powi(2) + (spots[a].1 - spots[b].1).powi(2)).sqrt()
    }

    #[test]
    fn everything_lies_in_the_square_and_nothing_on_each_other() {
        for (count, links) in [
            (0, vec![]),
            (1, vec![(0, 0)]),
            (2, vec![(0, 1), (0, 7)]),
            (60, (1..60).map(|n| (0, n)).collect::<Vec<_>>()),
        ] {
            let spots = lay_out(count, &links);
            assert_eq!(spots.len(), count);
            for (at, spot) in spots.iter().enumerate() {
                assert!(
                    (0.0..=1.0).contains(&spot.0) && (0.0..=1.0).contains(&spot.1),
                    "{spot:?}"
                );
                for other in 0..at {
                    assert!(far(&spots, at, other) > 0.01, "{at} {other}");
                }
            }
            assert_eq!(spots, lay_out(count, &links), "the same again");
        }
    }

    #[test]
    fn who_is_linked_is_nearer_than_who_is_not() {
        // Two rings of six, one link between them.
        let ring = |from: usize| (0..6).map(move |n| (from + n, from + (n + 1) % 6));
        let links: Vec<_> = ring(0).chain(ring(6)).chain([(0, 6)]).collect();
        let spots = lay_out(12, &links);
        assert!(far(&spots, 1, 2) < far(&spots, 3, 9), "{spots:?}");
    }
}
