//! Pictures of results, as SVG: what the commands' plots have in common.

use std::path::Path;

use eyre::{Result, WrapErr as _};
use oracle::files::write_atomically;
use plotters::{coord::Shift, prelude::*};

/// A part of the picture.
pub(super) type Panel<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Of panel titles, and of what stands beside them.
pub(super) const TITLE: (&str, u32) = ("sans-serif", 16);
const TEXT: (&str, u32) = ("sans-serif", 14);

pub(super) const BLUE: RGBColor = RGBColor(0x1b, 0x6c, 0xa8);
pub(super) const ORANGE: RGBColor = RGBColor(0xc4, 0x4e, 0x1c);
pub(super) const GREEN: RGBColor = RGBColor(0x3c, 0x80, 0x4b);
pub(super) const PURPLE: RGBColor = RGBColor(0x6f, 0x4a, 0x94);
pub(super) const GREY: RGBColor = RGBColor(0x7a, 0x7a, 0x7a);
pub(super) const LIGHT: RGBColor = RGBColor(0xb5, 0xb5, 0xb5);
pub(super) const DARK: RGBColor = RGBColor(0x50, 0x50, 0x50);

/// What `paint` puts on a white ground of so many pixels.
pub(super) fn svg(size: (u32, u32), paint: impl FnOnce(&Panel<'_>) -> Result<()>) -> Result<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE)?;
        paint(&root)?;
        root.present()?;
    }
    Ok(svg)
}

/// Writes a picture, if there is one to write.
pub(super) fn write(path: &Path, drawn: Result<String>) -> Result<()> {
    let written = write_atomically(path, drawn.wrap_err("the plot cannot be drawn")?.as_bytes());
    written.wrap_err_with(|| format!("cannot write {}", path.display()))
}

/// What the colours stand for.
pub(super) fn legend<T: AsRef<str>>(panel: &Panel<'_>, title: &str, lines: &[(RGBColor, T)]) -> Result<()> {
    panel.draw(&Text::new(title, (24, 24), TITLE))?;
    for (line, (colour, text)) in (0..).zip(lines) {
        let y = 64 + 28 * line;
        panel.draw(&PathElement::new([(24, y), (52, y)], colour.stroke_width(2)))?;
        panel.draw(&Text::new(text.as_ref(), (62, y - 7), TEXT))?;
    }
    Ok(())
}
