//! A contact sheet: a row per job, a column per verifier, and what became of each picture written below it.

use std::{convert::Infallible, path::Path};

use embedded_graphics::{
    Drawable as _, Pixel,
    draw_target::DrawTarget,
    geometry::{OriginDimensions, Point, Size},
    mono_font::{
        MonoFont, MonoTextStyle,
        iso_8859_1::{FONT_7X13, FONT_7X13_BOLD, FONT_10X20},
    },
    pixelcolor::{Rgb888, RgbColor as _},
    text::{Baseline, Text},
};
use eyre::Result;
use image::{Rgb, RgbImage, imageops};

/// A whole sheet.
pub struct Sheet {
    /// Above everything.
    pub title: String,
    /// Names of the columns, each with a second line.
    pub columns: Vec<[String; 2]>,
    /// From the top.
    pub rows: Vec<Row>,
}

/// One job.
pub struct Row {
    /// Beside the pictures; wrapped.
    pub text: Vec<Line>,
    /// One per column; none where there is no picture.
    pub cells: Vec<Option<Cell>>,
}

/// One picture.
pub struct Cell {
    /// Shown as large as the sheet's grid has room.
    pub picture: RgbImage,
    /// Below it.
    pub text: Vec<Line>,
}

/// A line of text.
pub struct Line {
    /// Latin characters.
    pub text: String,
    /// Its colour.
    pub tone: Tone,
}

/// What a line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As text is.
    Plain,
    /// Remarks.
    Quiet,
    /// Paid, accepted.
    Good,
    /// Slashed, rejected.
    Bad,
}

const MARGIN: u32 = 16;
const SIDE: u32 = 160;
const LABEL: u32 = 210;
const LINE: u32 = 16;
const TITLE: u32 = 36;
const COLUMN: u32 = SIDE + MARGIN;
/// Lines below a picture.
const CAPTION: u32 = 3;
const PAPER: Rgb<u8> = Rgb([250, 250, 248]);
const NO_PICTURE: Rgb<u8> = Rgb([236, 236, 232]);

impl Line {
    /// A line in a tone.
    #[must_use]
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { text: text.into(), tone }
    }
}

impl Sheet {
    /// Draws it.
    #[must_use]
    pub fn draw(&self) -> RgbImage {
        let columns = u32::try_from(self.columns.len()).unwrap_or(u32::MAX);
        let rows = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        let top = TITLE + MARGIN + 3 * LINE;
        let height = SIDE + CAPTION * LINE + MARGIN;
        let mut paper =
            Paper(RgbImage::from_pixel(2 * MARGIN + LABEL + columns * COLUMN, top + rows * height + MARGIN, PAPER));

        paper.write(MARGIN, MARGIN, &FONT_10X20, &Line::new(Tone::Plain, &self.title));
        for (x, [name, remark]) in (0..).map(column).zip(&self.columns) {
            paper.write(x, MARGIN + TITLE, &FONT_7X13_BOLD, &Line::new(Tone::Plain, name));
            paper.write(x, MARGIN + TITLE + LINE, &FONT_7X13, &Line::new(Tone::Quiet, remark));
        }
        for (y, row) in (0..).map(|number| top + number * height).zip(&self.rows) {
            row.draw(&mut paper, y);
        }
        paper.0
    }

    /// Draws it into a PNG file.
    pub fn save(&self, path: &Path) -> Result<()> {
        Ok(self.draw().save(path)?)
    }
}

impl Row {
    fn draw(&self, paper: &mut Paper, y: u32) {
        let lines = self.text.iter().flat_map(|line| wrap(line, LABEL / 7));
        for (number, line) in (0..).zip(lines) {
            let font = if number == 0 { &FONT_7X13_BOLD } else { &FONT_7X13 };
            paper.write(MARGIN, y + number * LINE, font, &line);
        }
        for (x, cell) in (0..).map(column).zip(&self.cells) {
            match cell {
                Some(cell) => cell.draw(paper, x, y),
                None => paper.fill(x, y, NO_PICTURE),
            }
        }
    }
}

