//! A burn-down drawn by a library: what is left week by week, the date, and where it goes.
//!
//! Invariants: the drawing bears classes in place of colours, so that it is readable in both
//! themes and on paper; nothing but numbers and dates of ours is in it; the table
//! behind it says the same.

use plotters::prelude::*;
use policy::pace::Forecast;
use time::{Date, Month};

/// Size of the drawing, in units of its own.
pub const SIZE: (u32, u32) = (720, 230);
/// Labels of the axis of days, and of the axis of findings, at most.
const LABELS: i64 = 9;
const LEVELS: usize = 5;

/// Stand-ins for what the style sheet colours, each with the class it becomes.
const INKS: [(RGBColor, &str); 7] = [
    (AXIS, "axis"),
    (GRID, "grid"),
    (WORDS, "words"),
    (LEFT, "left-now"),
    (COURSE, "course"),
    (BAND, "band"),
    (DATE, "date"),
];
const AXIS: RGBColor = RGBColor(1, 0, 0);
const GRID: RGBColor = RGBColor(2, 0, 0);
const WORDS: RGBColor = RGBColor(3, 0, 0);
const LEFT: RGBColor = RGBColor(4, 0, 0);
const COURSE: RGBColor = RGBColor(5, 0, 0);
const BAND: RGBColor = RGBColor(6, 0, 0);
const DATE: RGBColor = RGBColor(7, 0, 0);

/// What is drawn.
#[derive(Debug)]
pub struct Course<'a> {
    /// Findings left at the end of each day told, the first day first.
    pub left: &'a [(Date, u64)],
    /// The date by which nothing may be left.
    pub deadline: Date,
    /// How it goes on, if that can be told.
    pub forecast: Option<&'a Forecast>,
}

/// What stands within the `svg` element; nothing where there is too little to draw.
#[must_use]
pub fn burn_down(course: &Course<'_>) -> Option<String> {
    let (first, last) = (course.left.first()?, course.left.last()?);
    if first.0 >= last.0 {
        return None;
    }
    let from = first.0.to_julian_day();
    let now = last.0.to_julian_day();
    let until = end(course, from, now);
    let most = course
        .left
        .iter()
        .map(|(_, left)| *left)
        .max()
        .unwrap_or(1)
        .max(1);
    let mut drawn = String::new();
    draw(course, (from, now, until), most, &mut drawn).ok()?;
    let inner = drawn.split_once('>')?.1;
    let inner = inner.rsplit_once("</svg>")?.0;
    Some(INKS.iter().fold(inner.to_owned(), |text, (ink, class)| {
        let colour = format!("#{:02X}{:02X}{:02X}", ink.0, ink.1, ink.2);
        text.replace(&format!("fill=\"{colour}\""), &format!("class=\"fill-{class}\""))
            .replace(
                &format!("stroke=\"{colour}\""),
                &format!("class=\"line-{class}\""),
            )
    }))
}

/// The last day drawn: a little after the date, and as far after it as it lies ahead, if the forecast reaches there.
fn end(course: &Course<'_>, from: i32, now: i32) -> i32 {
    let deadline = course.deadline.to_julian_day();
    let least = deadline.max(now) + ((deadline.max(now) - from) / 20).max(7);
    let most = deadline.max(now) + (deadline.max(now) - from).max(28);
    let latest = course.forecast.map(|forecast| {
        let [_, latest] = &forecast.done_95;
        let day = latest.as_deref().or(forecast.done.as_deref());
        day.and_then(|day| day.parse::<policy::PartialDate>().ok())
            .map_or(most, |day| day.last().to_julian_day())
    });
    latest.unwrap_or(least).clamp(least, most)
}

fn draw(
    course: &Course<'_>,
    (from, now, until): (i32, i32, i32),
    most: u64,
    into: &mut String,
) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(into, SIZE).into_drawing_area();
    let left = course.left.last().map_or(0, |(_, left)| *left);
    // Counts of findings lie far below what a float holds exactly.
    let (top, left) = (most as f64 * 1.08, left as f64);
    {
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .margin_right(18)
            .x_label_area_size(26)
            .y_label_area_size(52)
            .build_cartesian_2d((from..until).with_key_points(starts(from, until)), 0.0..top)?;
        let words = ("sans-serif", 12).into_font().color(&WORDS);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .axis_style(AXIS)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .label_style(words)
            .x_label_formatter(&|day| label(*day))
            // No more than there are whole numbers.
            .y_labels(
                usize::try_from(most)
                    .unwrap_or(LEVELS)
                    .saturating_add(1)
                    .min(LEVELS),
            )
            .y_label_formatter(&|left| format!("{left:.0}"))
            .draw()?;
        if let Some(forecast) = course.forecast {
            let [slow, fast] = forecast.per_week_95;
            let mut band = vec![(now, left)];
            band.extend(ahead(left, fast, now, until));
            let mut back = ahead(left, slow, now, until);
            back.reverse();
            band.extend(back);
            chart.draw_series(std::iter::once(Polygon::new(band, BAND.filled())))?;
            let mut line = vec![(now, left)];
            line.extend(ahead(left, forecast.per_week, now, until));
            chart.draw_series(LineSeries::new(line, COURSE.stroke_width(2)))?;
        }
        let deadline = course.deadline.to_julian_day();
        if (from..=until).contains(&deadline) {
            let line = vec![(deadline, 0.0), (deadline, top)];
            chart.draw_series(std::iter::once(PathElement::new(line, DATE.stroke_width(2))))?;
        }
        let points = course
            .left
            .iter()
            .map(|(day, left)| (day.to_julian_day(), *left as f64));
        chart.draw_series(LineSeries::new(points, LEFT.stroke_width(3)))?;
    }
    area.present()?;
    Ok(())
}

