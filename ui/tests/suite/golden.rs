//! Every widget as it looks: golden texts at several sizes, and in words.

use crate::samples::{SAMPLES, Sample, as_written};
use ngf_ui::{Background, ColorSupport, GlyphSet, Theme, golden};

fn drawn(sample: &Sample, theme: &Theme, width: u16, height: u16) -> String {
    let buffer = golden::draw(width, height, |area, buffer| {
        (sample.draw)(theme, as_written, area, buffer);
    });
    format!(
        "── {width}x{height}\n{}\n",
        golden::screen(&buffer).trim_end()
    )
}

#[test]
fn every_widget_looks_as_agreed() {
    for sample in SAMPLES {
        let theme = Theme::plain();
        let mut golden = String::new();
        for (width, height) in [(30, 10), (80, 24), (120, 40)] {
            golden.push_str(&drawn(sample, &theme, width, height));
        }
        golden.push_str("── in words, 72 wide\n");
        golden.push_str(&(sample.text)(&theme, as_written, 72).join("\n"));
        insta::assert_snapshot!(sample.name, golden);
    }
}

#[test]
fn every_widget_has_an_ascii_look() {
    let theme = Theme::new(ColorSupport::None, Background::Dark, GlyphSet::Ascii);
    let mut golden = String::new();
    for sample in SAMPLES {
        golden.push_str(sample.name);
        golden.push('\n');
        let drawn = drawn(sample, &theme, 80, 24);
        let screen = drawn.split_once('\n').map_or("", |(_, screen)| screen);
        assert!(screen.is_ascii(), "{}: {screen}", sample.name);
        golden.push_str(&drawn);
    }
    insta::assert_snapshot!("ascii", golden);
}
