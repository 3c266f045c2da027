//! The reliability plot: stated confidence against the share that is right. Blue is the knowledge as it is,
//! red each maker without its curated facts.

use super::Bin;
use plotters::prelude::*;
use std::path::Path;

/// Bins with fewer answers are dots that the line passes by.
const ENOUGH: usize = 10;

/// Why there is no plot.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw the plot: {0}")]
pub struct PlotError(String);

/// Draws both sets of bins as an SVG; beside each dot stands how many answers it is of.
///
/// # Errors
/// [`PlotError`] when the file cannot be written.
pub fn reliability(whole: &[Bin], withheld: &[Bin], title: &str, path: &Path) -> Result<(), PlotError> {
    let failed = |error: &dyn std::fmt::Display| PlotError(error.to_string());
    let area = SVGBackend::new(path, (640, 480)).into_drawing_area();
    area.fill(&WHITE).map_err(|e| failed(&e))?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..1.0, 0.0..1.0)
        .map_err(|e| failed(&e))?;
    chart
        .configure_mesh()
        .x_desc("stated confidence")
        .y_desc("share right")
        .light_line_style(TRANSPARENT)
        .draw()
        .map_err(|e| failed(&e))?;
    let ideal = LineSeries::new([(0.0, 0.0), (1.0, 1.0)], BLACK.mix(0.4));
    chart.draw_series(ideal).map_err(|e| failed(&e))?;
    for (bins, colour) in [(withheld, RED), (whole, BLUE)] {
        let many = bins.iter().filter(|bin| bin.answers >= ENOUGH);
        let points = many.map(|bin| (bin.stated, bin.right));
        let line = LineSeries::new(points, colour.stroke_width(2));
        chart.draw_series(line).map_err(|e| failed(&e))?;
        let dots = bins.iter().map(|bin| {
            EmptyElement::at((bin.stated, bin.right))
                + Circle::new((0, 0), 4, colour.filled())
                + Text::new(bin.answers.to_string(), (-6, 8), ("sans-serif", 13))
        });
        chart.draw_series(dots).map_err(|e| failed(&e))?;
    }
    area.present().map_err(|e| failed(&e))
}