/// Where a speed a week leads: to nothing left and then along the axis, or to the edge.
fn ahead(left: f64, per_week: f64, now: i32, until: i32) -> Vec<(i32, f64)> {
    let days = f64::from(until - now);
    let done = left / per_week * 7.0;
    if done.is_finite() && done < days {
        // Below the number of days drawn.
        vec![(now + done.ceil() as i32, 0.0), (until, 0.0)]
    } else {
        vec![(until, (left - per_week / 7.0 * days).max(0.0))]
    }
}

/// First days of months, as many as have room for a label.
fn starts(from: i32, until: i32) -> Vec<i32> {
    let step = [1, 2, 3, 6, 12, 24, 60, 120]
        .into_iter()
        .find(|step| i64::from(until - from) / (step * 30) <= LABELS)
        .unwrap_or(240);
    let Ok(first) = Date::from_julian_day(from) else {
        return Vec::new();
    };
    let month = i64::from(first.year()) * 12 + i64::from(u8::from(first.month())) - 1;
    let days = (month..).take(4_096).filter(|month| month % step == 0);
    let days = days.map_while(|month| {
        let year = i32::try_from(month.div_euclid(12)).ok()?;
        let month = Month::try_from(u8::try_from(month.rem_euclid(12) + 1).ok()?).ok()?;
        let day = Date::from_calendar_date(year, month, 1).ok()?.to_julian_day();
        (day <= until).then_some(day)
    });
    days.filter(|day| *day >= from).collect()
}

fn label(day: i32) -> String {
    Date::from_julian_day(day).map_or_else(|_| String::new(), |day| day.to_string().chars().take(7).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    const LEFT_OVER: [(Date, u64); 3] = [
        (date!(2026 - 01 - 01), 40),
        (date!(2026 - 06 - 01), 30),
        (date!(2026 - 11 - 25), 12),
    ];

    #[test]
    fn a_drawing_bears_classes_and_no_colours() {
        let forecast = Forecast {
            per_week: 0.6,
            per_week_95: [0.2, 0.9],
            needed_per_week: Some(2.4),
            done: Some("2027-04-14".into()),
            done_95: [Some("2027-02-27".into()), None],
        };
        let drawn = burn_down(&Course {
            left: &LEFT_OVER,
            deadline: date!(2026 - 12 - 31),
            forecast: Some(&forecast),
        })
        .unwrap();
        for class in [
            "line-left-now",
            "line-course",
            "fill-band",
            "line-date",
            "fill-words",
        ] {
            assert!(drawn.contains(class), "{class}: {drawn}");
        }
        for never in ["#0", "style=", "<svg", "</svg", "<script"] {
            assert!(!drawn.contains(never), "{never}: {drawn}");
        }
    }

    #[test]
    fn a_single_day_draws_nothing() {
        let one = |left| Course {
            left,
            deadline: date!(2026 - 12 - 31),
            forecast: None,
        };
        assert_eq!(burn_down(&one(&LEFT_OVER[..1])), None);
        assert_eq!(burn_down(&one(&[])), None);
        let drawn = burn_down(&one(&LEFT_OVER)).unwrap();
        assert!(!drawn.contains("band"), "no forecast, no band");
    }

    #[test]
    fn few_findings_are_counted_in_whole_ones() {
        for most in 1..9 {
            let left = [(date!(2026 - 01 - 01), most), (date!(2026 - 11 - 25), most)];
            let drawn = burn_down(&Course {
                left: &left,
                deadline: date!(2026 - 12 - 31),
                forecast: None,
            });
            let drawn = drawn.unwrap();
            for level in 0..=most {
                let label = format!("\n{level}\n</text>");
                assert!(drawn.matches(&label).count() <= 1, "{level} of {most}: {drawn}");
            }
        }
    }

    #[test]
    fn labels_stand_at_the_beginnings_of_months() {
        let of = |from: Date, until: Date| {
            starts(from.to_julian_day(), until.to_julian_day())
                .into_iter()
                .map(label)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            of(date!(2026 - 01 - 15), date!(2026 - 04 - 02)),
            ["2026-02", "2026-03", "2026-04"]
        );
        let long = of(date!(2019 - 05 - 01), date!(2031 - 01 - 01));
        assert!(
            (3..=10).contains(&long.len()) && long.iter().all(|day| day.ends_with("-01")),
            "{long:?}"
        );
    }
}