impl Cell {
    fn draw(&self, paper: &mut Paper, x: u32, y: u32) {
        let filter = imageops::FilterType::CatmullRom;
        let picture = imageops::resize(&self.picture, SIDE, SIDE, filter);
        imageops::replace(&mut paper.0, &picture, i64::from(x), i64::from(y));
        for (number, line) in (0..CAPTION).zip(&self.text) {
            paper.write(x, y + SIDE + 2 + number * LINE, &FONT_7X13, line);
        }
    }
}

/// Left edge of a column.
fn column(number: u32) -> u32 {
    MARGIN + LABEL + number * COLUMN
}

/// Breaks a line between words.
fn wrap(line: &Line, width: u32) -> Vec<Line> {
    let width = width as usize;
    let mut lines = vec![String::new()];
    for word in line.text.split_whitespace() {
        if let Some(last) = lines.last_mut()
            && (last.is_empty() || last.len() + 1 + word.len() < width)
        {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.into_iter().map(|text| Line { text, tone: line.tone }).collect()
}

struct Paper(RgbImage);

impl Paper {
    fn write(&mut self, x: u32, y: u32, font: &MonoFont<'_>, line: &Line) {
        let style = MonoTextStyle::new(font, line.tone.colour());
        let Ok(()) = Text::with_baseline(&line.text, point(x, y), style, Baseline::Top).draw(self).map(|_| ());
    }

    fn fill(&mut self, x: u32, y: u32, colour: Rgb<u8>) {
        let square = RgbImage::from_pixel(SIDE, SIDE, colour);
        imageops::replace(&mut self.0, &square, i64::from(x), i64::from(y));
    }
}

impl Tone {
    fn colour(self) -> Rgb888 {
        match self {
            Self::Plain => Rgb888::new(30, 30, 30),
            Self::Quiet => Rgb888::new(110, 110, 110),
            Self::Good => Rgb888::new(20, 120, 60),
            Self::Bad => Rgb888::new(185, 30, 30),
        }
    }
}

impl OriginDimensions for Paper {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Paper {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(point, colour) in pixels {
            let place = u32::try_from(point.x).ok().zip(u32::try_from(point.y).ok());
            if let Some((x, y)) = place
                && let Some(pixel) = self.0.get_pixel_mut_checked(x, y)
            {
                *pixel = Rgb([colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}

fn point(x: u32, y: u32) -> Point {
    Point::new(i32::try_from(x).unwrap_or(i32::MAX), i32::try_from(y).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_break_between_words() {
        let line = Line::new(Tone::Plain, "a glossy birthday cake on an orange background");
        let lines: Vec<_> = wrap(&line, 20).into_iter().map(|line| line.text).collect();
        assert_eq!(lines, ["a glossy birthday", "cake on an orange", "background"]);
    }

    #[test]
    fn every_picture_has_its_place() {
        let red = RgbImage::from_pixel(64, 64, Rgb([200, 0, 0]));
        let sheet = Sheet {
            title: "one job".to_owned(),
            columns: vec![["a".to_owned(), "f32".to_owned()], ["b".to_owned(), "f16".to_owned()]],
            rows: vec![Row {
                text: vec![Line::new(Tone::Plain, "an apple")],
                cells: vec![None, Some(Cell { picture: red, text: vec![Line::new(Tone::Good, "paid")] })],
            }],
        };
        let drawn = sheet.draw();
        let top = TITLE + MARGIN + 3 * LINE;
        assert_eq!(*drawn.get_pixel(column(0) + 80, top + 80), NO_PICTURE);
        assert_eq!(*drawn.get_pixel(column(1) + 80, top + 80), Rgb([200, 0, 0]));
        assert!(drawn.pixels().any(|pixel| *pixel == Rgb([20, 120, 60])), "the caption is written");
    }
}
