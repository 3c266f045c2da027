//! From degrees to a drawing: equirectangular, fitted to the places drawn.
//!
//! Invariant: pure and total; whatever places are given, the drawing is of a bounded size and has a bounded
//! number of lines.

/// Width of the drawing, in its own units.
pub const WIDTH: f64 = 1_000.0;
/// Between the outermost places and its edge.
pub const MARGIN: f64 = 90.0;
/// It is never flatter or higher than so.
const HEIGHTS: (f64, f64) = (360.0, 720.0);

/// A line of equal latitude or longitude.
pub struct Graticule {
    /// Its path.
    pub d: String,
    /// Where its label stands.
    pub x: String,
    /// Where its label stands.
    pub y: String,
    /// Degrees.
    pub label: String,
}

/// Equirectangular, fitted to what is drawn: a degree of longitude is as long as it is in the middle.
pub struct Projection {
    south: f64,
    west: f64,
    north: f64,
    east: f64,
    // Drawing units for a degree.
    across: f64,
    up: f64,
    /// Height of the drawing in its own units.
    pub height: f64,
}

impl Projection {
    /// Fitted to places in degrees north and east; to some sea where there are none.
    #[must_use]
    pub fn fit(places: impl Iterator<Item = (f64, f64)>) -> Self {
        let (mut south, mut west, mut north, mut east) = (90.0_f64, 180.0_f64, -90.0_f64, -180.0_f64);
        for (latitude, longitude) in places {
            (south, north) = (south.min(latitude), north.max(latitude));
            (west, east) = (west.min(longitude), east.max(longitude));
        }
        if south > north {
            (south, west, north, east) = (-1.0, -1.0, 1.0, 1.0);
        }
        // One site alone has some country around it.
        let widen = |least: f64, most: f64, by: f64| {
            let lack = (by - (most - least)).max(0.0) / 2.0;
            (least - lack, most + lack)
        };
        (south, north) = widen(south, north, 1.0);
        (west, east) = widen(west, east, 2.0);
        let narrow = ((south + north) / 2.0).to_radians().cos().max(0.1);
        let inner = WIDTH - 2.0 * MARGIN;
        let mut across = inner / (east - west);
        let mut up = across / narrow;
        let most = HEIGHTS.1 - 2.0 * MARGIN;
        if up * (north - south) > most {
            up = most / (north - south);
            across = up * narrow;
            let lack = (inner / across - (east - west)).max(0.0) / 2.0;
            (west, east) = (west - lack, east + lack);
        }
        let lack = ((HEIGHTS.0 - 2.0 * MARGIN) / up - (north - south)).max(0.0) / 2.0;
        (south, north) = (south - lack, north + lack);
        Self {
            height: up * (north - south) + 2.0 * MARGIN,
            south,
            west,
            north,
            east,
            across,
            up,
        }
    }

    /// Where a place is drawn.
    #[must_use]
    pub fn point(&self, (latitude, longitude): (f64, f64)) -> (f64, f64) {
        let x = MARGIN + (longitude - self.west) * self.across;
        let y = MARGIN + (self.north - latitude) * self.up;
        (x, y)
    }

    /// Lines at round degrees, about six each way.
    #[must_use]
    pub fn graticule(&self) -> Vec<Graticule> {
        let step = |length: f64| {
            let steps = [0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0];
            steps
                .into_iter()
                .find(|step| length / step <= 7.0)
                .unwrap_or(60.0)
        };
        let every = |least: f64, most: f64, step: f64| {
            let (first, last) = ((least / step).ceil(), (most / step).floor());
            let mut values = Vec::new();
            let mut at = first;
            while at <= last && values.len() < 16 {
                values.push(at * step);
                at += 1.0;
            }
            values
        };
        let degrees = |value: f64, plus: char, minus: char| match value {
            0.0 => "0°".to_owned(),
            value if value < 0.0 => format!("{}° {minus}", -value),
            value => format!("{value}° {plus}"),
        };
        let edge = MARGIN;
        let (south, north) = (self.south - edge / self.up, self.north + edge / self.up);
        let (west, east) = (self.west - edge / self.across, self.east + edge / self.across);
        let mut lines = Vec::new();
        for latitude in every(south.max(-90.0), north.min(90.0), step(north - south)) {
            let y = self.point((latitude, self.west)).1;
            lines.push(Graticule {
                d: format!("M0 {y:.1}H{WIDTH:.0}"),
                x: "4".to_owned(),
                y: format!("{:.1}", y - 4.0),
                label: degrees(latitude, 'N', 'S'),
            });
        }
        for longitude in every(west.max(-180.0), east.min(180.0), step(east - west)) {
            let x = self.point((self.north, longitude)).0;
            lines.push(Graticule {
                d: format!("M{x:.1} 0V{:.0}", self.height),
                x: format!("{:.1}", x + 4.0),
                y: format!("{:.1}", self.height - 5.0),
                label: degrees(longitude, 'E', 'W'),
            });
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_keep_north_up_and_east_right_inside_the_drawing() {
        let places = [(52.5, 13.4), (51.5, -0.1), (40.7, -74.0), (-33.9, 151.2)];
        let fit = Projection::fit(places.into_iter());
        let points: Vec<_> = places.iter().map(|&place| fit.point(place)).collect();
        for &(x, y) in &points {
            assert!((MARGIN..=WIDTH - MARGIN).contains(&x.round()), "{points:?}");
            assert!(
                (MARGIN - 1.0..=fit.height).contains(&y) && fit.height <= HEIGHTS.1,
                "{points:?}"
            );
        }
        assert!(points[0].0 > points[1].0 && points[0].1 < points[3].1);
        for alone in [
            Projection::fit([(52.5, 13.4)].into_iter()),
            Projection::fit(std::iter::empty()),
        ] {
            assert!(alone.height.is_finite() && alone.graticule().len() > 2);
        }
    }
}
